//! Who sent a message: proven by a signature inside it, or by one over the URL that it came in.

use jiff::Timestamp;
use trust::certificate::Certificate;
use trust::signature::{Profile, verify_enveloped};
use trust::xml::{Element, Xml};

use super::EidasError;
use super::binding::Redirected;

/// The document element of a message that one of the expected keys signed. Readers take this and no
/// bare element.
#[derive(Clone, Copy)]
pub(super) struct Authentic<'d, 'a>(Element<'d, 'a>);

impl<'d, 'a> Authentic<'d, 'a> {
    /// By the enveloped signature of the document element.
    pub(super) fn enveloped(
        xml: &'d Xml<'a>,
        signers: &[Certificate],
        now: Timestamp,
    ) -> Result<Self, EidasError> {
        let signed = verify_enveloped(xml.root(), Profile::Eidas)?;
        if !signers.contains(signed.certificate()) {
            return Err(EidasError::Signer);
        }
        current(signed.certificate(), now)?;
        Ok(Self(signed.element()))
    }

    /// By the signature over the query string. A signature inside must hold, too; without one over
    /// the query string there must be one inside, as eIDAS nodes send it.
    pub(super) fn redirected(
        xml: &'d Xml<'a>,
        came: &Redirected,
        signers: &[Certificate],
        now: Timestamp,
    ) -> Result<Self, EidasError> {
        let root = xml.root();
        if came.is_signed() {
            current(came.verify(signers, Profile::Eidas)?, now)?;
        }
        let inside = root.descendants().any(|e| e.is(DS, "Signature"));
        if inside || !came.is_signed() {
            return Self::enveloped(xml, signers, now);
        }
        if root.has_hidden_nodes() {
            return Err(EidasError::Malformed("message: hidden nodes"));
        }
        Ok(Self(root))
    }

    /// The element.
    pub(super) fn element(self) -> Element<'d, 'a> {
        self.0
    }
}

/// Metadata lives for weeks, and a certificate in it may end before it does.
fn current(certificate: &Certificate, now: Timestamp) -> Result<(), EidasError> {
    let current = certificate.not_before() <= now && now <= certificate.not_after();
    if current { Ok(()) } else { Err(EidasError::Expired) }
}

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
