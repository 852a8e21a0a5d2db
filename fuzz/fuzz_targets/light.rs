//! Foreign bytes into messages of the light interface: see `testbed::fuzz::eid`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::eid::light(data);
});
