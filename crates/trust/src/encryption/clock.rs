//! How long each kind of failure takes, side by side. `cargo test --release -p trust clock -- --nocapture`
//! prints what docs/benchmarks.md quotes.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use super::structure::Sealed;
use super::*;
use crate::certificate::Certificate;
use crate::private::{Holder, PrivateKey};
use crate::seal::Scheme;
use crate::xml::{Limits, Xml};

struct Pair(Recipient, DecryptionKey);

fn pair(key: &rcgen::KeyPair) -> Pair {
    let certificate = rcgen::CertificateParams::default().self_signed(key).unwrap();
    let certificate = Certificate::from_der(certificate.der()).unwrap();
    let private = DecryptionKey::from_pkcs8(&key.serialize_der()).unwrap();
    Pair(Recipient::new(certificate), private)
}

/// As a vault process uses a key: what was wrapped travels to it.
struct Vault(DecryptionKey);

impl Holder for Vault {
    fn sign(&self, _: Scheme, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn unwrap(&self, wrapped: &WrappedKey) -> Option<Zeroizing<Vec<u8>>> {
        self.0.unwrap(&WrappedKey::decode(&wrapped.encode()).unwrap()).ok()
    }
}

fn held(key: DecryptionKey) -> DecryptionKey {
    DecryptionKey::new(&PrivateKey::Held(Arc::new(Vault(key)))).unwrap()
}

fn rsa(size: rcgen::RsaKeySize) -> Pair {
    pair(&rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap())
}

fn ec(curve: &'static rcgen::SignatureAlgorithm) -> Pair {
    pair(&rcgen::KeyPair::generate_for(curve).unwrap())
}

/// One way to fail.
struct Class {
    name: &'static str,
    /// The message, read: what is timed is what a key does with it.
    text: String,
    micros: Vec<f64>,
}

fn class(name: &'static str, text: String) -> Class {
    Class { name, text, micros: Vec::new() }
}

/// Content as long as the longest message; its last byte, of the tag, is wrong where `good` is not.
fn sealed(to: &Recipient, key: &[u8], good: bool) -> String {
    let mut body = vec![b'x'; CONTENT];
    let full = [key, &[0; 32]].concat();
    let nonce = aead::Nonce::assume_unique_for_key([7; aead::NONCE_LEN]);
    let cipher = Content::Aes256.key(&full[..32]).unwrap();
    let tag = cipher.seal_in_place_separate_tag(nonce, aead::Aad::empty(), &mut body).unwrap();
    let mut tag = tag.as_ref().to_vec();
    tag[TAG - 1] ^= u8::from(!good);
    let value = STANDARD.encode([&[7; aead::NONCE_LEN][..], &body, &tag].concat());
    let key = to.wrap(key).unwrap();
    let algorithm = Content::Aes256.uri();
    format!(
        "<xenc:EncryptedData xmlns:xenc=\"{XENC}\"><xenc:EncryptionMethod Algorithm=\"{algorithm}\"/>\
         <ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{key}</ds:KeyInfo>\
         <xenc:CipherData><xenc:CipherValue>{value}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
    )
}

/// The first value with this name is another one.
fn with(text: &str, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let start = text.find(&format!("{name}>")).unwrap() + name.len() + 1;
    let end = start + text[start..].find('<').unwrap();
    let value = change(STANDARD.decode(&text[start..end]).unwrap());
    format!("{}{}{}", &text[..start], STANDARD.encode(value), &text[end..])
}

fn flip(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

/// The first class is the one that others are held against: all work is done, and the tag is wrong.
fn classes(ours: &Pair, other: &Pair, smaller: &Pair, kind: &Pair) -> Vec<Class> {
    let good = sealed(&ours.0, &[9; 32], true);
    vec![
        class("tag", sealed(&ours.0, &[9; 32], false)),
        class("padding of the key", with(&good, "xenc:CipherValue", flip)),
        class("length of the key", sealed(&ours.0, &[9; 16], true)),
        class("recipient", sealed(&other.0, &[9; 32], true)),
        class("recipient of another size", sealed(&smaller.0, &[9; 32], true)),
        class("recipient of another kind", sealed(&kind.0, &[9; 32], true)),
    ]
}

/// Times all classes in turns, in an order that differs each time.
fn time(classes: &mut [Class], key: &DecryptionKey, rounds: usize) {
    let mut order: Vec<usize> = (0..classes.len()).collect();
    let mut state = 0x9e37_79b9_u32;
    for round in 0..rounds + WARM {
        for at in (1..order.len()).rev() {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            order.swap(at, state as usize % (at + 1));
        }
        for class in &order {
            let class = &mut classes[*class];
            let xml = Xml::parse(&class.text, &Limits::MESSAGE).unwrap();
            let sealed = Sealed::read(xml.root()).unwrap();
            let began = Instant::now();
            assert!(black_box(unseal(sealed, key)).is_err(), "{}", class.name);
            let taken = began.elapsed().as_secs_f64() * 1e6;
            if round >= WARM {
                class.micros.push(taken);
            }
        }
    }
    for class in classes {
        class.micros.sort_by(f64::total_cmp);
    }
}

/// A quantile; low ones are what the machine takes when nobody disturbs it.
fn quantile(sorted: &[f64], part: usize) -> f64 {
    sorted[sorted.len() * part / 100]
}

/// Welch's t of the lower halves, as dudect crops (Reparaz, Balasch, Verbauwhede 2017).
fn t(a: &[f64], b: &[f64]) -> f64 {
    let moments = |all: &[f64]| {
        let half = &all[..all.len() / 2];
        let count = half.len() as f64;
        let mean = half.iter().sum::<f64>() / count;
        (mean, half.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0) / count)
    };
    let ((a, of_a), (b, of_b)) = (moments(a), moments(b));
    (a - b) / (of_a + of_b).sqrt()
}

/// The table, and by how much the farthest class is off.
fn judged(what: &str, classes: &[Class]) -> (String, f64) {
    let mut table = format!("{what}: wrong is the ...\n");
    let (mut worst, reference) = (0.0_f64, &classes[0].micros);
    for class in classes {
        let [quarter, half] = [25, 50].map(|part| quantile(&class.micros, part));
        let ratios = [25, 50].map(|part| quantile(&class.micros, part) / quantile(reference, part));
        let off = ratios.map(|ratio| (ratio - 1.0).abs());
        worst = worst.max(off[0].min(off[1]));
        let (name, t) = (class.name, t(&class.micros, reference));
        let [q, m] = ratios;
        let line = format!("  {name:26} {quarter:9.1} {half:9.1} us  {q:.4} {m:.4}  t {t:+.1}\n");
        let _ = write!(table, "{line}");
    }
    (table, worst)
}

/// A step that one class leaves out is there each time; what a busy machine does is not.
fn alike(what: &str, mut make: impl FnMut() -> (Vec<Class>, DecryptionKey), rounds: usize) {
    let mut said = String::new();
    for _ in 0..TRIES {
        let (mut all, key) = make();
        time(&mut all, &key, rounds);
        let (table, worst) = judged(what, &all);
        print!("{table}");
        said += &table;
        if worst < FAR {
            return;
        }
    }
    panic!("{said}");
}

fn with_rsa() -> (Vec<Class>, DecryptionKey) {
    let [ours, other] = [rsa(rcgen::RsaKeySize::_3072), rsa(rcgen::RsaKeySize::_3072)];
    let smaller = rsa(rcgen::RsaKeySize::_2048);
    let kind = ec(&rcgen::PKCS_ECDSA_P256_SHA256);
    let mut all = classes(&ours, &other, &smaller, &kind);
    let above = with(&all[0].text, "xenc:CipherValue", |bytes| vec![0xff; bytes.len()]);
    all.push(class("key, above the modulus", above));
    (all, ours.1)
}

fn with_a_curve() -> (Vec<Class>, DecryptionKey) {
    let [ours, other] = [(); 2].map(|()| ec(&rcgen::PKCS_ECDSA_P256_SHA256));
    let bigger = ec(&rcgen::PKCS_ECDSA_P384_SHA384);
    let kind = rsa(rcgen::RsaKeySize::_2048);
    let mut all = classes(&ours, &other, &bigger, &kind);
    let nowhere = with(&all[0].text, "ds11:PublicKey", flip);
    all.push(class("point, not on the curve", nowhere));
    (all, ours.1)
}

fn in_a_vault((all, key): (Vec<Class>, DecryptionKey)) -> (Vec<Class>, DecryptionKey) {
    (all, held(key))
}

#[test]
fn each_failure_with_an_rsa_key_takes_as_long_as_another() {
    alike("RSA-3072", with_rsa, 100);
}

#[test]
fn each_failure_with_a_key_on_a_curve_takes_as_long_as_another() {
    alike("P-256", with_a_curve, 500);
}

#[test]
fn each_failure_with_a_key_in_a_vault_takes_as_long_as_another() {
    alike("RSA-3072, held", || in_a_vault(with_rsa()), 100);
    alike("P-256, held", || in_a_vault(with_a_curve()), 500);
}

/// In bytes: enough that AES is seen. Not in a debug build, where wiping is slower than all else; there
/// the bytes that AES was given are counted (`whatever_is_wrong_the_words_and_the_work_are_the_same`).
const CONTENT: usize = if cfg!(debug_assertions) { 4 << 10 } else { 128 << 10 };
/// Rounds that are not counted.
const WARM: usize = 10;
/// A private key that is not used is nine tenths of a failure with RSA, and half of one on a curve.
const FAR: f64 = 0.1;
const TRIES: usize = 5;
