//! Connections as the node has them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use trust::certificate::Certificate;

use super::{Fed, Room, Segment, wire};
use crate::piece::sha256;
use crate::process::Process;
use crate::protocol::Reader;
use crate::{Vault, VaultError};

/// A listener whose connections a vault process ends.
#[derive(Clone)]
pub struct Door {
    process: Process,
    key: u16,
    chain: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Door(key {})", self.key)
    }
}

impl Door {
    /// With this chain in DER, leaf first; `None` when the vault has no process, or not the key.
    pub fn new(vault: &Vault, chain: Vec<Vec<u8>>) -> Option<Self> {
        let process = vault.process()?.clone();
        let leaf = Certificate::from_der(chain.first()?).ok()?;
        let key = process.number_of(leaf.public_key())?;
        Some(Self { process, key, chain })
    }

    /// How many connections there may be.
    pub fn room(&self) -> Room {
        self.process.room()
    }

    /// A new connection with its first bytes. `hints` are the names of the authorities that a client's
    /// certificate may come from, in DER.
    pub fn open(
        &self,
        hints: &[Vec<u8>],
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(Connection, Fed), VaultError> {
        let head = wire::open(self.key, &self.chain, hints, now).0;
        let answer = self.process.call(&head, &[bytes])?;
        let mut read = Reader::new(&answer, 1);
        let gone = |_| VaultError::Gone;
        let number = u64::from_be_bytes(read.take().map_err(gone)?);
        let fed = wire::fed(&mut read).map_err(gone)?;
        let process = self.process.clone();
        let connection = Connection { process, number, peer: OnceLock::new(), over: false.into() };
        connection.note(&fed);
        Ok((connection, fed))
    }
}

/// A connection that the vault ends; dropped, the vault forgets it.
pub struct Connection {
    process: Process,
    number: u64,
    /// SHA-256 of the client's certificate.
    peer: OnceLock<[u8; 32]>,
    over: AtomicBool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.number)
    }
}

impl Connection {
    /// Its number in the vault.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether it ends in this vault: after a reload, an older one may still have some.
    pub fn is_of(&self, vault: &Vault) -> bool {
        vault.process().is_some_and(|process| process.is(&self.process))
    }

    /// Hands on what the client sent.
    pub fn feed(&self, bytes: &[u8], now: Timestamp) -> Result<Fed, VaultError> {
        let answer = self.process.call(&wire::feed(self.number, now).0, &[bytes])?;
        let fed = wire::fed(&mut Reader::new(&answer, 1)).map_err(|_| VaultError::Gone)?;
        self.note(&fed);
        Ok(fed)
    }

    /// SHA-256 of the certificate of the client, once its handshake is done.
    pub fn peer(&self) -> Option<[u8; 32]> {
        self.peer.get().copied()
    }

    fn note(&self, fed: &Fed) {
        if let Some(leaf) = fed.shaken.as_ref().and_then(|shaken| shaken.chain.first()) {
            self.peer.get_or_init(|| sha256(leaf));
        }
        self.over.fetch_or(fed.failed, Ordering::Relaxed);
    }

    /// An answer, or a piece of one, as it travels.
    pub fn write(&self, segments: &[Segment<'_>], now: Timestamp) -> Result<Vec<u8>, VaultError> {
        let (head, bytes) = wire::write(self.number, segments, now);
        let mut answer = self.process.call(&head.0, &bytes)?;
        answer.remove(0);
        Ok(answer)
    }

    /// Ends it; gives the words of parting.
    pub fn close(&self) -> Result<Vec<u8>, VaultError> {
        if self.over.swap(true, Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        let mut answer = self.process.call_alive(&wire::close(self.number).0)?;
        answer.remove(0);
        Ok(answer)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.close();
    }
}
