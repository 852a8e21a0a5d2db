//! Foreign bytes into Nitro documents, TPM quotes and software evidence: see `testbed::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    testbed::fuzz::attest::nitro(data);
});
