//! Who may ask: the node of our own country, known by its metadata.

use std::sync::{Arc, Mutex, PoisonError};

use exchange::Country;
use identity::eidas::EidasError;
use identity::eidas::metadata::{Known, Metadata, Role};
use jiff::{SignedDuration, Timestamp};
use transport::client::{Client, ClientError, ClientLimits};
use transport::tls::ClientTls;
use trust::certificate::Certificate;

use crate::web::origin;

/// How the identity provider knows the one who may ask.
#[derive(Debug, Clone)]
pub enum Requester {
    /// By metadata that was handed over.
    Known(Metadata),
    /// By metadata that is fetched when the first request comes, and again after a while.
    Fetched {
        /// Where it is.
        url: String,
        /// Certificates that it must be signed with.
        signers: Vec<Certificate>,
    },
}

/// Why there is no metadata of the one who asks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequesterError {
    /// Its server gave no answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Its server gave something else.
    #[error("the requester's metadata was answered with {0}")]
    Status(http::StatusCode),
    /// The metadata is not believed.
    #[error(transparent)]
    Metadata(#[from] EidasError),
}

/// The requester's metadata, kept for a while.
pub(super) struct Source {
    requester: Requester,
    country: Country,
    tls: ClientTls,
    kept: Mutex<Option<(Arc<Metadata>, Timestamp)>>,
}

impl Source {
    pub fn new(requester: Requester, country: Country, tls: ClientTls) -> Self {
        Self { requester, country, tls, kept: Mutex::default() }
    }

    /// The metadata, not older than [`KEPT`].
    pub async fn metadata(&self, now: Timestamp) -> Result<Arc<Metadata>, RequesterError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((metadata, fetched)) = kept
            && now < metadata.valid_until
            && now.duration_since(fetched) < KEPT
        {
            return Ok(metadata);
        }
        let metadata = Arc::new(match &self.requester {
            Requester::Known(metadata) => metadata.clone(),
            Requester::Fetched { url, signers } => self.fetch(url, signers, now).await?,
        });
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Arc::clone(&metadata), now));
        Ok(metadata)
    }

    async fn fetch(
        &self,
        url: &str,
        signers: &[Certificate],
        now: Timestamp,
    ) -> Result<Metadata, RequesterError> {
        let limits = ClientLimits { body: MAX_METADATA, ..ClientLimits::default() };
        let base = origin(url);
        let client = Client::new(base, None, self.tls.clone(), limits);
        let answer = client.get(&url[base.len()..]).await?;
        if !answer.status.is_success() {
            return Err(RequesterError::Status(answer.status));
        }
        let text = String::from_utf8_lossy(&answer.body);
        let country = self.country;
        let known = Known { url, role: Role::Connector, country, signers, now };
        Ok(Metadata::verify(&text, &known)?)
    }
}

/// How long fetched metadata is used.
const KEPT: SignedDuration = SignedDuration::from_mins(10);
const MAX_METADATA: usize = 1 << 20;
