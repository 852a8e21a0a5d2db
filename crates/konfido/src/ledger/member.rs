//! One member's view of the shared ledger, as its pages and its gateway ask for it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

use anyhow::Context as _;
use jiff::Timestamp;
use ledger::chain::Chain;
use ledger::checkpoint::SignedCheckpoint;
use ledger::cosign::{Kind as KeyKind, VerifierKey};
use ledger::entry::{Body as EntryBody, Entry, Kind};
use ledger::line::{Changes, Lapse, Lapses, Made, Passed, Standing};
use ledger::member::{self, Roll};
use ledger::order::Order;
use ledger::policy::{Members, Policy};
use ledger::proof::Proof;
use ledger::rules::{Facts as _, State};
use ledger::store::Reader;
use serde_json::{Value, json};

use super::publish::Known;
use super::stamp::Kept;

/// Which checkpoint a proof is under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Under {
    /// The newest, with Ed25519 cosignatures.
    Newest,
    /// The same with ML-DSA-44 cosignatures, too.
    Lasting,
    /// The newest with a time-stamp, which is the proof's extra data.
    Stamped,
}

/// One member.
pub struct Member {
    /// Its name in the registry.
    pub name: String,
    /// What is final, and what may become so.
    pub chain: Arc<Chain>,
    /// What is durable.
    pub reader: Reader,
    /// Where its pages are.
    pub http: SocketAddr,
    /// Folder of the tiles and the checkpoint.
    pub tiles: PathBuf,
    /// The engine, while it runs.
    pub order: OnceLock<Weak<dyn Order>>,
}

impl Member {
    /// Where the ledger ends here.
    pub fn status(&self) -> Value {
        let (tip, registry) = (self.chain.tip(), self.reader.registry());
        let time =
            i64::try_from(tip.time_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let keys = self.order.get().and_then(Weak::upgrade).map(|order| order.online());
        let keys = keys.unwrap_or_default();
        let online = |member: &&member::Member| {
            member.consensus_key().is_some_and(|key| keys.contains(&key))
        };
        let roll = registry.at(tip.height);
        json!({
            "ledger": registry.ledger(),
            "genesis": hex::encode(registry.genesis()),
            "member": self.name,
            "http": self.http.to_string(),
            "height": tip.height,
            "digest": hex::encode(tip.digest),
            "time": time.unwrap_or_default().to_string(),
            "size": tip.size,
            "root": hex::encode(tip.root),
            "published": self.published().map_or(0, |note| note.checkpoint().size),
            "online": roll.members().iter().filter(online).map(|m| m.name().as_str()).collect::<Vec<_>>(),
        })
    }

    /// The registry.
    pub fn members(&self) -> Value {
        let registry = self.reader.registry();
        let roll = registry.at(self.chain.tip().height);
        let row = |member: &member::Member| {
            let keys = cosigners(registry.ledger(), member);
            json!({
                "name": member.name().as_str(),
                "votes": member.is_voting(),
                "address": member.address().as_str(),
                "consensus_key": member.consensus_key().map(hex::encode),
                "cosigner": keys.first().map(ToString::to_string),
                "cosigner_ml_dsa_44": keys.get(1).map(ToString::to_string),
            })
        };
        roll.members().iter().map(row).collect()
    }

    /// The registry as it is stored.
    pub fn registry(&self) -> Vec<u8> {
        self.reader.registry().encode()
    }

    /// What the ledger says of an exchange.
    pub fn exchange(&self, txid: [u8; 16]) -> anyhow::Result<Option<Value>> {
        let Some(tx) = self.reader.tx(txid)? else { return Ok(None) };
        Ok(Some(json!({
            "txid": hex::encode(txid),
            "state": word(tx.state()),
            "deadline": Some(tx.deadline()).filter(|height| *height > 0),
            "entries": tx.entries(),
        })))
    }

    /// The same in a word for our gateway.
    pub fn standing(&self, txid: [u8; 16]) -> anyhow::Result<Standing> {
        Ok(self.reader.tx(txid)?.map_or(Standing::Absent, |tx| Standing::of(&tx)))
    }

    /// Exchanges whose deadline passed, in the blocks after this height; not all at once.
    pub fn lapses(&self, after: u64) -> anyhow::Result<Lapses> {
        let mut lapsed = Vec::new();
        let height = self.entries(after, |_, entry| {
            let (Kind::Open | Kind::Default | Kind::Key, Some(txid)) = (entry.kind(), entry.txid())
            else {
                return Ok(());
            };
            let Some(tx) = self.reader.tx(txid)? else { return Ok(()) };
            if let Some(passed) = Passed::of(entry.kind(), &tx) {
                let (requester, provider) = tx.parties();
                lapsed.push(Lapse { passed, txid: hex::encode(txid), requester, provider });
            }
            Ok(())
        })?;
        Ok(Lapses { height, lapsed })
    }

    /// Changes of the members in the blocks after this height; not all at once.
    pub fn changes(&self, after: u64) -> anyhow::Result<Changes> {
        let mut changes = Vec::new();
        let height = self.entries(after, |height, entry| {
            if let EntryBody::Govern(govern) = entry.body() {
                let statement = govern.statement();
                let digest = hex::encode(statement.digest());
                changes.push(Made { height, sequence: statement.sequence(), digest });
            }
            Ok(())
        })?;
        Ok(Changes { height, changes })
    }

    /// Looks at the entries of some blocks after this height; gives the height of the last.
    fn entries(
        &self,
        after: u64,
        mut look: impl FnMut(u64, &Entry) -> anyhow::Result<()>,
    ) -> anyhow::Result<u64> {
        let last = self.chain.tip().height.min(after.saturating_add(BLOCKS));
        for height in after.saturating_add(1)..=last {
            let block = self.reader.block(height)?.context("a block is missing")?;
            for entry in block.entries().filter_map(|bytes| Entry::decode(bytes).ok()) {
                look(height, &entry)?;
            }
        }
        Ok(last.max(after))
    }

    /// The proof that an entry stands under a checkpoint; none, if it does not yet.
    pub fn prove(&self, index: u64, under: Under) -> anyhow::Result<Option<String>> {
        let (note, extra) = match under {
            Under::Newest => (self.published_brief(), None),
            Under::Lasting => (self.published().map(|note| note.to_string()), None),
            Under::Stamped => match Kept::read(&self.tiles) {
                Some(kept) => (Some(kept.checkpoint.clone()), kept.token()),
                None => (None, None),
            },
        };
        let Some(note) = note else { return Ok(None) };
        let size = SignedCheckpoint::read(&note)?.checkpoint().size;
        if index >= size {
            return Ok(None);
        }
        let path = self.reader.inclusion(index, size)?;
        Ok(Some(Proof { extra, index, path, checkpoint: note }.to_string()))
    }

    /// The newest checkpoint without ML-DSA-44 cosignatures, which are forty times as long.
    pub fn published_brief(&self) -> Option<String> {
        let note = self.published()?;
        let (registry, height) = (self.reader.registry(), self.chain.tip().height);
        let known = known(registry.ledger(), registry.at(height));
        let pq: Vec<_> = known
            .iter()
            .flat_map(|known| &known.cosigners)
            .filter(|key| key.kind() == KeyKind::MlDsa44)
            .collect();
        let mut brief = SignedCheckpoint::new(note.checkpoint().clone());
        for line in note.lines().iter().filter(|line| !pq.iter().any(|key| key.is_named_by(line))) {
            brief.add(line.clone());
        }
        Some(brief.to_string())
    }

    /// The policy of today's members.
    pub fn policy(&self, lasting: bool) -> String {
        let registry = self.reader.registry();
        policy(registry.ledger(), registry.at(self.chain.tip().height), lasting)
    }

    fn published(&self) -> Option<SignedCheckpoint> {
        SignedCheckpoint::read(&std::fs::read_to_string(self.tiles.join("checkpoint")).ok()?).ok()
    }
}

/// How the pages call a state.
fn word(state: State) -> &'static str {
    WORDS.iter().find(|row| row.0 == state).map_or("unknown", |row| row.1)
}

