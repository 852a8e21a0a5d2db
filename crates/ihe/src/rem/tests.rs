use exchange::Malformed;
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use trust::signature::SignatureError;
use trust::xml::XmlError;

use super::*;

/// A seal key with a certificate of its own.
fn key() -> Arc<SealKey> {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CountryName, "ES");
    let certificate = params.self_signed(&pair).unwrap().pem();
    Arc::new(SealKey::from_pem(pair.serialize_pem().as_bytes(), certificate.as_bytes()).unwrap())
}

fn party(name: &str, certificate: Option<&[u8]>) -> Party {
    Party {
        names: vec![name.to_owned()],
        certificate: certificate.map(<[u8]>::to_vec),
        ..Party::default()
    }
}

/// Evidence with everything in it.
fn full(kind: Kind, certificate: &[u8]) -> Evidence {
    let at = "2026-11-21T15:04:05.125Z".parse().unwrap();
    Evidence {
        kind,
        verdict: Verdict::Rejected(vec![Reason {
            code: "ERROR_PS_NO_CONSENT".into(),
            details: "a < b & c".into(),
        }]),
        id: "7e0f1c1e-5a50-4f0c-8a44-0c8b1f2f3a4b".into(),
        policies: vec!["urn:oid:1.2.3.4".into()],
        issuer: party("ES", Some(certificate)),
        authentication: Some(Authentication { time: at, method: "urn:example:x509".into() }),
        event_time: at,
        submission_time: Some(at),
        sender: Party { addresses: vec!["https://ncp.example.es".into()], ..party("ES", None) },
        recipients: vec![party("DK", Some(b"not looked at")), Party::default()],
        message: Some(Message {
            subject: "urn:ihe:iti:2007:CrossGatewayRetrieve".into(),
            sender_id: Some("urn:uuid:1".into()),
            number: "0f3c".into(),
            digest: Some(Digest([7; 32])),
        }),
        record: Some(Record {
            log: "konfido.example/es".into(),
            index: 12,
            digest: Digest([9; 32]),
        }),
    }
}

#[test]
fn what_is_written_is_read_back() {
    for kind in [Kind::Origin, Kind::Receipt, Kind::Delivery] {
        let rejected = full(kind, b"der");
        let bare = Evidence {
            verdict: Verdict::Accepted,
            policies: Vec::new(),
            authentication: None,
            submission_time: None,
            message: None,
            record: None,
            ..rejected.clone()
        };
        for evidence in [rejected, bare] {
            let text = evidence.render();
            assert!(text.starts_with(&format!("<{} ", kind.root())), "{text}");
            assert!(Evidence::parse(text.as_bytes()).unwrap() == evidence, "{text}");
        }
    }
}

#[test]
fn event_codes_are_read_as_openncp_and_as_the_standard_write_them() {
    let text = full(Kind::Origin, b"").render();
    let read = |code: &str| {
        let text = text.replace(">Rejection<", &format!(">{code}<"));
        Evidence::parse(text.as_bytes()).map(|e| e.verdict == Verdict::Accepted)
    };
    assert_eq!(read("Acceptance"), Ok(true));
    assert_eq!(read("http:uri.etsi.org/REM/Event#Acceptance"), Ok(true));
    assert_eq!(read("http:uri.etsi.org/REM/Event#Rejection"), Ok(false));
    assert_eq!(read("Delivery"), Err(Malformed { what: "event code" }.into()), "that is an NRD");
}

#[test]
fn a_file_is_named_as_openncp_names_it() {
    assert_eq!(
        full(Kind::Receipt, b"").file_name("ITI-39 ../request"),
        "2026-11-21T15:04:05.125Z_NRR_7e0f1c1e-5a50-4f0c-8a44-0c8b1f2f3a4b_ITI-39-..-request.xml"
    );
}

#[test]
fn signed_evidence_verifies_and_its_signature_is_the_last_child() {
    let key = key();
    let evidence = full(Kind::Receipt, key.certificate().der());
    let signed = evidence.sign(&key).unwrap();
    assert!(signed.ends_with("</ds:Signature></AcceptanceRejectionByRecipient>"), "{signed}");
    assert_eq!(signed.lines().count(), 1);
    let (read, certificate) = Evidence::verify(signed.as_bytes()).unwrap();
    assert!(read == evidence);
    assert_eq!(certificate, *key.certificate());
}

#[test]
fn changed_moved_or_foreign_signatures_are_refused() {
    let key = key();
    let evidence = full(Kind::Origin, key.certificate().der());
    let signed = evidence.sign(&key).unwrap();
    let refused = |text: &str| Evidence::verify(text.as_bytes()).err().unwrap();
    let changed = signed.replace("ERROR_PS_NO_CONSENT", "ERROR_PS_NOT_FOUND");
    assert_eq!(refused(&changed), SignatureError::Invalid.into());
    assert_eq!(refused(&evidence.render()), SignatureError::Missing.into());
    let start = signed.find("<ds:Signature ").unwrap();
    let end = signed.find("</SubmissionAcceptanceRejection>").unwrap();
    let first = signed.find("<EventCode>").unwrap();
    let moved = [&signed[..first], &signed[start..end], &signed[first..start], &signed[end..]];
    let why = SignatureError::Ambiguous("the signature is not the last child");
    assert_eq!(refused(&moved.concat()), why.into(), "its bytes would still verify");
    let other = Evidence { issuer: party("DK", Some(b"another")), ..evidence };
    let why = Malformed { what: "evidence issuer" };
    assert_eq!(refused(&other.sign(&key).unwrap()), why.into(), "signed by another than it says");
}

