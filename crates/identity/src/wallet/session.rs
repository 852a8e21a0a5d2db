//! One login by wallet: what must match when the answer comes.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use exchange::Entropy;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::jose::{self, PublicKey};
use super::{Refused, Verifier};

/// Where the wallet finds us in this login. URLs of ours, unguessable by their path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Where it gets the request object.
    pub request: String,
    /// Where it posts its answer.
    pub response: String,
    /// Where it sends the browser on the same device afterwards; `None` when the person scanned a
    /// code and looks at another screen.
    pub done: Option<String>,
}

/// What a login keeps until the answer: nonce, state and the private key that opens it. Secret: no
/// `Debug`, no `Clone`; the caller stores [`Session::to_bytes`] and uses it once.
pub struct Session {
    pub(super) key: PrivateKey,
    pub(super) public: PublicKey,
    pub(super) nonce: Zeroizing<String>,
    pub(super) state: Zeroizing<String>,
    pub(super) response_code: Zeroizing<String>,
    pub(super) addresses: Addresses,
    pub(super) begun: Timestamp,
}

impl Verifier {
    /// Begins a login with fresh key, nonce, state and response code.
    pub fn begin(&self, addresses: Addresses, now: Timestamp, entropy: &dyn Entropy) -> Session {
        let key = loop {
            let mut scalar = Zeroizing::new([0; 32]);
            entropy.fill(&mut *scalar);
            // one in 2^32 is no scalar of the group
            if let Ok(key) = PrivateKey::from_private_key(&ECDH_P256, &*scalar) {
                break key;
            }
        };
        let random = || {
            let mut bytes = Zeroizing::new([0; 32]);
            entropy.fill(&mut *bytes);
            Zeroizing::new(jose::encode(&*bytes))
        };
        Session {
            public: public(&key),
            key,
            nonce: random(),
            state: random(),
            response_code: random(),
            addresses,
            begun: now,
        }
    }
}

fn public(key: &PrivateKey) -> PublicKey {
    let point = key.compute_public_key().expect("because the key is a sound scalar");
    PublicKey::of_point(point.as_ref()).expect("because aws-lc writes uncompressed points")
}

impl Session {
    /// How long a person may take to find the phone.
    pub const LIFE: SignedDuration = SignedDuration::from_mins(10);

    /// Name of the key that the answer is encrypted to.
    pub(super) fn kid(&self) -> String {
        jose::encode(&self.public.thumbprint())
    }

    /// Until when an answer is taken.
    pub fn expires(&self) -> Timestamp {
        self.begun + Self::LIFE
    }

    /// Whether the browser stays on the device of the wallet.
    pub fn is_same_device(&self) -> bool {
        self.addresses.done.is_some()
    }

    /// Where the wallet finds us.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Whether this is the code that the wallet was sent back with: the browser that brings it and
    /// the login's cookie is the one on the person's device (OpenID4VP 1.0 §13.3).
    pub fn is_response_code(&self, code: &str) -> bool {
        let ours = self.response_code.as_bytes();
        verify_slices_are_equal(ours, code.as_bytes()).is_ok()
    }

    /// For the store of sessions, which must keep it secret.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
        let scalar: EcPrivateKeyBin<'_> =
            self.key.as_be_bytes().expect("because the key is ours and exportable");
        let begun = self.begun.as_second().to_be_bytes();
        let parts: [&[u8]; 8] = [
            scalar.as_ref(),
            self.nonce.as_bytes(),
            self.state.as_bytes(),
            self.response_code.as_bytes(),
            &begun,
            self.addresses.request.as_bytes(),
            self.addresses.response.as_bytes(),
            self.addresses.done.as_deref().unwrap_or("").as_bytes(),
        ];
        let length = parts.iter().map(|part| part.len() + 2).sum::<usize>();
        // at its full size from the first, so that no copy stays behind
        let mut out = Zeroizing::new(Vec::with_capacity(1 + length));
        out.push(VERSION);
        for part in parts {
            out.extend(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// Reads [`Session::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refused> {
        Self::read(bytes).ok_or(Refused::SessionForm)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (version, mut rest) = bytes.split_first()?;
        let mut part = || {
            let (length, behind) = rest.split_first_chunk::<2>()?;
            let (part, behind) = behind.split_at_checked(u16::from_be_bytes(*length).into())?;
            rest = behind;
            Some(part)
        };
        let key = PrivateKey::from_private_key(&ECDH_P256, part()?).ok()?;
        let mut text = || Some(std::str::from_utf8(part()?).ok()?.to_owned());
        let (nonce, state, response_code) = (text()?, text()?, text()?);
        let seconds = i64::from_be_bytes(part()?.try_into().ok()?);
        let begun = Timestamp::from_second(seconds).ok()?;
        // near the ends of time there is no adding to it
        begun.checked_add(Self::LIFE).ok().and(begun.checked_sub(Self::LIFE).ok())?;
        let mut text = || Some(std::str::from_utf8(part()?).ok()?.to_owned());
        let (request, response, done) = (text()?, text()?, text()?);
        let done = Some(done).filter(|done| !done.is_empty());
        (*version == VERSION && rest.is_empty()).then_some(Self {
            public: public(&key),
            key,
            nonce: nonce.into(),
            state: state.into(),
            response_code: response_code.into(),
            addresses: Addresses { request, response, done },
            begun,
        })
    }
}

/// First byte of a stored session.
const VERSION: u8 = 1;
