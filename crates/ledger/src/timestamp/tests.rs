//! Time-stamps by OpenSSL (`recorded/`, made by `interop/c2sp`'s recipe), and by an authority of our
//! own that can do what OpenSSL refuses to.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use exchange::SystemEntropy;
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair};
use trust::certificate::{Anchors, Certificate};
use x509_cert::der::{Decode as _, Encode as _};

use super::der::{CONTEXT_0, INTEGER, OCTET_STRING, SEQUENCE, SET, tlv};
use super::*;

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("recorded/", $name)).as_slice()
    };
}

fn recorded_imprint() -> [u8; 32] {
    imprint(std::str::from_utf8(recorded!("checkpoint")).unwrap())
}

#[test]
fn what_openssl_stamped_holds() {
    let roots = Anchors::from_pem(recorded!("root.pem")).unwrap();
    for (response, authority) in [
        (recorded!("rsa.tsr"), "CN=TSA"),
        (recorded!("p256.tsr"), "CN=P-256,O=Invented TSA,C=EU"),
        (recorded!("p384.tsr"), "CN=P-384,O=Invented TSA,C=EU"),
    ] {
        let token = TimeStampRequest::token(response).unwrap();
        assert_eq!(TimeStampToken::read(token.der()), Ok(token.clone()));
        let stamped = token.verify(recorded_imprint(), &roots, Expected::default()).unwrap();
        assert_eq!(stamped.authority, authority);
        assert_eq!(stamped.policy, "1.2.3.4.1");
        assert!(stamped.time.to_string().starts_with("2026-11-21T"), "{}", stamped.time);
        let other = token.verify([0; 32], &roots, Expected::default());
        assert_eq!(other, Err(TimeStampError::Imprint));
        let policy = Expected { policy: Some("1.2.3.4.5"), ..Expected::default() };
        let other = token.verify(recorded_imprint(), &roots, policy);
        assert_eq!(other, Err(TimeStampError::Policy("1.2.3.4.1".into())));
        let request = TimeStampRequest::new(recorded_imprint(), &SystemEntropy);
        let nonce = Expected { request: Some(&request), ..Expected::default() };
        let other = token.verify(recorded_imprint(), &roots, nonce);
        assert_eq!(other, Err(TimeStampError::Nonce));
    }
}

#[test]
fn what_is_too_old_or_refused_does_not_hold() {
    let roots = Anchors::from_pem(recorded!("root.pem")).unwrap();
    let verdict = |response: &[u8]| {
        TimeStampRequest::token(response)?.verify(recorded_imprint(), &roots, Expected::default())
    };
    let said = |response: &[u8]| verdict(response).unwrap_err().to_string();
    assert!(said(recorded!("old.tsr")).contains("SHA-1 is not enough"));
    assert!(said(recorded!("sha1.tsr")).contains("not SHA-2"));
    assert_eq!(verdict(recorded!("imprint512.tsr")), Err(TimeStampError::Imprint));
    assert_eq!(verdict(recorded!("refused.tsr")), Err(TimeStampError::Refused(2)));
    assert!(verdict(b"").is_err());
}

#[test]
fn no_byte_of_a_stamp_can_change() {
    let roots = Anchors::from_pem(recorded!("root.pem")).unwrap();
    let token = TimeStampRequest::token(recorded!("rsa.tsr")).unwrap();
    let genuine = token.verify(recorded_imprint(), &roots, Expected::default()).unwrap();
    for at in 0..token.der().len() {
        let mut bytes = token.der().to_vec();
        bytes[at] ^= 1;
        let read = TimeStampToken::read(&bytes);
        let verdict = read.and_then(|t| t.verify(recorded_imprint(), &roots, Expected::default()));
        // what nobody signed (versions, names of digests) may change, what is found may not
        assert!(verdict.is_err() || verdict == Ok(genuine.clone()), "byte {at}");
        assert!(TimeStampToken::read(&token.der()[..at]).is_err(), "cut at {at}");
    }
}

