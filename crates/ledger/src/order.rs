//! What puts the entries of several countries into one order: the port that an engine implements.
//!
//! Two do: [`Single`], which needs no peers, and the Byzantine fault-tolerant one of the crate
//! `ledger-consensus`. Finality is seen at the [`Chain`], not here.

mod single;

pub use single::Single;

/// What became of an entry that was put in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Taken {
    /// In line. It is final when the chain has it; whoever must know asks the chain.
    Waits,
    /// The line is full: try again later. The fault of nobody, or of a ledger without quorum.
    Busy,
    /// Longer than an entry may be, or no entry at all.
    Refused,
}

/// An engine. Dropping it stops it; what was finalised is durable.
pub trait Order: Send + Sync {
    /// Puts entries in line, at most as many as there is room for; never waits.
    fn submit(&self, entries: Vec<Vec<u8>>) -> Vec<Taken>;

    /// Says something small to all members, at most [`MAX_TOLD`] bytes; best effort. Members
    /// exchange their cosignatures so.
    fn tell(&self, message: Vec<u8>);

    /// Consensus keys of the members that we are connected with, and our own.
    fn online(&self) -> Vec<[u8; 32]>;

    /// Why the engine ended by itself; nothing while it runs. Whoever runs it ends, too.
    fn failure(&self) -> Option<String>;
}

/// Whoever listens to what members [`Order::tell`].
pub trait Hear: Send + Sync {
    /// A member, by its consensus key, said this. Foreign bytes. Must not wait.
    fn hear(&self, member: [u8; 32], message: &[u8]);
}

/// The longest message of [`Order::tell`]: an ML-DSA-44 signature in base64 has 3.3 kB.
pub const MAX_TOLD: usize = 8 * 1024;
