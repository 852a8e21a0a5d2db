//! Foreign bytes into the doctor's pouch: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::attest::pouch(data);
});
