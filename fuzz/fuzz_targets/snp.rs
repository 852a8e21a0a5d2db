//! Foreign bytes into SNP reports and their certificates: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::attest::snp(data);
});
