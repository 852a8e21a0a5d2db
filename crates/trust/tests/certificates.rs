//! Certificates, their paths and their keys.

mod fixtures;

use fixtures::{Kind, Root, extended, now};
use rcgen::{
    CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, KeyIdMethod, KeyUsagePurpose,
    RevokedCertParams, date_time_ymd,
};
use trust::certificate::{Anchors, Certificate, CertificateError, Usage};
use trust::seal::{Scheme, SealKey};

#[test]
fn usages_are_kept_apart_but_a_seal_may_be_bare() {
    let root = Root::new();
    let anchors = root.anchors();
    let bare = root.seal(Kind::P256).certificate();
    let client = root.leaf(Kind::P384, extended(ExtendedKeyUsagePurpose::ClientAuth)).certificate();
    let server =
        root.leaf(Kind::Rsa2048, extended(ExtendedKeyUsagePurpose::ServerAuth)).certificate();
    let signing = root
        .leaf(Kind::P256, |params| params.key_usages = vec![KeyUsagePurpose::ContentCommitment])
        .certificate();
    let ok = |c: &Certificate, usage| anchors.verify(c, &[], usage, now()).is_ok();
    for certificate in [&bare, &client, &server, &signing] {
        assert!(ok(certificate, Usage::Seal), "{certificate:?}");
    }
    assert!(ok(&client, Usage::TlsClient) && !ok(&client, Usage::TlsServer));
    assert!(ok(&server, Usage::TlsServer) && !ok(&server, Usage::TlsClient));
    // who signs credentials says so in many ways, but not that it is something else
    let reader = extended(ExtendedKeyUsagePurpose::Other(vec![1, 0, 18013, 5, 1, 6]));
    let reader = root.leaf(Kind::P256, reader).certificate();
    let signer = extended(ExtendedKeyUsagePurpose::Other(vec![1, 0, 18013, 5, 1, 2]));
    let signer = root.leaf(Kind::P256, signer).certificate();
    for certificate in [&bare, &signing, &signer] {
        assert!(ok(certificate, Usage::Attestation), "{certificate:?}");
    }
    for certificate in [&client, &server, &reader] {
        assert!(!ok(certificate, Usage::Attestation), "{certificate:?}");
    }
}

/// Seen: "certificate is malformed" for one without end, 99991231235959Z (RFC 5280 §4.1.2.5).
#[test]
fn a_certificate_without_end_is_read() {
    let root = Root::new();
    let leaf = root.leaf(Kind::P256, |params| params.not_after = date_time_ymd(9999, 12, 31));
    let certificate = leaf.certificate();
    assert_eq!(certificate.not_after().as_second(), jiff::Timestamp::MAX.as_second());
    let anchors = root.anchors();
    assert!(anchors.verify(&certificate, &[], Usage::Seal, now()).is_ok());
}

/// Seen: a code for one portal was redeemed with a certificate of the same common name that another
/// organisation has under the same roots.
#[test]
fn a_certificate_is_known_by_its_whole_name_and_keeps_it_when_it_is_renewed() {
    let root = Root::new();
    let of = |organisation: &'static str| {
        let leaf = root.leaf(Kind::P256, move |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            for (kind, value) in [
                (DnType::CountryName, "ES"),
                (DnType::OrganizationName, organisation),
                (DnType::CommonName, "portal"),
            ] {
                params.distinguished_name.push(kind, value);
            }
        });
        leaf.certificate()
    };
    let (portal, renewed, other) = (of("Hospital"), of("Hospital"), of("Laboratory"));
    let name = "CN=portal,O=Hospital,C=ES";
    assert_eq!(portal.subject(), name);
    assert_ne!(portal.spki(), renewed.spki());
    assert!(portal.is_named(name) && renewed.is_named(name) && !other.is_named(name));
    assert!(portal.is_named("portal") && other.is_named("portal"), "the common name says less");
    assert!(!portal.is_named("") && !portal.is_named("Hospital"));
}

#[test]
fn a_path_holds_only_to_a_known_root_and_in_time() {
    let (root, other) = (Root::new(), Root::new());
    let anchors = root.anchors();
    let leaf = root
        .leaf(Kind::P256, |params| {
            params.not_before = date_time_ymd(2026, 1, 1);
            params.not_after = date_time_ymd(2027, 1, 1);
        })
        .certificate();
    let at = |text: &str| text.parse().unwrap();
    assert!(anchors.verify(&leaf, &[], Usage::Seal, now()).is_ok());
    // the path is remembered, but not beyond the certificate's life
    for time in ["2025-12-31T23:59:59Z", "2027-01-01T00:00:01Z"] {
        let verdict = anchors.verify(&leaf, &[], Usage::Seal, at(time));
        assert!(matches!(verdict, Err(CertificateError::Path(_))), "{time}");
    }
    let edge = at("2026-12-31T23:59:00Z");
    assert!(anchors.verify(&leaf, &[], Usage::Seal, edge).is_ok());
    assert!(anchors.verify(&leaf, &[], Usage::Seal, at("2027-01-01T00:01:00Z")).is_err());
    // same names, other key
    assert!(other.anchors().verify(&leaf, &[], Usage::Seal, now()).is_err());
    // the root itself is not a seal
    let itself = anchors.roots()[0].clone();
    assert!(anchors.verify(&itself, &[], Usage::Seal, now()).is_err());
}

