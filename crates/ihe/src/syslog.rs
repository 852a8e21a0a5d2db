//! Syslog over TLS (RFC 5424, RFC 5425): the frames that carry audit records.
//!
//! OpenNCP joins the strings "13" and "2" to the priority `<132>`, where RFC 5424 gives
//! 13 x 8 + 2 = `<106>` (openncp-protocol §1.10). Both are taken; we write the right one.

use bytes::{Buf, Bytes, BytesMut};

/// Longest frame, in bytes.
pub const MAX_FRAME: usize = 256 << 10;

/// Why a stream is not syslog. The sender's fault; the connection is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyslogError {
    /// The octet count is missing or no number.
    #[error("syslog frame does not begin with its length")]
    Length,
    /// Longer than [`MAX_FRAME`].
    #[error("syslog frame is longer than the limit")]
    TooLong,
    /// The header is not that of RFC 5424.
    #[error("syslog header is malformed")]
    Header,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Priority: facility x 8 + severity, or OpenNCP's 132.
    pub priority: u16,
    /// When, as the sender says.
    pub timestamp: String,
    /// Who sends.
    pub host: String,
    /// The audit record's bytes, without byte order mark.
    pub body: Bytes,
}

/// Takes the next complete frame out of what has arrived; `None` when more must come.
pub fn next_frame(buffer: &mut BytesMut) -> Result<Option<Frame>, SyslogError> {
    let digits = buffer.iter().take(MAX_DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
    if digits > MAX_DIGITS || (digits == 0 && !buffer.is_empty()) {
        return Err(SyslogError::Length);
    }
    match buffer.get(digits) {
        None => return Ok(None),
        Some(b' ') => {}
        Some(_) => return Err(SyslogError::Length),
    }
    let text = std::str::from_utf8(&buffer[..digits]).map_err(|_| SyslogError::Length)?;
    let length: usize = text.parse().map_err(|_| SyslogError::Length)?;
    if length > MAX_FRAME {
        return Err(SyslogError::TooLong);
    }
    if buffer.len() < digits + 1 + length {
        return Ok(None);
    }
    buffer.advance(digits + 1);
    parse(buffer.split_to(length).freeze()).map(Some)
}

/// Writes one frame: `LEN SP <106>1 TIME HOST konfido - IHE+RFC-3881 - BOM XML`.
pub fn frame(timestamp: &str, host: &str, xml: &str) -> Bytes {
    let message = format!("<106>1 {timestamp} {host} konfido - IHE+RFC-3881 - \u{feff}{xml}");
    Bytes::from(format!("{} {message}", message.len()))
}

fn parse(message: Bytes) -> Result<Frame, SyslogError> {
    let rest = message.strip_prefix(b"<").ok_or(SyslogError::Header)?;
    let close = rest.iter().take(4).position(|b| *b == b'>').ok_or(SyslogError::Header)?;
    let text = |bytes: &[u8]| {
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| SyslogError::Header)
    };
    let priority = text(&rest[..close])?.parse().map_err(|_| SyslogError::Header)?;
    // VERSION TIMESTAMP HOSTNAME APP PROCID MSGID SD MSG; structured data is a NILVALUE in the field
    let mut at = 1 + close + 1;
    let mut fields = Vec::with_capacity(7);
    for _ in 0..7 {
        let length = memchr::memchr(b' ', &message[at..]).ok_or(SyslogError::Header)?;
        fields.push(at..at + length);
        at += length + 1;
    }
    if message[fields[0].clone()] != *b"1" || message[fields[6].clone()] != *b"-" {
        return Err(SyslogError::Header);
    }
    let body = message.slice(at..);
    let body = if body.starts_with(b"\xef\xbb\xbf") { body.slice(3..) } else { body };
    Ok(Frame {
        priority,
        timestamp: text(&message[fields[1].clone()])?,
        host: text(&message[fields[2].clone()])?,
        body,
    })
}

/// Digits of the longest octet count.
const MAX_DIGITS: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    fn openncp() -> Vec<u8> {
        let message = "<132>1 2024-06-27T11:30:03.493Z HOST - - - - \u{feff}<AuditMessage/>";
        format!("{} {message}", message.len()).into_bytes()
    }

    #[test]
    fn frames_come_whole_however_they_are_cut() {
        let two = [openncp(), frame("2026-11-21T00:00:00Z", "h", "<a/>").to_vec()].concat();
        for cut in 0..=two.len() {
            let mut buffer = BytesMut::from(&two[..cut]);
            let mut found = Vec::new();
            while let Some(frame) = next_frame(&mut buffer).unwrap() {
                found.push(frame);
            }
            buffer.extend_from_slice(&two[cut..]);
            while let Some(frame) = next_frame(&mut buffer).unwrap() {
                found.push(frame);
            }
            assert_eq!(found.len(), 2, "cut at {cut}");
            assert_eq!((found[0].priority, &found[0].body[..]), (132, &b"<AuditMessage/>"[..]));
            assert_eq!((found[1].priority, &found[1].body[..]), (106, &b"<a/>"[..]));
        }
    }

    #[test]
    fn what_is_not_syslog_is_refused() {
        for (text, error) in [
            ("x 1", SyslogError::Length),
            ("12345678 ", SyslogError::Length),
            ("9999999 ", SyslogError::TooLong),
            ("3 abc", SyslogError::Header),
            ("9 <132>1 - ", SyslogError::Header),
        ] {
            assert_eq!(next_frame(&mut BytesMut::from(text)), Err(error), "{text}");
        }
    }
}
