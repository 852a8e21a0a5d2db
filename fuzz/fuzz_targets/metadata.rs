//! Foreign bytes into eIDAS metadata: see `testbed::fuzz::eid`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::eid::metadata(data);
});
