//! MTOM/XOP packages: `multipart/related` around a SOAP message (W3C XOP 1.0, RFC 2387).
//!
//! Parts are slices of the received buffer; a 100 kB document is never copied on the way through.

use std::collections::BTreeMap;

use base64::Engine as _;
use bytes::Bytes;
use trust::xml::Element;

use crate::MessageError;

/// XOP include elements.
pub const XOP: &str = "http://www.w3.org/2004/08/xop/include";

/// One attached part.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// Content-ID, without angle brackets.
    pub cid: String,
    /// Media type.
    pub mime: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// A SOAP message and what is attached to it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Package {
    /// The SOAP envelope.
    pub root: Bytes,
    /// The attachments.
    pub parts: Vec<Part>,
}

impl Package {
    /// A message without attachments.
    pub fn bare(root: impl Into<Bytes>) -> Self {
        Self { root: root.into(), parts: Vec::new() }
    }

    /// Reads an HTTP body of this `Content-Type`.
    pub fn parse(content_type: &str, body: Bytes) -> Result<Self, MessageError> {
        match media_type(content_type).as_str() {
            "application/soap+xml" => Ok(Self::bare(body)),
            "multipart/related" => parse_multipart(content_type, &body),
            _ => Err(MessageError::Mime(
                "content type is neither application/soap+xml nor multipart/related",
            )),
        }
    }

    /// Writes the HTTP body and its `Content-Type`.
    pub fn write(&self, action: &str) -> (String, Bytes) {
        let (mime, pieces) = self.pieces(action);
        let whole = match pieces.as_slice() {
            [one] => one.clone(),
            many => many.concat().into(),
        };
        (mime, whole)
    }

    /// [`Package::write`] for who can send a body in pieces: nothing is copied.
    pub fn pieces(&self, action: &str) -> (String, Vec<Bytes>) {
        if self.parts.is_empty() {
            let mime = if action.is_empty() {
                "application/soap+xml; charset=utf-8".to_owned()
            } else {
                format!("application/soap+xml; charset=utf-8; action=\"{action}\"")
            };
            return (mime, vec![self.root.clone()]);
        }
        let parts = self.parts.iter().map(|part| (part, vec![part.bytes.clone()]));
        multipart(action, &self.boundary(), vec![self.root.clone()], parts.collect())
    }

    /// A boundary that no part contains: who knows this program could else end a part where he
    /// likes, and write the next one, for the parser behind us.
    fn boundary(&self) -> String {
        let finder = memchr::memmem::Finder::new(BOUNDARY);
        let all = || self.parts.iter().map(|p| &p.bytes).chain([&self.root]);
        if !all().any(|bytes| finder.find(bytes).is_some()) {
            return BOUNDARY.to_owned();
        }
        // nobody can write a text that contains its own digest
        let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        all().for_each(|bytes| digest.update(bytes));
        let digest = digest.finish();
        let hex = digest.as_ref().iter().take(16).map(|b| format!("{b:02x}"));
        format!("{BOUNDARY}-{}", hex.collect::<String>())
    }
}

/// Writes an HTTP body and its `Content-Type` for who has the envelope and the parts in pieces of his own,
/// and a boundary that stands in none of them.
pub fn multipart(
    action: &str,
    boundary: &str,
    root: Vec<Bytes>,
    parts: Vec<(&Part, Vec<Bytes>)>,
) -> (String, Vec<Bytes>) {
    let root_cid = root_cid(&parts);
    let mut pieces = Vec::with_capacity(2 * parts.len() + root.len() + 2);
    pieces.push(Bytes::from(format!(
        "--{boundary}\r\nContent-Type: application/xop+xml; charset=utf-8; type=\"application/soap+xml\"\r\n\
         Content-Transfer-Encoding: binary\r\nContent-ID: <{root_cid}>\r\n\r\n"
    )));
    pieces.extend(root);
    for (part, bytes) in parts {
        pieces.push(Bytes::from(format!(
            "\r\n--{boundary}\r\nContent-Type: {}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{}>\r\n\r\n",
            part.mime, part.cid
        )));
        pieces.extend(bytes);
    }
    pieces.push(Bytes::from(format!("\r\n--{boundary}--\r\n")));
    let mime = format!(
        "multipart/related; type=\"application/xop+xml\"; start=\"<{root_cid}>\"; \
         start-info=\"application/soap+xml\"; action=\"{action}\"; boundary=\"{boundary}\""
    );
    (mime, pieces)
}

