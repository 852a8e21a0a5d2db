//! Keys with certificates.

use std::time::Duration;

use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value as Cbor;
use coset::{CoseSign1Builder, HeaderBuilder};
use jiff::Timestamp;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose as Eku, IsCa, Issuer, KeyPair,
    KeyUsagePurpose as Ku,
};
use serde_json::Value;

use super::issuer::MdocDraft;
use super::parts::{bytes_of, cose_value, jwt, p256, sign, signing};

/// A key with a certificate, as issuers and relying parties have them.
pub struct Signer {
    /// Leaf first.
    pub chain: Vec<Vec<u8>>,
    /// PKCS#8, PEM.
    pub key_pem: String,
    key: EcdsaKeyPair,
}

impl Signer {
    /// Leaf first, PEM.
    pub fn chain_pem(&self) -> String {
        let pem = |der: &Vec<u8>| {
            format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                STANDARD.encode(der)
            )
        };
        self.chain.iter().map(pem).collect()
    }

    /// A signature, `r || s`.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        sign(&self.key, message)
    }

    /// The public key: `04 x y`.
    pub fn public(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }

    /// A compact JWT.
    pub fn jwt(&self, header: &Value, payload: &Value) -> String {
        jwt(&self.key, header, payload)
    }

    /// `IssuerAuth`.
    pub fn sign1(&self, draft: &MdocDraft) -> Cbor {
        let security = Cbor::Tag(24, Box::new(bytes_of(&draft.security).into()));
        let chain = match draft.chain.as_slice() {
            [only] => only.as_slice().into(),
            all => Cbor::Array(all.iter().map(|der| der.as_slice().into()).collect()),
        };
        let signed = CoseSign1Builder::new()
            .protected(HeaderBuilder::new().algorithm(draft.algorithm).build())
            .unprotected(HeaderBuilder::new().value(33, chain).build())
            .payload(bytes_of(&security))
            .create_signature(&[], |data| self.sign(data))
            .build();
        cose_value(signed)
    }
}

/// A key with a certificate that the authority vouches for.
pub fn signer(
    authority: &Issuer<'static, KeyPair>,
    country: &str,
    now: Timestamp,
    usages: Vec<Eku>,
) -> Signer {
    let mut params = named("Invented PID provider", country);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![Ku::DigitalSignature];
    params.extended_key_usages = usages;
    params.use_authority_key_identifier_extension = true;
    around(&mut params, now);
    let key = p256();
    let certificate =
        params.signed_by(&key, authority).expect("because the parameters are complete");
    let chain = vec![certificate.der().to_vec()];
    Signer { chain, key_pem: key.serialize_pem(), key: signing(&key) }
}

/// A certificate's subject.
pub fn named(name: &str, country: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, country);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Valid for a year around now.
pub fn around(params: &mut CertificateParams, now: Timestamp) {
    let at = |days: i64| {
        let seconds = u64::try_from(now.as_second() + days * 86_400).unwrap_or(0);
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = at(-1);
    params.not_after = at(365);
}
