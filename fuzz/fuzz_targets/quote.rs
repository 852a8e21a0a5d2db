//! Foreign bytes into SGX and TDX quotes: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::attest::quote(data);
});
