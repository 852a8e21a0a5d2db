//! What an `xenc:EncryptedData` says, in types; everything that is not on the list is nothing.

use super::{Content, XENC, XENC11};
use crate::xml::Element;

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const DS11: &str = "http://www.w3.org/2009/xmldsig11#";

/// An `EncryptedData`.
pub(super) struct Sealed {
    pub(super) algorithm: Content,
    pub(super) content: Vec<u8>,
    pub(super) key: WrappedKey,
}

/// An `EncryptedKey`: what the holder of a private key needs to unwrap it.
pub struct WrappedKey {
    pub(super) wrap: Wrap,
    pub(super) bytes: Vec<u8>,
}

/// How the content key was wrapped.
pub(super) enum Wrap {
    /// RSA-OAEP with the hashes of its label and of its mask.
    Oaep(Hash, Hash),
    /// ECDH-ES with `ConcatKDF` (SHA-256), then AES key wrap of so many bytes.
    Ecdh { originator: Vec<u8>, info: Vec<u8>, length: usize },
}

impl WrappedKey {
    /// For a holder in another process.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 256);
        match &self.wrap {
            Wrap::Oaep(label, mask) => out.extend([0, label.number(), mask.number()]),
            Wrap::Ecdh { originator, info, length } => {
                out.extend([1, u8::try_from(*length).unwrap_or(0)]);
                for part in [originator, info] {
                    let length = u16::try_from(part.len()).unwrap_or(0);
                    out.extend(length.to_be_bytes());
                    out.extend(&part[..usize::from(length)]);
                }
            }
        }
        out.extend(&self.bytes);
        out
    }

    /// Reads [`WrappedKey::encode`].
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (wrap, rest) = match kind {
            0 => {
                let ([label, mask], rest) = rest.split_first_chunk()?;
                (Wrap::Oaep(Hash::numbered(*label)?, Hash::numbered(*mask)?), rest)
            }
            1 => {
                let (length, rest) = rest.split_first()?;
                let (originator, rest) = part(rest)?;
                let (info, rest) = part(rest)?;
                let length = usize::from(*length);
                if !matches!(length, 16 | 24 | 32) {
                    return None;
                }
                (Wrap::Ecdh { originator, info, length }, rest)
            }
            _ => return None,
        };
        Some(Self { wrap, bytes: rest.to_vec() })
    }
}

fn part(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (part, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((part.to_vec(), rest))
}

/// Hashes within RSA-OAEP. SHA-1 there rests on no collision resistance; real nodes send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    fn number(self) -> u8 {
        Self::ALL
            .iter()
            .position(|hash| *hash == self)
            .and_then(|at| u8::try_from(at).ok())
            .unwrap_or(u8::MAX)
    }

    fn numbered(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    fn of_digest(uri: &str) -> Option<Self> {
        Some(match uri {
            "http://www.w3.org/2000/09/xmldsig#sha1" => Self::Sha1,
            "http://www.w3.org/2001/04/xmlenc#sha256" => Self::Sha256,
            "http://www.w3.org/2001/04/xmldsig-more#sha384" => Self::Sha384,
            "http://www.w3.org/2001/04/xmlenc#sha512" => Self::Sha512,
            _ => return None,
        })
    }

    fn of_mask(uri: &str) -> Option<Self> {
        Some(match uri.strip_prefix(XENC11)? {
            "mgf1sha1" => Self::Sha1,
            "mgf1sha256" => Self::Sha256,
            "mgf1sha384" => Self::Sha384,
            "mgf1sha512" => Self::Sha512,
            _ => return None,
        })
    }
}

impl Sealed {
    pub(super) fn read(data: Element<'_, '_>) -> Option<Self> {
        if !data.is(XENC, "EncryptedData") {
            return None;
        }
        let algorithm = Content::of(algorithm(data)?)?;
        let info = data.only_child(DS, "KeyInfo").ok()?;
        // in the KeyInfo, or beside the data with nothing to choose from (OpenSAML's "peer" placement)
        let key = match info.child(XENC, "EncryptedKey") {
            Some(_) => info.only_child(XENC, "EncryptedKey").ok()?,
            None => data.parent()?.only_child(XENC, "EncryptedKey").ok()?,
        };
        Some(Self { algorithm, content: cipher(data)?, key: WrappedKey::read(key)? })
    }
}

