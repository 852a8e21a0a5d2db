//! The vault with keys in this process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use exchange::Country;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use jiff::{SignedDuration, Timestamp};
use trust::seal::SealKey;

use crate::header::{Address, Direction, Header};
use crate::key::{PublicKey, Recipient, Statement, XWing, key_id};
use crate::session::{Keys, Receiver, Sender, open, seal};
use crate::sessions::{Accepted, Sessions};
use crate::{Attestation, VaultError};

/// Holds an X-Wing key that never leaves it and is made new at every start, so that a sealed
/// message of before a restart cannot be replayed after it.
pub struct Vault {
    country: Country,
    private: <XWing as Kem>::PrivateKey,
    public: PublicKey,
    key_id: [u8; 16],
    sending: Mutex<BTreeMap<Country, Arc<Outgoing>>>,
    receiving: Mutex<Sessions>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({}, {})", self.country, Attestation::SimulatedInProcess.name())
    }
}

struct Outgoing {
    key_id: [u8; 16],
    encapsulated: Vec<u8>,
    session: [u8; 16],
    keys: Keys,
    next: AtomicU64,
    since: Timestamp,
}

/// A sealed request that waits for its answer.
pub struct Pending {
    session: Arc<Outgoing>,
    sequence: u64,
    address: Address,
}

/// The right to seal one answer.
pub struct ReplyToken {
    session: Arc<Accepted>,
    header: Header,
}

/// An opened request.
pub struct Opened {
    /// Between whom, about what, as the sender bound it.
    pub address: Address,
    /// The plaintext.
    pub plaintext: Vec<u8>,
    /// The right to answer, once.
    pub reply: ReplyToken,
}

impl Vault {
    /// A vault with a new key.
    pub fn new(country: Country) -> Self {
        let (private, public) = XWing::gen_keypair();
        let key_id = key_id(&public.to_bytes());
        let (sending, receiving) = (Mutex::default(), Mutex::default());
        Self { country, private, public, key_id, sending, receiving }
    }

    /// The statement that peers check, signed by the country's seal key.
    pub fn publish(&self, seal: &SealKey, now: Timestamp) -> Result<Statement, VaultError> {
        Statement::make(&self.public, self.country, now, seal)
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
        let session = self.session_to(to, now)?;
        let sequence = session.next.fetch_add(1, Ordering::Relaxed);
        let header = Header {
            direction: Direction::Request,
            address,
            key_id: session.key_id,
            session: session.session,
            sequence,
            encapsulated: session.encapsulated.clone(),
        };
        let sealed = finish(&header, &session.keys.request, bound, &mut plaintext)?;
        Ok((sealed, Pending { session, sequence, address }))
    }

    /// Opens a request, once. Base mode names no sender (RFC 9180 §5.1.1): the caller checks
    /// [`Address::from`] against the country of the TLS certificate.
    pub fn open_request(&self, sealed: &Bytes, bound: &[u8; 32]) -> Result<Opened, VaultError> {
        let (header, at) = Header::decode(sealed)?;
        if header.direction != Direction::Request || header.address.to != self.country {
            return Err(VaultError::Malformed);
        }
        if header.key_id != self.key_id {
            return Err(VaultError::UnknownKey);
        }
        let session = self.session_from(&header)?;
        let mut plaintext = sealed[at..].to_vec();
        open(&session.keys.request, header.sequence, &aad(&sealed[..at], bound), &mut plaintext)?;
        // only a message that opens may take a place in the table or move a window; and two first
        // messages that race must end with the same window
        let session = self.receiving().keep(header.address.from, header.session, session);
        session.window.lock().unwrap_or_else(PoisonError::into_inner).accept(header.sequence)?;
        let address = header.address;
        Ok(Opened { address, plaintext, reply: ReplyToken { session, header } })
    }

