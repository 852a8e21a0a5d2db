//! Foreign bytes into the canonicalization of XML: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::canonical(data);
});
