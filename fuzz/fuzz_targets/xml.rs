//! Foreign bytes into trust::xml: nothing may panic or grow without bound.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(xml) = trust::xml::Xml::parse_bytes(data, &trust::xml::Limits::ASSERTION) {
        for element in xml.root().descendants() {
            let alone = element.standalone();
            let _ = trust::xml::Xml::parse(&alone, &trust::xml::Limits::MESSAGE);
            let _ = (element.source(), element.content_range(), element.plain_text());
        }
    }
});
