//! A PID provider: an authority of a country, its signing certificate, and the credentials and
//! status lists that it issues. Drafts can be changed before they are signed, for tests.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ciborium::Value as Cbor;
use coset::{CborSerializable as _, CoseSign1, CoseSign1Builder, HeaderBuilder, iana};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose as Eku, IsCa, Issuer,
    KeyPair, KeyUsagePurpose as Ku, PKCS_ECDSA_P256_SHA256,
};
use serde_json::{Value, json};

/// Whom a PID is issued to. Personal: no `Debug`.
#[derive(Clone)]
pub struct Bearer {
    /// Country that issues.
    pub country: String,
    /// Family name.
    pub family: String,
    /// Given names.
    pub given: String,
    /// `YYYY-MM-DD`.
    pub birth: String,
    /// Town of birth.
    pub place: String,
    /// The country's number of the person, if it puts one into PIDs.
    pub number: Option<String>,
}

/// A key with a certificate, as issuers and relying parties have them.
pub struct Signer {
    /// Leaf first.
    pub chain: Vec<Vec<u8>>,
    /// PKCS#8, PEM.
    pub key_pem: String,
    key: EcdsaKeyPair,
}

/// An authority and the provider of PIDs that it vouches for.
pub struct PidIssuer {
    authority: (rcgen::Certificate, Issuer<'static, KeyPair>),
    signer: Signer,
    now: Timestamp,
}

/// A PID before its issuer signs it.
pub struct SdJwtDraft {
    /// Protected header.
    pub header: Value,
    /// Payload, with the digests of the disclosures.
    pub payload: Value,
    /// As they will be sent.
    pub disclosures: Vec<String>,
}

/// [`SdJwtDraft`] as mdoc.
pub struct MdocDraft {
    /// The mobile security object.
    pub security: Cbor,
    /// `IssuerSignedItemBytes`.
    pub items: Vec<Cbor>,
    /// Algorithm in the protected header.
    pub algorithm: iana::Algorithm,
    /// `x5chain`.
    pub chain: Vec<Vec<u8>>,
}

impl PidIssuer {
    /// An authority of this country, valid around `now`.
    pub fn new(country: &str, now: Timestamp) -> Self {
        let mut params = named(&format!("Invented PID authority of {country}"), country);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![Ku::KeyCertSign, Ku::CrlSign];
        around(&mut params, now);
        let key = p256();
        let root = params.self_signed(&key).expect("because the parameters are complete");
        let authority = (root, Issuer::new(params, key));
        let signer = signer(&authority.1, country, now, vec![]);
        Self { authority, signer, now }
    }

