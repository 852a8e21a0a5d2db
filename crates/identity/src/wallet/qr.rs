//! A link as a QR code (ISO/IEC 18004) in SVG: dark modules as one path, four light ones around.

use qrcodegen::{QrCode, QrCodeEcc};

/// `None` when the text is longer than a code can hold, about 2 kB.
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let side = code.size() + 2 * QUIET;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            path.push_str(&format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET));
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" \
         aria-label=\"QR code for your wallet\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

/// Light modules on each side (ISO/IEC 18004 §9.1).
const QUIET: i32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_drawn_and_nothing_of_it_stands_in_the_markup() {
        let svg = svg("openid4vp://?client_id=x509_hash%3A\"><script>").unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"));
        assert!(!svg.contains("script") && svg.matches("h1v1").count() > 100);
        assert_eq!(super::svg(&"x".repeat(4000)), None);
    }
}
