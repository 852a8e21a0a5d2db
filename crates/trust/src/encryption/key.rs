//! The two ends of an encrypted element: who opens it, and for whom it is sealed.

use std::sync::Arc;

use aws_lc_rs::agreement::{
    self, Algorithm, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey,
};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::oaep::RsaKey;
use super::structure::{Hash, Wrap, WrappedKey};
use super::{Undecipherable, XENC, XENC11};
use crate::certificate::{Certificate, CertificateError, PublicKey};
use crate::private::{self, Holder};

/// The private key of an encryption certificate. No `Debug`, no `Clone`; aws-lc wipes it, or
/// somebody else holds it.
pub struct DecryptionKey(Private);

enum Private {
    Rsa(RsaKey),
    Ec(EcKey),
    Held(Arc<dyn Holder>),
}

/// A private key on a curve, and its own point: who answers for a point that is none.
struct EcKey {
    key: PrivateKey,
    own: Vec<u8>,
}

impl DecryptionKey {
    /// Of a key as its configuration gives it.
    pub fn new(key: &private::PrivateKey) -> Result<Self, CertificateError> {
        match key {
            private::PrivateKey::Pem(pem) => Self::from_pem(pem),
            private::PrivateKey::Held(holder) => Ok(Self(Private::Held(Arc::clone(holder)))),
        }
    }

    /// Reads a PKCS#8 key: RSA of 2048 bits and more, P-256, P-384 or P-521.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem)
            .map_err(|e| CertificateError::Malformed(e.to_string()))?;
        Self::from_pkcs8(der.secret_pkcs8_der())
    }

    /// [`DecryptionKey::from_pem`] of DER.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, CertificateError> {
        if let Some(key) = RsaKey::from_pkcs8(der) {
            return Ok(Self(Private::Rsa(key)));
        }
        [&ECDH_P256, &ECDH_P384, &ECDH_P521]
            .into_iter()
            .find_map(|curve| PrivateKey::from_private_key_der(curve, der).ok())
            .and_then(|key| {
                let own = key.compute_public_key().ok()?.as_ref().to_vec();
                Some(Self(Private::Ec(EcKey { key, own })))
            })
            .ok_or_else(|| CertificateError::Key("cannot decrypt: not RSA or a NIST curve".into()))
    }

    /// The key that was wrapped for this one. Uses the private key once, whatever is wrong, also where
    /// what came is nothing for a key of this kind: how long it takes does not tell. A holder has
    /// a key like these and does the same.
    pub fn unwrap(&self, sealed: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, Undecipherable> {
        match (&self.0, &sealed.wrap) {
            (Private::Held(holder), _) => holder.unwrap(sealed).ok_or(Undecipherable),
            (Private::Rsa(key), Wrap::Oaep(label, mask)) => {
                key.decrypt(*label, *mask, &sealed.bytes)
            }
            (Private::Rsa(key), Wrap::Ecdh { .. }) => key.decrypt(Hash::Sha256, Hash::Sha256, &[]),
            (Private::Ec(key), Wrap::Ecdh { originator, info, length }) => {
                let kek = key.agree(originator, info, *length);
                let (kek, agreed) = (&kek.0, kek.1);
                unwrap_aes(kek, &sealed.bytes).and_then(|found| agreed.map(|()| found))
            }
            (Private::Ec(key), Wrap::Oaep(..)) => {
                let (kek, _) = key.agree(&[], &[], 32);
                unwrap_aes(&kek, &[0; 40]).and(Err(Undecipherable))
            }
        }
    }
}

impl EcKey {
    /// The key that wraps, or one that nobody has with the error.
    fn agree(
        &self,
        originator: &[u8],
        info: &[u8],
        length: usize,
    ) -> (Zeroizing<Vec<u8>>, Result<(), Undecipherable>) {
        let with = |point: &[u8]| {
            let point = UnparsedPublicKey::new(self.key.algorithm(), point);
            agree(&self.key, point, info, length)
        };
        match with(originator) {
            Ok(kek) => (kek, Ok(())),
            // aws-lc refuses a point before it uses the key
            Err(error) => {
                let kek = with(&self.own).unwrap_or_else(|_| Zeroizing::new(vec![0; length]));
                (kek, Err(error))
            }
        }
    }
}

/// The certificate of someone for whom we seal.
pub struct Recipient(Certificate);

impl Recipient {
    /// Seals for this certificate: ECDH-ES for a NIST curve, RSA-OAEP with SHA-256 for RSA.
    pub fn new(certificate: Certificate) -> Self {
        Self(certificate)
    }

