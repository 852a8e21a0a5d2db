//! Foreign text as genesis files: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::shared::genesis(data);
});
