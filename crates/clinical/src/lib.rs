//! CDA documents as bytes plus read-only views.
//!
//! What this is: the answer to "what is this document, whose is it, what does it say": the bytes
//! stay the truth, a [`cda::View`] reads them, and [`findings::findings`] says in eHDSI codes what
//! is wrong. What it is not: it never rewrites, translates or renders a document, and does no I/O.
//!
//! Start reading at [`cda::View`], then [`findings::findings`].

pub mod cda;
pub mod findings;

#[cfg(test)]
#[path = "../../testbed/samples.rs"]
mod samples;
