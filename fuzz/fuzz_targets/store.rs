//! Foreign bytes into sealed stores and recovery shares: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::attest::store(data);
});
