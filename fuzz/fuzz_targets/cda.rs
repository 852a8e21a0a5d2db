//! Foreign bytes into CDA documents: nothing may panic or grow without bound.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(view) = clinical::cda::View::parse(data) {
        let _ = (view.class(), view.patient_ids(), view.orders(), view.medications().len());
    }
});
