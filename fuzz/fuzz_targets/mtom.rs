//! Foreign bytes into MTOM packages: nothing may panic or grow without bound.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let body = bytes::Bytes::copy_from_slice(data);
    let _ = ihe::mtom::Package::parse("multipart/related; boundary=b; start=\"<r>\"", body);
});
