//! What an operator chooses, and what all members must have alike.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use crate::pool::Room;

/// One member of the ledger as the engine needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Ed25519 key that votes and connects; no other key of the country.
    #[serde(with = "key_text")]
    pub key: [u8; 32],
    /// Where it listens, `host:port`.
    pub address: String,
    /// Observers follow the ledger and vote on nothing.
    pub voting: bool,
}

/// Keys are hexadecimal in files.
pub(crate) mod key_text {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(key: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(key))
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key).map_err(D::Error::custom)?;
        Ok(key)
    }
}

/// Who the members are. Read when the chain's last block is an epoch's last; all members must then answer
/// alike, so it may depend on nothing but the chain.
pub trait Membership: Send + Sync {
    /// The members of the epoch in which the next block lies.
    fn members(&self) -> Vec<Member>;
}

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// A leader without entries proposes an empty block after this.
    pub idle: Duration,
    /// For a leader's proposal, `idle` included: at least `idle` and three round trips.
    pub leader: Duration,
    /// For a view's notarisation.
    pub certification: Duration,
    /// A leader that was silent for so long is passed over at once.
    pub skip: Duration,
    /// Before a vote to give a view up is repeated.
    pub retry: Duration,
    /// For what was asked of one peer.
    pub fetch: Duration,
    /// Before own entries are sent to leaders again.
    pub resend: Duration,
}

impl Timing {
    /// For what a leader lacks of the blocks before its own: half of the time that its proposal has beside
    /// `idle`.
    pub(crate) fn behind(&self) -> Duration {
        self.leader.saturating_sub(self.idle) / 2
    }
}

impl Default for Timing {
    /// For members in Europe: round trips of at most 100 ms.
    fn default() -> Self {
        Self {
            idle: Duration::from_millis(900),
            leader: Duration::from_millis(1300),
            certification: Duration::from_millis(1800),
            skip: Duration::from_secs(2),
            retry: Duration::from_millis(1500),
            fetch: Duration::from_millis(1500),
            resend: Duration::from_millis(2500),
        }
    }
}

/// What all members must have alike; it belongs into the genesis file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// Blocks in an epoch; members change between epochs.
    pub epoch: u64,
    /// The longest block, bytes. May grow, never shrink.
    pub block: usize,
    /// The most members, voting and observing, that there may ever be.
    pub members: u32,
}

impl Default for Agreed {
    fn default() -> Self {
        Self { epoch: 4096, block: 4 << 20, members: 64 }
    }
}

/// Everything for one validator.
pub struct Config {
    /// Ed25519 seed of the consensus key. In memory while the validator runs: the engine signs itself.
    pub key: Zeroizing<[u8; 32]>,
    /// Digest of the genesis: the block before the first, and what separates this ledger's signatures
    /// from every other's.
    pub genesis: [u8; 32],
    /// Where this member listens for the others.
    pub listen: SocketAddr,
    /// The engine's journals. Never to be copied, restored or shared.
    pub journal: PathBuf,
    /// A small file beside the chain's store that tells an old copy of the journals from the last one.
    pub witness: PathBuf,
    /// Members at the first start, and after each epoch.
    pub membership: Arc<dyn Membership>,
    /// What all members have alike.
    pub agreed: Agreed,
    /// How long is waited for what.
    pub timing: Timing,
    /// Bytes of entries in a block that this member proposes; at most half of [`Agreed::block`].
    pub batch: usize,
    /// How much waits at most.
    pub room: Room,
    /// Members have private addresses: a closed network of the administrations.
    pub private: bool,
    /// All members run on one machine: private addresses, and who comes back is connected at once.
    pub local: bool,
    /// Threads of the engine, apart from those that check and write blocks.
    pub threads: usize,
}

impl Config {
    /// With the defaults for members in Europe.
    pub fn new(
        key: Zeroizing<[u8; 32]>,
        genesis: [u8; 32],
        listen: SocketAddr,
        journal: PathBuf,
        witness: PathBuf,
        membership: Arc<dyn Membership>,
    ) -> Self {
        Self {
            key,
            genesis,
            listen,
            journal,
            witness,
            membership,
            agreed: Agreed::default(),
            timing: Timing::default(),
            batch: 1 << 20,
            room: Room::default(),
            private: false,
            local: false,
            threads: 2,
        }
    }

    /// What cannot work is refused before anything starts.
    pub(crate) fn check(&self) -> Result<(), ConsensusError> {
        let Timing { idle, leader, certification, skip, retry, .. } = self.timing;
        let wrong = [
            (idle >= leader, "timing: idle must be shorter than leader"),
            (leader >= certification, "timing: leader must be shorter than certification"),
            (certification >= skip || retry >= skip, "timing: skip must be the longest"),
            (self.agreed.epoch < 2, "an epoch has at least two blocks"),
            (
                self.batch == 0 || self.batch > self.agreed.block / 2,
                "batch is more than half a block",
            ),
            (self.agreed.block > 64 << 20, "a block has at most 64 MiB"),
            (self.agreed.members == 0 || self.agreed.members > 128, "1 to 128 members"),
        ];
        match wrong.into_iter().find(|(wrong, _)| *wrong) {
            Some((_, what)) => Err(ConsensusError::Config(what)),
            None => Ok(()),
        }
    }
}

/// Why a validator does not start, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsensusError {
    /// The operator's fault.
    #[error("{0}")]
    Config(&'static str),
    /// The journals may not be used.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    /// A file of the engine.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
    /// The chain could not be read.
    #[error(transparent)]
    Chain(#[from] ledger::chain::ChainError),
    /// The registry names members that no engine can run with.
    #[error("the members cannot be used: {0}")]
    Members(&'static str),
    /// The engine ended by itself. What is final is durable.
    #[error("the engine stopped: {0}")]
    Stopped(String),
}

#[cfg(test)]
mod tests {
    use super::Agreed;

    #[test]
    fn an_engine_has_room_for_all_members_that_the_rules_allow() {
        assert!(Agreed::default().members as usize >= ledger::member::MAX_MEMBERS);
    }
}
