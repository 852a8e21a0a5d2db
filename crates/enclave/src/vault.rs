//! The vault as a node sees it, wherever its core is.

mod patients;
mod strict;

use std::io::Read as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use exchange::{Country, Digest};
use jiff::{SignedDuration, Timestamp};
use trust::seal::SealKey;

use crate::attest::Evidence;
use crate::core::{Core, DeliveredAt, OpenedAt, Pending, ReplyToken};
use crate::header::{Address, Delivery, TAG};
use crate::key::{Recipient, Statement};
use crate::piece::{self, Addressee, Delivered, Piece};
use crate::process::Process;
use crate::protocol::Op;
use crate::ring::{Ring, Use};
use crate::statement::KeyStatement;
use crate::{Attestation, VaultError};

/// Seals, opens, and uses private keys for a node.
pub struct Vault {
    country: Country,
    home: Home,
    attester: Option<Box<dyn Attester>>,
    published: Mutex<Option<Published>>,
}

/// Who makes evidence about this machine.
pub trait Attester: Send + Sync {
    /// Evidence that carries these bytes, or why there is none.
    fn attest(&self, report_data: &[u8; 64]) -> Result<Evidence, String>;
}

/// What was published last: evidence is made once for each key, never for each question.
struct Published {
    starts: u64,
    renew: Timestamp,
    seal: Digest,
    statement: Arc<Statement>,
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
    /// Its pieces.
    pub pieces: Vec<Bytes>,
    /// The right to answer, once.
    pub reply: ReplyToken,
}

impl Vault {
    /// A vault with a new key in this process: simulated.
    pub fn new(country: Country) -> Self {
        Self::at(country, Home::Here(Box::new(Core::new(country, Ring::default()))))
    }

    /// The same, with keys that outlive it: one that keeps documents ([`Use::Keep`], or
    /// [`Use::HandOut`]), one that seals the keys of patients ([`Use::Patients`]).
    pub fn holding(country: Country, keys: &[(Use, &[u8])]) -> Result<Self, VaultError> {
        let mut ring = Ring::default();
        for (purpose, key) in keys {
            ring.add(*purpose, key).map_err(|_| VaultError::Key("cannot be used so"))?;
        }
        Ok(Self::at(country, Home::Here(Box::new(Core::new(country, ring)))))
    }

    /// The same, with a key that signs, in PEM: for fuzzing.
    pub fn signing(country: Country, key: &[u8]) -> Result<Self, VaultError> {
        let mut ring = Ring::default();
        ring.add(Use::Sign, key).map_err(|_| VaultError::Key("cannot be used so"))?;
        Ok(Self::at(country, Home::Here(Box::new(Core::new(country, ring)))))
    }

    fn at(country: Country, home: Home) -> Self {
        Self { country, home, attester: None, published: Mutex::default() }
    }

