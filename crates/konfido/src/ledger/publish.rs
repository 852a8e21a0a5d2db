//! Checkpoints of the shared ledger: every member cosigns the same ones, gathers the others'
//! cosignatures, and publishes a checkpoint when a quorum stands under it.
//!
//! Which blocks get one is a rule of the chain alone, so that nobody has to ask: the first block of
//! each second of block time. Where the tree did not grow since the last published one, the first of
//! each minute.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::{SystemTime, UNIX_EPOCH};

use ledger::chain::Tip;
use ledger::checkpoint::{BlockLine, Checkpoint, SignedCheckpoint};
use ledger::cosign::{Cosigner, Kind, VerifierKey};
use ledger::note::SignatureLine;
use ledger::order::{Hear, Order};
use tokio::sync::mpsc;

/// What the publisher is told.
enum Told {
    Final(Tip),
    Heard([u8; 32], Vec<u8>),
}

/// Where finality and the other members' words go in.
#[derive(Clone)]
pub struct Inlet(mpsc::Sender<Told>);

impl Inlet {
    /// A block is final.
    pub fn finalised(&self, tip: Tip) {
        // full: a checkpoint is skipped, and the next one covers what it would have
        let _ = self.0.try_send(Told::Final(tip));
    }
}

impl Hear for Inlet {
    fn hear(&self, member: [u8; 32], message: &[u8]) {
        let _ = self.0.try_send(Told::Heard(member, message.to_vec()));
    }
}

/// A voting member's keys, as the registry has them.
#[derive(Clone)]
pub struct Known {
    /// By which it votes, and is known on the wire.
    pub consensus: [u8; 32],
    /// By which it cosigns.
    pub cosigners: Vec<VerifierKey>,
}

/// Who cosigns at a height, and how many of them make a checkpoint.
pub type Quorum = Box<dyn Fn() -> (Vec<Known>, usize) + Send>;

/// Makes a checkpoint the published one; durable when it returns.
pub type Publish = Box<dyn FnMut(u64, &str) -> Result<(), String> + Send>;

/// One member's publisher.
pub struct Publisher {
    /// Name of the ledger.
    pub origin: String,
    /// Our keys.
    pub own: Vec<Cosigner>,
    /// Our consensus key.
    pub name: [u8; 32],
    /// The others, and us.
    pub quorum: Quorum,
    /// Where checkpoints go.
    pub publish: Publish,
}

/// What stands under the checkpoint of one height so far.
#[derive(Default)]
struct Gathering {
    note: Option<SignedCheckpoint>,
    /// Heard before the block was final here.
    early: Vec<([u8; 32], SignatureLine)>,
    /// Members under it, and with which kind of key.
    under: Vec<([u8; 32], Kind)>,
}

