//! Encrypted assertions: ours round trip, real nodes' open, nothing else does.

mod fixtures;

use std::path::PathBuf;

use exchange::SystemEntropy;
use fixtures::{Kind, Root, assertion};
use trust::encryption::{DecryptionKey, Recipient, decrypt, encrypt};
use trust::xml::{Element, Limits, Xml};

const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";

fn data<'d, 'a>(xml: &'d Xml<'a>) -> Element<'d, 'a> {
    let root = xml.root();
    if root.is(XENC, "EncryptedData") {
        return root;
    }
    root.descendants().find(|e| e.is(XENC, "EncryptedData")).unwrap()
}

#[test]
fn what_we_seal_opens_with_the_right_key_and_with_no_other() {
    let root = Root::new();
    let text = assertion("_a", "a person");
    for kind in [Kind::Rsa2048, Kind::Rsa3072, Kind::P256, Kind::P384, Kind::P521] {
        let (leaf, other) = (root.seal(kind), root.seal(kind));
        let recipient = Recipient::new(leaf.certificate());
        let sealed = encrypt(text.as_bytes(), &recipient, &SystemEntropy).unwrap();
        assert!(!sealed.contains("a person"));
        let xml = Xml::parse(&sealed, &Limits::MESSAGE).unwrap();
        let key = |leaf: &fixtures::Leaf| {
            DecryptionKey::from_pem(leaf.key.serialize_pem().as_bytes()).unwrap()
        };
        assert_eq!(&decrypt(data(&xml), &key(&leaf)).unwrap()[..], text.as_bytes(), "{kind:?}");
        assert!(decrypt(data(&xml), &key(&other)).is_err(), "{kind:?}");
    }
}

#[test]
fn a_changed_ciphertext_or_algorithm_does_not_open() {
    let leaf = Root::new().seal(Kind::P256);
    let recipient = Recipient::new(leaf.certificate());
    let sealed = encrypt(b"<a/>", &recipient, &SystemEntropy).unwrap();
    let key = DecryptionKey::from_pem(leaf.key.serialize_pem().as_bytes()).unwrap();
    for (from, to) in [
        ("aes256-gcm", "aes128-gcm"),
        ("2009/xmlenc11#aes256-gcm", "2001/04/xmlenc#aes256-cbc"),
        ("2009/xmlenc11#aes256-gcm", "2001/04/xmlenc#tripledes-cbc"),
        ("kw-aes256", "kw-aes128"),
        ("ECDH-ES", "dh-es"),
        ("AlgorithmID=\"0000\"", "AlgorithmID=\"0001\""),
        ("AlgorithmID=\"0000\"", "AlgorithmID=\"0100\""),
        ("<xenc:CipherValue>", "<xenc:CipherValue>AAAA"),
        ("xmlenc#sha256", "xmlenc#sha512"),
    ] {
        assert!(sealed.contains(from), "{from}");
        let changed = sealed.replace(from, to);
        let xml = Xml::parse(&changed, &Limits::MESSAGE).unwrap();
        assert!(decrypt(data(&xml), &key).is_err(), "{from} -> {to}");
    }
}

/// (file, opens): Brainpool curves are not in aws-lc; what names no recipient is refused.
const NODE: [(&str, bool); 9] = [
    ("INVALID_saml_rsa_rsa-oaep_encrypted_response_missing_keyInfo.xml", false),
    ("INVALID_saml_rsa_rsa-oaep_encrypted_response_missing_pubkey.xml", false),
    ("saml_ec_Brainpool_kw-aes128_encrypted_response.xml", false),
    ("saml_ec_Brainpool_kw-aes256_encrypted_response.xml", false),
    ("saml_ec_NistCurve_kw-aes128_encrypted_response.xml", true),
    ("saml_ec_NistCurve_kw-aes256_encrypted_response.xml", true),
    ("saml_rsa_rsa-oaep-mgf1p_encrypted_response.xml", true),
    ("saml_rsa_rsa-oaep_encrypted_response.xml", true),
    ("saml_rsa_rsa-oaep_encrypted_response_DEREncodedKeyValue.xml", true),
];

#[test]
fn responses_of_the_eidas_node_open() {
    let root = std::env::var_os("KONFIDO_SAMPLES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"),
        PathBuf::from,
    );
    let folder = root.join("identity/eidas-node-2.9.0/encryption");
    let store = folder.join("keystores/test.p12");
    if !store.exists() {
        println!("skipped: no samples at {}", folder.display());
        return;
    }
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["pkcs12", "-nodes", "-nocerts", "-passin", "pass:local-demo", "-in"]).arg(store);
    let Ok(output) = openssl.output() else {
        println!("skipped: no openssl to read a PKCS#12 file");
        return;
    };
    let pem = String::from_utf8(output.stdout).unwrap();
    let end = "-----END PRIVATE KEY-----";
    let keys: Vec<_> = pem
        .split_inclusive(end)
        .filter_map(|block| DecryptionKey::from_pem(block.as_bytes()).ok())
        .collect();
    assert!(keys.len() >= 2);
    for (file, opens) in NODE {
        let text = std::fs::read_to_string(folder.join("responses").join(file)).unwrap();
        let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
        let opened = keys.iter().find_map(|key| decrypt(data(&xml), key).ok());
        assert_eq!(opened.is_some(), opens, "{file}");
        if let Some(bytes) = opened {
            let inner = Xml::parse_bytes(&bytes, &Limits::MESSAGE).unwrap();
            assert_eq!(inner.root().name(), "Assertion", "{file}");
        }
    }
}
