//! Damaged assertions, signed, into the table of rules: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::assertion(data);
});
