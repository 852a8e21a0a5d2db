//! Members whose seals are RSA: PS256 (RFC 8230 §2), keys of 2048 to 4096 bits.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};
use rcgen::{CertificateParams, KeyPair, PublicKeyData, RsaKeySize, SignatureAlgorithm};
use trust::certificate::Certificate;

use super::super::*;
use super::signing::verdict;
use super::worlds::{offer_entry, one_of_each};
use super::{PARTIES, T};
use crate::entry::Signed;
use crate::evidence::EXCHANGE;
use crate::fixtures::shared::{Shared, sealed};
use crate::member::{EvidenceKey, Genesis, MemberError};

#[test]
fn evidence_by_rsa_seals_of_each_size_counts_and_no_byte_of_it_can_change() {
    for (bits, step) in [(RsaKeySize::_2048, 1), (RsaKeySize::_3072, 7), (RsaKeySize::_4096, 7)] {
        let shared = Shared::rsa(bits);
        let written = Genesis::parse(&shared.genesis.to_toml()).unwrap();
        assert_eq!(written.digest(), shared.genesis.digest(), "the keys are written whole");
        // two signatures of 512 bytes, and a half within a half, fit into an entry
        for (name, entry) in one_of_each(&shared, &offer_entry(&shared, T)) {
            assert_eq!(verdict(&shared, &entry), Ok(()), "{name}, {bits:?}");
        }
        let whole = shared.whole(T, PARTIES.0, PARTIES.1);
        let mut in_form = 0;
        for at in (0..whole.encode().len()).step_by(step) {
            let mut other = whole.encode().to_vec();
            other[at] ^= 1;
            let Ok(read) = Entry::decode(&other) else { continue };
            let same = read.kind() != whole.kind() && at == 1;
            assert!(same || verdict(&shared, &read).is_err(), "byte {at}, {bits:?}");
            in_form += 1;
        }
        assert!(in_form > 500 / step, "{in_form} damaged entries were still in form");
        let mut facts = shared.facts();
        facts.block(1, &[whole]).unwrap();
    }
}

#[test]
fn an_rsa_signature_of_another_kind_by_the_very_key_is_none() {
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut seals = Shared::fast().seals;
    seals.insert("DK", sealed("DK", &key));
    let shared = Shared::of(seals);
    let whole = shared.whole(T, PARTIES.0, PARTIES.1);
    let Body::Whole(record) = whole.body() else { panic!("a whole record") };
    let signed: &Signed = record.signed();
    let ours = &signed.signatures()[0];
    let mut message = Vec::new();
    signed.signed_bytes(ours, EXCHANGE.as_bytes(), &mut message);
    let at = position(whole.encode(), signed.value(ours));
    let pair = rsa::KeyPair::from_pkcs8(&key.serialize_der()).unwrap();
    let with = |encoding: &'static dyn RsaEncoding| {
        let mut made = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), &message, &mut made).unwrap();
        let mut bytes = whole.encode().to_vec();
        bytes[at..at + made.len()].copy_from_slice(&made);
        verdict(&shared, &Entry::decode(&bytes).unwrap())
    };
    assert_eq!(with(&RSA_PSS_SHA256), Ok(()), "made again, with another salt");
    for other in [&RSA_PKCS1_SHA256, &RSA_PSS_SHA384, &RSA_PSS_SHA512] {
        assert_eq!(with(other), Err(Reason::Signature));
    }
}

fn position(hay: &[u8], needle: &[u8]) -> usize {
    hay.windows(needle.len()).position(|window| window == needle).expect("it stands there")
}

/// A public key that nobody has the private one of.
struct Public(Vec<u8>);

impl PublicKeyData for Public {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

impl Public {
    /// `RSAPublicKey` (RFC 8017 A.1.1) with an odd modulus of so many bits, and 65537.
    fn of(bits: usize) -> Self {
        let mut modulus = vec![0x5a; bits.div_ceil(8)];
        let top = (bits - 1) % 8;
        modulus[0] = modulus[0] & ((1 << top) - 1) | 1 << top;
        *modulus.last_mut().unwrap() |= 1;
        let integer = |bytes: &[u8]| {
            let sign: &[u8] = if bytes[0] >= 0x80 { &[0] } else { &[] };
            der(2, &[sign, bytes].concat())
        };
        Self(der(0x30, &[integer(&modulus), integer(&[1, 0, 1])].concat()))
    }

    /// A certificate of it, by somebody.
    fn certificate(&self) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let issuer = rcgen::Issuer::new(CertificateParams::default(), key);
        let made = CertificateParams::default().signed_by(self, &issuer).unwrap();
        Certificate::from_der(made.der()).unwrap()
    }
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let head: &[u8] = match content.len() {
        ..0x80 => &length[7..],
        0x80..0x100 => &[0x81, length[7]],
        _ => &[0x82, length[6], length[7]],
    };
    [&[tag], head, content].concat()
}

#[test]
fn an_rsa_key_that_is_too_short_or_too_long_is_registered_by_nobody() {
    for (bits, fits) in [
        (1024, false),
        (1536, false),
        (2040, false),
        (2047, false),
        (2048, true),
        (4096, true),
        (4097, false),
        (8192, false),
    ] {
        let certificate = Public::of(bits).certificate();
        let key = EvidenceKey::of(&certificate, 0);
        if fits {
            assert!(key.is_ok(), "{bits} bits");
        } else {
            assert_eq!(key.err(), Some(MemberError::Key), "{bits} bits");
        }
    }
    // nor by who writes it into a genesis by hand
    let shared = Shared::rsa(RsaKeySize::_2048);
    let text = shared.genesis.to_toml();
    let known = &shared.seals["DK"];
    let ours = EvidenceKey::of(known.certificate(), 0).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert!(text.contains(&hex(ours.public())), "it stands there");
    let with = |bits| Genesis::parse(&text.replace(&hex(ours.public()), &hex(&Public::of(bits).0)));
    assert!(with(2048).is_ok());
    assert!(with(1024).is_err() && with(2047).is_err() && with(4097).is_err());
}
