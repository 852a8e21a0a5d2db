//! Foreign bytes into credentials as SD-JWT: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::wallet::sd_jwt(data);
});