/// A content id for the envelope that no part has.
fn root_cid(parts: &[(&Part, Vec<Bytes>)]) -> String {
    let numbered = (1_u32..).map(|n| format!("{ROOT_CID}-{n}"));
    let mut all = std::iter::once(ROOT_CID.to_owned()).chain(numbered);
    all.find(|candidate| parts.iter().all(|(part, _)| part.cid != *candidate))
        .expect("because a message has few parts")
}

impl Part {
    /// Whether the content id and the media type may stand in a header line as they are.
    pub fn is_in_form(&self) -> bool {
        let plain = |text: &str, other: &[u8]| {
            !text.is_empty()
                && text.len() <= MAX_NAME
                && text.bytes().all(|b| b.is_ascii_graphic() && !other.contains(&b))
        };
        plain(&self.cid, b"<>\"") && plain(&self.mime, b"<>\";:,")
    }
}

/// The attachments of a message, while its elements are read. Each part is taken exactly once.
pub struct Attachments<'p> {
    waiting: std::cell::RefCell<BTreeMap<&'p str, &'p Part>>,
}

impl<'p> Attachments<'p> {
    /// The parts of a package.
    pub fn new(parts: &'p [Part]) -> Self {
        Self {
            waiting: std::cell::RefCell::new(parts.iter().map(|p| (p.cid.as_str(), p)).collect()),
        }
    }

    /// The content of an element that is either base64 text or one `xop:Include`.
    pub fn content(&self, element: Element<'_, '_>) -> Result<Bytes, MessageError> {
        if let Some(include) = element.child(XOP, "Include") {
            let cid = include.attribute("href").and_then(|href| href.strip_prefix("cid:"));
            let cid = percent_decode(cid.ok_or(MessageError::Content("xop:Include without cid"))?);
            let part = self.waiting.borrow_mut().remove(cid.as_str());
            return part
                .map(|p| p.bytes.clone())
                .ok_or(MessageError::Content("no such part, or taken twice"));
        }
        let text = element.demand_text("Document")?;
        decode_base64(text).ok_or(MessageError::Content("not base64"))
    }

    /// Refuses a package with parts that nothing refers to.
    pub fn finish(&self) -> Result<(), MessageError> {
        if self.waiting.borrow().is_empty() {
            Ok(())
        } else {
            Err(MessageError::Content("a part that nothing refers to"))
        }
    }
}

pub(crate) fn decode_base64(text: &str) -> Option<Bytes> {
    let engine = &base64::engine::general_purpose::STANDARD;
    if let Ok(bytes) = engine.decode(text) {
        return Some(bytes.into());
    }
    let packed: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    engine.decode(packed).ok().map(Bytes::from)
}