    /// The certificate of the authority, PEM.
    pub fn authority_pem(&self) -> String {
        let body = STANDARD.encode(self.authority.0.der());
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    /// Who signs credentials.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Another certificate of the same authority, with these extended key usages.
    pub fn other(&self, country: &str, usages: Vec<Eku>) -> Signer {
        signer(&self.authority.1, country, self.now, usages)
    }

    /// A PID as SD-JWT VC for the holder of this key (`x`, `y`), changed by `edit` and signed.
    pub fn sd_jwt(
        &self,
        bearer: &Bearer,
        holder: (&[u8], &[u8]),
        edit: impl FnOnce(&mut SdJwtDraft),
    ) -> String {
        let mut disclosures = Vec::new();
        let mut claims = vec![
            ("family_name", json!(bearer.family)),
            ("given_name", json!(bearer.given)),
            ("birthdate", json!(bearer.birth)),
            ("place_of_birth", json!({"locality": bearer.place, "country": bearer.country})),
            ("issuing_country", json!(bearer.country)),
            ("sex", json!(0)),
        ];
        claims.extend(bearer.number.as_ref().map(|n| ("personal_administrative_number", json!(n))));
        let digests: Vec<String> = claims
            .into_iter()
            .map(|(name, value)| {
                disclosures.push(disclosure(&json!([encode(&random()), name, value])));
                hash(disclosures.last().expect("because one was just pushed"))
            })
            // a decoy: nobody knows how many claims there are
            .chain([encode(&random())])
            .collect();
        let chain: Vec<String> = self.signer.chain.iter().map(|der| STANDARD.encode(der)).collect();
        let mut draft = SdJwtDraft {
            header: json!({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": chain}),
            payload: json!({
                "iss": "https://pid.example",
                "vct": "urn:eudi:pid:1",
                "iat": self.now.as_second() - 3600,
                "nbf": self.now.as_second() - 3600,
                "exp": self.now.as_second() + 14 * 86_400,
                "_sd_alg": "sha-256",
                "_sd": digests,
                "cnf": {"jwk": {
                    "kty": "EC", "crv": "P-256", "x": encode(holder.0), "y": encode(holder.1),
                }},
            }),
            disclosures,
        };
        edit(&mut draft);
        let mut text = self.signer.jwt(&draft.header, &draft.payload);
        for disclosure in draft.disclosures {
            text.push('~');
            text.push_str(&disclosure);
        }
        text + "~"
    }

    /// A PID as mdoc: `IssuerSigned`.
    pub fn mdoc(
        &self,
        bearer: &Bearer,
        holder: (&[u8], &[u8]),
        edit: impl FnOnce(&mut MdocDraft),
    ) -> Cbor {
        let place = map([
            ("country", bearer.country.as_str().into()),
            ("locality", bearer.place.as_str().into()),
        ]);
        let mut elements: Vec<(&str, Cbor)> = vec![
            ("family_name", bearer.family.as_str().into()),
            ("given_name", bearer.given.as_str().into()),
            ("birth_date", Cbor::Tag(1004, Box::new(bearer.birth.as_str().into()))),
            ("place_of_birth", place),
            ("issuing_country", bearer.country.as_str().into()),
            ("sex", 0.into()),
        ];
        let number = bearer.number.as_deref();
        elements.extend(number.map(|n| ("personal_administrative_number", n.into())));
        let items: Vec<Cbor> =
            (0..).zip(elements).map(|(n, (name, value))| item(n, name, value)).collect();
        let digests = (0i64..).zip(&items).map(|(n, i)| (n.into(), digest_of(i).into())).collect();
        let time = |offset: i64| {
            let at = self.now + SignedDuration::from_secs(offset);
            Cbor::Tag(0, Box::new(at.to_string().into()))
        };
        let key = Cbor::Map(vec![
            (1.into(), 2.into()),
            ((-1).into(), 1.into()),
            ((-2).into(), holder.0.into()),
            ((-3).into(), holder.1.into()),
        ]);
        let mut draft = MdocDraft {
            security: map([
                ("version", "1.0".into()),
                ("digestAlgorithm", "SHA-256".into()),
                ("valueDigests", map([(PID, Cbor::Map(digests))])),
                ("deviceKeyInfo", map([("deviceKey", key)])),
                ("docType", PID.into()),
                (
                    "validityInfo",
                    map([
                        ("signed", time(-3600)),
                        ("validFrom", time(-3600)),
                        ("validUntil", time(14 * 86_400)),
                    ]),
                ),
            ]),
            items,
            algorithm: iana::Algorithm::ES256,
            chain: self.signer.chain.clone(),
        };
        edit(&mut draft);
        let auth = self.signer.sign1(&draft);
        map([("nameSpaces", map([(PID, Cbor::Array(draft.items))])), ("issuerAuth", auth)])
    }

    /// A status list token for this URI, changed by `edit` and signed: `statuses` is what is packed.
    pub fn status_list(
        &self,
        uri: &str,
        bits: u8,
        statuses: &[u8],
        edit: impl FnOnce(&mut Value, &mut Value),
    ) -> Vec<u8> {
        let chain: Vec<String> = self.signer.chain.iter().map(|der| STANDARD.encode(der)).collect();
        let mut header = json!({"alg": "ES256", "typ": "statuslist+jwt", "x5c": chain});
        let mut payload = json!({
            "sub": uri,
            "iat": self.now.as_second() - 60,
            "exp": self.now.as_second() + 3600,
            "ttl": 600,
            "status_list": {"bits": bits, "lst": encode(&zlib(statuses))},
        });
        edit(&mut header, &mut payload);
        self.signer.jwt(&header, &payload).into_bytes()
    }
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

    /// A compact JWT.
    pub fn jwt(&self, header: &Value, payload: &Value) -> String {
        jwt(&self.key, header, payload)
    }

    fn sign1(&self, draft: &MdocDraft) -> Cbor {
        let security = Cbor::Tag(24, Box::new(bytes_of(&draft.security).into()));
        let chain = match draft.chain.as_slice() {
            [only] => only.as_slice().into(),
            all => Cbor::Array(all.iter().map(|der| der.as_slice().into()).collect()),
        };
        let signed = CoseSign1Builder::new()
            .protected(HeaderBuilder::new().algorithm(draft.algorithm).build())
            .unprotected(HeaderBuilder::new().value(33, chain).build())
            .payload(bytes_of(&security))
            .create_signature(&[], |data| sign(&self.key, data))
            .build();
        cose_value(signed)
    }
}

/// `#6.24(bstr .cbor IssuerSignedItem)`.
pub fn item(number: i64, name: &str, value: Cbor) -> Cbor {
    let item = map([
        ("digestID", number.into()),
        ("random", random().as_slice().into()),
        ("elementIdentifier", name.into()),
        ("elementValue", value),
    ]);
    Cbor::Tag(24, Box::new(bytes_of(&item).into()))
}

/// SHA-256 of an item as it is written.
pub fn digest_of(item: &Cbor) -> Vec<u8> {
    digest(&SHA256, &bytes_of(item)).as_ref().to_vec()
}

/// A map with text keys.
pub fn map<const N: usize>(entries: [(&str, Cbor); N]) -> Cbor {
    Cbor::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// A member of a map with text keys, to change.
pub fn member<'c>(map: &'c mut Cbor, name: &str) -> &'c mut Cbor {
    let Cbor::Map(entries) = map else { panic!("no map around {name}") };
    let entry = entries.iter_mut().find(|(key, _)| key.as_text() == Some(name));
    &mut entry.unwrap_or_else(|| panic!("no {name}")).1
}

/// CBOR.
pub fn bytes_of(value: &Cbor) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("because a vector takes every byte");
    out
}

/// A `COSE_Sign1` as part of something else.
pub fn cose_value(message: CoseSign1) -> Cbor {
    let bytes = message.to_vec().expect("because we built it");
    ciborium::from_reader(bytes.as_slice()).expect("because it is CBOR")
}

/// A disclosure's text.
pub fn disclosure(parts: &Value) -> String {
    encode(parts.to_string().as_bytes())
}

/// base64url of a text's SHA-256.
pub fn hash(text: &str) -> String {
    encode(digest(&SHA256, text.as_bytes()).as_ref())
}

/// base64url.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A compact JWT by ES256.
pub fn jwt(key: &EcdsaKeyPair, header: &Value, payload: &Value) -> String {
    let signed = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(payload.to_string().as_bytes())
    );
    let signature = sign(key, signed.as_bytes());
    format!("{signed}.{}", encode(&signature))
}

/// `r || s`.
pub fn sign(key: &EcdsaKeyPair, message: &[u8]) -> Vec<u8> {
    let signature = key.sign(&SystemRandom::new(), message);
    signature.expect("because the key is sound").as_ref().to_vec()
}

/// A fresh P-256 key to sign with, and the same as PKCS#8 PEM.
pub fn fresh_key() -> (EcdsaKeyPair, KeyPair) {
    let key = p256();
    (signing(&key), key)
}

pub(super) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("because the system has entropy");
    bytes
}

/// zlib with stored blocks (RFC 1950, RFC 1951 §3.2.4): no compressor is needed to test one.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("because chunks are that short");
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    out.extend((b << 16 | a).to_be_bytes());
    out
}

fn signer(
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

fn named(name: &str, country: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, country);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn around(params: &mut CertificateParams, now: Timestamp) {
    let at = |days: i64| {
        let seconds = u64::try_from(now.as_second() + days * 86_400).unwrap_or(0);
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = at(-1);
    params.not_after = at(365);
}

fn p256() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("because the system has entropy")
}

fn signing(key: &KeyPair) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.serialized_der())
        .expect("because rcgen writes PKCS#8")
}

/// Document type and namespace of a PID.
pub const PID: &str = "eu.europa.ec.eudi.pid.1";
