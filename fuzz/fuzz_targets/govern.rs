//! Foreign bytes as changes of a registry: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::shared::govern(data);
});
