//! The composition of `outbound` (we ask), `inbound` (we answer) and `national` (our own country).
//!
//! What this is: the road of one request. What it is not: it parses nothing and checks nothing by
//! itself; every step is a call into another room, and every room hands back a value that proves
//! its check took place.
//!
//! Start reading at [`outbound::journey`], then [`inbound::journey`].

pub mod audit;
pub mod background;
pub mod door;
pub mod eid;
pub mod inbound;
pub mod last_hop;
pub mod listeners;
pub mod message;
pub mod metrics;
pub mod national;
pub mod node;
pub mod outbound;
pub mod recipient;
pub mod secrets;
pub mod strict;
pub mod sts;
pub mod trace;
pub mod wire;
pub mod witness;

pub use message::{Message, Refused};
pub use node::{Node, PeerCountry};
