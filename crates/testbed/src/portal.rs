//! The hospital's portal in the country of treatment: what it asks its own node in plain IHE ([`Portal`]),
//! and the pages on which professionals and patients sign in ([`web`]).

mod ihe;
pub mod web;

pub use ihe::{Portal, PortalError, envelope};
