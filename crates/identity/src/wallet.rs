//! EUDI Wallet: a person shows the identification data (PID) that their own country issued
//! (OpenID4VP 1.0 in the profile HAIP 1.0; PID rulebook 1.7).
//!
//! What this is: the verifier's messages and checks, bytes in and values out. What it is not: no
//! socket, no page, no storage; the caller serves what [`Verifier::request`] makes, keeps the
//! [`Session`] and fetches status lists.
//!
//! Start reading at [`Verifier::begin`], then [`Session::open`]; [`refused`] is the one table of
//! everything that may be wrong.

pub mod dcql;
pub mod issuers;
pub mod jose;
mod json;
pub mod jwe;
pub mod mdoc;
mod person;
mod presented;
pub mod qr;
pub mod refused;
mod request;
pub mod sd_jwt;
mod session;
pub mod status;

use std::sync::Arc;

use exchange::Country;
use trust::jws;
use trust::seal::SealKey;

pub use issuers::Issuers;
pub use person::Naming;
pub use presented::{Opened, Presented, StatusLists};
pub use refused::Refused;
pub use request::{MEDIA_TYPE, Scheme, wallet_nonce};
pub use session::{Addresses, Session};

/// Why a verifier cannot be set up. Always the operator's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalletError {
    /// HAIP 1.0 §7: requests are signed with ES256.
    #[error("key of the wallet's relying party is not on P-256")]
    Key,
    /// HAIP 1.0 §5.1.1: a wallet must not take a self-signed certificate.
    #[error("certificate of the wallet's relying party is self-signed")]
    SelfSigned,
    /// One root for two countries would let one speak for the other.
    #[error("an authority for wallets is configured for {0} and {1}")]
    SharedAnchor(Country, Country),
    /// The key could not sign.
    #[error("request to the wallet could not be signed")]
    Signing,
}

/// A relying party of wallets: its access certificate, and whom it believes.
pub struct Verifier {
    key: Arc<SealKey>,
    client_id: String,
    country: Country,
    issuers: Issuers,
}

impl Verifier {
    /// `key` has the access certificate that a register of relying parties issued; `country` is
    /// ours, to which persons are identified.
    pub fn new(key: Arc<SealKey>, country: Country, issuers: Issuers) -> Result<Self, WalletError> {
        let certificate = key.certificate();
        if jws::algorithm(certificate) != Some("ES256") {
            return Err(WalletError::Key);
        }
        if certificate.is_self_issued() {
            return Err(WalletError::SelfSigned);
        }
        let client_id = format!("x509_hash:{}", jose::encode(&certificate.fingerprint().0));
        Ok(Self { key, client_id, country, issuers })
    }

    /// What the wallet knows us by (OpenID4VP 1.0 §5.9.3): `x509_hash:` and the certificate's hash.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whom we believe.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }
}
