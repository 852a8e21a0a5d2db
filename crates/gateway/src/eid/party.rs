//! The other end of a login: an eIDAS node, or our own identity provider, known by its metadata.

use std::sync::{Arc, Mutex, PoisonError};

use exchange::Country;
use identity::eidas::EidasError;
use identity::eidas::metadata::{Known, Metadata, Role};
use jiff::{SignedDuration, Timestamp};
use transport::client::{Client, ClientError};
use trust::certificate::Certificate;

/// Why a party cannot be believed now.
#[derive(Debug, thiserror::Error)]
pub enum PartyError {
    /// Its metadata could not be fetched.
    #[error("metadata not reachable: {0}")]
    Unreachable(#[from] ClientError),
    /// The server had none.
    #[error("metadata not given: status {0}")]
    Status(u16),
    /// It failed for another login a moment ago.
    #[error("metadata could not be had a moment ago")]
    Lately,
    /// It is not what it should be.
    #[error("metadata refused: {0}")]
    Refused(#[from] EidasError),
}

/// One party.
pub struct Party {
    /// Whose.
    pub country: Country,
    /// Its metadata URL.
    pub entity: String,
    /// Which end of the border it is.
    pub role: Role,
    /// Who signs its metadata.
    pub signers: Vec<Certificate>,
    client: Client,
    path: String,
    kept: Mutex<Option<(Arc<Metadata>, Timestamp)>>,
    /// When it failed last. Held while it is fetched: of many logins at once, one fetches.
    failed: tokio::sync::Mutex<Option<Timestamp>>,
}

impl Party {
    /// A party whose metadata `client` fetches from `path` of its base address.
    pub fn new(
        country: Country,
        entity: &str,
        role: Role,
        signers: Vec<Certificate>,
        client: Client,
        path: &str,
    ) -> Self {
        let (entity, path) = (entity.to_owned(), path.to_owned());
        Self {
            country,
            entity,
            role,
            signers,
            client,
            path,
            kept: Mutex::default(),
            failed: tokio::sync::Mutex::default(),
        }
    }

    /// Its metadata, checked. Fetched again after a day, or an hour before it ends; while that fails
    /// the old one is believed to its end.
    pub async fn metadata(&self, now: Timestamp) -> Result<Arc<Metadata>, PartyError> {
        if let Some(metadata) = self.fresh(now) {
            return Ok(metadata);
        }
        let mut failed = self.failed.lock().await;
        if let Some(metadata) = self.fresh(now) {
            return Ok(metadata);
        }
        // counted from the clock of whoever failed: who waited behind it does not try in turn
        if failed.is_some_and(|at| now < at + PAUSE) {
            return Err(PartyError::Lately);
        }
        let began = std::time::Instant::now();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let kept = kept.filter(|(metadata, _)| now < metadata.valid_until);
        match (self.fetch(now).await, kept) {
            (Ok(metadata), _) => {
                let again = (now + DAY).min(metadata.valid_until - HOUR).max(now + MINUTE);
                let metadata = Arc::new(metadata);
                self.keep(Some((Arc::clone(&metadata), again)));
                Ok(metadata)
            }
            (Err(error), Some((old, _))) => {
                tracing::warn!(country = %self.country, %error, "the old metadata is used");
                self.keep(Some((Arc::clone(&old), now + MINUTE)));
                Ok(old)
            }
            (Err(error), None) => {
                let took = SignedDuration::try_from(began.elapsed()).unwrap_or(PAUSE);
                *failed = Some(now + took);
                Err(error)
            }
        }
    }

    fn fresh(&self, now: Timestamp) -> Option<Arc<Metadata>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (metadata, again) = kept.as_ref()?;
        (now < *again && now < metadata.valid_until).then(|| Arc::clone(metadata))
    }

    fn keep(&self, kept: Option<(Arc<Metadata>, Timestamp)>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    async fn fetch(&self, now: Timestamp) -> Result<Metadata, PartyError> {
        let answer = self.client.get(&self.path).await?;
        if !answer.status.is_success() {
            return Err(PartyError::Status(answer.status.as_u16()));
        }
        let text =
            std::str::from_utf8(&answer.body).map_err(|_| EidasError::Malformed("metadata"))?;
        let Self { country, entity, role, signers, .. } = self;
        let known = Known { url: entity, role: *role, country: *country, signers, now };
        Ok(Metadata::verify(text, &known)?)
    }
}

/// After a failure without anything kept: nobody waits again for a server that is away.
const PAUSE: SignedDuration = SignedDuration::from_secs(2);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