    /// Seals the one answer to a request.
    pub fn seal_response(
        reply: ReplyToken,
        bound: &[u8; 32],
        mut plaintext: Vec<u8>,
    ) -> Result<Vec<u8>, VaultError> {
        let ReplyToken { session, header } = reply;
        let mut salt = vec![0; SALT];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| VaultError::Integrity)?;
        let key = session.keys.answer(header.sequence, &salt)?;
        let header = Header {
            direction: Direction::Response,
            address: Address { from: header.address.to, to: header.address.from, ..header.address },
            encapsulated: salt,
            ..header
        };
        finish(&header, &key, bound, &mut plaintext)
    }

    /// Opens the answer to a request of ours.
    pub fn open_response(
        pending: Pending,
        sealed: &Bytes,
        bound: &[u8; 32],
    ) -> Result<Vec<u8>, VaultError> {
        let (header, at) = Header::decode(sealed)?;
        let expected =
            Address { from: pending.address.to, to: pending.address.from, ..pending.address };
        let ours = header.direction == Direction::Response
            && header.address == expected
            && header.session == pending.session.session
            && header.sequence == pending.sequence
            && header.encapsulated.len() == SALT;
        if !ours {
            return Err(VaultError::Integrity);
        }
        let mut plaintext = sealed[at..].to_vec();
        let key = pending.session.keys.answer(header.sequence, &header.encapsulated)?;
        open(&key, header.sequence, &aad(&sealed[..at], bound), &mut plaintext)?;
        Ok(plaintext)
    }

    /// The session to a recipient: made new for a new key, after [`MAX_AGE`] or [`MAX_MESSAGES`].
    fn session_to(&self, to: &Recipient, now: Timestamp) -> Result<Arc<Outgoing>, VaultError> {
        if to.not_after() <= now {
            return Err(VaultError::Key("statement has expired"));
        }
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sending.get(&to.country()) {
            let fresh = session.key_id == to.key_id
                && now.duration_since(session.since) < MAX_AGE
                && session.next.load(Ordering::Relaxed) < MAX_MESSAGES;
            if fresh {
                return Ok(Arc::clone(session));
            }
        }
        let (encapsulated, context): (_, Sender) =
            hpke::setup_sender(&OpModeS::Base, &to.key, INFO)
                .map_err(|_| VaultError::Key("cannot be sealed for"))?;
        let encapsulated = encapsulated.to_bytes().to_vec();
        let session = Arc::new(Outgoing {
            key_id: to.key_id,
            session: key_id(&encapsulated),
            encapsulated,
            keys: Keys::export(|label, out| context.export(label, out))?,
            next: AtomicU64::new(0),
            since: now,
        });
        sending.insert(to.country(), Arc::clone(&session));
        Ok(session)
    }

    fn session_from(&self, header: &Header) -> Result<Arc<Accepted>, VaultError> {
        if header.session != key_id(&header.encapsulated) {
            return Err(VaultError::Malformed);
        }
        if let Some(known) = self.receiving().find(header.address.from, &header.session) {
            return Ok(known);
        }
        let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(&header.encapsulated)
            .map_err(|_| VaultError::Malformed)?;
        let context: Receiver =
            hpke::setup_receiver(&OpModeR::Base, &self.private, &encapsulated, INFO)
                .map_err(|_| VaultError::Integrity)?;
        let keys = Keys::export(|label, out| context.export(label, out))?;
        Ok(Arc::new(Accepted { keys, window: Mutex::default() }))
    }

    fn receiving(&self) -> MutexGuard<'_, Sessions> {
        self.receiving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn finish(
    header: &Header,
    key: &aws_lc_rs::aead::LessSafeKey,
    bound: &[u8; 32],
    plaintext: &mut Vec<u8>,
) -> Result<Vec<u8>, VaultError> {
    let mut out = header.encode();
    seal(key, header.sequence, &aad(&out, bound), plaintext)?;
    out.reserve_exact(plaintext.len());
    out.append(plaintext);
    Ok(out)
}

fn aad(header: &[u8], bound: &[u8; 32]) -> Vec<u8> {
    [header, bound].concat()
}

const INFO: &[u8] = b"konfido sealed exchange 1";
const MAX_AGE: SignedDuration = SignedDuration::from_mins(10);
const MAX_MESSAGES: u64 = 1 << 30;
/// Bytes of an answer's salt.
const SALT: usize = 32;

#[cfg(test)]
mod tests;