impl Publisher {
    /// A publisher's inlet, and what it will be told.
    pub fn inlet() -> (Inlet, Outlet) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Inlet(sender), Outlet(receiver))
    }

    /// Works until all inlets are gone: the engine's among them, so it must not hold the engine.
    pub async fn run(mut self, mut told: Outlet, order: Weak<dyn Order>) {
        let mut gathered = Gathered::default();
        while let Some(told) = told.0.recv().await {
            match told {
                Told::Final(tip) if gathered.is_due(&tip) => {
                    for message in self.cosign(&mut gathered, &tip) {
                        if let Some(order) = order.upgrade() {
                            order.tell(message);
                        }
                    }
                    self.look(&mut gathered, tip.height);
                }
                Told::Final(_) => {}
                Told::Heard(member, message) => {
                    if let Some((height, line)) = read(&message) {
                        self.hear(&mut gathered, member, height, line);
                        self.look(&mut gathered, height);
                    }
                }
            }
        }
    }

    /// Our own signatures under the checkpoint after this block; what we tell the others.
    fn cosign(&self, gathered: &mut Gathered, tip: &Tip) -> Vec<Vec<u8>> {
        let block = BlockLine { height: tip.height, digest: tip.digest };
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            size: tip.size,
            root: tip.root,
            lines: vec![block.to_string()],
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let sign = |cosigner: &Cosigner| match cosigner.sign(&checkpoint, now) {
            Ok(line) => Some((cosigner.key().kind(), line)),
            Err(error) => {
                tracing::error!(%error, "a checkpoint is not cosigned");
                None
            }
        };
        let (known, _) = (self.quorum)();
        // who has no vote cosigns nothing: nobody would count it
        let counts = known.iter().any(|known| known.consensus == self.name);
        let own = self.own.iter().filter(|cosigner| counts || cosigner.key().kind() == Kind::Log);
        let made: Vec<_> = own.filter_map(sign).collect();
        // the log's own signature is each member's own affair
        let shared = made.iter().filter(|(kind, _)| *kind != Kind::Log);
        let messages = shared.map(|(_, line)| told(tip.height, line)).collect();
        let gathering = gathered.at(tip.height);
        let mut note = SignedCheckpoint::new(checkpoint);
        for (kind, line) in made {
            if note.add(line) {
                gathering.under.push((self.name, kind));
            }
        }
        gathering.note = Some(note);
        for (member, line) in std::mem::take(&mut gathering.early) {
            self.add(gathering, member, line);
        }
        messages
    }

    fn hear(&self, gathered: &mut Gathered, member: [u8; 32], height: u64, line: SignatureLine) {
        if height <= gathered.forgotten
            || height > gathered.last.map_or(0, |last| last.height) + AHEAD
        {
            return;
        }
        let gathering = gathered.at(height);
        if gathering.note.is_some() {
            self.add(gathering, member, line);
        } else if gathering.early.iter().filter(|(from, _)| *from == member).count() < EACH {
            gathering.early.push((member, line));
        }
    }

    /// Adds a member's line where it verifies by a key of this very member.
    fn add(&self, gathering: &mut Gathering, member: [u8; 32], line: SignatureLine) {
        let Some(note) = &mut gathering.note else { return };
        let (known, _) = (self.quorum)();
        let keys = known.iter().filter(|known| known.consensus == member);
        let key = keys.flat_map(|known| &known.cosigners).find(|key| key.is_named_by(&line));
        match key.map(|key| (key.kind(), key.verify(note.checkpoint(), &line))) {
            Some((kind, Ok(_))) => {
                if note.add(line) {
                    gathering.under.push((member, kind));
                }
            }
            // of a member that sees another ledger than we do, or says nonsense
            Some((_, Err(error))) => tracing::error!(%error, "a member's cosignature is wrong"),
            None => tracing::warn!("a cosignature is by no key of its member"),
        }
    }

    /// Publishes what stands at this height, if it is newer than what is published or has more
    /// signatures.
    fn look(&mut self, gathered: &mut Gathered, height: u64) {
        let (known, quorum) = (self.quorum)();
        let Some(gathering) = gathered.heights.get(&height) else { return };
        let Some(note) = &gathering.note else { return };
        let count = |kind| gathering.under.iter().filter(|(_, of)| *of == kind).count();
        let expected = |kind| {
            let has = |known: &&Known| known.cosigners.iter().any(|key| key.kind() == kind);
            known.iter().filter(has).count()
        };
        // who wants cosignatures that outlive today's curves gets them with the first ones
        let enough = |kind| count(kind) >= quorum || expected(kind) < quorum;
        let signatures = gathering.under.len();
        if count(Kind::Ed25519) < quorum
            || !enough(Kind::MlDsa44)
            || (height, signatures) <= (gathered.published.height, gathered.published.signatures)
        {
            return;
        }
        let size = note.checkpoint().size;
        match (self.publish)(size, &note.to_string()) {
            Ok(()) => {
                gathered.published = Published { height, size, signatures };
                // late signatures may still come under it
                gathered.forget(height.saturating_sub(1));
            }
            Err(error) => tracing::error!(%error, "a checkpoint is not published"),
        }
    }
}

/// What a publisher will be told.
pub struct Outlet(mpsc::Receiver<Told>);

/// Checkpoints under way.
#[derive(Default)]
struct Gathered {
    heights: BTreeMap<u64, Gathering>,
    last: Option<Tip>,
    /// Heights up to this are done with.
    forgotten: u64,
    published: Published,
}

/// The newest checkpoint with a quorum.
#[derive(Default, Clone, Copy)]
struct Published {
    height: u64,
    size: u64,
    signatures: usize,
}

impl Gathered {
    /// Whether the block at this tip gets a checkpoint.
    fn is_due(&mut self, tip: &Tip) -> bool {
        let before = self.last.replace(*tip).map_or(0, |last| last.time_ms);
        // what got no quorum for so long gets none
        self.forget(tip.height.saturating_sub(AHEAD));
        let crosses = |millis| tip.time_ms / millis > before / millis;
        // what is published already is signed again once a minute, for its time
        crosses(1000) && (tip.size > self.published.size || (crosses(60_000) && tip.size > 0))
    }

    fn at(&mut self, height: u64) -> &mut Gathering {
        self.heights.entry(height).or_default()
    }

    fn forget(&mut self, height: u64) {
        if height > self.forgotten {
            self.forgotten = height;
            self.heights = self.heights.split_off(&(height + 1));
        }
    }
}

/// `height ‖ signature line`.
fn told(height: u64, line: &SignatureLine) -> Vec<u8> {
    [&height.to_be_bytes()[..], line.to_string().as_bytes()].concat()
}

fn read(message: &[u8]) -> Option<(u64, SignatureLine)> {
    let (height, line) = message.split_first_chunk()?;
    Some((u64::from_be_bytes(*height), std::str::from_utf8(line).ok()?.parse().ok()?))
}

/// Messages that wait for the publisher.
const WAITING: usize = 1024;
/// How far ahead of us a member may be for its cosignatures to be kept, and how far behind us a
/// checkpoint may wait for its quorum; blocks.
const AHEAD: u64 = 1000;
/// Lines of one member that are kept for one height before the block is final here: one for each kind.
const EACH: usize = 2;