fn parse_multipart(content_type: &str, body: &Bytes) -> Result<Package, MessageError> {
    let boundary = parameter(content_type, "boundary").filter(|b| !b.is_empty() && b.len() <= 200);
    let boundary = boundary.ok_or(MessageError::Mime("no boundary"))?;
    let start = parameter(content_type, "start").map(strip_brackets);
    let first = format!("--{boundary}");
    let delimiter = format!("\r\n--{boundary}");
    let finder = memchr::memmem::Finder::new(delimiter.as_bytes());
    let mut at = memchr::memmem::find(body, first.as_bytes())
        .ok_or(MessageError::Mime("no first boundary"))?
        + first.len();
    let mut root: Option<Part> = None;
    let mut parts: Vec<Part> = Vec::new();
    loop {
        if body[at..].starts_with(b"--") {
            break;
        }
        let rest = &body[at..];
        let skip = memchr::memmem::find(rest, b"\r\n")
            .filter(|n| rest[..*n].iter().all(u8::is_ascii_whitespace));
        at += skip.ok_or(MessageError::Mime("truncated boundary"))? + 2;
        let end = finder.find(&body[at..]).ok_or(MessageError::Mime("truncated part"))? + at;
        let part = parse_part(body.slice(at..end))?;
        let is_root = root.is_none() && start.is_none_or(|cid| cid == part.cid);
        if is_root {
            root = Some(part);
        } else {
            if !part.is_in_form() {
                return Err(MessageError::Mime("a part's content id or type is out of form"));
            }
            parts.push(part);
        }
        if parts.len() > MAX_PARTS {
            return Err(MessageError::Mime("too many parts"));
        }
        at = end + delimiter.len();
    }
    let root = root.ok_or(MessageError::Mime("no root part"))?;
    let mut names: Vec<&str> = parts.iter().chain([&root]).map(|p| p.cid.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(MessageError::Mime("a part's content id is repeated"));
    }
    Ok(Package { root: root.bytes, parts })
}

fn parse_part(bytes: Bytes) -> Result<Part, MessageError> {
    let window = &bytes[..bytes.len().min(MAX_PART_HEADER)];
    let (header, content_at) = if window.starts_with(b"\r\n") {
        (&window[..0], 2)
    } else {
        let end = memchr::memmem::find(window, b"\r\n\r\n")
            .ok_or(MessageError::Mime("part header too long or truncated"))?;
        (&window[..end], end + 4)
    };
    let header =
        std::str::from_utf8(header).map_err(|_| MessageError::Mime("part header is not text"))?;
    let (mut cid, mut mime, mut encoding) =
        (String::new(), "application/octet-stream".to_owned(), String::new());
    for line in header.split("\r\n") {
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "content-id" => strip_brackets(value.trim()).clone_into(&mut cid),
            "content-type" => mime = media_type(value),
            "content-transfer-encoding" => encoding = value.trim().to_ascii_lowercase(),
            _ => {}
        }
    }
    let content = bytes.slice(content_at..);
    let bytes = match encoding.as_str() {
        "" | "binary" | "8bit" | "7bit" => content,
        "base64" => std::str::from_utf8(&content)
            .ok()
            .and_then(|text| decode_base64(text.trim()))
            .ok_or(MessageError::Mime("part is not base64"))?,
        _ => return Err(MessageError::Mime("unknown transfer encoding")),
    };
    Ok(Part { cid, mime, bytes })
}

/// A media type in lower case, without its parameters (RFC 2045 §5.1).
fn media_type(text: &str) -> String {
    sections(text).next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The value of a parameter of a media type; the last, if it stands there twice.
fn parameter<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    sections(text)
        .skip(1)
        .filter_map(|section| section.split_once('='))
        .filter(|(key, _)| key.trim().eq_ignore_ascii_case(name))
        .last()
        .map(|(_, value)| value.trim().trim_matches('"'))
}

/// What stands between semicolons that are not in quotes.
fn sections(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    })
}

