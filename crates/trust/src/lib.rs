//! Certificates, strict XML, XML signatures bound to what is read, COSE signatures.
//!
//! What this is: the few places where bytes from outside become something that may be believed.
//! What it is not: it opens no socket and no file
//! (but for a token with the feature `pkcs11`), and knows neither SOAP nor SAML.
//!
//! Start reading at [`xml`] (one parser, one DOM), then [`signature`] (what was signed is what is
//! read), [`certificate`] and [`cose`].

mod anchors;
pub mod certificate;
pub mod chain;
pub mod cose;
pub mod encryption;
pub mod jws;
pub mod note;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
pub mod private;
pub mod seal;
pub mod signature;
pub mod verifying;
pub mod xml;
