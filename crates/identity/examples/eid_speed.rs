//! How long a login's messages take, on one core.
//!
//! `eid_speed write DIR` makes the input: signed messages of about 10 kB, whole Responses, their
//! certificates and keys. `eid_speed time DIR` reads it and prints one row each: name, microseconds of
//! CPU (median over batches). `-signature` is the same assertion parsed and its signature verified, with
//! no path, rule or memory; `rsa3072-private-key` is what aws-lc needs for one decryption, of which a
//! Response holds one, `…-public-key` for one verification, of which every message holds one. `interop/speed.py` times others on the same files. `eid_speed count DIR NAME` does a
//! row a thousand times and nothing else, for `perf stat -e instructions:u`.

use std::fs::{read, read_to_string, write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::{Country, Oid, Permission, Purpose, RoleCode, SystemEntropy, Transaction};
use identity::eidas::attributes::Attribute;
use identity::eidas::person::{Person, PersonIdentifier};
use identity::eidas::request::{Request, SpType};
use identity::eidas::response::{Answer, Expectation, Levels, verify};
use identity::issue::{Moment, Professional, hcp};
use identity::replay::Spent;
use identity::{AssertionCache, Assurance, Context, recognise};
use jiff::{SignedDuration, Timestamp};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize, SigningKey as _};
use trust::certificate::{Anchors, Certificate};
use trust::encryption::{DecryptionKey, Recipient};
use trust::seal::SealKey;
use trust::signature::{Profile, sign_enveloped_as, verify_enveloped};
use trust::xml::{Limits, Xml};

/// (name, RSA bits if RSA, profile that it is signed by)
const ASSERTIONS: [(&str, Option<RsaKeySize>, Profile); 3] = [
    ("hcp-rsa2048", Some(RsaKeySize::_2048), Profile::Ehdsi),
    ("hcp-pss3072", Some(RsaKeySize::_3072), Profile::Eidas),
    ("hcp-p256", None, Profile::Ehdsi),
];
/// (name, key that signs, key that opens). The second is what we advise: EC keys for encryption.
const RESPONSES: [(&str, Option<RsaKeySize>, Option<RsaKeySize>); 3] = [
    ("response-rsa3072", Some(RsaKeySize::_3072), Some(RsaKeySize::_3072)),
    ("response-rsa3072-p256", Some(RsaKeySize::_3072), None),
    ("response-p256", None, None),
];
const CONNECTOR: &str = "https://connector.es.example/metadata";
const ENDPOINT: &str = "https://connector.es.example/response";
const PROXY: &str = "https://proxy.dk.example/metadata";
const HCP: &str = "_11111111-1111-4111-8111-111111111111";
/// Batches of which the median counts, and how long one takes, in nanoseconds.
const BATCHES: usize = 5;
const LONG_ENOUGH: u128 = 200_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", folder] => Files(folder.into()).make(),
        ["time", folder] => Files(folder.into()).time(""),
        ["time", folder, name] => Files(folder.into()).time(name),
        ["count", folder, name] => Files(folder.into()).rows(|row, work| {
            if row == name {
                (0..1000).for_each(|_| work());
            }
        }),
        _ => eprintln!("eid_speed write DIR | time DIR [NAME] | count DIR NAME"),
    }
}

struct Files(PathBuf);

/// A key with its certificate, both written down.
struct Party {
    key: Arc<SealKey>,
    pem: String,
}

fn now() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().expect("because it is a time")
}

fn country(code: &str) -> Country {
    Country::parse(code).expect("because it has two letters")
}

fn generate(rsa: Option<RsaKeySize>) -> KeyPair {
    match rsa {
        Some(size) => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size),
        None => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
    }
    .expect("because keys can be made")
}

