//! Foreign bytes into evidence as it travels, with its collateral: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::attest::attestation(data);
});
