//! Nitro-shaped evidence: a COSE_Sign1 document below root → region → zone → instance → leaf.
//!
//! Shapes after AWS' "Nitro Enclaves attestation process" (attestation document specification):
//! everything is P-384, the chain travels in the document, and the leaf lives three hours.

use std::sync::OnceLock;

use ciborium::Value;

use super::key::Key;
use super::x509::{Certificate, SIGNS};
use super::{in_days, in_seconds, now};

/// The keys of one invented AWS. No `Debug`, on purpose.
pub struct Keys {
    /// Of the root.
    pub root: Key,
    /// Of the authorities below it: region, zone, instance.
    pub authorities: [Key; 3],
    /// Of the enclave's module.
    pub leaf: Key,
}

impl Keys {
    fn new() -> Self {
        let p384 = Key::p384;
        Self { root: p384(), authorities: [p384(), p384(), p384()], leaf: p384() }
    }

    /// Those whose root the test trusts.
    pub fn ours() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(Self::new)
    }

    /// Those of another AWS, with the same names.
    pub fn other() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(Self::new)
    }
}

const ROOT: &str = "aws.nitro-enclaves";
const BELOW: [&str; 3] = [
    "region.invented-1.aws.nitro-enclaves",
    "zone.invented-1.aws.nitro-enclaves",
    "i-0123456789abcdef0.invented-1.aws.nitro-enclaves",
];
const LEAF: &str = "i-0123456789abcdef0-enc0123456789abcdef.invented-1.aws";
/// Name of the enclave's module.
pub const MODULE: &str = "i-0123456789abcdef0-enc0123456789abcdef";

/// What a verifier is given.
#[derive(Clone)]
pub struct Evidence {
    /// The document, CBOR.
    pub document: Vec<u8>,
    /// The root that the test trusts, DER.
    pub root: Vec<u8>,
}

/// Makes a document. Everything may be changed before [`Maker::make`].
#[derive(Clone)]
pub struct Maker {
    /// The root, self-signed.
    pub root: Certificate,
    /// The root as the document carries it; a verifier must not trust this one.
    pub carried_root: Option<Certificate>,
    /// The authorities below the root, from the top.
    pub authorities: Vec<Certificate>,
    /// The module's certificate.
    pub leaf: Certificate,
    /// Signs the document.
    pub signer: &'static Key,
    /// The COSE algorithm in the protected header: -35 is ES384.
    pub algorithm: i64,
    /// With tag 18 in front.
    pub tagged: bool,
    /// PCRs by index.
    pub pcrs: Vec<(u64, Vec<u8>)>,
    /// Fields of the document besides PCRs, certificate and chain, in order.
    pub fields: Vec<(String, Value)>,
    /// A last touch, after everything is signed.
    pub tamper: fn(&mut Evidence),
}

impl Maker {
    /// A document in order.
    pub fn new() -> Self {
        Self::with(Keys::ours())
    }

    /// A document in order, of the AWS with these keys.
    pub fn with(keys: &'static Keys) -> Self {
        let root = Certificate::new(ROOT, &keys.root, ROOT, &keys.root).authority(None);
        let mut authorities = vec![];
        let (mut issuer, mut signer) = (ROOT, &keys.root);
        for (n, (subject, key)) in BELOW.into_iter().zip(&keys.authorities).enumerate() {
            let mut authority =
                Certificate::new(subject, key, issuer, signer).authority(Some(2 - n as u8));
            (authority.not_before, authority.not_after) = (in_days(-1), in_days(1));
            authorities.push(authority);
            (issuer, signer) = (subject, key);
        }
        let mut leaf = Certificate::new(LEAF, &keys.leaf, issuer, signer);
        (leaf.not_before, leaf.not_after) = (in_seconds(-60), in_seconds(3 * 3600 - 60));
        leaf.usage = Some(SIGNS);
        Self {
            carried_root: None,
            root,
            authorities,
            leaf,
            signer: &keys.leaf,
            algorithm: -35,
            tagged: false,
            pcrs: pcrs(),
            fields: vec![
                ("module_id".to_owned(), MODULE.into()),
                ("digest".to_owned(), "SHA384".into()),
                ("timestamp".to_owned(), now().as_millisecond().into()),
                ("public_key".to_owned(), Value::Null),
                ("user_data".to_owned(), Value::Bytes(vec![0xda; 64])),
                ("nonce".to_owned(), Value::Null),
            ],
            tamper: |_| {},
        }
    }

    /// A debug enclave: AWS gives its PCRs as zeros.
    pub fn debug(&mut self) {
        self.pcrs.iter_mut().for_each(|(_, pcr)| pcr.fill(0));
    }

    /// Replaces a field, or adds it.
    pub fn set(&mut self, name: &str, value: Value) {
        match self.fields.iter_mut().find(|(field, _)| field == name) {
            Some((_, old)) => *old = value,
            None => self.fields.push((name.to_owned(), value)),
        }
    }

    /// Leaves a field out.
    pub fn without(&mut self, name: &str) {
        self.fields.retain(|(field, _)| field != name);
    }

    /// Signs everything and puts it together.
    pub fn make(self) -> Evidence {
        let bytes = |certificate: &Certificate| Value::Bytes(certificate.der());
        let carried = self.carried_root.as_ref().unwrap_or(&self.root);
        let bundle = std::iter::once(carried).chain(&self.authorities).map(bytes).collect();
        let pcrs = self.pcrs.iter().map(|(n, pcr)| ((*n).into(), Value::Bytes(pcr.clone())));
        let mut map: Vec<_> =
            self.fields.iter().map(|(name, v)| (Value::Text(name.clone()), v.clone())).collect();
        map.push(("pcrs".into(), Value::Map(pcrs.collect())));
        map.push(("certificate".into(), bytes(&self.leaf)));
        map.push(("cabundle".into(), Value::Array(bundle)));
        let protected = cbor(&Value::Map(vec![(1.into(), self.algorithm.into())]));
        let payload = cbor(&Value::Map(map));
        // Sig_structure (RFC 9052 §4.4)
        let signed = cbor(&Value::Array(vec![
            "Signature1".into(),
            Value::Bytes(protected.clone()),
            Value::Bytes(vec![]),
            Value::Bytes(payload.clone()),
        ]));
        let sign1 = Value::Array(vec![
            Value::Bytes(protected),
            Value::Map(vec![]),
            Value::Bytes(payload),
            Value::Bytes(self.signer.sign_fixed(&signed)),
        ]);
        let document =
            if self.tagged { cbor(&Value::Tag(18, Box::new(sign1))) } else { cbor(&sign1) };
        let mut evidence = Evidence { document, root: self.root.der() };
        (self.tamper)(&mut evidence);
        evidence
    }
}

impl Default for Maker {
    fn default() -> Self {
        Self::new()
    }
}

/// Sixteen: image, kernel, application, role, instance; the rest is zero, as AWS gives it.
fn pcrs() -> Vec<(u64, Vec<u8>)> {
    let value = |n: u64| if n < 5 || n == 8 { 0x50 + n as u8 } else { 0 };
    (0..16).map(|n| (n, vec![value(n); 48])).collect()
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut out = vec![];
    ciborium::into_writer(value, &mut out).expect("because memory does not fail");
    out
}
