//! Foreign bytes into evidence and certificates: nothing may panic or grow without bound.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = trust::certificate::Certificate::from_der(data);
    let _ = trust::certificate::Certificate::from_pem(data);
    let _ = trust::cose::claimed_signer(data);
    let _ = ledger::Secrets::decode(data);
    let _ = ledger::evidence::payload(data);
});
