//! Foreign bytes into event logs of TDX guests: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::attest::event_log(data);
});
