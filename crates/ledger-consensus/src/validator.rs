//! A validator: the engine on threads of its own, and the port to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use commonware_codec::DecodeExt as _;
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PrivateKey;
use commonware_macros::select;
use commonware_runtime::tokio::{Config as RuntimeConfig, Context, Runner};
use commonware_runtime::{IoBuf, Runner as _, Spawner as _, Supervisor as _};
use ledger::chain::Chain;
use ledger::order::{Hear, MAX_TOLD, Order, Taken};
use tokio::sync::{mpsc, oneshot, watch};

use crate::application::Ways;
use crate::config::{Config, ConsensusError};
use crate::engine::{self, Parts};
use crate::epochs::Epochs;
use crate::journal::Journal;
use crate::network;
use crate::pool::{Origin, Pool};
use crate::view::{Standing, bytes};

/// The ledger's order among countries. Dropping it stops it.
pub struct Validator {
    pool: Arc<Pool>,
    standing: Standing,
    own: [u8; 32],
    told: mpsc::Sender<Vec<u8>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    ended: watch::Receiver<Option<String>>,
}

impl Validator {
    /// Starts it over this chain; what members tell is given to `hear`.
    pub fn start(
        chain: Arc<Chain>,
        config: Config,
        hear: Arc<dyn Hear>,
    ) -> Result<Self, ConsensusError> {
        config.check()?;
        let key = PrivateKey::decode(IoBuf::from(config.key.as_slice().to_vec()))
            .map_err(|_| ConsensusError::Config("the consensus key is no Ed25519 seed"))?;
        let own = bytes(&key.public_key());
        let nonce = nonce_of(rand_core::UnwrapErr(commonware_utils::sys_rng()));
        let height = chain.tip().height;
        let journal = Journal::open(&config.journal, &config.witness, own, height, nonce)?;
        let runtime = RuntimeConfig::new()
            .with_worker_threads(config.threads.max(1))
            .with_storage_directory(journal.storage());
        let pool = Arc::new(Pool::new(config.room));
        forget_final(&chain, &pool);
        let parts = parts(&config, key, chain, Arc::clone(&pool), journal, hear)?;
        let standing = parts.standing.clone();
        let (told, telling) = mpsc::channel(TOLD);
        let (stop, stopped) = oneshot::channel();
        let (ending, ended) = watch::channel(None);
        let thread = std::thread::Builder::new().name("consensus".to_owned()).spawn(move || {
            let run = || {
                Runner::new(runtime).start(|context| run(context, config, parts, telling, stopped))
            };
            let why = match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it failed inside; what it last logged says why".to_owned(),
            };
            tracing::error!(why, "the ledger's engine ended");
            ending.send_replace(Some(why));
        });
        let thread = thread.map_err(|error| ConsensusError::Io("its thread".to_owned(), error))?;
        Ok(Self { pool, standing, own, told, stop: Some(stop), thread: Some(thread), ended })
    }

    /// Epoch and view that were certified last.
    pub fn round(&self) -> (u64, u64) {
        self.standing.round()
    }

    /// Entries in line.
    pub fn waiting(&self) -> usize {
        self.pool.waiting()
    }
}

impl Order for Validator {
    fn submit(&self, entries: Vec<Vec<u8>>) -> Vec<Taken> {
        let now = now();
        entries.into_iter().map(|entry| self.pool.put(entry, Origin::Own, now)).collect()
    }

    fn tell(&self, message: Vec<u8>) {
        if message.len() <= MAX_TOLD {
            // full: best effort, and the next height's message says more
            let _ = self.told.try_send(message);
        }
    }

    fn online(&self) -> Vec<[u8; 32]> {
        let mut out = self.standing.heard_since(SystemTime::now(), HEARD);
        out.retain(|key| *key != self.own);
        out.push(self.own);
        out
    }

    fn failure(&self) -> Option<String> {
        self.ended.borrow().clone()
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What is final waits no longer.
fn forget_final(chain: &Chain, pool: &Arc<Pool>) {
    let pool = Arc::downgrade(pool);
    chain.on_final(Box::new(move |block, _| {
        if let Some(pool) = pool.upgrade() {
            pool.forget(block.leaves());
        }
    }));
}

fn parts(
    config: &Config,
    key: PrivateKey,
    chain: Arc<Chain>,
    pool: Arc<Pool>,
    journal: Journal,
    hear: Arc<dyn Hear>,
) -> Result<Parts, ConsensusError> {
    let epochs = Epochs::open(
        config.journal.join("epochs"),
        network::namespace(config),
        key.clone(),
        Arc::clone(&config.membership),
        config.agreed.epoch,
        &chain.tip(),
    )?;
    let journal = Mutex::new(journal);
    let reached = move |height| {
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.reached(height).map_err(ConsensusError::from)
    };
    let ways = Ways {
        idle: config.timing.idle,
        behind: config.timing.behind(),
        batch: config.batch,
        block: config.agreed.block,
        now: Arc::new(now),
        #[cfg(test)]
        tamper: None,
    };
    Ok(Parts {
        key,
        chain,
        genesis: config.genesis,
        epochs,
        pool,
        standing: Standing::default(),
        hear,
        agreed: config.agreed,
        timing: config.timing,
        ways,
        partitions: String::new(),
        reached: Arc::new(reached),
    })
}

async fn run(
    context: Context,
    config: Config,
    parts: Parts,
    told: mpsc::Receiver<Vec<u8>>,
    stopped: oneshot::Receiver<()>,
) -> Result<(), ConsensusError> {
    let (channels, oracle, network) = network::start(&context, &config, parts.key.clone());
    let running =
        engine::run(context.child("validator"), parts, told, channels, oracle.clone(), oracle);
    let result = select! {
        _ = stopped => Ok(()),
        _ = network => Err(ConsensusError::Stopped("the network ended".to_owned())),
        result = running => result,
    };
    if let Err(error) = context.stop(0, Some(GRACE)).await {
        tracing::warn!(%error, "the engine did not stop in time");
    }
    result
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn nonce_of(mut rng: impl rand_core::Rng) -> u64 {
    rng.next_u64()
}

/// Messages to all that wait to be sent.
const TOLD: usize = 256;
/// Who said nothing for so long is not online.
const HEARD: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(5);
