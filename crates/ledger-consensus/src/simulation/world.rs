//! Several validators, and what a test does to them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_p2p::simulated::{self, Link, Oracle};
use commonware_p2p::{Receiver, Sender};
use commonware_runtime::deterministic::Context;
use commonware_runtime::{Clock as _, Quota, Spawner as _, Supervisor as _};
use commonware_utils::{NZU32, NZUsize};
use ledger::order::{Hear, Taken};
use tokio::sync::mpsc;

use super::node::{Node, Process, Registry, Seen, member};
use super::{ALL, link};
use crate::application::Ways;
use crate::config::{Agreed, Room, Timing};
use crate::engine::{self, Channels, Parts, Peers as _};
use crate::epochs::Epochs;
use crate::evidence;
use crate::exchange::millis;
use crate::pool::{Origin, Pool};
use crate::view::Standing;

/// Several validators and what connects them.
pub(crate) struct World {
    pub(crate) context: Context,
    pub(crate) oracle: Oracle<PublicKey, Context>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) agreed: Agreed,
    pub(crate) timing: Timing,
    disk: tempfile::TempDir,
}

/// What outlives a power failure beside the runtime's own disk.
pub(crate) struct Left {
    nodes: Vec<Node>,
    registry: Arc<Registry>,
    disk: tempfile::TempDir,
}

impl World {
    /// Four members who run, with links of 10 ms.
    pub(crate) async fn four(context: Context) -> Self {
        let mut world = Self::new(context, 4);
        world.link(ALL, link(10)).await;
        world.start_all().await;
        world
    }

    /// `count` members, without links, and none of them running yet.
    pub(crate) fn new(context: Context, count: u64) -> Self {
        let keys: Vec<_> = (0..count).map(PrivateKey::from_seed).collect();
        let registry = keys.iter().map(|key| member(key, true)).collect();
        let nodes = keys.into_iter().map(Node::new).collect();
        let registry = Arc::new(Registry(Mutex::new(vec![(0, registry)])));
        let disk = tempfile::tempdir().unwrap();
        Self::again(context, Left { nodes, registry, disk })
    }

    /// The members that are left.
    pub(crate) fn again(context: Context, left: Left) -> Self {
        let config = simulated::Config {
            max_size: 64 << 20,
            max_peers_per_set: NZUsize!(64),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(4),
        };
        let (network, oracle) = simulated::Network::new(context.child("network"), config);
        network.start();
        let Left { nodes, registry, disk } = left;
        let agreed = Agreed { epoch: 1000, block: 4 << 20, members: 32 };
        let timing = Timing::default();
        let world = Self { context, oracle, nodes, registry, agreed, timing, disk };
        world.follow();
        world
    }

    /// What is left when the power fails.
    pub(crate) fn leave(self) -> Left {
        let nodes = self.nodes.into_iter().map(|node| Node { process: None, ..node }).collect();
        Left { nodes, registry: self.registry, disk: self.disk }
    }

    /// Tells the network who there is, before links are made.
    fn follow(&self) {
        let members = self.registry.at(0);
        self.oracle.manager().follow(0, &members);
    }

    /// Links each of these with each other, both ways.
    pub(crate) async fn link(&self, these: &[usize], link: Link) {
        for from in these {
            for to in these.iter().filter(|to| *to != from) {
                let (from, to) = (self.public(*from), self.public(*to));
                self.oracle.add_link(from, to, link.clone()).await.unwrap();
            }
        }
    }

    /// Cuts all links between the two groups.
    pub(crate) async fn cut(&self, one: &[usize], other: &[usize]) {
        for from in one {
            for to in other {
                let (from, to) = (self.public(*from), self.public(*to));
                self.oracle.remove_link(from.clone(), to.clone()).await.unwrap();
                self.oracle.remove_link(to, from).await.unwrap();
            }
        }
    }

    /// Makes links between the two groups.
    pub(crate) async fn join(&self, one: &[usize], other: &[usize], link: Link) {
        for from in one {
            for to in other {
                let (from, to) = (self.public(*from), self.public(*to));
                self.oracle.add_link(from.clone(), to.clone(), link.clone()).await.unwrap();
                self.oracle.add_link(to, from, link.clone()).await.unwrap();
            }
        }
    }

    /// Starts a member's process.
    pub(crate) async fn start(&mut self, at: usize) {
        let channels = self.channels(at).await;
        self.start_on(at, channels);
    }

