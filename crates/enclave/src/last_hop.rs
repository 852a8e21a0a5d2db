//! The last hop: the vault ends the TLS connections of this country's own OpenNCP, so that a document
//! which another country's vault sealed for it is in the clear in two places only, there and here.
//!
//! The node carries records between a socket and the vault. What the client asks it gets in the clear,
//! and writes the answer; where a document belongs it writes a [`Segment`] that says which, and the vault
//! encrypts the document in that place. So HTTP, MIME and XML are read and written by the node alone, and the
//! vault knows none of them.
//!
//! A document goes to nobody but the holder of the client certificate that the other country sealed its
//! answer for ([`crate::Delivery::Tls`]): possession is proven to the vault; whether the certificate leads to
//! a root is the node's business, which gets the chain ([`Shaken`]).
//!
//! Start reading at [`Lines`], then [`line`].

mod config;
mod line;
mod node;
mod segment;
pub(crate) mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::VaultError;
use crate::core::Core;
use crate::piece::sha256;
use crate::ring::Ring;
use config::Greeter;
pub use config::groups;
pub(crate) use line::Held;
use line::Line;
pub use node::{Connection, Door};
pub use segment::{Place, Segment};

/// What came of bytes from the client.
#[derive(Debug, Default)]
pub struct Fed {
    /// Given once, when the handshake is done.
    pub shaken: Option<Shaken>,
    /// What the client said.
    pub plaintext: Vec<u8>,
    /// To be sent to the client.
    pub ciphertext: Vec<u8>,
    /// The client says nothing more.
    pub closed: bool,
    /// The connection failed, and is forgotten; the alert is in `ciphertext`.
    pub failed: bool,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shaken {
    /// Its certificate and those between it and a root, in DER. It holds the key of the first one; the path
    /// is not verified.
    pub chain: Vec<Vec<u8>>,
    /// Number of the key exchange (RFC 8446 §4.2.7).
    pub group: Option<u16>,
}

/// How a listener answers: the certificate, whose key the vault has, and whom it asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Greeting<'g> {
    /// Number of the key.
    pub(crate) key: u16,
    /// Our certificate chain in DER, leaf first.
    pub(crate) chain: &'g [&'g [u8]],
    /// Names of the authorities that a client's certificate may come from, in DER.
    pub(crate) hints: &'g [&'g [u8]],
}

impl Greeting<'_> {
    fn digest(&self) -> [u8; 32] {
        let mut all = self.key.to_be_bytes().to_vec();
        for list in [self.chain, self.hints] {
            all.extend_from_slice(&list.len().to_be_bytes());
            for one in list {
                all.extend_from_slice(&one.len().to_be_bytes());
                all.extend_from_slice(one);
            }
        }
        sha256(&all)
    }
}

/// The connections of a vault.
pub(crate) struct Lines {
    room: Room,
    greeter: Greeter,
    open: Mutex<Open>,
}

struct Open {
    next: u64,
    /// Those whose handshake is not done.
    shaking: BTreeSet<u64>,
    lines: BTreeMap<u64, Slot>,
}

/// How many connections a vault takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// At once.
    pub connections: usize,
    /// Of them in their handshake, which takes more.
    pub handshakes: usize,
}

impl Room {
    /// With so many bytes of secret memory, of which they get their part; without any, as many as a listener
    /// takes.
    pub(crate) fn of(secret: usize) -> Self {
        if secret == 0 {
            return Self { connections: MOST, handshakes: MOST_SHAKING };
        }
        let budget = secret / 8 * 5;
        let handshakes = (budget / 4 / SHAKING).clamp(1, MOST_SHAKING);
        let connections = (budget.saturating_sub(handshakes * SHAKING) / EACH).clamp(1, MOST);
        Self { connections, handshakes }
    }
}

#[derive(Clone)]
struct Slot {
    line: Arc<Mutex<Line>>,
    used: Timestamp,
}

impl Lines {
    /// So many. Numbers begin by chance: one of a vault that died names none of the next.
    pub(crate) fn new(room: Room) -> Self {
        let mut next = [0; 8];
        let _ = aws_lc_rs::rand::fill(&mut next);
        let next = u64::from_be_bytes(next);
        let open = Open { next, shaking: BTreeSet::new(), lines: BTreeMap::new() };
        Self { room, greeter: Greeter::default(), open: Mutex::new(open) }
    }

    /// How many there may be.
    pub(crate) fn room(&self) -> Room {
        self.room
    }

