//! Foreign bytes into ETSI REM evidence: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::rem(data);
});
