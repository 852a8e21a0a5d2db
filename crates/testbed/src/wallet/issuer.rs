//! A PID provider: an authority of a country, its signing certificate, and the credentials and
//! status lists that it issues. Drafts can be changed before they are signed, for tests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value as Cbor;
use coset::iana;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, ExtendedKeyUsagePurpose as Eku, IsCa, Issuer, KeyPair, KeyUsagePurpose as Ku,
};
use serde_json::{Value, json};
use trust::certificate::Anchors;

use super::parts::{digest_of, disclosure, encode, hash, item, map, p256, random, zlib};
use super::signer::{Signer, around, named, signer};

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

    /// Trust in the authority.
    pub fn anchors(&self) -> Anchors {
        Anchors::from_pem(self.authority_pem().as_bytes())
            .expect("because the authority was made by us")
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

/// Document type and namespace of a PID.
pub const PID: &str = "eu.europa.ec.eudi.pid.1";
