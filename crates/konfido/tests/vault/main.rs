//! A vault process, attacked from outside and from within, and killed.
#![cfg(debug_assertions)]

mod inside;
mod last_hop;
mod life;
mod memory;
mod reader;
mod store;

use std::path::Path;
use std::sync::Arc;

use enclave::process::{Source, Spec};
use enclave::store::Place;
use enclave::{Process, Use, root};
use exchange::Country;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use trust::private::PrivateKey;
use trust::seal::Scheme;
use zeroize::Zeroizing;

/// Keys whose secrets we know, to look for them.
struct Known {
    p256: KeyPair,
    rsa: KeyPair,
}

impl Known {
    fn new() -> Self {
        let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        Self { p256: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(), rsa }
    }

    /// What must be in nobody's reach: the P-256 scalar and the primes of the RSA key, in the order
    /// of bytes of a file and in that of a computer's numbers, and a piece of each PEM text.
    fn markers(&self) -> Vec<Vec<u8>> {
        let p256 = self.p256.serialize_der();
        let at = find(&p256, &[0x02, 0x01, 0x01, 0x04, 0x20]) + 5;
        let mut all = vec![p256[at..at + 32].to_vec()];
        // RSAPrivateKey (RFC 8017 A.1.2): version, n, e, d, p, q; 2048 bits have primes of 128 bytes
        let rsa = self.rsa.serialize_der();
        let prime = [0x02, 0x81, 0x81, 0x00];
        let first = find(&rsa, &prime) + prime.len();
        all.push(rsa[first..first + 128].to_vec());
        let reversed: Vec<Vec<u8>> =
            all.iter().map(|m| m.iter().rev().copied().collect()).collect();
        all.extend(reversed);
        for key in [&self.p256, &self.rsa] {
            let pem = key.serialize_pem();
            all.push(pem.as_bytes()[100..140].to_vec());
        }
        all
    }

    /// A vault process that holds both.
    fn vault(&self, folder: &Path) -> Process {
        let bytes = |key: &KeyPair| {
            Source::Bytes(Arc::new(Zeroizing::new(key.serialize_pem().into_bytes())))
        };
        let keys = vec![
            (Use::Derive, Source::File(folder.join("session.key"))),
            (Use::Sign, bytes(&self.p256)),
            (Use::Sign, bytes(&self.rsa)),
        ];
        Process::start(spec(keys)).unwrap()
    }
}

fn spec(keys: Vec<(Use, Source)>) -> Spec {
    Spec {
        country: Country::parse("DK").unwrap(),
        program: (env!("CARGO_BIN_EXE_konfido").into(), vec!["vault-process".into()]),
        keys,
        secret: false,
        user: 64_999,
        store: None,
    }
}

/// A store in this folder, under a root key in a file.
fn place(folder: &Path) -> Place {
    let root = root::Source::File(folder.to_owned());
    Place { folder: folder.to_owned(), root, origin: "konfido.example/dk".into() }
}

/// Uses both keys, so that they were where a key is when it is used.
fn work(process: &Process, times: usize) {
    for _ in 0..times {
        for (number, scheme) in [(1, Scheme::Es256), (2, Scheme::Ps256)] {
            let PrivateKey::Held(key) = process.key(number) else { unreachable!() };
            assert!(key.sign(scheme, b"message").is_some());
        }
    }
}

fn find(hay: &[u8], needle: &[u8]) -> usize {
    memchr::memmem::find(hay, needle).unwrap()
}
