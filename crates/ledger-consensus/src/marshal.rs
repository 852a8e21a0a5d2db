//! Marshal: the part of the engine that brings final blocks into order and fetches what is missing.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;

use commonware_actor::Feedback;
use commonware_broadcast::buffered;
use commonware_consensus::Reporter;
use commonware_consensus::marshal::core::{Actor, Mailbox};
use commonware_consensus::marshal::resolver::{handler, p2p as backfill};
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::marshal::{Config, Start, Update};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Finalization;
use commonware_consensus::types::{FixedEpocher, ViewDelta};
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::sha256::Digest;
use commonware_cryptography::{Digested, Signer as _};
use commonware_p2p::{Blocker, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::Handle;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::archive::immutable;
use commonware_utils::{Acknowledgement as _, NZU64, NZUsize, NonZeroDuration};
use ledger::chain::Tip;
use tokio::sync::watch;

use crate::blocks::ChainBlocks;
use crate::config::ConsensusError;
use crate::engine::{Parts, Peers, Runtime};
use crate::epochs::Epochs;
use crate::sealed::Sealed;

/// How the other parts reach marshal.
pub(crate) type Marshal = Mailbox<Scheme, Standard<Sealed>>;

/// What marshal needs of the network.
pub(crate) struct Network<S, R, B, P> {
    pub(crate) blocks: (S, R),
    pub(crate) backfill: (S, R),
    pub(crate) blocker: B,
    pub(crate) peers: P,
}

/// Starts it; `heights` is told each height that is durable.
pub(crate) async fn start<E, S, R, B, P>(
    context: &E,
    parts: &Parts,
    network: Network<S, R, B, P>,
    pages: &CacheRef,
    heights: watch::Sender<u64>,
) -> Result<(Handle<()>, Marshal), ConsensusError>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
    P: Peers,
{
    let (resolver, buffered) = network.start(context, parts);
    let certificates = certificates(context, parts, pages).await?;
    let genesis = Sealed::genesis(parts.genesis);
    let (epochs, reached) = (parts.epochs.clone(), Arc::clone(&parts.reached));
    let durable = Box::new(move |tip: &Tip| {
        epochs
            .durable(tip)
            .and_then(|()| reached(tip.height))
            .map_err(|error| error.to_string())?;
        heights.send_replace(tip.height);
        Ok(())
    });
    let chain = Arc::clone(&parts.chain);
    let blocks = ChainBlocks::new(context.child("chain"), chain, genesis.clone(), durable)?;
    let (actor, mailbox, _) =
        Actor::init(context.child("marshal"), certificates, blocks, config(parts, genesis, pages))
            .await;
    Ok((actor.start(Delivered, buffered, resolver), mailbox))
}

impl<S, R, B, P> Network<S, R, B, P>
where
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
    P: Peers,
{
    /// Starts what fetches blocks from members, and what sends them to all.
    fn start<E: Runtime>(self, context: &E, parts: &Parts) -> (Fetching, Sending) {
        let public_key = parts.key.public_key();
        let fetch = parts.timing.fetch;
        let asked = backfill::Config {
            public_key: public_key.clone(),
            peer_provider: self.peers.clone(),
            blocker: self.blocker,
            mailbox_size: MAILBOX,
            fetch_timeout: NonZeroDuration::new_panic(fetch),
            fetch_retry_delay: fetch / 10,
            priority_requests: false,
            priority_responses: false,
        };
        let fetching = backfill::init(context.child("backfill"), asked, self.backfill);
        let sent = buffered::Config {
            public_key,
            mailbox_size: MAILBOX,
            deque_size: BUFFERED,
            priority: true,
            codec_config: parts.agreed.block,
            peer_provider: self.peers,
            strategy: Sequential,
        };
        let (engine, sending) = buffered::Engine::new(context.child("blocks"), sent);
        engine.start(self.blocks);
        (fetching, sending)
    }
}

type Fetching = (handler::Receiver<Digest>, backfill::Mailbox<Digest, PublicKey>);
type Sending = buffered::Mailbox<PublicKey, Sealed>;

fn config(
    parts: &Parts,
    genesis: Sealed,
    pages: &CacheRef,
) -> Config<Epochs, FixedEpocher, Sequential, Sealed, Digested<Sealed>> {
    Config {
        provider: parts.epochs.clone(),
        epocher: parts.epochs.epocher(),
        start: Start::Genesis(Digested::precomputed(genesis, Digest(parts.genesis))),
        partition_prefix: format!("{}marshal", parts.partitions),
        mailbox_size: MAILBOX,
        view_retention: ViewDelta::new(RETENTION.get()),
        prunable_items_per_section: RETENTION,
        page_cache: pages.clone(),
        replay_buffer: BUFFER,
        key_write_buffer: BUFFER,
        value_write_buffer: BUFFER,
        block_codec_config: parts.agreed.block,
        max_repair: REPAIR,
        max_pending_acks: ACKS,
        strategy: Sequential,
    }
}

type Certificates<E> = immutable::Archive<E, Digest, Finalization<Scheme, Digest>>;

/// The certificates of final blocks: with them a member that fell behind is served, and the ledger's
/// order is proved to an engine. They grow by one for each block.
async fn certificates<E: Runtime>(
    context: &E,
    parts: &Parts,
    pages: &CacheRef,
) -> Result<Certificates<E>, ConsensusError> {
    use commonware_cryptography::certificate::Verifier as _;
    let partition = |part: &str| format!("{}certificates-{part}", parts.partitions);
    let config = immutable::Config {
        metadata_partition: partition("metadata"),
        freezer_table_partition: partition("table"),
        freezer_table_initial_size: 4096,
        freezer_table_resize_frequency: 4,
        freezer_table_resize_chunk_size: 4096,
        freezer_key_partition: partition("keys"),
        freezer_key_page_cache: pages.clone(),
        freezer_value_partition: partition("values"),
        freezer_value_target_size: 64 << 20,
        freezer_value_compression: None,
        ordinal_partition: partition("heights"),
        items_per_section: NZU64!(65_536),
        codec_config: Scheme::certificate_codec_config_unbounded(),
        replay_buffer: BUFFER,
        freezer_key_write_buffer: BUFFER,
        freezer_value_write_buffer: BUFFER,
        ordinal_write_buffer: BUFFER,
    };
    let opened = immutable::Archive::init(context.child("certificates"), config).await;
    opened.map_err(|error| ConsensusError::Stopped(error.to_string()))
}

/// Blocks are in the chain before they are delivered, so there is nothing left to do.
#[derive(Clone)]
struct Delivered;

impl Reporter for Delivered {
    type Activity = Update<Sealed>;

    fn report(&mut self, update: Update<Sealed>) -> Feedback {
        if let Update::Block(_, done) = update {
            done.acknowledge();
        }
        Feedback::Ok
    }
}

const MAILBOX: NonZeroUsize = NZUsize!(1024);
/// Blocks kept for each member before they are voted on.
const BUFFERED: usize = 16;
/// Views whose blocks and votes are kept behind the last final one.
const RETENTION: NonZeroU64 = NZU64!(32);
const BUFFER: NonZeroUsize = NZUsize!(1 << 20);
/// Blocks fetched at a time by a member that fell behind.
const REPAIR: NonZeroUsize = NZUsize!(32);
const ACKS: NonZeroUsize = NZUsize!(16);
