//! HCP and TRC assertions: who asks, how sure, for what purpose.
//!
//! What this is: one table of rules over the SAML assertions of a request, and two proofs that only
//! this crate can make: [`Recognised`] (who asks for whom) and [`Mandate`] (and may). What it is
//! not: it opens no socket and keeps no state but a bounded cache of verified assertions.
//!
//! Start reading at [`recognise`], then [`rules`].

pub mod assertion;
mod assurance;
pub mod cache;
pub mod eidas;
pub mod issue;
mod mandate;
pub mod mask;
pub mod matching;
pub mod nok;
pub mod professional;
pub mod register;
pub mod replay;
pub mod rules;
pub mod session;
pub mod sts;
pub mod wallet;

pub use assertion::{Assertion, Kind};
pub use assurance::Assurance;
pub use cache::AssertionCache;
pub use mandate::{Consent, Mandate, permit};
pub use rules::{Context, Policy, Recognised, recognise};
