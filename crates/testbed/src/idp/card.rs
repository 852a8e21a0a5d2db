//! The citizen card, in two ways: it opens a TLS connection, or it signs a nonce.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use identity::Assurance;
use jiff::Timestamp;
use transport::Peer;
use transport::problem::{Body, respond};
use trust::certificate::{Anchors, Certificate, Usage};

use super::logins::nonce;
use super::service::{Service, over};
use crate::web::Form;

impl Service {
    /// A card on the card listener: possession proven by TLS, and its PIN opened it: level high.
    pub(super) fn card(&self, peer: Option<&Peer>, request: &Request<Incoming>) -> Response<Body> {
        let browser = self.browser(request);
        let form = Form::parse(request.uri().query().unwrap_or("").as_bytes()).unwrap_or_default();
        let handle = form.only("login").unwrap_or("");
        match peer.and_then(|peer| self.residents.by_card(peer.certificate())) {
            Some(resident) => self.finish(handle, &browser, resident, Assurance::High),
            None => self.again(handle, &browser, true),
        }
    }

    /// A card without TLS, as a program at the counter uses it: first `login` alone, which is
    /// answered with a nonce; then `login`, `certificate` and `signature` over [`card_message`].
    pub(super) async fn challenge(&self, request: Request<Incoming>) -> Response<Body> {
        let browser = self.browser(&request);
        let Some(form) = Form::of(request).await else { return over() };
        let (handle, now) = (form.only("login").unwrap_or(""), self.clock.now());
        let bytes = |name| form.only(name).map(|text| STANDARD.decode(text).unwrap_or_default());
        let Some((certificate, signature)) = bytes("certificate").zip(bytes("signature")) else {
            let nonce = nonce(self.entropy.as_ref());
            let given = self.logins.with(handle, &browser, now, |login| login.nonce = Some(nonce));
            let text = STANDARD.encode(nonce);
            return given.map_or_else(over, |()| respond(StatusCode::OK, "text/plain", text));
        };
        let nonce = self.logins.with(handle, &browser, now, |login| login.nonce.take());
        let Some(nonce) = nonce else { return over() };
        let shown = nonce.and_then(|nonce| {
            let message = card_message(&self.base, &nonce);
            shown(&self.cards, &certificate, &signature, &message, now)
        });
        match shown.and_then(|card| self.residents.by_card(&card)) {
            Some(resident) => self.finish(handle, &browser, resident, Assurance::High),
            None => self.again(handle, &browser, true),
        }
    }
}

/// What a card signs (SHA-256 within): whose nonce it is stands in it, so that no other server can
/// have it signed for us.
pub fn card_message(base: &str, nonce: &[u8]) -> Vec<u8> {
    [b"konfido testbed card login\0", base.as_bytes(), b"\0", nonce].concat()
}

/// The card that signed this message, issued by the country's authority: ECDSA on P-256 (ASN.1) or
/// RSA (PKCS#1 v1.5), SHA-256 both.
fn shown(
    cards: &Anchors,
    certificate: &[u8],
    signature: &[u8],
    message: &[u8],
    now: Timestamp,
) -> Option<Certificate> {
    let certificate = Certificate::from_der(certificate).ok()?;
    cards.verify(&certificate, &[], Usage::TlsClient, now).ok()?;
    let (rsa, _) = certificate.key_bits()?;
    let algorithm: &'static dyn VerificationAlgorithm =
        if rsa { &RSA_PKCS1_2048_8192_SHA256 } else { &ECDSA_P256_SHA256_ASN1 };
    let key = UnparsedPublicKey::new(algorithm, certificate.spki());
    key.verify(message, signature).ok()?;
    Some(certificate)
}