/// A time-stamping authority in a few lines, which does as it is told.
pub(crate) struct Authority {
    root: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What it does otherwise than it should.
#[derive(Default, Clone, Copy)]
pub(crate) struct Slip {
    usage: Option<&'static [u8]>,
    uncritical: bool,
    expired: bool,
    other_certificate: bool,
    other_digest: bool,
    twice: bool,
    other_type: bool,
    time: Option<&'static str>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "root");
        let root = params.self_signed(&key).unwrap().pem();
        Self { root, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn anchors(&self) -> Anchors {
        Anchors::from_pem(self.root.as_bytes()).unwrap()
    }

    fn certificate(&self, slip: Slip) -> (KeyPair, Certificate) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "stamps");
        params.serial_number = Some(vec![0xf0, 1, 2].into());
        params.not_after = rcgen::date_time_ymd(if slip.expired { 2020 } else { 2060 }, 1, 1);
        let usage = slip.usage.unwrap_or(&[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8]);
        let mut usage = CustomExtension::from_oid_content(&[2, 5, 29, 37], usage.to_vec());
        usage.set_criticality(!slip.uncritical);
        params.custom_extensions.push(usage);
        let made = params.signed_by(&key, &self.issuer).unwrap();
        (key, Certificate::from_der(made.der()).unwrap())
    }

    pub(crate) fn answer(&self, request: &TimeStampRequest, slip: Slip) -> Vec<u8> {
        let (key, certificate) = self.certificate(slip);
        let time = slip.time.unwrap_or("20261121213000.5Z");
        let hash = tlv(OCTET_STRING, &[&request.imprint]);
        let info = tlv(
            SEQUENCE,
            &[
                VERSION_1,
                &[6, 3, 0x2a, 3, 4],
                &tlv(SEQUENCE, &[SHA256_ALGORITHM, &hash]),
                &[2, 1, 77],
                &tlv(0x18, &[time.as_bytes()]),
                &tlv(INTEGER, &[&request.nonce]),
            ],
        );
        let parsed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
        let tbs = parsed.tbs_certificate();
        // a positive number whose first bit is set
        let serial = tlv(INTEGER, &[&[0, 0xf0, 1, 2]]);
        let name = tlv(SEQUENCE, &[&tbs.issuer().to_der().unwrap(), &serial]);
        let kind: &[u8] = if slip.other_type { &OID_DATA } else { &OID_TST };
        let digest = if slip.other_digest { [0; 32] } else { sha256(&info) };
        let bound = if slip.other_certificate { [0; 32] } else { sha256(certificate.der()) };
        let id =
            tlv(SEQUENCE, &[&tlv(SEQUENCE, &[&tlv(SEQUENCE, &[&tlv(OCTET_STRING, &[&bound])])])]);
        let attribute = |oid: &[u8], value: &[u8]| tlv(SEQUENCE, &[oid, &tlv(SET, &[value])]);
        let content_type = attribute(&OID_CONTENT_TYPE, kind);
        let again = if slip.twice { &content_type[..] } else { &[] };
        let attributes = [
            &content_type[..],
            again,
            &attribute(&OID_MESSAGE_DIGEST, &tlv(OCTET_STRING, &[&digest])),
            &attribute(&OID_CERTIFICATE_V2, &id),
        ]
        .concat();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der());
        let message = tlv(SET, &[&attributes]);
        let signature = pair.unwrap().sign(&SystemRandom::new(), &message).unwrap();
        let signer = tlv(
            SEQUENCE,
            &[
                VERSION_1,
                &name,
                SHA256_ALGORITHM,
                &tlv(CONTEXT_0, &[&attributes]),
                &tlv(SEQUENCE, &[&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]),
                &tlv(OCTET_STRING, &[signature.as_ref()]),
            ],
        );
        let data = tlv(
            SEQUENCE,
            &[
                &[2, 1, 3],
                &tlv(SET, &[SHA256_ALGORITHM]),
                &tlv(SEQUENCE, &[&OID_TST, &tlv(CONTEXT_0, &[&tlv(OCTET_STRING, &[&info])])]),
                &tlv(CONTEXT_0, &[certificate.der()]),
                &tlv(SET, &[&signer]),
            ],
        );
        let token = tlv(SEQUENCE, &[&OID_SIGNED_DATA, &tlv(CONTEXT_0, &[&data])]);
        tlv(SEQUENCE, &[&tlv(SEQUENCE, &[&[2, 1, 0]]), &token])
    }
}

