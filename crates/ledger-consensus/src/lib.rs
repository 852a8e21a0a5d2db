//! Orders the shared ledger's blocks among countries.
//!
//! What this is: commonware's simplex (a Byzantine fault-tolerant consensus engine) and marshal behind
//! [`ledger::order::Order`]. Nothing of commonware is seen outside. What it is not: it decides no rule
//! of the ledger; [`ledger::chain::Chain`] does, and this crate asks it.
//!
//! Start reading at `engine` (what is put together), then `application` (what the engine asks),
//! `blocks` (where final blocks go) and `journal` (what must never be copied).

mod application;
mod blocks;
mod config;
mod engine;
mod epochs;
#[cfg(test)]
mod evidence;
mod exchange;
mod frame;
mod journal;
#[cfg(test)]
mod loopback;
mod marshal;
mod network;
mod pool;
mod running;
mod sealed;
#[cfg(test)]
mod simulation;
mod validator;
mod view;

/// A SHA-256 digest.
type Hash = [u8; 32];

pub use config::{Agreed, Config, ConsensusError, Member, Membership, Room, Timing};
pub use journal::{JournalError, reached};
pub use validator::Validator;
