//! ATNA audit: the records of our own OpenNCP come in, those of our own events go out.
//!
//! What we write ourselves never delays a request: a request leaves a [`Draft`], a thread makes the
//! record and keeps it on disk, a task brings it to the country's audit repository.

mod draft;
pub mod forward;
mod receive;
mod trail;

pub use draft::Draft;
pub(crate) use draft::outcome;
pub use receive::receive;
pub use trail::{Names, QUEUE_BYTES, Trail};

/// Why records cannot be kept. The operator's disk, or a repository that is away for too long.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The disk failed.
    #[error("audit spool failed: {0}")]
    Failed(String),
    /// As many records wait as may.
    #[error("audit spool is full")]
    Full,
}

/// Storage port: records that wait for the repository. Called from threads that may block.
pub trait Spool: Send + Sync {
    /// Keeps records (XML), all or none.
    fn append(&self, records: Vec<String>) -> Result<(), SpoolError>;

    /// The oldest records with their numbers, which only grow.
    fn oldest(&self, limit: usize) -> Result<Vec<(u64, String)>, SpoolError>;

    /// Forgets records up to and with this number.
    fn remove(&self, through: u64) -> Result<(), SpoolError>;

    /// How many wait.
    fn waiting(&self) -> Result<u64, SpoolError>;
}
