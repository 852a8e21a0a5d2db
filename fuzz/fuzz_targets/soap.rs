//! Foreign bytes into ihe messages: nothing may panic or grow without bound.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(xml) = trust::xml::Xml::parse_bytes(data, &trust::xml::Limits::MESSAGE) {
        if let Ok(envelope) = ihe::soap::Envelope::read(&xml) {
            let _ = envelope.content();
        }
        let root = xml.root();
        let none = ihe::mtom::Attachments::new(&[]);
        let _ = ihe::xcpd::Request::parse(root);
        let _ = ihe::xcpd::Response::parse(root);
        let _ = ihe::xca::QueryRequest::parse(root);
        let _ = ihe::xca::QueryResponse::parse(root);
        let _ = ihe::xca::RetrieveRequest::parse(root);
        let _ = ihe::xca::RetrieveResponse::parse(root, &none);
        let _ = ihe::xdr::Submission::parse(root, &none);
        let _ = ihe::xdr::parse_response(root);
        let _ = ihe::atna::Record::parse(root);
    }
});
