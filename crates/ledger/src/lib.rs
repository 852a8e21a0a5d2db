//! Bilateral evidence, Merkle log, proofs, offline verification.
//!
//! What this is: how two countries come to hold the same proof of one exchange, with no personal
//! data in it, and how anyone checks that proof later. What it is not: it opens no socket; only
//! [`log`] touches files.
//!
//! Start reading at [`evidence`] (what is signed), then [`journal`] (what is durable when), [`log`]
//! (the RFC 6962 tree) and [`receipt`] (what an auditor gets).

pub mod commitment;
pub mod crash;
pub mod evidence;
#[cfg(test)]
mod fixtures;
mod form;
pub mod journal;
pub mod log;
mod note;
pub mod receipt;
mod tree;

pub use commitment::{Commitments, Field, Secrets};
pub use evidence::{Answered, EvidenceError, JointStatement, RequestStatement, Settled};
