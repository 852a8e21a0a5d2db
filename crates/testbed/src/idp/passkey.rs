//! Passkeys (WebAuthn Level 3): what a device signs, and what the server verifies (§7.2).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use exchange::Entropy;
use serde::Deserialize;

/// A person's passkey: ES256. No `Debug`, on purpose.
pub struct Passkey {
    id: [u8; 16],
    pkcs8: Vec<u8>,
    public: Vec<u8>,
}

/// What a browser sends when somebody used a passkey; all in base64url.
#[derive(Clone, Default)]
pub struct Assertion {
    /// Which passkey.
    pub credential: String,
    /// `clientDataJSON`.
    pub client_data: String,
    /// `authenticatorData`.
    pub authenticator_data: String,
    /// Over both.
    pub signature: String,
}

/// What the server knows when an assertion comes.
pub(super) struct Expected<'a> {
    /// Its own origin.
    pub origin: &'a str,
    /// What it gave to be signed, and takes once.
    pub challenge: &'a [u8],
    /// The signature counter that was seen last.
    pub count: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
}

impl Passkey {
    /// A new one.
    pub(super) fn random(entropy: &dyn Entropy) -> Self {
        let mut id = [0; 16];
        entropy.fill(&mut id);
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
                .expect("because the system has entropy");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref())
            .expect("because it was made a line above");
        let public = pair.public_key().as_ref().to_vec();
        Self { id, pkcs8: pkcs8.as_ref().to_vec(), public }
    }

    /// Its name, in base64url.
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.id)
    }

    /// Its private key, PKCS#8: to put it into an authenticator of somebody else's making.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// What a device does when its owner touched it and showed a finger: `challenge` in base64url, as it
    /// stands in the page.
    pub fn sign(&self, origin: &str, challenge: &str) -> Assertion {
        let client_data = format!(
            "{{\"type\":\"webauthn.get\",\"challenge\":\"{challenge}\",\"origin\":\"{origin}\",\"crossOrigin\":false}}"
        );
        self.sign_over(&client_data, &authenticator_data(origin, PRESENT | VERIFIED, 0))
    }

    fn sign_over(&self, client_data: &str, authenticator_data: &[u8]) -> Assertion {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8)
            .expect("because it was made by us");
        let signature = key
            .sign(&SystemRandom::new(), &signed(client_data.as_bytes(), authenticator_data))
            .expect("because the system has entropy");
        Assertion {
            credential: self.id(),
            client_data: URL_SAFE_NO_PAD.encode(client_data),
            authenticator_data: URL_SAFE_NO_PAD.encode(authenticator_data),
            signature: URL_SAFE_NO_PAD.encode(signature),
        }
    }

    /// Verifies an assertion; gives its signature counter.
    pub(super) fn verify(&self, assertion: &Assertion, expected: &Expected<'_>) -> Option<u32> {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let client_data = decode(&assertion.client_data)?;
        let said: ClientData = serde_json::from_slice(&client_data).ok()?;
        let challenge = decode(&said.challenge)?;
        verify_slices_are_equal(&challenge, expected.challenge).ok()?;
        if said.kind != "webauthn.get" || said.origin != expected.origin || said.cross_origin {
            return None;
        }
        let data = decode(&assertion.authenticator_data)?;
        let (relying_party, rest) = data.split_at_checked(32)?;
        let (flags, count) = (*rest.first()?, rest.get(1..5)?);
        let count = u32::from_be_bytes(count.try_into().ok()?);
        let both = PRESENT | VERIFIED;
        if relying_party != digest(&SHA256, host(expected.origin).as_bytes()).as_ref()
            || flags & both != both
            // a counter that does not grow is a copy's; devices that do not count say zero (§6.1.1)
            || count <= expected.count && (count, expected.count) != (0, 0)
        {
            return None;
        }
        let signature = decode(&assertion.signature)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.public)
            .verify(&signed(&client_data, &data), &signature)
            .ok()
            .map(|()| count)
    }
}

