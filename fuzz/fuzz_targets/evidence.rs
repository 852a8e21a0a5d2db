//! Foreign bytes into certificates and evidence: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::evidence(data);
});