    /// The `xenc:EncryptedKey`.
    pub(super) fn wrap(&self, content_key: &[u8]) -> Result<String, Undecipherable> {
        let certificate = STANDARD.encode(self.0.der());
        let named = format!(
            "<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>"
        );
        match self.0.key() {
            PublicKey::Rsa(..) => self.wrap_rsa(content_key, &named),
            PublicKey::P256(point) => wrap_ec(&ECDH_P256, P256, point, content_key, &named),
            PublicKey::P384(point) => wrap_ec(&ECDH_P384, P384, point, content_key, &named),
            PublicKey::P521(point) => wrap_ec(&ECDH_P521, P521, point, content_key, &named),
            #[cfg(feature = "brainpool")]
            PublicKey::Brainpool(..) => Err(Undecipherable),
            PublicKey::Ed25519(_) | PublicKey::Other => Err(Undecipherable),
        }
    }

    fn wrap_rsa(&self, content_key: &[u8], named: &str) -> Result<String, Undecipherable> {
        let key = PublicEncryptingKey::from_der(self.0.spki()).map_err(|_| Undecipherable)?;
        let key = OaepPublicEncryptingKey::new(key).map_err(|_| Undecipherable)?;
        let mut out = vec![0; key.ciphertext_size()];
        let wrapped = key
            .encrypt(&OAEP_SHA256_MGF1SHA256, content_key, &mut out, None)
            .map_err(|_| Undecipherable)?;
        let value = STANDARD.encode(wrapped);
        Ok(format!(
            "<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm=\"{XENC11}rsa-oaep\">\
             <ds:DigestMethod Algorithm=\"{XENC}sha256\"/>\
             <xenc11:MGF xmlns:xenc11=\"{XENC11}\" Algorithm=\"{XENC11}mgf1sha256\"/></xenc:EncryptionMethod>\
             <ds:KeyInfo>{named}</ds:KeyInfo>\
             <xenc:CipherData><xenc:CipherValue>{value}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>"
        ))
    }
}

fn wrap_ec(
    curve: &'static Algorithm,
    name: &str,
    point: &[u8],
    content_key: &[u8],
    named: &str,
) -> Result<String, Undecipherable> {
    let ours = PrivateKey::generate(curve).map_err(|_| Undecipherable)?;
    let kek = agree(&ours, UnparsedPublicKey::new(curve, point), &[0, 0, 0], 32)?;
    let kek = AesKek::new(&AES_256, &kek).map_err(|_| Undecipherable)?;
    let mut wrapped = vec![0; content_key.len() + 8];
    let value = STANDARD.encode(kek.wrap(content_key, &mut wrapped).map_err(|_| Undecipherable)?);
    let public = ours.compute_public_key().map_err(|_| Undecipherable)?;
    let public = STANDARD.encode(public.as_ref());
    Ok(format!(
        "<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm=\"{XENC}kw-aes256\"/><ds:KeyInfo>\
         <xenc:AgreementMethod Algorithm=\"{XENC11}ECDH-ES\">\
         <xenc11:KeyDerivationMethod xmlns:xenc11=\"{XENC11}\" Algorithm=\"{XENC11}ConcatKDF\">\
         <xenc11:ConcatKDFParams AlgorithmID=\"0000\" PartyUInfo=\"0000\" PartyVInfo=\"0000\">\
         <ds:DigestMethod Algorithm=\"{XENC}sha256\"/></xenc11:ConcatKDFParams></xenc11:KeyDerivationMethod>\
         <xenc:OriginatorKeyInfo><ds:KeyValue><ds11:ECKeyValue xmlns:ds11=\"http://www.w3.org/2009/xmldsig11#\">\
         <ds11:NamedCurve URI=\"urn:oid:{name}\"/><ds11:PublicKey>{public}</ds11:PublicKey></ds11:ECKeyValue></ds:KeyValue>\
         </xenc:OriginatorKeyInfo><xenc:RecipientKeyInfo>{named}</xenc:RecipientKeyInfo></xenc:AgreementMethod></ds:KeyInfo>\
         <xenc:CipherData><xenc:CipherValue>{value}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>"
    ))
}

/// ECDH, then the single-step key derivation that XML Encryption calls `ConcatKDF`.
fn agree(
    ours: &PrivateKey,
    theirs: UnparsedPublicKey<impl AsRef<[u8]>>,
    info: &[u8],
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, Undecipherable> {
    agreement::agree(ours, theirs, Undecipherable, |secret| {
        let mut kek = Zeroizing::new(vec![0; length]);
        let sha256 = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256);
        let sha256 = sha256.ok_or(Undecipherable)?;
        sskdf_digest(sha256, secret, info, &mut kek).map_err(|_| Undecipherable)?;
        Ok(kek)
    })
}

fn unwrap_aes(kek: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, Undecipherable> {
    let cipher = if kek.len() == 16 { &AES_128 } else { &AES_256 };
    let kek = AesKek::new(cipher, kek).map_err(|_| Undecipherable)?;
    let mut out = Zeroizing::new(vec![0; wrapped.len()]);
    let length = kek.unwrap(wrapped, &mut out).map_err(|_| Undecipherable)?.len();
    out.truncate(length);
    Ok(out)
}

const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const P521: &str = "1.3.132.0.35";