fn signed(client_data: &[u8], authenticator_data: &[u8]) -> Vec<u8> {
    [authenticator_data, digest(&SHA256, client_data).as_ref()].concat()
}

fn authenticator_data(origin: &str, flags: u8, count: u32) -> Vec<u8> {
    let relying_party = digest(&SHA256, host(origin).as_bytes());
    [relying_party.as_ref(), &[flags], &count.to_be_bytes()].concat()
}

/// Relying party identifier: the host.
fn host(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    authority.split(':').next().unwrap_or("")
}

/// Somebody touched it.
const PRESENT: u8 = 0x01;
/// It knows who.
const VERIFIED: u8 = 0x04;

#[cfg(test)]
mod tests {
    use exchange::SystemEntropy;

    use super::*;

    const ORIGIN: &str = "https://localhost:8443";
    const CHALLENGE: [u8; 32] = [9; 32];

    fn client_data(kind: &str, challenge: &[u8], origin: &str, cross: bool) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(challenge);
        format!(
            "{{\"type\":\"{kind}\",\"challenge\":\"{challenge}\",\"origin\":\"{origin}\",\"crossOrigin\":{cross}}}"
        )
    }

    fn expected(count: u32) -> Expected<'static> {
        Expected { origin: ORIGIN, challenge: &CHALLENGE, count }
    }

    #[test]
    fn each_thing_that_the_device_says_is_held_against_what_was_asked() {
        let passkey = Passkey::random(&SystemEntropy);
        let good = client_data("webauthn.get", &CHALLENGE, ORIGIN, false);
        let here = |flags, count| authenticator_data(ORIGIN, flags, count);
        let verdict = |text: &str, data: &[u8], count| {
            passkey.verify(&passkey.sign_over(text, data), &expected(count))
        };
        assert_eq!(verdict(&good, &here(5, 0), 0), Some(0), "a device that does not count");
        assert_eq!(verdict(&good, &here(5, 8), 7), Some(8));
        for (case, text, data, count) in [
            (
                "registration",
                client_data("webauthn.create", &CHALLENGE, ORIGIN, false),
                here(5, 1),
                0,
            ),
            ("challenge", client_data("webauthn.get", &[8; 32], ORIGIN, false), here(5, 1), 0),
            (
                "origin",
                client_data("webauthn.get", &CHALLENGE, "https://evil", false),
                here(5, 1),
                0,
            ),
            ("frame", client_data("webauthn.get", &CHALLENGE, ORIGIN, true), here(5, 1), 0),
            ("host", good.clone(), authenticator_data("https://evil", 5, 1), 0),
            ("nobody touched it", good.clone(), here(4, 1), 0),
            ("nobody was verified", good.clone(), here(1, 1), 0),
            ("a copy", good.clone(), here(5, 7), 7),
            ("a copy that does not count", good.clone(), here(5, 0), 7),
            ("short", good.clone(), here(5, 1)[..36].to_vec(), 0),
            ("no json", "{".to_owned(), here(5, 1), 0),
        ] {
            assert_eq!(verdict(&text, &data, count), None, "{case}");
        }
    }

    #[test]
    fn another_passkey_does_not_sign_for_this_one() {
        let (mine, other) = (Passkey::random(&SystemEntropy), Passkey::random(&SystemEntropy));
        let challenge = URL_SAFE_NO_PAD.encode(CHALLENGE);
        let good = mine.sign(ORIGIN, &challenge);
        assert_eq!(mine.verify(&good, &expected(0)), Some(0));
        let forged = Assertion { credential: mine.id(), ..other.sign(ORIGIN, &challenge) };
        assert_eq!(mine.verify(&forged, &expected(0)), None);
        let other_data = client_data("webauthn.get", &CHALLENGE, ORIGIN, false) + " ";
        let changed = Assertion { client_data: URL_SAFE_NO_PAD.encode(other_data), ..good };
        assert_eq!(mine.verify(&changed, &expected(0)), None, "not what was signed");
    }
}
