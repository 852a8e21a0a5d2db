//! HL7 v3 points in time (`TS`).

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// Reads `yyyyMMdd[HHmm[ss[.fff]]][±zzzz]`; without an offset the time is taken as UTC.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let split = text.find(['+', '-']).unwrap_or(text.len());
    let (local, zone) = text.split_at(split);
    let digits = local.split_once('.').map_or(local, |(whole, _)| whole);
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
        return None;
    }
    let number =
        |from: usize, to: usize| digits.get(from..to).map_or(Some(0), |d| d.parse::<i8>().ok());
    let date = Date::new(digits[..4].parse().ok()?, number(4, 6)?, number(6, 8)?).ok()?;
    let time = Time::new(number(8, 10)?, number(10, 12)?, number(12, 14)?, 0).ok()?;
    offset(zone)?.to_timestamp(DateTime::from_parts(date, time)).ok()
}

fn offset(zone: &str) -> Option<Offset> {
    if zone.is_empty() {
        return Some(Offset::UTC);
    }
    let (sign, digits) = (if zone.starts_with('-') { -1 } else { 1 }, &zone[1..]);
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_precision_and_zone() {
        for (text, expected) in [
            ("20191122143500+0200", Some("2019-11-22T12:35:00Z")),
            ("20241120091228.071+0000", Some("2024-11-20T09:12:28Z")),
            ("20241120", Some("2024-11-20T00:00:00Z")),
            ("202411200912", Some("2024-11-20T09:12:00Z")),
            ("20201001000000-0200", Some("2020-10-01T02:00:00Z")),
            ("2020", None),
            ("20201301", None),
            ("20200101000000+2", None),
            ("20200101+é00", None),
            ("é0200101", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text).map(|t| t.to_string()).as_deref(), expected, "{text}");
        }
    }
}
