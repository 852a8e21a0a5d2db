//! Foreign bytes into TLS connections that a vault ends: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::attest::last_hop(data);
});
