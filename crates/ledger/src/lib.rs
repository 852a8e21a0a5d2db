//! Bilateral evidence, Merkle log, proofs, offline verification.
//!
//! What this is: how two countries come to hold the same proof of one exchange, with no personal
//! data in it, and how anyone checks that proof later. What it is not: it opens no socket; only
//! [`log`] and [`store`] touch files.
//!
//! Start reading at [`evidence`] (what is signed), then [`journal`] (what is durable when), [`log`]
//! (the RFC 6962 tree) and [`receipt`] (what an auditor gets).

pub mod block;
pub mod bundle;
pub mod chain;
pub mod checkpoint;
pub mod commitment;
pub mod cosign;
pub mod crash;
pub mod edge;
pub mod entry;
pub mod evidence;
#[cfg(test)]
mod fixtures;
mod form;
pub mod journal;
pub mod line;
pub mod log;
pub mod member;
pub mod note;
pub mod order;
pub mod policy;
pub mod proof;
pub mod receipt;
pub mod rules;
pub mod scitt;
pub mod sealed;
pub mod store;
mod tiles;
pub mod timestamp;
pub mod tree;

pub use commitment::{Commitments, Field, Secrets};
pub use edge::Edge;
pub use evidence::{Answered, EvidenceError, JointStatement, RequestStatement, Settled};