impl Files {
    fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.0.join(name).with_extension(extension)
    }

    fn put(&self, name: &str, extension: &str, text: &str) {
        write(self.path(name, extension), text).expect("because the folder can be written");
    }

    fn make(&self) {
        std::fs::create_dir_all(&self.0).expect("because the folder can be made");
        for (name, rsa, profile) in ASSERTIONS {
            let (root, seal) = issued(rsa);
            let text = clinician(&seal.key, profile);
            println!("{name}: {} bytes", text.len());
            self.put(name, "xml", &text);
            self.put(name, "root.pem", &root);
            self.put(name, "pem", &seal.key.certificate().pem());
        }
        for (name, signs, opens) in RESPONSES {
            let ((_, proxy), (_, connector)) = (issued(signs), issued(opens));
            let text = answer(&proxy, &connector);
            println!("{name}: {} bytes", text.len());
            self.put(name, "xml", &text);
            self.put(name, "pem", &proxy.key.certificate().pem());
            self.put(name, "key", &connector.pem);
        }
    }

    /// Rows whose names begin with `prefix`.
    fn time(&self, prefix: &str) {
        self.rows(|name, work| {
            if name.starts_with(prefix) {
                row(name, work);
            }
        });
    }

    /// Each row's name and its work.
    fn rows(&self, mut each: impl FnMut(&str, &dyn Fn())) {
        let text = |name: &str, extension: &str| {
            read_to_string(self.path(name, extension)).expect("because `write` came first")
        };
        for (name, _, profile) in ASSERTIONS {
            let (message, root) = (text(name, "xml"), text(name, "root.pem"));
            let anchors = Anchors::from_pem(root.as_bytes()).expect("because it is a root");
            each(name, &|| recognised(&message, &anchors));
            each(&format!("{name}-signature"), &|| {
                let xml = Xml::parse(&message, &Limits::MESSAGE).expect("because we wrote it");
                verify_enveloped(xml.root(), profile).expect("because it is signed");
            });
        }
        for (name, _, _) in RESPONSES {
            let message = text(name, "xml");
            let signers = certificates(&self.path(name, "pem"));
            let key = DecryptionKey::from_pem(text(name, "key").as_bytes());
            let key = key.expect("because it is a key");
            each(name, &|| identified(&message, &signers, &key));
        }
        let (key, sealed) = private_key(&text(RESPONSES[0].0, "key"));
        each("rsa3072-private-key", &|| {
            let mut out = vec![0; key.min_output_size()];
            let opened = key.decrypt(&OAEP_SHA256_MGF1SHA256, &sealed, &mut out, None);
            assert!(opened.is_ok_and(|opened| opened == [7; 32]), "what was sealed");
        });
        let verifications: [(_, _, &'static dyn VerificationAlgorithm); 2] = [
            ("rsa3072-public-key", RESPONSES[0].0, &RSA_PKCS1_2048_8192_SHA256),
            ("p256-public-key", RESPONSES[2].0, &ECDSA_P256_SHA256_ASN1),
        ];
        for (name, owner, algorithm) in verifications {
            let (key, signature) = public_key(&text(owner, "key"), algorithm);
            each(name, &|| {
                key.verify_sig(&[7; 32], &signature).expect("because its key signed");
            });
        }
    }
}

/// The public half of a key, ready for aws-lc, and what the private half signed.
fn public_key(
    pem: &str,
    algorithm: &'static dyn VerificationAlgorithm,
) -> (ParsedPublicKey, Vec<u8>) {
    let key = KeyPair::from_pem(pem).expect("because it is a key");
    let signature = key.sign(&[7; 32]).expect("because a key signs");
    let key = ParsedPublicKey::new(algorithm, key.public_key_raw());
    (key.expect("because it is a key"), signature)
}

/// aws-lc's own reading of a key, and 32 bytes sealed for it.
fn private_key(pem: &str) -> (OaepPrivateDecryptingKey, Vec<u8>) {
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(text).expect("because a key is written so");
    let key = PrivateDecryptingKey::from_pkcs8(&der).expect("because it is RSA");
    let public = OaepPublicEncryptingKey::new(key.public_key()).expect("because it is RSA");
    let mut sealed = vec![0; public.ciphertext_size()];
    public
        .encrypt(&OAEP_SHA256_MGF1SHA256, &[7; 32], &mut sealed, None)
        .expect("because it is short");
    (OaepPrivateDecryptingKey::new(key).expect("because it is RSA"), sealed)
}

fn certificates(path: &Path) -> Vec<Certificate> {
    let pem = read(path).expect("because `write` came first");
    Certificate::from_pem(&pem).expect("because it is a certificate")
}

/// A root and a seal certificate of it.
fn issued(rsa: Option<RsaKeySize>) -> (String, Party) {
    let ca = generate(rsa);
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "root");
    let root = params.self_signed(&ca).expect("because a root signs for itself").pem();
    let ca = rcgen::Issuer::new(params, ca);
    let key = generate(rsa);
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CountryName, "ES");
    params.distinguished_name.push(rcgen::DnType::CommonName, "seal");
    let chain = params.signed_by(&key, &ca).expect("because the root signs").pem();
    let pem = key.serialize_pem();
    let key = SealKey::from_pem(pem.as_bytes(), chain.as_bytes());
    (root, Party { key: Arc::new(key.expect("because they belong together")), pem })
}

