//! The last hop to our own OpenNCP, when the vault ends its connections: what our listener needs of
//! [`enclave::last_hop`], and answers whose documents only the vault has.

mod released;

use std::any::Any;
use std::io;
use std::sync::Arc;

use enclave::last_hop::{Connection, Door, Fed, Place, Segment};
use enclave::{Vault, VaultError};
use exchange::Clock;
use http::Request;
use transport::hop::{By, Given, Hole, Line, Room, Terminator};
use trust::certificate::Certificate;

pub use released::Released;

/// Our vault, as who ends the connections of a listener.
pub struct VaultDoor {
    door: Door,
    clock: Arc<dyn Clock>,
}

impl VaultDoor {
    /// With this certificate chain in PEM, leaf first; `None` where the vault is no process, or has not
    /// the key.
    pub fn new(vault: &Vault, chain: &[u8], clock: Arc<dyn Clock>) -> Option<Self> {
        let chain = Certificate::from_pem(chain).ok()?;
        let chain = chain.iter().map(|certificate| certificate.der().to_vec()).collect();
        Some(Self { door: Door::new(vault, chain)?, clock })
    }
}

impl Terminator for VaultDoor {
    fn open(&self, hints: &[Vec<u8>], bytes: &[u8]) -> io::Result<(Arc<dyn Line>, Given)> {
        let (connection, fed) = self.door.open(hints, bytes, self.clock.now()).map_err(told)?;
        Ok((Arc::new(VaultLine { connection, clock: Arc::clone(&self.clock) }), given(fed)))
    }

    fn room(&self) -> Room {
        let enclave::last_hop::Room { connections, handshakes } = self.door.room();
        Room { connections, handshakes }
    }
}

/// A connection that our vault ends.
pub struct VaultLine {
    connection: Connection,
    clock: Arc<dyn Clock>,
}

impl VaultLine {
    /// The one that a request came by.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Arc<Self>> {
        let By(line) = request.extensions().get::<By>()?.clone();
        let line: Arc<dyn Any + Send + Sync> = line;
        line.downcast().ok()
    }

    /// As the vault has it.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Line for VaultLine {
    fn feed(&self, bytes: &[u8]) -> io::Result<Given> {
        self.connection.feed(bytes, self.clock.now()).map(given).map_err(told)
    }

    fn write(&self, segments: &[transport::hop::Segment<'_>]) -> io::Result<Vec<u8>> {
        let segments = segments.iter().map(|segment| match *segment {
            transport::hop::Segment::Bytes(bytes) => Segment::Bytes(bytes),
            transport::hop::Segment::Hole(Hole { document, base64, .. }, start, length) => {
                Segment::Document(Place { document: Some(document), base64, start, length })
            }
        });
        let segments: Vec<_> = segments.collect();
        self.connection.write(&segments, self.clock.now()).map_err(told)
    }

    fn close(&self) -> Vec<u8> {
        self.connection.close().unwrap_or_default()
    }
}

fn given(fed: Fed) -> Given {
    let Fed { shaken, plaintext, ciphertext, closed, failed } = fed;
    let shaken = shaken.map(|shaken| (shaken.chain, shaken.group));
    Given { shaken, plaintext, ciphertext, closed, failed }
}

fn told(error: VaultError) -> io::Error {
    io::Error::other(error)
}
