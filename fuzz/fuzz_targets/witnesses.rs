//! Foreign bytes of the shared ledger: see `testbed::fuzz::ledger`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::ledger::witnesses(data);
});
