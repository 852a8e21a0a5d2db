//! What an attacker would send: bytes in, bytes out, for the tests that knock on a node's door.
//!
//! The same attacks stand at library level in `trust/tests/signatures/main.rs` and
//! `identity/tests/rules.rs`; here they are made from the assertions and messages of this world,
//! so that they can travel over real TLS and HTTP.

pub mod forgery;
pub mod markup;
pub mod wrapping;