    /// Starts a member's process on these channels.
    pub(crate) fn start_on<S, R>(&mut self, at: usize, channels: Channels<S, R>)
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let pool = Arc::new(Pool::new(Room::default()));
        let line = Arc::downgrade(&pool);
        self.nodes[at].chain.on_final(Box::new(move |block, _| {
            if let Some(pool) = line.upgrade() {
                pool.forget(block.leaves());
            }
        }));
        let parts = self.parts(at, &pool);
        let (told, telling) = mpsc::channel(64);
        let control = self.oracle.control(self.public(at));
        let manager = self.oracle.manager();
        let context = self.context.child("validator").with_attribute("at", at);
        let handle = context
            .spawn(move |context| engine::run(context, parts, telling, channels, control, manager));
        self.nodes[at].process = Some(Process { pool, told, handle });
    }

    fn parts(&self, at: usize, pool: &Arc<Pool>) -> Parts {
        let node = &self.nodes[at];
        let epochs = Epochs::open(
            self.disk.path().join(&node.folder),
            b"test".to_vec(),
            node.key.clone(),
            Arc::new(Seen(Arc::clone(&self.registry), Arc::clone(&node.chain))),
            self.agreed.epoch,
            &node.chain.tip(),
        );
        let (clock, skew) = (self.context.child("clock"), node.skew);
        let ways = Ways {
            idle: self.timing.idle,
            behind: self.timing.behind(),
            batch: 1 << 20,
            block: self.agreed.block,
            now: Arc::new(move || millis(&clock).saturating_add_signed(skew)),
            tamper: node.tamper,
        };
        Parts {
            key: node.key.clone(),
            chain: Arc::clone(&node.chain),
            genesis: evidence::genesis(),
            epochs: epochs.unwrap(),
            pool: Arc::clone(pool),
            standing: Standing::default(),
            hear: Arc::clone(&node.heard) as Arc<dyn Hear>,
            agreed: self.agreed,
            timing: self.timing,
            ways,
            partitions: format!("node{at}-"),
            reached: Arc::new(|_| Ok(())),
        }
    }

    /// A member's channels.
    pub(crate) async fn channels(
        &self,
        at: usize,
    ) -> Channels<simulated::Sender<PublicKey, Context>, simulated::Receiver<PublicKey>> {
        let control = self.oracle.control(self.public(at));
        let channel = |number: u64| {
            let control = control.clone();
            async move { control.register(number, Quota::per_second(NZU32!(1_000))).await.unwrap() }
        };
        Channels {
            votes: channel(0).await,
            certificates: channel(1).await,
            resolver: channel(2).await,
            blocks: channel(3).await,
            backfill: channel(4).await,
            entries: channel(5).await,
            told: channel(6).await,
        }
    }

    /// Starts all.
    pub(crate) async fn start_all(&mut self) {
        for at in 0..self.nodes.len() {
            self.start(at).await;
        }
    }

    /// As `kill -9` does.
    pub(crate) async fn kill(&mut self, at: usize) {
        let process = self.nodes[at].process.take().expect("because it runs");
        process.handle.abort();
        let _ = process.handle.await;
    }

    /// Submits the entry of a label at a member.
    pub(crate) fn submit(&self, at: usize, label: &str) -> Taken {
        self.submit_bytes(at, evidence::entry(label, 0))
    }

    /// Submits anything.
    pub(crate) fn submit_bytes(&self, at: usize, entry: Vec<u8>) -> Taken {
        let process = self.nodes[at].process.as_ref().expect("because it runs");
        process.pool.put(entry, Origin::Own, millis(&self.context))
    }

    /// Submits `count` entries at a member, one each 50 ms; the longest, in milliseconds, that another's
    /// chain did not grow by any.
    pub(crate) async fn stream(&self, from: usize, at: usize, count: u64) -> u64 {
        let (mut longest, mut still) = (0, 0);
        let mut size = self.nodes[at].chain.tip().size;
        for number in 0..count {
            self.submit(from, &format!("entry {number} after {size}"));
            for _ in 0..10 {
                self.pass(5).await;
                let now = self.nodes[at].chain.tip().size;
                still = if now == size { still + 5 } else { 0 };
                (size, longest) = (now, longest.max(still));
            }
        }
        longest
    }

    /// Waits until these have that many entries; panics after a while.
    pub(crate) async fn until_size(&self, these: &[usize], size: u64) {
        self.until(these, |node| node.chain.tip().size >= size).await;
    }

    /// Waits until these have that height; panics after a while.
    pub(crate) async fn until_height(&self, these: &[usize], height: u64) {
        self.until(these, |node| node.chain.tip().height >= height).await;
    }

    async fn until(&self, these: &[usize], done: impl Fn(&Node) -> bool) {
        for _ in 0..60_000 {
            if these.iter().all(|at| done(&self.nodes[*at])) {
                return;
            }
            self.context.sleep(Duration::from_millis(5)).await;
        }
        let tips: Vec<_> = self.nodes.iter().map(|node| node.chain.tip().height).collect();
        panic!("it did not come; heights {tips:?}");
    }

    /// None of these has another block than another at any height; gives the lowest tip.
    pub(crate) fn assert_no_fork(&self, these: &[usize]) -> u64 {
        let chains = || these.iter().map(|at| &self.nodes[*at].chain);
        let lowest = chains().map(|chain| chain.tip().height).min().unwrap();
        let highest = chains().map(|chain| chain.tip().height).max().unwrap();
        for height in 1..=highest {
            let mut blocks: Vec<_> =
                chains().filter_map(|chain| chain.block(height).unwrap()).collect();
            blocks.dedup();
            assert_eq!(blocks.len(), 1, "height {height}");
        }
        lowest
    }

    /// Lets that much time pass.
    pub(crate) async fn pass(&self, milliseconds: u64) {
        self.context.sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Height of a member's chain.
    pub(crate) fn height(&self, at: usize) -> u64 {
        self.nodes[at].chain.tip().height
    }

    /// Labels of the entries that are final at a member, in order.
    pub(crate) fn entries(&self, at: usize) -> Vec<String> {
        let chain = &self.nodes[at].chain;
        let blocks = (1..=chain.tip().height).map(|height| chain.block(height).unwrap().unwrap());
        let labels =
            |block: ledger::block::Block| block.entries().map(evidence::label).collect::<Vec<_>>();
        blocks.flat_map(labels).collect()
    }

    pub(crate) fn public(&self, at: usize) -> PublicKey {
        self.nodes[at].key.public_key()
    }
}
