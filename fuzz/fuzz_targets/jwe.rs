//! Foreign bytes into a wallet's encrypted answers: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::wallet::jwe(data);
});