    /// A new connection, and what came of its first bytes.
    pub(crate) fn open(
        &self,
        ring: &Arc<Ring>,
        greeting: &Greeting<'_>,
        bytes: &mut [u8],
        now: Timestamp,
    ) -> Result<(u64, Fed), VaultError> {
        self.make_room(now)?;
        let mut line = Line::new(self.greeter.config(ring, greeting, now)?)?;
        let fed = line.feed(bytes)?;
        let mut open = self.locked();
        let number = open.next;
        open.next = number.wrapping_add(1);
        if !fed.failed {
            open.lines.insert(number, Slot { line: Arc::new(Mutex::new(line)), used: now });
            open.shaking.insert(number);
        }
        Ok((number, fed))
    }

    /// More bytes of the client.
    pub(crate) fn feed(
        &self,
        number: u64,
        bytes: &mut [u8],
        now: Timestamp,
    ) -> Result<Fed, VaultError> {
        let fed = self.with(number, Some(now), |line| line.feed(bytes))?;
        if fed.failed {
            self.locked().remove(number);
        } else if fed.shaken.is_some() {
            self.locked().shaking.remove(&number);
        }
        Ok(fed)
    }

    /// Encrypts an answer, or a piece of one; `bytes` are those of the segments that have some.
    pub(crate) fn write(
        &self,
        number: u64,
        places: &[Place],
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<Vec<u8>, VaultError> {
        self.with(number, Some(now), |line| line.write(places, bytes))
    }

    /// Forgets a connection; gives the words of parting.
    pub(crate) fn close(&self, number: u64) -> Result<Vec<u8>, VaultError> {
        let slot = self.locked().remove(number).ok_or(VaultError::Connection)?;
        Ok(lock(&slot.line).part())
    }

    /// SHA-256 of the certificate whose holder is at the other end.
    pub(crate) fn peer(&self, number: u64) -> Result<[u8; 32], VaultError> {
        self.with(number, None, |line| line.peer().ok_or(VaultError::Connection))
    }

    /// Keeps the documents of an answer for whoever is at the other end, in place of others.
    pub(crate) fn hold(&self, number: u64, held: Held) -> Result<(), VaultError> {
        self.with(number, None, |line| {
            line.hold(held);
            Ok(())
        })
    }

    /// Refused before anything costs: who comes is a stranger.
    fn make_room(&self, now: Timestamp) -> Result<(), VaultError> {
        let mut open = self.locked();
        let Open { shaking, lines, .. } = &mut *open;
        if lines.len() >= self.room.connections {
            lines.retain(|_, slot| now.duration_since(slot.used) < IDLE);
            shaking.retain(|number| lines.contains_key(number));
        }
        let Room { connections, handshakes } = self.room;
        let room = lines.len() < connections && shaking.len() < handshakes;
        if room { Ok(()) } else { Err(VaultError::Connection) }
    }

    fn with<T>(
        &self,
        number: u64,
        now: Option<Timestamp>,
        work: impl FnOnce(&mut Line) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let line = {
            let mut open = self.locked();
            let slot = open.lines.get_mut(&number).ok_or(VaultError::Connection)?;
            slot.used = now.unwrap_or(slot.used);
            Arc::clone(&slot.line)
        };
        let mut line = lock(&line);
        work(&mut line)
    }

    fn locked(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes any bytes as what a client sends; the first one says where they are cut in two.
pub(crate) fn takes(core: &Core, bytes: &[u8]) -> bool {
    let Some((cut, bytes)) = bytes.split_first() else { return false };
    let (first, rest) = bytes.split_at(bytes.len().min(usize::from(*cut) * 8));
    let greeting = Greeting { key: 0, chain: &[&[0x30, 0]], hints: &[] };
    let (lines, now) = (core.lines(), Timestamp::UNIX_EPOCH);
    let opened = lines.open(core.ring(), &greeting, &mut first.to_vec(), now);
    let Ok((number, fed)) = opened else { return false };
    let again = lines.feed(number, &mut rest.to_vec(), now);
    let _ = lines.write(number, &[Place::given(1)], b"x", now);
    let _ = lines.close(number);
    !fed.failed && again.is_ok_and(|fed| !fed.failed)
}

impl Open {
    fn remove(&mut self, number: u64) -> Option<Slot> {
        self.shaking.remove(&number);
        self.lines.remove(&number)
    }
}

fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connections at once, at most, and handshakes.
const MOST: usize = 2048;
const MOST_SHAKING: usize = 256;
/// Bytes of small allocations that a connection takes (measured: 4.7 kB), and how many more in its handshake
/// (5.8 kB).
const EACH: usize = 5 << 10;
const SHAKING: usize = 7 << 10;
/// A connection that nobody used for so long makes room for another. A node closes its own earlier.
const IDLE: SignedDuration = SignedDuration::from_mins(15);
/// Bytes of a client that are taken at once.
pub const MAX_FED: usize = 256 << 10;
/// Bytes that are encrypted at once.
pub const MAX_WRITTEN: usize = 512 << 10;

#[cfg(test)]
mod tests;
