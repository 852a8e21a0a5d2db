//! Invented countries in one process: citizens, clinicians, documents, certificates, attacks.
//!
//! What this is: the world that tests, the demo and the benchmarks play in; every person, number
//! and key in it is invented, and keys are made anew each time. What it is not: it is no part of
//! a production node, and nothing of it may be trusted.
//!
//! Start reading at [`world`] (who lives there), then [`documents`] and [`pki`].

pub mod assertions;
pub mod attacks;
pub mod browser;
pub mod documents;
pub mod fuzz;
pub mod idp;
pub mod masks;
pub mod members;
pub mod memory;
pub mod pki;
pub mod portal;
pub mod pouch;
pub mod repository;
pub mod seed;
pub mod site;
pub mod vendors;
pub mod wallet;
pub mod web;
pub mod world;
