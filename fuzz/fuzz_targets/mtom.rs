//! Foreign bytes into MTOM packages: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::mtom(data);
});
