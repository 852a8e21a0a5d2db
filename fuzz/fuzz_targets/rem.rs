//! Foreign bytes into ihe::rem: nothing may panic or grow without bound, and what is read can be written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(evidence) = ihe::rem::Evidence::parse(data) {
        let _ = evidence.render();
        let _ = evidence.file_name("title");
    }
    let _ = ihe::rem::Evidence::verify(data);
});
