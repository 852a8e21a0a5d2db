//! Epochs: stretches of equally many blocks within which the members do not change.
//!
//! Members of an epoch are what the registry says after the last block of the epoch before it. They
//! are written down before the first block of the epoch can be final, so that a restart in the middle
//! of an epoch finds those who began it, not those whom a later block already names.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use commonware_codec::DecodeExt as _;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::{Epoch, FixedEpocher};
use commonware_cryptography::certificate::{Provider, Scoped};
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_runtime::IoBuf;
use commonware_utils::ordered::Set;
use ledger::chain::Tip;

use crate::config::{ConsensusError, Member, Membership};

/// The schemes by epoch, and who is a member when.
#[derive(Clone)]
pub(crate) struct Epochs {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    namespace: Vec<u8>,
    key: PrivateKey,
    membership: Arc<dyn Membership>,
    length: u64,
    schemes: Mutex<BTreeMap<u64, Arc<Scheme>>>,
}

impl Epochs {
    /// Ready for the epoch in which the block after `tip` lies.
    pub(crate) fn open(
        folder: PathBuf,
        namespace: Vec<u8>,
        key: PrivateKey,
        membership: Arc<dyn Membership>,
        length: u64,
        tip: &Tip,
    ) -> Result<Self, ConsensusError> {
        fs::create_dir_all(&folder).map_err(|error| io(&folder, error))?;
        let schemes = Mutex::default();
        let shared = Shared { folder, namespace, key, membership, length, schemes };
        let epochs = Self { shared: Arc::new(shared) };
        // a record that is missing was removed with the journals: the registry says the same all epoch long
        let missing = !epochs.path(epochs.of(tip.height + 1)).exists();
        if missing || epochs.begins_after(tip.height) {
            epochs.record(tip)?;
        }
        epochs.load(epochs.of(tip.height + 1))?;
        Ok(epochs)
    }

    /// The epoch of a height.
    pub(crate) fn of(&self, height: u64) -> u64 {
        height / self.shared.length
    }

    /// Height of the last block of an epoch.
    pub(crate) fn last(&self, epoch: u64) -> u64 {
        (epoch + 1) * self.shared.length - 1
    }

    /// For the engine.
    pub(crate) fn epocher(&self) -> FixedEpocher {
        let length = self.shared.length.try_into().expect("because the configuration was checked");
        FixedEpocher::new(length)
    }

    /// To be called with each block that became durable, before the next one.
    pub(crate) fn durable(&self, tip: &Tip) -> Result<(), ConsensusError> {
        if !self.begins_after(tip.height) {
            return Ok(());
        }
        self.record(tip)?;
        self.load(self.of(tip.height + 1))
    }

    /// Members of an epoch that was begun.
    pub(crate) fn members(&self, epoch: u64) -> Result<Vec<Member>, ConsensusError> {
        let path = self.path(epoch);
        let bytes = fs::read(&path).map_err(|error| io(&path, error))?;
        serde_json::from_slice(&bytes)
            .map_err(|_| ConsensusError::Members("the record of this epoch is damaged"))
    }

    /// The scheme of an epoch that was begun.
    pub(crate) fn scheme_of(&self, epoch: u64) -> Option<Arc<Scheme>> {
        let schemes = self.shared.schemes.lock().unwrap_or_else(PoisonError::into_inner);
        schemes.get(&epoch).cloned()
    }

    /// Whether the block after this one is the first that an epoch's members decide. Height 0 is the
    /// genesis, which nobody decides.
    fn begins_after(&self, height: u64) -> bool {
        height == 0 || (height + 1).is_multiple_of(self.shared.length)
    }

    /// Writes down who the members are from now on. The same again after a crash.
    fn record(&self, tip: &Tip) -> Result<(), ConsensusError> {
        let members = self.shared.membership.members();
        participants(&members)?;
        let bytes = serde_json::to_vec(&members)
            .map_err(|_| ConsensusError::Members("they cannot be written down"))?;
        let path = self.path(self.of(tip.height + 1));
        write_durably(&path, &bytes).map_err(|error| io(&path, error))
    }

    fn load(&self, epoch: u64) -> Result<(), ConsensusError> {
        let set = participants(&self.members(epoch)?)?;
        let Shared { namespace, key, .. } = &*self.shared;
        let scheme = Scheme::signer(namespace, set.clone(), key.clone())
            .unwrap_or_else(|| Scheme::verifier(namespace, set));
        let mut schemes = self.shared.schemes.lock().unwrap_or_else(PoisonError::into_inner);
        schemes.insert(epoch, Arc::new(scheme));
        // a peer that fell behind asks us, and checks with its own; we need the last ones only
        while schemes.len() > KEPT {
            schemes.pop_first();
        }
        Ok(())
    }

    fn path(&self, epoch: u64) -> PathBuf {
        self.shared.folder.join(epoch.to_string())
    }
}

impl Provider for Epochs {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        self.scheme_of(epoch.get()).map(Scoped::scheme)
    }
}

/// The voting members, in the order that all have.
fn participants(members: &[Member]) -> Result<Set<PublicKey>, ConsensusError> {
    let keys: Option<Vec<_>> = members
        .iter()
        .filter(|member| member.voting)
        .map(|member| public_key(&member.key))
        .collect();
    let keys = keys.ok_or(ConsensusError::Members("a consensus key is no Ed25519 key"))?;
    if keys.is_empty() {
        return Err(ConsensusError::Members("nobody votes"));
    }
    let count = keys.len();
    let set = Set::from_iter_dedup(keys);
    if set.len() != count {
        return Err(ConsensusError::Members("two have the same consensus key"));
    }
    Ok(set)
}

/// The engine's form of a key.
pub(crate) fn public_key(key: &[u8; 32]) -> Option<PublicKey> {
    PublicKey::decode(IoBuf::from(key.to_vec())).ok()
}

/// Whole or not at all, also when the power fails.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = fs::File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn io(path: &Path, error: std::io::Error) -> ConsensusError {
    ConsensusError::Io(path.display().to_string(), error)
}

/// Schemes kept in memory.
const KEPT: usize = 4;
