//! Foreign bytes into credentials as mdoc: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::wallet::mdoc(data);
});