#[test]
fn broken_evidence_is_refused() {
    let text = full(Kind::Origin, b"der").render();
    let cases: [(&str, &str, MessageError); 7] = [
        ("SubmissionAcceptanceRejection", "RelayREMMDFailure", MessageError::Unexpected),
        ("uri.etsi.org/02640/v1#", "uri.etsi.org/other#", MessageError::Unexpected),
        ("2026-11-21T15:04:05.125Z", "yesterday", Malformed { what: "time" }.into()),
        ("xmlenc#sha256", "xmlenc#ripemd160", Malformed { what: "digest method" }.into()),
        ("BwcHBwcH", "BwcHBw", Malformed { what: "digest" }.into()),
        ("index=\"12\"", "index=\"-1\"", Malformed { what: "ledger record" }.into()),
        (
            "EvidenceIdentifier",
            "Other",
            XmlError::Element { name: "EvidenceIdentifier", problem: "missing" }.into(),
        ),
    ];
    for (from, to, expected) in cases {
        assert!(text.contains(from), "{from}");
        let broken = text.replace(from, to);
        assert_eq!(Evidence::parse(broken.as_bytes()).err(), Some(expected), "{from} -> {to}");
    }
    let twice = text.replace("<SenderDetails>", "<SenderDetails/><SenderDetails>");
    assert!(Evidence::parse(twice.as_bytes()).is_err());
    let long = text.replace("a &lt; b", &"x".repeat(300_000));
    let found = long.len();
    let limit = Limits::ASSERTION.bytes;
    let too_long = XmlError::TooLong { found, limit };
    assert_eq!(Evidence::parse(long.as_bytes()).err(), Some(too_long.into()));
}

proptest! {
    #[test]
    fn any_words_come_back(words in "[ -~æøåΩ]{0,40}", index: u64) {
        let mut evidence = full(Kind::Origin, b"der");
        let trimmed = words.trim();
        evidence.verdict =
            Verdict::Rejected(vec![Reason { code: trimmed.into(), details: trimmed.into() }]);
        evidence.record = Some(Record { log: words.clone(), index, digest: Digest([1; 32]) });
        evidence.id = trimmed.into();
        prop_assert!(Evidence::parse(evidence.render().as_bytes()).unwrap() == evidence);
    }

    #[test]
    fn foreign_bytes_never_panic(cut in 0usize..3000, put in ".{0,8}") {
        let mut text = full(Kind::Receipt, b"der").render();
        let at = cut.min(text.len());
        if text.is_char_boundary(at) {
            text.replace_range(at..(at + put.len()).min(text.len()), &put);
            let _ = Evidence::parse(text.as_bytes());
        }
    }
}

/// (file, kind and whether it says yes; `None` for a file that is no REM evidence)
const SAMPLES: [(&str, Option<(Kind, bool)>); 3] = [
    ("ncp8_samplePolicy.xml", None),
    ("ncp8_samplerem.xml", Some((Kind::Receipt, false))),
    ("ncp8_sampleremgood.xml", Some((Kind::Receipt, true))),
];

#[test]
fn every_openncp_sample_is_read() {
    let Some(samples) = crate::samples::openncp() else { return };
    let mut seen = 0;
    for file in std::fs::read_dir(samples.join("evidence")).unwrap().flatten() {
        let name = file.file_name().into_string().unwrap();
        let (_, expected) = SAMPLES.iter().find(|(known, _)| *known == name).unwrap();
        let read = Evidence::parse(&std::fs::read(file.path()).unwrap());
        match (read, expected) {
            (Ok(found), Some((kind, yes))) => {
                assert_eq!((found.kind, found.verdict == Verdict::Accepted), (*kind, *yes));
                assert_eq!(found.id, "urn:esens:ehealth:1");
                assert_eq!(found.issuer.addresses, ["http://www.ncp:greece"]);
                assert_eq!(found.recipients[0].addresses, ["urn:patient:id"]);
                if let Verdict::Rejected(reasons) = found.verdict {
                    assert_eq!(reasons[0].details, "Unable to verify security header");
                }
                // the note to the author inside the identifier is not taken for an identifier
                assert!(found.message.is_none_or(|m| m.sender_id.is_none()));
            }
            (Err(error), None) => assert_eq!(error, MessageError::Unexpected, "{name}"),
            (read, _) => panic!("{name}: {:?}", read.err()),
        }
        seen += 1;
    }
    assert_eq!(seen, SAMPLES.len());
}
