//! Foreign bytes into trust::signature: nothing may panic or grow without bound.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(xml) = trust::xml::Xml::parse_bytes(data, &trust::xml::Limits::ASSERTION) {
        let _ = trust::signature::verify_enveloped(xml.root(), trust::signature::Profile::Ehdsi);
        let _ = trust::signature::verify_key_value_signature(xml.root());
    }
});