#[test]
fn a_stamp_holds_for_its_request_only_and_an_authority_that_slips_is_caught() {
    let authority = Authority::new();
    let request = TimeStampRequest::new([3; 32], &SystemEntropy);
    let verdict = |slip: Slip| {
        let token = TimeStampRequest::token(&authority.answer(&request, slip))?;
        let expected = Expected { request: Some(&request), policy: Some("1.2.3.4") };
        token.verify([3; 32], &authority.anchors(), expected)
    };
    let stamped = verdict(Slip::default()).unwrap();
    assert_eq!(stamped.time.to_string(), "2026-11-21T21:30:00.5Z");
    assert_eq!((stamped.serial.as_str(), stamped.authority.as_str()), ("4d", "CN=stamps"));
    // serverAuth; timeStamping and serverAuth
    let server: &[u8] = &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
    let both: &[u8] = &[0x30, 20, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
    for (slip, what) in [
        (Slip { usage: Some(server), ..Slip::default() }, "time-stamps alone"),
        (Slip { usage: Some(both), ..Slip::default() }, "time-stamps alone"),
        (Slip { uncritical: true, ..Slip::default() }, "time-stamps alone"),
        (Slip { expired: true, ..Slip::default() }, "no valid path"),
        (Slip { other_certificate: true, ..Slip::default() }, "bound to another certificate"),
        (Slip { other_digest: true, ..Slip::default() }, "digest of what is signed"),
        (Slip { other_type: true, ..Slip::default() }, "no time-stamp"),
        (Slip { twice: true, ..Slip::default() }, "twice"),
        (Slip { time: Some("20261121213000.50Z"), ..Slip::default() }, "no time of RFC 3161"),
        (Slip { time: Some("2026112121300Z"), ..Slip::default() }, "no time of RFC 3161"),
        (Slip { time: Some("20261321213000Z"), ..Slip::default() }, "no time of RFC 3161"),
        (Slip { time: Some("20261121213000+0100"), ..Slip::default() }, "no time of RFC 3161"),
    ] {
        let said = verdict(slip).unwrap_err().to_string();
        assert!(said.contains(what), "{what}: {said}");
    }
    // a root of somebody else
    let token = TimeStampRequest::token(&authority.answer(&request, Slip::default())).unwrap();
    let said = token.verify([3; 32], &Authority::new().anchors(), Expected::default());
    assert!(said.unwrap_err().to_string().contains("no valid path"));
}

#[test]
fn a_request_is_these_bytes() {
    let request = TimeStampRequest::new([7; 32], &SystemEntropy);
    let encoded = request.encode();
    let head = [0x30, 75, 2, 1, 1, 0x30, 49];
    assert_eq!(encoded[..7], head);
    assert_eq!(encoded[7..22], *SHA256_ALGORITHM);
    assert_eq!(encoded[22..24], [4, 32]);
    assert_eq!(encoded[24..56], [7; 32]);
    assert_eq!(encoded[56..58], [2, 16]);
    assert_eq!(encoded[58..74], request.nonce);
    assert_eq!(encoded[74..], *TRUE);
    assert!(TimeStampRequest::new([7; 32], &SystemEntropy) != request, "a nonce is fresh");
}

const OID_SIGNED_DATA: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 2];
const OID_DATA: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 1];
const OID_TST: [u8; 13] = [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 16, 1, 4];
const OID_CONTENT_TYPE: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 3];
const OID_MESSAGE_DIGEST: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 4];
const OID_CERTIFICATE_V2: [u8; 13] = [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 16, 2, 47];
