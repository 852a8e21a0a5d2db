//! One simplex instance after the other, an epoch each.

use std::num::NonZeroUsize;
use std::sync::Arc;

use commonware_consensus::Reporters;
use commonware_consensus::marshal::standard::Inline;
use commonware_consensus::simplex::Engine;
use commonware_consensus::simplex::config::{Config, Floor, ForwardPolicy, SkipBudget, SkipPolicy};
use commonware_consensus::simplex::elector::RoundRobin;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::{Epoch, FixedEpocher, Height, ViewDelta};
use commonware_cryptography::Sha256;
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::sha256::Digest;
use commonware_macros::select;
use commonware_p2p::utils::mux::MuxHandle;
use commonware_p2p::{Blocker, Message, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Error as RuntimeError, Handle};
use commonware_utils::channel::mpsc;
use commonware_utils::vec::NonEmptyVec;
use commonware_utils::{NZUsize, NonZeroDuration};
use tokio::sync::watch;

use crate::application::Ledger;
use crate::config::ConsensusError;
use crate::engine::{Parts, Peers, Runtime};
use crate::marshal::Marshal;
use crate::sealed::Sealed;

/// The channels of votes, each divided by epochs.
pub(crate) struct Votes<S: Sender> {
    pub(crate) votes: MuxHandle<S>,
    pub(crate) certificates: MuxHandle<S>,
    pub(crate) resolver: MuxHandle<S>,
    /// Votes of epochs that are not ours.
    pub(crate) ahead: mpsc::Receiver<(u64, Message<PublicKey>)>,
}

/// A validator whose parts are all started but the votes.
pub(crate) struct Running<E, S: Sender, B, P>
where
    E: Runtime,
{
    pub(crate) context: E,
    pub(crate) parts: Parts,
    pub(crate) application: Inline<E, Scheme, Ledger, Sealed, FixedEpocher>,
    pub(crate) mailbox: Marshal,
    pub(crate) blocker: B,
    pub(crate) peers: P,
    pub(crate) pages: CacheRef,
    pub(crate) votes: Votes<S>,
    pub(crate) durable: watch::Receiver<u64>,
}

/// Why an epoch's votes ended.
enum End {
    Over,
    Failed(&'static str),
}

impl<E, S, B, P> Running<E, S, B, P>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
    P: Peers,
{
    /// Epoch after epoch, until something fails.
    pub(crate) async fn epochs(mut self, mut delivering: Handle<()>) -> Result<(), ConsensusError> {
        let mut epoch = self.parts.epochs.of(self.parts.chain.tip().height + 1);
        loop {
            let last = self.parts.epochs.last(epoch);
            let mut voting = self.begin(epoch).await?;
            let end = loop {
                select! {
                    _ = &mut voting => break End::Failed("the votes ended"),
                    _ = &mut delivering => break End::Failed("no final block could be taken"),
                    height = self.durable.wait_for(|height| *height >= last) => {
                        break if height.is_ok() { End::Over } else { End::Failed("the chain is closed") };
                    },
                    ahead = self.votes.ahead.recv() => match ahead {
                        // a peer votes in a later epoch: its last block of this one is final
                        Some((theirs, (peer, _))) if theirs > epoch => {
                            self.mailbox.hint_finalized(Height::new(last), NonEmptyVec::new(peer));
                        }
                        Some(_) => {}
                        None => break End::Failed("the network ended"),
                    },
                }
            };
            voting.abort();
            let _ = voting.await;
            if let End::Failed(what) = end {
                return Err(ConsensusError::Stopped(what.to_owned()));
            }
            self.forget(epoch).await;
            epoch += 1;
        }
    }

    /// Starts the votes of an epoch.
    async fn begin(&mut self, epoch: u64) -> Result<Handle<()>, ConsensusError> {
        let closed = || ConsensusError::Stopped("the network is closed".to_owned());
        let scheme = self.parts.epochs.scheme_of(epoch).ok_or_else(closed)?;
        let members = self.parts.epochs.members(epoch)?;
        self.peers.follow(epoch, &members);
        self.parts.standing.begin(epoch, &scheme);
        let config = self.config(epoch, &scheme)?;
        let votes = self.votes.votes.register(epoch).await.map_err(|_| closed())?;
        let certificates = self.votes.certificates.register(epoch).await.map_err(|_| closed())?;
        let resolver = self.votes.resolver.register(epoch).await.map_err(|_| closed())?;
        let context = self.context.child("votes").with_attribute("epoch", epoch);
        Ok(Engine::new(context, config).start(votes, certificates, resolver))
    }

    fn config(
        &self,
        epoch: u64,
        scheme: &Arc<Scheme>,
    ) -> Result<EngineConfig<E, B>, ConsensusError> {
        let timing = &self.parts.timing;
        Ok(Config {
            scheme: (**scheme).clone(),
            elector: RoundRobin::default(),
            blocker: self.blocker.clone(),
            automaton: self.application.clone(),
            relay: self.application.clone(),
            reporter: Reporters::from((self.mailbox.clone(), self.parts.standing.clone())),
            track_historical_votes: false,
            strategy: Sequential,
            partition: self.partition(epoch),
            mailbox_size: NZUsize!(1024),
            epoch: Epoch::new(epoch),
            floor: Floor::Genesis(self.before(epoch)?),
            replay_buffer: BUFFER,
            write_buffer: BUFFER,
            page_cache: self.pages.clone(),
            leader_timeout: timing.leader,
            certification_timeout: timing.certification,
            timeout_retry: timing.retry,
            view_retention: ViewDelta::new(RETENTION),
            skip: SkipPolicy::Enabled { timeout: timing.skip, budget: SkipBudget::Participants },
            fetch_timeout: NonZeroDuration::new_panic(timing.fetch),
            fetch_retry_delay: timing.fetch / 10,
            forward: ForwardPolicy::SilentVoters,
        })
    }

    /// Digest of the block before an epoch's first one.
    fn before(&self, epoch: u64) -> Result<Digest, ConsensusError> {
        let Some(height) = epoch.checked_sub(1).map(|before| self.parts.epochs.last(before)) else {
            return Ok(Digest(self.parts.genesis));
        };
        let block = self.parts.chain.block(height)?;
        let block = block.ok_or(ledger::chain::ChainError::Gap(height))?;
        Ok(Digest(block.digest()))
    }

    fn partition(&self, epoch: u64) -> String {
        format!("{}votes-{epoch}", self.parts.partitions)
    }

    /// Votes of an epoch that is over decide nothing any more.
    async fn forget(&self, epoch: u64) {
        match self.context.remove(&self.partition(epoch), None).await {
            Ok(()) | Err(RuntimeError::PartitionMissing(_)) => {}
            Err(error) => tracing::warn!(%error, epoch, "an old journal was not removed"),
        }
    }
}

type Application<E> = Inline<E, Scheme, Ledger, Sealed, FixedEpocher>;
type EngineConfig<E, B> = Config<
    Scheme,
    RoundRobin<Sha256>,
    B,
    Digest,
    Application<E>,
    Application<E>,
    Reporters<Marshal, crate::view::Standing>,
    Sequential,
>;

const RETENTION: u64 = 64;
const BUFFER: NonZeroUsize = NZUsize!(1 << 20);
