//! A person's card: it proves who holds it by signing what a server just made up.

use std::path::Path;

use cryptoki::object::{Attribute, AttributeType, ObjectClass};

use super::{TokenKey, unusable};
use crate::certificate::{Certificate, CertificateError, PublicKey};
use crate::private::Holder as _;
use crate::seal::{Scheme, asn1};

/// A card in a reader, opened with its PIN.
pub struct Card {
    key: TokenKey,
    certificate: Certificate,
}

impl Card {
    /// Opens the token with the key of this label, and reads the certificate that has its label.
    pub fn open(
        module: &Path,
        token: &str,
        label: &str,
        pin: &str,
    ) -> Result<Self, CertificateError> {
        let key = TokenKey::open_with(module, token, label, pin)?;
        let wanted =
            [Attribute::Class(ObjectClass::CERTIFICATE), Attribute::Label(label.to_owned().into())];
        let der = key.with(|ready| {
            let found = ready.session.find_objects(&wanted)?;
            let first = found.first().ok_or(cryptoki::error::Error::InvalidValue)?;
            ready.session.get_attributes(*first, &[AttributeType::Value])
        });
        let der = der.map_err(|e| unusable("the card holds no certificate", &e))?;
        let [Attribute::Value(der)] = &der[..] else {
            return Err(CertificateError::Key("the card holds no certificate".into()));
        };
        let certificate = Certificate::from_der(der)?;
        let card = Self { key, certificate };
        let probe = b"konfido card probe";
        let proven =
            card.signature(probe).is_some_and(|made| card.certificate.signed(probe, &made));
        if proven {
            Ok(card)
        } else {
            Err(CertificateError::Key("it is of another certificate".into()))
        }
    }

    /// The certificate on the card.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs a challenge: the certificate (DER) and the signature that [`Certificate::signed`]
    /// verifies. What is signed must name the server that asks, or another could pass it on.
    pub fn sign(&self, challenge: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        Some((self.certificate.der().to_vec(), self.signature(challenge)?))
    }

    fn signature(&self, challenge: &[u8]) -> Option<Vec<u8>> {
        match self.certificate.key() {
            PublicKey::Rsa(..) => self.key.sign(Scheme::Rs256, challenge),
            PublicKey::P256(_) => asn1(&self.key.sign(Scheme::Es256, challenge)?),
            _ => None,
        }
    }
}
