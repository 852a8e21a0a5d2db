//! Foreign bytes into SAML in a URL, posted SAML, light tokens: see `testbed::fuzz::eid`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::eid::redirect(data);
});
