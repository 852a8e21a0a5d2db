//! Foreign bytes into statements of vault keys: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::attest::statement(data);
});