#[test]
fn a_revoked_certificate_has_no_path_even_if_it_had_one() {
    let root = Root::new();
    let (revoked, fine) = (root.seal(Kind::P256), root.seal(Kind::P256));
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2027, 1, 1),
        crl_number: 1u64.into(),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: revoked.serial.clone(),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    }
    .signed_by(&root.issuer)
    .unwrap();
    for bytes in [list.pem().unwrap().into_bytes(), list.der().to_vec()] {
        let anchors = root.anchors();
        let ok = |anchors: &Anchors, leaf: &fixtures::Leaf| {
            anchors.verify(&leaf.certificate(), &[], Usage::Seal, now()).is_ok()
        };
        assert!(ok(&anchors, &revoked) && ok(&anchors, &fine));
        let with_list = root.anchors().with_crls(&bytes).unwrap();
        assert!(!ok(&with_list, &revoked) && ok(&with_list, &fine));
        // a reload takes effect at once, whatever was remembered
        anchors.replace(with_list);
        assert!(!ok(&anchors, &revoked) && ok(&anchors, &fine));
    }
    for nothing in [&b""[..], b"not a list", root.pem.as_bytes()] {
        let verdict = root.anchors().with_crls(nothing);
        assert!(matches!(verdict, Err(CertificateError::NoList)));
    }
}

#[test]
fn a_certificate_speaks_for_one_country_or_for_none() {
    let root = Root::new();
    let country = |edit: fn(&mut rcgen::CertificateParams)| {
        root.leaf(Kind::P256, edit).certificate().country().map(|c| c.to_string())
    };
    assert_eq!(country(|_| {}).as_deref(), Some("DK"));
    assert_eq!(
        country(|p| {
            p.distinguished_name.remove(DnType::CountryName);
        }),
        None
    );
    let two = DnType::CustomDnType(vec![2, 5, 4, 6]);
    let leaf = root.leaf(Kind::P256, |p| p.distinguished_name.push(two, "ES"));
    assert_eq!(leaf.certificate().country(), None, "{:?}", leaf.certificate());
}

#[test]
fn what_is_read_is_what_was_written() {
    let leaf = Root::new().seal(Kind::P256);
    let certificate = leaf.certificate();
    assert_eq!(certificate.common_name(), "Seal");
    assert_eq!(
        Certificate::from_pem(certificate.pem().as_bytes()).unwrap(),
        std::slice::from_ref(&certificate)
    );
    assert_eq!(certificate.spki(), rcgen::PublicKeyData::subject_public_key_info(&leaf.key));
    assert_eq!(Certificate::from_pem(b""), Err(CertificateError::Empty));
    assert!(Certificate::from_der(b"\x30\x00").is_err());
}

#[test]
fn a_key_needs_its_own_certificate() {
    let root = Root::new();
    for (kind, cose, xml) in [
        (Kind::P256, Scheme::Es256, Scheme::Es256),
        (Kind::P384, Scheme::Es384, Scheme::Es384),
        (Kind::Rsa2048, Scheme::Ps256, Scheme::Rs256),
    ] {
        let (own, other) = (root.seal(kind), root.seal(kind));
        let key = own.seal_key();
        assert_eq!((key.cose_scheme(), key.xml_scheme()), (cose, xml));
        let wrong = SealKey::from_pem(own.key.serialize_pem().as_bytes(), other.pem.as_bytes());
        assert!(matches!(wrong, Err(CertificateError::Key(_))), "{kind:?}");
    }
    let rsa = root.seal(Kind::Rsa2048);
    let mixed =
        SealKey::from_pem(root.seal(Kind::P256).key.serialize_pem().as_bytes(), rsa.pem.as_bytes());
    assert!(matches!(mixed, Err(CertificateError::Key(_))));
}

/// Takes the traditional key (SEC1, PKCS#1) out of a PKCS#8 one.
fn traditional(key: &rcgen::KeyPair, label: &str) -> String {
    use x509_cert::der::asn1::OctetStringRef;
    use x509_cert::der::{AnyRef, Decode, Reader, SliceReader};
    let der = key.serialize_der();
    let inner: Vec<u8> = SliceReader::new(&der)
        .unwrap()
        .sequence(|fields| -> x509_cert::der::Result<Vec<u8>> {
            u8::decode(fields)?;
            AnyRef::decode(fields)?;
            let inner = <&OctetStringRef>::decode(fields)?.as_bytes().to_vec();
            while !fields.is_finished() {
                AnyRef::decode(fields)?;
            }
            Ok(inner)
        })
        .unwrap();
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, inner);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[test]
fn traditional_key_files_are_read_too() {
    let root = Root::new();
    for (kind, label) in [
        (Kind::P256, "EC PRIVATE KEY"),
        (Kind::P384, "EC PRIVATE KEY"),
        (Kind::Rsa2048, "RSA PRIVATE KEY"),
    ] {
        let leaf = root.seal(kind);
        let pem = traditional(&leaf.key, label);
        let key = SealKey::from_pem(pem.as_bytes(), leaf.pem.as_bytes()).unwrap();
        let message = trust::cose::sign1(&key, b"payload", b"").unwrap();
        assert!(trust::cose::verify1(&message, b"", &leaf.certificate()).is_ok(), "{kind:?}");
    }
}
