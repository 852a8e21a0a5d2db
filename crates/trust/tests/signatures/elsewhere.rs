//! Signatures by methods that our own seals never use.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P521_SHA256_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, RSA_PSS_SHA256,
    RsaKeyPair,
};

use super::*;

/// Signs with a method that our own seals never use, by the engine alone.
fn signed_elsewhere(
    leaf: &Leaf,
    method: &str,
    signer: impl kryptering::Signer + 'static,
) -> String {
    let ours = sign_enveloped(&assertion(ID, "GOOD"), ID, &WORLD.key).unwrap();
    let own = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    let pem = leaf.certificate().pem();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let emptied = |text: String, name: &str, value: &str| {
        let start = text.find(&format!("<ds:{name}>")).unwrap() + name.len() + 5;
        let end = text.find(&format!("</ds:{name}>")).unwrap();
        [&text[..start], value, &text[end..]].concat()
    };
    let template = emptied(ours.replacen(own, method, 1), "X509Certificate", &der);
    let template = emptied(emptied(template, "DigestValue", ""), "SignatureValue", "");
    let context = bergshamra::DsigContext::new(bergshamra::KeysManager::new())
        .with_hsm_signer(Box::new(signer));
    bergshamra::dsig::sign::sign_owned(&context, template).unwrap()
}

struct Pss(RsaKeyPair);

impl kryptering::Signer for Pss {
    fn algorithm(&self) -> kryptering::SignatureAlgorithm {
        kryptering::SignatureAlgorithm::RsaPss(kryptering::HashAlgorithm::Sha256)
    }

    fn sign(&self, data: &[u8]) -> kryptering::Result<Vec<u8>> {
        let mut out = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PSS_SHA256, &SystemRandom::new(), data, &mut out).unwrap();
        Ok(out)
    }
}

struct P521(EcdsaKeyPair, kryptering::HashAlgorithm);

impl kryptering::Signer for P521 {
    fn algorithm(&self) -> kryptering::SignatureAlgorithm {
        kryptering::SignatureAlgorithm::Ecdsa(kryptering::EcCurve::P521, self.1)
    }

    fn sign(&self, data: &[u8]) -> kryptering::Result<Vec<u8>> {
        Ok(self.0.sign(&SystemRandom::new(), data).unwrap().as_ref().to_vec())
    }
}

#[test]
fn eidas_wants_pss_and_3072_bits() {
    let method = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1";
    let short = Err(SignatureError::Forbidden("key for the signature method"));
    for (kind, eidas) in [(Kind::Rsa2048, short), (Kind::Rsa3072, Ok("GOOD".to_owned()))] {
        let leaf = WORLD.root.seal(kind);
        let pair = RsaKeyPair::from_pkcs8(&leaf.key.serialize_der()).unwrap();
        let text = signed_elsewhere(&leaf, method, Pss(pair));
        assert_eq!(read(&text, Profile::Ehdsi).unwrap(), "GOOD", "{kind:?}");
        assert_eq!(read(&text, Profile::Eidas), eidas, "{kind:?}");
        let tampered = text.replacen(">GOOD<", ">EVIL<", 1);
        assert_eq!(read(&tampered, Profile::Ehdsi), Err(SignatureError::Invalid), "{kind:?}");
    }
}

/// eIDAS nodes sign with the hash that they were configured for, whatever the curve of their key.
#[test]
fn any_hash_goes_with_any_curve_and_none_can_be_swapped() {
    use kryptering::HashAlgorithm;
    let leaf = WORLD.root.seal(Kind::P521);
    let der = leaf.key.serialize_der();
    for (algorithm, hash, own, other) in [
        (&ECDSA_P521_SHA512_FIXED_SIGNING, HashAlgorithm::Sha512, "sha512", "sha256"),
        (&ECDSA_P521_SHA256_FIXED_SIGNING, HashAlgorithm::Sha256, "sha256", "sha384"),
    ] {
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &der).unwrap();
        let method = format!("http://www.w3.org/2001/04/xmldsig-more#ecdsa-{own}");
        let text = signed_elsewhere(&leaf, &method, P521(pair, hash));
        for profile in [Profile::Ehdsi, Profile::Eidas] {
            assert_eq!(read(&text, profile).unwrap(), "GOOD");
            let swapped = text.replacen(&format!("ecdsa-{own}"), &format!("ecdsa-{other}"), 1);
            assert_eq!(read(&swapped, profile), Err(SignatureError::Invalid));
        }
    }
}