    /// With evidence of hardware instead of its own word.
    #[must_use]
    pub fn attested(self, attester: Box<dyn Attester>) -> Self {
        Self { attester: Some(attester), ..self }
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
        Self::at(process.country(), Home::Process(process))
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

    /// The statement that peers check, signed by the country's seal key. Made once for each key and
    /// seal, and again when half of its life is over.
    pub fn publish(&self, seal: &SealKey, now: Timestamp) -> Result<Arc<Statement>, VaultError> {
        let (key, starts, state) = match &self.home {
            Home::Here(core) => (core.public(), 1, 0),
            Home::Process(process) => process.public()?,
        };
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let of = seal.certificate().fingerprint();
        let known = published
            .as_ref()
            .filter(|known| known.starts == starts && known.seal == of && now < known.renew);
        if let Some(known) = known {
            return Ok(Arc::clone(&known.statement));
        }
        let said = KeyStatement { state, ..self.statement(key, starts, now) };
        let report_data = said.report_data();
        let evidence = match &self.attester {
            None => Evidence::software(&self.binary(), &report_data),
            Some(attester) => attester
                .attest(&report_data)
                .map_err(|_| VaultError::Key("this machine gives no evidence"))?,
        };
        let statement = Arc::new(Statement::make(&said, evidence, seal)?);
        let renew = now + KeyStatement::LIFE / 2;
        let kept = Arc::clone(&statement);
        *published = Some(Published { starts, renew, seal: of, statement: kept });
        Ok(statement)
    }

    fn statement(&self, key: Vec<u8>, starts: u64, now: Timestamp) -> KeyStatement {
        let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
        // clocks of other countries may be a little behind
        let not_before = second - SKEW;
        KeyStatement {
            country: self.country,
            key,
            not_before,
            not_after: not_before + KeyStatement::LIFE,
            starts,
            state: 0,
            home: self.attestation().name().to_owned(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// SHA-256 of this program; of nothing where the vault is only simulated.
    fn binary(&self) -> [u8; 32] {
        static BINARY: OnceLock<[u8; 32]> = OnceLock::new();
        match &self.home {
            Home::Here(_) => [0; 32],
            Home::Process(_) => *BINARY.get_or_init(|| {
                // piece by piece: it is larger than what a node may take
                let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
                if let Ok(mut program) = std::fs::File::open("/proc/self/exe") {
                    let mut piece = [0; 8192];
                    while let Ok(length @ 1..) = program.read(&mut piece) {
                        digest.update(&piece[..length]);
                    }
                }
                digest.finish().as_ref().try_into().expect("because SHA-256 has 32 bytes")
            }),
        }
    }

    /// Seals a request. `bound` is the digest of what travels in the clear beside it; `delivery` says
    /// for whom the documents of the answer are to be.
    pub fn seal_request(
        &self,
        to: &Recipient,
        address: Address,
        delivery: Delivery,
        bound: &[u8; 32],
        pieces: &[Piece<'_>],
        now: Timestamp,
    ) -> Result<(Bytes, Pending), VaultError> {
        let (target, what) = (to.target(), (address, delivery));
        match &self.home {
            Home::Here(core) => {
                let (given, mut buffer) = piece::buffer(pieces)?;
                let made = core.seal_request(&target, what, bound, (&given, &mut buffer), now)?;
                Ok(([made.0, buffer].concat().into(), made.1))
            }
            Home::Process(process) => process.seal_request(&target, what, bound, pieces, now),
        }
    }

    /// Opens a request, once. Base mode names no sender (RFC 9180 §5.1.1): the caller checks
    /// [`Address::from`] against the country of the TLS certificate.
    pub fn open_request(&self, sealed: &Bytes, bound: &[u8; 32]) -> Result<Opened, VaultError> {
        match &self.home {
            Home::Here(core) => {
                let mut bytes = sealed.to_vec();
                let OpenedAt { address, reply, places } = core.open_request(&mut bytes, bound)?;
                let bytes = Bytes::from(bytes);
                let pieces = places.into_iter().map(|place| bytes.slice(place)).collect();
                Ok(Opened { address, pieces, reply })
            }
            Home::Process(process) => process.open_request(sealed, bound),
        }
    }

    /// Seals the one answer to a request for the vault that asked, and for nobody else.
    pub fn seal_response(
        &self,
        reply: ReplyToken,
        to: &Recipient,
        bound: &[u8; 32],
        pieces: &[Piece<'_>],
        now: Timestamp,
    ) -> Result<Bytes, VaultError> {
        let target = to.target();
        match &self.home {
            Home::Here(core) => {
                let (given, mut buffer) = piece::buffer(pieces)?;
                let header =
                    core.seal_response(&reply, &target, bound, (&given, &mut buffer), now)?;
                Ok([header, buffer].concat().into())
            }
            Home::Process(process) => process.seal_response(&reply, &target, bound, pieces, now),
        }
    }

    /// Takes any bytes as a frame of a lane: for fuzzing.
    pub fn takes_frame(&self, frame: &[u8]) -> bool {
        match &self.home {
            Home::Here(core) => crate::protocol::answer(core, &mut frame.to_vec()).is_ok(),
            Home::Process(_) => false,
        }
    }

    /// Takes any bytes as what comes on a lane and lies beside it: for fuzzing.
    pub fn takes_lane(&self, bytes: &[u8]) -> bool {
        match &self.home {
            Home::Here(core) => crate::protocol::takes(core, bytes).is_ok(),
            Home::Process(_) => false,
        }
    }

    /// Takes any bytes as what a client sends to a connection of [`crate::last_hop`], in two pieces: for fuzzing.
    pub fn takes_records(&self, bytes: &[u8]) -> bool {
        match &self.home {
            Home::Here(core) => crate::last_hop::takes(core, bytes),
            Home::Process(_) => false,
        }
    }

    /// Opens the answer to a request of ours. Its documents leave the vault as they were asked for.
    pub fn open_response(
        &self,
        pending: Pending,
        sealed: &Bytes,
        bound: &[u8; 32],
        to: Addressee<'_>,
    ) -> Result<Delivered, VaultError> {
        match &self.home {
            Home::Here(core) => {
                let mut bytes = sealed.to_vec();
                let at = core.open_response(&pending, &mut bytes, bound, to.outlet())?;
                Ok(delivered(at, bytes))
            }
            Home::Process(process) => process.open_response(&pending, sealed, bound, to.outlet()),
        }
    }

    /// Seals a document to be kept at rest; it leaves this vault, or one with the same keys, only as
    /// [`Piece::Kept`]. The label says what it is, and is bound.
    pub fn keep(&self, label: &[u8], document: &[u8]) -> Result<Bytes, VaultError> {
        match &self.home {
            Home::Here(core) => {
                let mut text = document.to_vec();
                let kept = core.ring().keep(label, &mut text);
                let (nonce, tag) = kept.ok_or(VaultError::Key("cannot be used so"))?;
                Ok(piece::kept(&nonce, &text, &tag).into())
            }
            Home::Process(process) => process.keep(label, document),
        }
    }

    /// Whether what was kept under this label opens: whether it is whole, and the key the same.
    pub fn look(&self, label: &[u8], sealed: &[u8]) -> Result<(), VaultError> {
        match &self.home {
            Home::Here(core) => take_out(core, label, sealed).map(drop),
            Home::Process(process) => process.take_out(Op::Look, label, sealed).map(drop),
        }
    }

    /// A kept document in the clear: for a country that is answered in plain IHE. Refused unless the
    /// vault was started for that ([`Use::HandOut`]).
    pub fn hand_out(&self, label: &[u8], sealed: &[u8]) -> Result<Bytes, VaultError> {
        match &self.home {
            Home::Here(core) if core.ring().hands_out() => take_out(core, label, sealed),
            Home::Here(_) => Err(VaultError::Keeps),
            Home::Process(process) => process.take_out(Op::HandOut, label, sealed),
        }
    }
}

fn delivered(at: DeliveredAt, bytes: Vec<u8>) -> Delivered {
    let (places, bytes, digests, held) = match at {
        DeliveredAt::Here(places) => (places, bytes, Vec::new(), Vec::new()),
        DeliveredAt::Packed(packed) => (packed.places, packed.buffer, packed.digests, Vec::new()),
        DeliveredAt::Held { first, lengths, digests } => {
            let place = 0..first.len();
            (vec![place], bytes[first].to_vec(), digests, lengths)
        }
    };
    let bytes = Bytes::from(bytes);
    let pieces = places.into_iter().map(|place| bytes.slice(place)).collect();
    Delivered { pieces, digests, held }
}

fn take_out(core: &Core, label: &[u8], sealed: &[u8]) -> Result<Bytes, VaultError> {
    let (nonce, rest) = sealed.split_first_chunk().ok_or(VaultError::Malformed)?;
    let mut piece = rest.to_vec();
    core.ring().take_out(label, *nonce, &mut piece).ok_or(VaultError::Integrity)?;
    piece.truncate(piece.len() - TAG);
    Ok(piece.into())
}

/// How far the clocks of two countries may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
