//! The vault as a node sees it, wherever its core is.

use bytes::Bytes;
use exchange::Country;
use jiff::Timestamp;
use trust::seal::SealKey;

use crate::core::{Around, Core, Pending, ReplyToken};
use crate::header::Address;
use crate::key::{Recipient, Statement};
use crate::process::Process;
use crate::ring::Ring;
use crate::{Attestation, VaultError};

/// Seals, opens, and uses private keys for a node.
pub struct Vault {
    country: Country,
    home: Home,
}

enum Home {
    /// In this process.
    Here(Box<Core>),
    /// In a process of its own.
    Process(Process),
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({}, {})", self.country, self.attestation().name())
    }
}

/// An opened request.
#[derive(Debug)]
pub struct Opened {
    /// Between whom, about what, as the sender bound it.
    pub address: Address,
    /// The plaintext.
    pub plaintext: Bytes,
    /// The right to answer, once.
    pub reply: ReplyToken,
}

impl Vault {
    /// A vault with a new key in this process: simulated.
    pub fn new(country: Country) -> Self {
        Self { country, home: Home::Here(Box::new(Core::new(country, Ring::default()))) }
    }

    #[cfg(test)]
    pub(crate) fn core(&self) -> &Core {
        match &self.home {
            Home::Here(core) => core,
            Home::Process(_) => unreachable!("because tests of the core have it here"),
        }
    }

    /// A vault in a process of its own.
    pub fn of(process: Process) -> Self {
        Self { country: process.country(), home: Home::Process(process) }
    }

    /// What stands behind its key.
    pub fn attestation(&self) -> Attestation {
        match &self.home {
            Home::Here(_) => Attestation::SimulatedInProcess,
            Home::Process(process) => Attestation::Process(process.memory()),
        }
    }

    /// The process that holds the keys, when there is one.
    pub fn process(&self) -> Option<&Process> {
        match &self.home {
            Home::Here(_) => None,
            Home::Process(process) => Some(process),
        }
    }

    /// The statement that peers check, signed by the country's seal key.
    pub fn publish(&self, seal: &SealKey, now: Timestamp) -> Result<Statement, VaultError> {
        let key = match &self.home {
            Home::Here(core) => core.public(),
            Home::Process(process) => process.public()?,
        };
        Statement::make(&key, self.country, self.attestation(), now, seal)
    }

    /// Seals a request. `bound` is the digest of what travels in the clear beside it.
    pub fn seal_request(
        &self,
        to: &Recipient,
        address: Address,
        bound: &[u8; 32],
        mut plaintext: Vec<u8>,
        now: Timestamp,
    ) -> Result<(Vec<u8>, Pending), VaultError> {
        let target = to.target();
        match &self.home {
            Home::Here(core) => {
                let made = core.seal_request(&target, address, bound, &mut plaintext, now)?;
                Ok((whole(&made.0, &plaintext), made.1))
            }
            Home::Process(process) => {
                process.seal_request(&target, address, bound, &plaintext, now)
            }
        }
    }

    /// Opens a request, once. Base mode names no sender (RFC 9180 §5.1.1): the caller checks
    /// [`Address::from`] against the country of the TLS certificate.
    pub fn open_request(&self, sealed: &Bytes, bound: &[u8; 32]) -> Result<Opened, VaultError> {
        match &self.home {
            Home::Here(core) => {
                let mut bytes = sealed.to_vec();
                let (address, reply, place) = core.open_request(&mut bytes, bound)?;
                Ok(Opened { address, plaintext: Bytes::from(bytes).slice(place), reply })
            }
            Home::Process(process) => process.open_request(sealed, bound),
        }
    }

    /// Seals the one answer to a request.
    pub fn seal_response(
        &self,
        reply: ReplyToken,
        bound: &[u8; 32],
        mut plaintext: Vec<u8>,
    ) -> Result<Vec<u8>, VaultError> {
        match &self.home {
            Home::Here(core) => {
                let around = core.seal_response(&reply, bound, &mut plaintext)?;
                Ok(whole(&around, &plaintext))
            }
            Home::Process(process) => process.seal_response(&reply, bound, &plaintext),
        }
    }

    /// Takes any bytes as a frame of a lane: for fuzzing.
    pub fn takes_frame(&self, frame: &[u8]) -> bool {
        match &self.home {
            Home::Here(core) => crate::protocol::answer(core, &mut frame.to_vec()).is_ok(),
            Home::Process(_) => false,
        }
    }

    /// Opens the answer to a request of ours.
    pub fn open_response(
        &self,
        pending: Pending,
        sealed: &Bytes,
        bound: &[u8; 32],
    ) -> Result<Bytes, VaultError> {
        match &self.home {
            Home::Here(core) => {
                let mut bytes = sealed.to_vec();
                let place = core.open_response(&pending, &mut bytes, bound)?;
                Ok(Bytes::from(bytes).slice(place))
            }
            Home::Process(process) => process.open_response(&pending, sealed, bound),
        }
    }
}

fn whole(around: &Around, text: &[u8]) -> Vec<u8> {
    [&around.header, text, &around.tag].concat()
}
