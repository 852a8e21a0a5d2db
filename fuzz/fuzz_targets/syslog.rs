//! Foreign bytes into syslog frames: nothing may panic or grow without bound.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut buffer = bytes::BytesMut::from(data);
    while let Ok(Some(_)) = ihe::syslog::next_frame(&mut buffer) {}
});