static WORDS: [(State, &str); 12] = [
    (State::Whole, "whole"),
    (State::Half, "half"),
    (State::Open, "open"),
    (State::Closed, "closed"),
    (State::ClosedLate, "closed-late"),
    (State::Alone, "alone"),
    (State::Offered, "offered"),
    (State::Receipted, "receipted"),
    (State::Released, "released"),
    (State::ReleasedLate, "released-late"),
    (State::Lapsed, "lapsed"),
    (State::Defaulted, "defaulted"),
];

/// Name of a member's cosigning keys.
pub fn cosigner_name(ledger: &str, member: &str) -> String {
    format!("{ledger}/{member}")
}

/// The keys by which a member cosigns: Ed25519 first.
pub fn cosigners(ledger: &str, member: &member::Member) -> Vec<VerifierKey> {
    let name = cosigner_name(ledger, member.name().as_str());
    let ed25519 = member.cosigner_ed25519();
    let ed25519 = ed25519.and_then(|key| VerifierKey::new(&name, KeyKind::Ed25519, &key).ok());
    let pq = member.cosigner_ml_dsa_44();
    let pq = pq.and_then(|key| VerifierKey::new(&name, KeyKind::MlDsa44, key).ok());
    ed25519.into_iter().chain(pq).collect()
}

/// The policy that a quorum of these members makes; with lasting, one of ML-DSA-44 cosignatures, too.
pub fn policy(ledger: &str, roll: &Roll, lasting: bool) -> String {
    let log = |member: &member::Member| {
        VerifierKey::new(ledger, KeyKind::Log, &member.cosigner_ed25519()?).ok()
    };
    let keys = |member: &member::Member| {
        let mut keys = cosigners(ledger, member);
        keys.retain(|key| lasting || key.kind() != KeyKind::MlDsa44);
        (member.name().to_string(), keys)
    };
    Policy::of_members(&Members {
        // an observer publishes what the others cosigned
        logs: roll.members().iter().filter_map(log).collect(),
        keys: roll.voting().map(keys).collect(),
        threshold: roll.quorum(),
    })
}

/// The voting members with the keys that they cosign with.
pub fn known(ledger: &str, roll: &Roll) -> Vec<Known> {
    let of = |member: &member::Member| {
        Some(Known { consensus: member.consensus_key()?, cosigners: cosigners(ledger, member) })
    };
    roll.voting().filter_map(of).collect()
}

/// Blocks that one question about deadlines looks at.
const BLOCKS: u64 = 256;