fn strip_brackets(text: &str) -> &str {
    text.strip_prefix('<').and_then(|t| t.strip_suffix('>')).unwrap_or(text)
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let code = code
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// More parts than any IHE message has.
pub(crate) const MAX_PARTS: usize = 64;
/// Longest content id or media type.
const MAX_NAME: usize = 255;
/// Longest header of one part, in bytes.
const MAX_PART_HEADER: usize = 8 << 10;
/// Long and odd enough not to occur in an honest document; see [`Package::boundary`].
const BOUNDARY: &str = "MIMEBoundary-konfido-7f3a9c51d2e84b06a1c5";
const ROOT_CID: &str = "root.message@konfido";

#[cfg(test)]
mod tests {
    use super::*;
    use trust::xml::{Limits, Xml};

    fn package() -> Package {
        let part = |cid: &str, text: &'static str| Part {
            cid: cid.into(),
            mime: "text/xml".into(),
            bytes: Bytes::from_static(text.as_bytes()),
        };
        Package { root: "<a/>".into(), parts: vec![part("1@x", "one"), part("2@x", "")] }
    }

    #[test]
    fn packages_round_trip_and_every_truncation_is_refused() {
        let (mime, body) = package().write("urn:x");
        assert!(Package::parse(&mime, body.clone()).unwrap() == package());
        for cut in 0..body.len() - 4 {
            assert!(Package::parse(&mime, body.slice(..cut)).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_document_ends_its_own_part_and_writes_the_next() {
        let part = |cid: &str, text: String| Part {
            cid: cid.into(),
            mime: "text/xml".into(),
            bytes: text.into(),
        };
        let smuggled = |boundary: &str| {
            format!("x\r\n--{boundary}\r\nContent-ID: <{ROOT_CID}>\r\n\r\n<evil/>")
        };
        let hostile = Package {
            root: "<a/>".into(),
            parts: vec![
                part("1@x", smuggled(BOUNDARY)),
                part("2@x", smuggled(&format!("{BOUNDARY}-1"))),
            ],
        };
        let (mime, body) = hostile.write("");
        assert!(Package::parse(&mime, body).unwrap() == hostile);
        let envelope =
            Package { root: "<a/>".into(), parts: vec![part(ROOT_CID, "<evil/>".into())] };
        let (mime, body) = envelope.write("");
        assert!(!mime.contains(&format!("start=\"<{ROOT_CID}>\"")), "names the attachment");
        assert!(Package::parse(&mime, body).unwrap() == envelope);
    }

    #[test]
    fn a_content_id_does_not_write_header_lines() {
        for (cid, mime) in [
            ("1@x>\nContent-Transfer-Encoding: base64\nX: <", "text/xml"),
            ("1@x", "text/xml\nContent-ID: <root.message@konfido>"),
            ("1 @x", "text/xml"),
            ("", "text/xml"),
            ("1@x", ""),
        ] {
            let part = Part { cid: cid.into(), mime: mime.into(), bytes: Bytes::new() };
            assert!(!part.is_in_form(), "{cid} {mime}");
            let body = format!(
                "--b\r\nContent-ID: <r>\r\n\r\n<a/>\r\n--b\r\nContent-Type: {mime}\r\nContent-ID: <{cid}>\r\n\r\nx\r\n--b--"
            );
            let parsed = Package::parse("multipart/related; boundary=b", body.into());
            assert!(parsed.is_err(), "{cid} {mime}");
        }
        let twice =
            "--b\r\nContent-ID: <r>\r\n\r\n<a/>\r\n--b\r\nContent-ID: <r>\r\n\r\nx\r\n--b--";
        assert!(Package::parse("multipart/related; boundary=b", twice.into()).is_err());
    }

    #[test]
    fn each_part_is_taken_exactly_once() {
        let package = package();
        let attachments = Attachments::new(&package.parts);
        let text = format!("<d><i:Include xmlns:i='{XOP}' href='cid:1%40x'/></d>");
        let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
        assert_eq!(attachments.content(xml.root()).unwrap(), "one");
        assert!(attachments.content(xml.root()).is_err(), "taken twice");
        assert!(attachments.finish().is_err(), "2@x is waiting");
        let inline = Xml::parse("<d> b25l\n </d>", &Limits::MESSAGE).unwrap();
        assert_eq!(attachments.content(inline.root()).unwrap(), "one");
    }

    #[test]
    fn broken_packages_are_refused() {
        for (mime, body) in [
            ("text/plain", "x"),
            ("multipart/related", "x"),
            ("multipart/related; boundary=b", "--c\r\n"),
            (
                "multipart/related; boundary=b; start=\"<q>\"",
                "--b\r\nContent-ID: <r>\r\n\r\nx\r\n--b--",
            ),
            (
                "multipart/related; boundary=b",
                "--b\r\n\r\nroot\r\n--b\r\nContent-ID: <r>\r\n\r\nx\r\n--b\r\nContent-ID: <r>\r\n\r\nx\r\n--b--",
            ),
        ] {
            assert!(
                Package::parse(mime, Bytes::from_static(body.as_bytes())).is_err(),
                "{mime} {body}"
            );
        }
    }
}
