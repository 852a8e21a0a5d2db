//! Foreign bytes into the lanes of a vault: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::attest::vault(data);
});