/// A clinician's assertion, filled up with permissions to about 10 kB.
fn clinician(key: &Arc<SealKey>, profile: Profile) -> String {
    let permissions = ["PRD-003", "PRD-004", "PRD-005", "PRD-006", "PRD-010", "PRD-016"];
    let who = Professional {
        user: "doctor@hospital.example".into(),
        name: "Ægir Ørsted Ñandú".into(),
        role: RoleCode::DOCTOR,
        organization: "Hospital".into(),
        organization_id: "urn:oid:2.16.724".into(),
        locality: "Hospital".into(),
        facility: "Hospital".into(),
        community: Oid::parse("2.16.724").expect("because it is one"),
        permissions: permissions.iter().filter_map(|p| Permission::of(p)).collect(),
    };
    let moment = Moment {
        country: country("ES"),
        now: now(),
        life: SignedDuration::from_hours(4),
        id: HCP,
        class: "X509",
    };
    let signed = hcp(&who, &moment, Purpose::Treatment, key).expect("because the seal signs");
    let (start, rest) = signed.split_once("<ds:Signature ").expect("because it is signed");
    let (_, end) = rest.split_once("</ds:Signature>").expect("because it is signed");
    let unsigned = format!("{start}{end}");
    // the last permission again and again, as a clinician with many rights has them
    let last = unsigned.rfind("<saml2:AttributeValue").expect("because it has attributes");
    let close = unsigned[last..].find("</saml2:AttributeValue>").expect("because it is closed");
    let value = &unsigned[last..last + close + "</saml2:AttributeValue>".len()];
    let missing = 10_000_usize.saturating_sub(signed.len()) / value.len();
    let filled = unsigned.replacen(value, &value.repeat(1 + missing), 1);
    sign_enveloped_as(&filled, HCP, key, profile).expect("because the seal signs")
}

fn answer(proxy: &Party, connector: &Party) -> String {
    let request = Request {
        id: "_r1".into(),
        issued: now(),
        destination: PROXY.into(),
        issuer: CONNECTOR.into(),
        provider: "Hospital".into(),
        sector: Some(SpType::Public),
        requester: None,
        assurance: Assurance::Substantial,
        optional: Attribute::of("PlaceOfBirth").into_iter().collect(),
    };
    let identifier = PersonIdentifier::parse("DK/ES/7402539902").expect("because it is one");
    let birth = "1953-02-14".parse().expect("because it is a date");
    let answer = Answer {
        request: &request,
        endpoint: ENDPOINT,
        issuer: PROXY,
        person: &Person::new(identifier, "Opdigtet", "Agnete", birth),
        assurance: Assurance::High,
        address: "192.0.2.7",
        now: now(),
    };
    let recipient = Recipient::new(connector.key.certificate().clone());
    answer.sign(&proxy.key, &recipient, &SystemEntropy).expect("because the node signs")
}

/// Parsed, verified, its certificate's path walked, every rule held against it.
fn recognised(message: &str, anchors: &Anchors) {
    let xml = Xml::parse(message, &Limits::MESSAGE).expect("because we wrote it");
    let context = Context {
        transaction: Transaction::PatientDiscovery,
        discard: false,
        patients: &[],
        peer: Country::parse("ES").ok(),
        now: now(),
        anchors,
    };
    let found = recognise(&[xml.root()], &context, &AssertionCache::new(1));
    found.expect("because the assertion is good");
}

/// Verified, decrypted, every rule held against it.
fn identified(message: &str, signers: &[Certificate], key: &DecryptionKey) {
    let expectation = Expectation {
        request_id: "_r1",
        audience: CONNECTOR,
        endpoint: ENDPOINT,
        issuer: PROXY,
        country: country("DK"),
        signers,
        assurance: Assurance::Substantial,
        certified: Assurance::High,
        levels: Levels::Eidas,
        address: Some("192.0.2.7"),
        now: now(),
    };
    let found = verify(message, &expectation, key, &Spent::default());
    assert!(found.is_ok_and(|who| who.assurance() == Assurance::High), "the answer is good");
}

fn row(name: &str, work: &dyn Fn()) {
    let mut times: Vec<u128> = (0..BATCHES).map(|_| batch(work)).collect();
    times.sort_unstable();
    println!("{name}\t{:.1}", times[BATCHES / 2] as f64 / 1000.0);
}

/// Nanoseconds for one, measured over long enough: the system counts CPU time in steps of milliseconds.
fn batch(work: &dyn Fn()) -> u128 {
    let (start, mut done) = (Clock::start(), 0);
    while start.nanoseconds() < LONG_ENOUGH {
        (0..20).for_each(|_| work());
        done += 20;
    }
    start.nanoseconds() / done
}

/// CPU time of this thread where the system tells it (Linux), else the time on the wall.
struct Clock(Option<u128>, Instant);

impl Clock {
    fn start() -> Self {
        Self(Self::cpu(), Instant::now())
    }

    fn cpu() -> Option<u128> {
        let text = read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok()
    }

    fn nanoseconds(&self) -> u128 {
        match (self.0, Self::cpu()) {
            (Some(start), Some(end)) if end > start => end - start,
            _ => self.1.elapsed().as_nanos(),
        }
    }
}
