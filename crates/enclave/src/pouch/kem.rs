//! The three ways to agree on a secret with a public key: two curves that browsers have, and a
//! hybrid for clients that have that.

use aws_lc_rs::agreement::{
    Algorithm, ECDH_P256, PrivateKey, UnparsedPublicKey, X25519, agree as diffie_hellman,
};
use hpke::{Deserializable, Kem, Serializable};
use zeroize::Zeroizing;

use super::schedule::Labels;
use crate::VaultError;
use crate::key::{PublicKey, XWing};

/// An HPKE suite: a KEM with HKDF-SHA256 and AES-256-GCM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// DHKEM(P-256, HKDF-SHA256): every browser has it.
    P256,
    /// DHKEM(X25519, HKDF-SHA256): newer browsers.
    X25519,
    /// ML-KEM-768 with X25519: for clients that want to outlast a quantum computer.
    XWing,
}

struct Row {
    suite: Suite,
    name: &'static str,
    kem: u16,
    public: usize,
    encapsulated: usize,
}

/// IANA's HPKE registry; lengths from RFC 9180 §7.1 and draft-connolly-cfrg-xwing-kem.
static ROWS: [Row; 3] = [
    Row { suite: Suite::P256, name: "P-256", kem: 0x0010, public: 65, encapsulated: 65 },
    Row { suite: Suite::X25519, name: "X25519", kem: 0x0020, public: 32, encapsulated: 32 },
    Row { suite: Suite::XWing, name: "X-Wing", kem: 0x647a, public: 1216, encapsulated: 1120 },
];
/// HKDF-SHA256 and AES-256-GCM.
const KDF_AND_AEAD: [u8; 4] = [0, 1, 0, 2];

impl Suite {
    /// All three.
    pub const ALL: [Self; 3] = [Self::P256, Self::X25519, Self::XWing];

    /// For people.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The numbers of KEM, KDF and AEAD, each in two bytes.
    pub(super) fn ids(self) -> [u8; 6] {
        let [high, low] = self.row().kem.to_be_bytes();
        let [a, b, c, d] = KDF_AND_AEAD;
        [high, low, a, b, c, d]
    }

    pub(super) fn of(ids: &[u8; 6]) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.ids() == *ids)
    }

    pub(super) fn public_length(self) -> usize {
        self.row().public
    }

    pub(super) fn encapsulated_length(self) -> usize {
        self.row().encapsulated
    }

    fn row(self) -> &'static Row {
        ROWS.iter().find(|row| row.suite == self).expect("because ROWS has one row for each suite")
    }

    /// The curve, if the suite is a Diffie-Hellman one.
    fn curve(self) -> Option<&'static Algorithm> {
        match self {
            Self::P256 => Some(&ECDH_P256),
            Self::X25519 => Some(&X25519),
            Self::XWing => None,
        }
    }
}

/// The private half of a key.
pub(super) enum Secret {
    Curve(PrivateKey),
    XWing(Box<<XWing as Kem>::PrivateKey>),
}

/// A new key: the private half, and the public one as the suite serializes it.
pub(super) fn generate(suite: Suite) -> Result<(Secret, Vec<u8>), VaultError> {
    let Some(curve) = suite.curve() else {
        let (private, public) = XWing::gen_keypair();
        return Ok((Secret::XWing(Box::new(private)), public.to_bytes().to_vec()));
    };
    let private = PrivateKey::generate(curve).map_err(|_| VaultError::Integrity)?;
    let public = public_of(&private)?;
    Ok((Secret::Curve(private), public))
}

/// Refuses a public key that leads to no secret, whoever seals for it.
pub(super) fn check(suite: Suite, public: &[u8]) -> Result<(), VaultError> {
    let refused = VaultError::Key("public key is not one");
    match suite.curve() {
        None => PublicKey::from_bytes(public).map(drop).map_err(|_| refused),
        Some(curve) => {
            // any scalar shows it; this one is nobody's key
            let any = PrivateKey::from_private_key(curve, &[1; 32]).map_err(|_| refused)?;
            agree(suite, &any, public, public, public).map(drop).map_err(|_| refused)
        }
    }
}

/// `Encap` (RFC 9180 §4.1): a new shared secret, and what the owner of the key gets it from.
pub(super) fn encapsulate(
    suite: Suite,
    public: &[u8],
) -> Result<(Zeroizing<[u8; 32]>, Vec<u8>), VaultError> {
    let Some(curve) = suite.curve() else {
        let key = PublicKey::from_bytes(public).map_err(|_| VaultError::Malformed)?;
        let (shared, encapsulated) =
            XWing::encap(&key, None).map_err(|_| VaultError::Key("cannot be sealed for"))?;
        return Ok((Zeroizing::new(shared.0.into()), encapsulated.to_bytes().to_vec()));
    };
    let ephemeral = PrivateKey::generate(curve).map_err(|_| VaultError::Integrity)?;
    encapsulate_by(suite, &ephemeral, public)
}

pub(super) fn encapsulate_by(
    suite: Suite,
    ephemeral: &PrivateKey,
    public: &[u8],
) -> Result<(Zeroizing<[u8; 32]>, Vec<u8>), VaultError> {
    let encapsulated = public_of(ephemeral)?;
    let shared = agree(suite, ephemeral, public, &encapsulated, public)
        .map_err(|_| VaultError::Key("cannot be sealed for"))?;
    Ok((shared, encapsulated))
}

/// `Decap`.
pub(super) fn decapsulate(
    suite: Suite,
    secret: &Secret,
    public: &[u8],
    encapsulated: &[u8],
) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    match secret {
        Secret::Curve(private) => agree(suite, private, encapsulated, encapsulated, public),
        Secret::XWing(private) => {
            let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(encapsulated)
                .map_err(|_| VaultError::Malformed)?;
            let shared =
                XWing::decap(private, None, &encapsulated).map_err(|_| VaultError::Integrity)?;
            Ok(Zeroizing::new(shared.0.into()))
        }
    }
}

/// Diffie-Hellman, then `ExtractAndExpand` over both public keys. aws-lc refuses points that are not
/// on the curve and a secret of zeros (RFC 9180 §7.1.4); what is no plain point (compressed, or in an
/// X.509 wrapping, which it would take) is refused here.
fn agree(
    suite: Suite,
    ours: &PrivateKey,
    theirs: &[u8],
    encapsulated: &[u8],
    public: &[u8],
) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let plain = match suite {
        Suite::P256 => theirs.len() == 65 && theirs[0] == 4,
        Suite::X25519 => theirs.len() == 32,
        Suite::XWing => false,
    };
    if !plain {
        return Err(VaultError::Malformed);
    }
    let theirs = UnparsedPublicKey::new(ours.algorithm(), theirs);
    diffie_hellman(ours, theirs, VaultError::Integrity, |agreed| {
        let kem = suite.row().kem.to_be_bytes();
        let labels = Labels { kind: b"KEM", ids: &kem };
        let secret = labels.extract(b"", "eae_prk", agreed);
        let mut shared = Zeroizing::new([0; 32]);
        let both = [encapsulated, public].concat();
        labels.expand(&secret, "shared_secret", &both, shared.as_mut())?;
        Ok(shared)
    })
}

fn public_of(private: &PrivateKey) -> Result<Vec<u8>, VaultError> {
    let public = private.compute_public_key().map_err(|_| VaultError::Integrity)?;
    Ok(public.as_ref().to_vec())
}
