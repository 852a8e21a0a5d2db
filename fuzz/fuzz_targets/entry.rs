//! Foreign bytes as entries of the shared ledger: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::shared::entry(data);
});
