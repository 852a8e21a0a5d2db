//! Signatures of a member that lies, verified together: see `testbed::fuzz::shared`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::shared::batch(data);
});