impl WrappedKey {
    fn read(key: Element<'_, '_>) -> Option<Self> {
        let wrap = match algorithm(key)? {
            "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p" => {
                recipient_named(key)?;
                Wrap::Oaep(digest(method(key)?)?, Hash::Sha1)
            }
            "http://www.w3.org/2009/xmlenc11#rsa-oaep" => {
                recipient_named(key)?;
                let mask = method(key)?.child(XENC11, "MGF");
                let mask =
                    mask.map_or(Some(Hash::Sha1), |m| Hash::of_mask(m.attribute("Algorithm")?))?;
                Wrap::Oaep(digest(method(key)?)?, mask)
            }
            "http://www.w3.org/2001/04/xmlenc#kw-aes128" => agreement(key, 16)?,
            "http://www.w3.org/2001/04/xmlenc#kw-aes256" => agreement(key, 32)?,
            _ => return None,
        };
        Some(Self { wrap, bytes: cipher(key)? })
    }
}

/// Key transport names its recipient by certificate or key: what names nobody is refused, as
/// eIDAS-Node does.
fn recipient_named(key: Element<'_, '_>) -> Option<()> {
    let info = key.only_child(DS, "KeyInfo").ok()?;
    let certificate = info.path(DS, &["X509Data", "X509Certificate"]);
    let named = certificate.or_else(|| info.child(DS11, "DEREncodedKeyValue"));
    named.map(|_| ())
}

fn agreement(key: Element<'_, '_>, length: usize) -> Option<Wrap> {
    let info = key.only_child(DS, "KeyInfo").ok()?;
    let method = info.only_child(XENC, "AgreementMethod").ok()?;
    let derivation = method.only_child(XENC11, "KeyDerivationMethod").ok()?;
    let agreed = method.attribute("Algorithm") == Some("http://www.w3.org/2009/xmlenc11#ECDH-ES")
        && derivation.attribute("Algorithm") == Some("http://www.w3.org/2009/xmlenc11#ConcatKDF");
    let params = derivation.only_child(XENC11, "ConcatKDFParams").ok()?;
    if !agreed || digest(params)? != Hash::Sha256 {
        return None;
    }
    let mut all = Vec::new();
    for name in ["AlgorithmID", "PartyUInfo", "PartyVInfo"] {
        all.extend(bits(params.attribute(name).unwrap_or("00"))?);
    }
    let originator = method.only_child(XENC, "OriginatorKeyInfo").ok()?;
    let key = originator.only_child(DS, "KeyValue").ok()?.only_child(DS11, "ECKeyValue").ok()?;
    let curve = key.only_child(DS11, "NamedCurve").ok()?.attribute("URI")?;
    let point = key.only_child(DS11, "PublicKey").ok()?.binary()?;
    // the curve that is said and the curve that the point has room for
    let (_, size) = CURVES.iter().find(|(name, _)| curve.strip_prefix("urn:oid:") == Some(name))?;
    (point.len() == *size).then_some(Wrap::Ecdh { originator: point, info: all, length })
}

/// Our curves, each with the length of an uncompressed point.
const CURVES: [(&str, usize); 3] =
    [("1.2.840.10045.3.1.7", 65), ("1.3.132.0.34", 97), ("1.3.132.0.35", 133)];

/// XML Encryption 1.1 §5.4.1: hexadecimal; the first byte says how many bits of the last to drop.
fn bits(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) || hex.len() > 512 {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok())
        .collect();
    let bytes = bytes?;
    match bytes.split_first() {
        None => Some(Vec::new()),
        Some((0, rest)) => Some(rest.to_vec()),
        Some(_) => None,
    }
}

fn method<'d, 'a>(parent: Element<'d, 'a>) -> Option<Element<'d, 'a>> {
    parent.only_child(XENC, "EncryptionMethod").ok()
}

fn algorithm<'d>(parent: Element<'d, '_>) -> Option<&'d str> {
    method(parent)?.attribute("Algorithm")
}

fn digest(parent: Element<'_, '_>) -> Option<Hash> {
    match parent.child(DS, "DigestMethod") {
        Some(digest) => Hash::of_digest(digest.attribute("Algorithm")?),
        None => Some(Hash::Sha1),
    }
}

fn cipher(parent: Element<'_, '_>) -> Option<Vec<u8>> {
    let data = parent.only_child(XENC, "CipherData").ok()?;
    let value = data.only_child(XENC, "CipherValue").ok()?;
    // beside a value there is nothing to choose from
    if data.children().count() != 1 {
        return None;
    }
    value.binary()
}
