//! One member of a simulation, and the registry that names it.

use std::sync::{Arc, Mutex};

use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_p2p::simulated::Manager;
use commonware_p2p::{Manager as _, TrackedPeers};
use commonware_runtime::Handle;
use commonware_runtime::deterministic::Context;
use commonware_utils::ordered::Set;
use ledger::chain::Chain;
use ledger::order::Hear;
use tokio::sync::mpsc;

use crate::config::{ConsensusError, Member, Membership};
use crate::engine::Peers;
use crate::epochs::public_key;
use crate::evidence;
use crate::pool::Pool;
use crate::view::bytes;

/// One member. Its chain outlives its process, as a disk does.
pub(crate) struct Node {
    pub(crate) key: PrivateKey,
    pub(crate) chain: Arc<Chain>,
    pub(crate) disk: Arc<tempfile::TempDir>,
    pub(crate) heard: Arc<Heard>,
    /// Its epochs are written here.
    pub(crate) folder: String,
    pub(crate) process: Option<Process>,
    /// How far its clock is ahead, milliseconds.
    pub(crate) skew: i64,
    /// What it does to the blocks it proposes, if it lies.
    pub(crate) tamper: Option<crate::application::Lie>,
}

/// What a running validator offers.
pub(crate) struct Process {
    pub(crate) pool: Arc<Pool>,
    pub(crate) told: mpsc::Sender<Vec<u8>>,
    pub(crate) handle: Handle<Result<(), ConsensusError>>,
}

/// The members from each height on, as the test says. A real registry says it by the blocks.
pub(crate) struct Registry(pub(crate) Mutex<Vec<(u64, Vec<Member>)>>);

impl Registry {
    /// From this height on, the members are changed so.
    pub(crate) fn change(&self, from: u64, change: impl FnOnce(&mut Vec<Member>)) {
        let mut all = self.0.lock().unwrap();
        let mut members = all.last().unwrap().1.clone();
        change(&mut members);
        all.push((from, members));
    }

    /// Who the members are at a height.
    pub(crate) fn at(&self, height: u64) -> Vec<Member> {
        let all = self.0.lock().unwrap();
        all.iter().rfind(|(from, _)| *from <= height).unwrap().1.clone()
    }
}

/// The registry as a member's own chain has it.
pub(crate) struct Seen(pub(crate) Arc<Registry>, pub(crate) Arc<Chain>);

impl Membership for Seen {
    fn members(&self) -> Vec<Member> {
        self.0.at(self.1.tip().height)
    }
}

/// What a node was told, with who told it.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Mutex<Vec<([u8; 32], Vec<u8>)>>);

impl Hear for Heard {
    fn hear(&self, member: [u8; 32], message: &[u8]) {
        self.0.lock().unwrap().push((member, message.to_vec()));
    }
}

impl Peers for Manager<PublicKey, Context> {
    fn follow(&mut self, epoch: u64, members: &[Member]) {
        let of = |voting: bool| {
            let these = members.iter().filter(|member| member.voting == voting);
            Set::from_iter_dedup(these.filter_map(|member| public_key(&member.key)))
        };
        self.track(epoch, TrackedPeers::new(of(true), of(false)));
    }
}

/// A member of the registry.
pub(crate) fn member(key: &PrivateKey, voting: bool) -> Member {
    Member { key: bytes(&key.public_key()), address: "127.0.0.1:0".to_owned(), voting }
}

impl Node {
    /// The same member with another consensus key.
    pub(crate) fn with_key(&self, key: PrivateKey) -> Self {
        let (chain, disk) = (Arc::clone(&self.chain), Arc::clone(&self.disk));
        Self { chain, disk, folder: self.folder.clone(), ..Self::new(key) }
    }

    pub(crate) fn new(key: PrivateKey) -> Self {
        let disk = Arc::new(tempfile::tempdir().unwrap());
        let chain = Arc::new(evidence::chain(disk.path()));
        let folder = key.public_key().to_string();
        Self {
            key,
            chain,
            disk,
            heard: Arc::default(),
            folder,
            process: None,
            skew: 0,
            tamper: None,
        }
    }
}
