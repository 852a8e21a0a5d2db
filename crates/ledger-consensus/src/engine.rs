//! The engine put together: marshal over the chain, and one simplex instance for each epoch.
//!
//! Generic over the runtime and the network, so that the very same code runs on TCP and in the
//! deterministic simulator of the tests.

use std::sync::Arc;

use commonware_consensus::marshal::standard::Inline;
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_p2p::utils::mux::{Builder as _, Muxer};
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_runtime::buffer::paged::{CacheRef, page_size};
use commonware_runtime::{BLOB_PAGE_SIZE, Clock, Metrics, Spawner, Storage};
use commonware_utils::NZUsize;
use ledger::chain::Chain;
use ledger::order::Hear;
use rand_core::CryptoRng;
use tokio::sync::{mpsc, watch};

use crate::Hash;
use crate::application::{Ledger, Ways};
use crate::config::{Agreed, ConsensusError, Member, Timing};
use crate::epochs::Epochs;
use crate::pool::Pool;
use crate::running::{Running, Votes};
use crate::view::{Listened, Standing};
use crate::{exchange, marshal};

/// What one validator is made of, whatever it runs on.
pub(crate) struct Parts {
    pub(crate) key: PrivateKey,
    pub(crate) chain: Arc<Chain>,
    pub(crate) genesis: Hash,
    pub(crate) epochs: Epochs,
    pub(crate) pool: Arc<Pool>,
    pub(crate) standing: Standing,
    pub(crate) hear: Arc<dyn Hear>,
    pub(crate) agreed: Agreed,
    pub(crate) timing: Timing,
    pub(crate) ways: Ways,
    /// What the names of all its journals begin with: several validators of one simulation share a disk.
    pub(crate) partitions: String,
    /// Called with each height that is durable, for the journal's mark.
    pub(crate) reached: Arc<dyn Fn(u64) -> Result<(), ConsensusError> + Send + Sync>,
}

/// The channels between members, each with its sender and receiver.
pub(crate) struct Channels<S, R> {
    pub(crate) votes: (S, R),
    pub(crate) certificates: (S, R),
    pub(crate) resolver: (S, R),
    pub(crate) blocks: (S, R),
    pub(crate) backfill: (S, R),
    pub(crate) entries: (S, R),
    pub(crate) told: (S, R),
}

/// Where the network is told who the members are.
pub(crate) trait Peers: Provider<PublicKey = PublicKey> {
    /// From this epoch on, these.
    fn follow(&mut self, epoch: u64, members: &[Member]);
}

/// What the engine needs of a runtime.
pub(crate) trait Runtime: Clock + CryptoRng + Spawner + Storage + Metrics {}
impl<E: Clock + CryptoRng + Spawner + Storage + Metrics> Runtime for E {}

/// Runs until the runtime stops, or something fails.
pub(crate) async fn run<E, S, R, B, P>(
    context: E,
    parts: Parts,
    told: mpsc::Receiver<Vec<u8>>,
    channels: Channels<S, R>,
    blocker: B,
    peers: P,
) -> Result<(), ConsensusError>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
    P: Peers,
{
    let Channels { votes, certificates, resolver, blocks, backfill, entries, told: telling } =
        channels;
    let pages = CacheRef::new(page_size(BLOB_PAGE_SIZE), NZUsize!(PAGES));
    let (heights, durable) = watch::channel(parts.chain.tip().height);
    let network =
        marshal::Network { blocks, backfill, blocker: blocker.clone(), peers: peers.clone() };
    let (delivering, mailbox) = marshal::start(&context, &parts, network, &pages, heights).await?;
    beside(&context, &parts, entries, &blocker);
    said(&context, &parts, told, telling, &blocker);

    let ledger = Ledger::new(Arc::clone(&parts.chain), Arc::clone(&parts.pool), parts.ways.clone());
    let application =
        Inline::new(context.child("application"), ledger, mailbox.clone(), parts.epochs.epocher());
    let (to, inner) = votes;
    let from = Listened { inner, clock: context.child("heard"), standing: parts.standing.clone() };
    let (muxer, votes, ahead) =
        Muxer::builder(context.child("votes"), to, from).with_backup().build();
    muxer.start();
    let (muxer, certificates) =
        Muxer::new(context.child("certificates"), certificates.0, certificates.1);
    muxer.start();
    let (muxer, resolver) = Muxer::new(context.child("resolver"), resolver.0, resolver.1);
    muxer.start();
    let votes = Votes { votes, certificates, resolver, ahead };
    let running =
        Running { context, parts, application, mailbox, blocker, peers, pages, votes, durable };
    running.epochs(delivering).await
}

/// Entries from and to other members.
fn beside<E, S, R, B>(context: &E, parts: &Parts, (to, from): (S, R), blocker: &B)
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    let (pool, blocker) = (Arc::clone(&parts.pool), blocker.clone());
    context
        .child("take_entries")
        .spawn(move |clock| exchange::take_entries(clock, pool, from, blocker));
    let (pool, standing) = (Arc::clone(&parts.pool), parts.standing.clone());
    let amounts = (parts.timing.resend, parts.ways.batch);
    let own = parts.key.public_key();
    context
        .child("forward_entries")
        .spawn(move |clock| exchange::forward_entries(clock, pool, standing, own, amounts, to));
}

/// Small messages from and to all members.
fn said<E, S, R, B>(
    context: &E,
    parts: &Parts,
    told: mpsc::Receiver<Vec<u8>>,
    (to, from): (S, R),
    blocker: &B,
) where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    let (hear, blocker) = (Arc::clone(&parts.hear), blocker.clone());
    context.child("listen").spawn(move |_| exchange::listen(hear, from, blocker));
    let hear = Arc::clone(&parts.hear);
    let own = crate::view::bytes(&parts.key.public_key());
    context.child("tell").spawn(move |_| exchange::tell(told, hear, own, to));
}

/// Pages of journals kept in memory, 4 KiB each.
const PAGES: usize = 1024;
