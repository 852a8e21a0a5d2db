//! Foreign bytes into sealed messages: nothing may panic or grow without bound.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = enclave::Header::decode(data);
    let _ = enclave::key::Statement::decode(data);
    let _ = gateway::wire::Inner::decode(bytes::Bytes::copy_from_slice(data));
    let _ = gateway::wire::unpair(bytes::Bytes::copy_from_slice(data));
});
