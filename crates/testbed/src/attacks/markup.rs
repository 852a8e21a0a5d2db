//! Messages that attack the reader of XML, made from a flawless envelope.

use super::forgery::replaced;

/// A bare document type declaration.
pub fn doctype(envelope: &str) -> String {
    format!("<!DOCTYPE e>{envelope}")
}

/// An internal entity that is used in the Body.
pub fn internal_entity(envelope: &str) -> String {
    format!("<!DOCTYPE e [<!ENTITY x \"y\">]>{}", in_body(envelope, "&x;"))
}

/// An external entity: the file would be read, or the address called.
pub fn external_entity(envelope: &str, system: &str) -> String {
    format!("<!DOCTYPE e [<!ENTITY x SYSTEM \"{system}\">]>{}", in_body(envelope, "&x;"))
}

/// A parameter entity from outside: no reference in the Body is needed.
pub fn parameter_entity(envelope: &str, system: &str) -> String {
    format!("<!DOCTYPE e [<!ENTITY % x SYSTEM \"{system}\"> %x;]>{envelope}")
}

/// Billion laughs: 10 to the power of 9 copies of a word.
pub fn laughs(document: &str, place: impl Fn(&str, &str) -> String) -> String {
    let entities: String = (1..10)
        .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
        .collect();
    let used = place(document, "&l9;");
    format!("<!DOCTYPE e [<!ENTITY l0 \"lol\">{entities}]>{used}")
}

/// That many attributes on one element: quadratic work for a naive reader.
pub fn attributes(envelope: &str, count: usize) -> String {
    let all: String = (0..count).map(|n| format!(" a{n}=\"\"")).collect();
    replaced(envelope, "<env:Body>", &format!("<env:Body{all}>"))
}

/// That many nested elements: the stack of a recursive reader.
pub fn levels(envelope: &str, count: usize) -> String {
    in_body(envelope, &format!("{}{}", "<a>".repeat(count), "</a>".repeat(count)))
}

/// Puts text first into the Body.
pub fn in_body(envelope: &str, inner: &str) -> String {
    replaced(envelope, "<env:Body>", &format!("<env:Body>{inner}"))
}
