//! Foreign bytes into eIDAS requests, responses and assertions: see `testbed::fuzz::eid`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::eid::login(data);
});
