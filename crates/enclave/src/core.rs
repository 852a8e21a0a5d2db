//! The core of the vault: keys, sessions and replay windows. No I/O, no clock, no threads of its
//! own: the same code in this process and in a process, a machine or an enclave of its own.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exchange::Country;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use jiff::{SignedDuration, Timestamp};

use crate::VaultError;
use crate::header::{Address, Direction, Header};
use crate::key::{PublicKey, XWing, key_id};
use crate::ring::Ring;
use crate::session::{Keys, Receiver, Sender, TAG, open, seal};
use crate::sessions::{Accepted, Sessions};

/// Holds an X-Wing key that never leaves it and is made new at every start, so that a sealed
/// message of before a restart cannot be replayed after it; and the keys of its [`Ring`].
pub struct Core {
    country: Country,
    private: <XWing as Kem>::PrivateKey,
    public: PublicKey,
    key_id: [u8; 16],
    sending: Mutex<BTreeMap<Country, Vec<Arc<Outgoing>>>>,
    receiving: Mutex<Sessions>,
    ring: Ring,
}

struct Outgoing {
    key_id: [u8; 16],
    encapsulated: Vec<u8>,
    session: [u8; 16],
    keys: Keys,
    next: AtomicU64,
    since: Timestamp,
}

/// Whose vault a request is sealed for: what a [`crate::Recipient`] says of its key.
pub(crate) struct Target<'k> {
    pub(crate) country: Country,
    pub(crate) key: &'k [u8],
    pub(crate) not_after: Timestamp,
}

/// A sealed request that waits for its answer. The keys stay in the vault.
#[derive(Debug)]
pub struct Pending {
    pub(crate) session: [u8; 16],
    pub(crate) sequence: u64,
    pub(crate) address: Address,
}

/// The right to seal one answer. The keys stay in the vault.
#[derive(Debug)]
pub struct ReplyToken {
    pub(crate) session: [u8; 16],
    pub(crate) sequence: u64,
    pub(crate) key_id: [u8; 16],
    pub(crate) address: Address,
}

/// What stands around a ciphertext that was made in the place of its plaintext.
pub(crate) struct Around {
    pub(crate) header: Vec<u8>,
    pub(crate) tag: [u8; TAG],
}

impl Core {
    /// A vault with a new key.
    pub(crate) fn new(country: Country, ring: Ring) -> Self {
        let (private, public) = XWing::gen_keypair();
        let key_id = key_id(&public.to_bytes());
        let (sending, receiving) = (Mutex::default(), Mutex::default());
        Self { country, private, public, key_id, sending, receiving, ring }
    }

    /// The public half of the X-Wing key.
    pub(crate) fn public(&self) -> Vec<u8> {
        self.public.to_bytes().to_vec()
    }

    /// The keys that are used for others.
    pub(crate) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Seals a request in the place of its plaintext.
    pub(crate) fn seal_request(
        &self,
        to: &Target<'_>,
        address: Address,
        bound: &[u8; 32],
        text: &mut [u8],
        now: Timestamp,
    ) -> Result<(Around, Pending), VaultError> {
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
        let around = finish(&header, &session.keys.request, bound, text)?;
        Ok((around, Pending { session: session.session, sequence, address }))
    }

    /// Opens a request in its place, once, and says where the plaintext is.
    pub(crate) fn open_request(
        &self,
        sealed: &mut [u8],
        bound: &[u8; 32],
    ) -> Result<(Address, ReplyToken, Range<usize>), VaultError> {
        let (header, at) = Header::decode(sealed)?;
        if header.direction != Direction::Request || header.address.to != self.country {
            return Err(VaultError::Malformed);
        }
        if header.key_id != self.key_id {
            return Err(VaultError::UnknownKey);
        }
        let session = self.session_from(&header)?;
        let (clear, text) = sealed.split_at_mut(at);
        let length = open(&session.keys.request, header.sequence, &aad(clear, bound), text)?;
        // only a message that opens may take a place in the table or move a window; and two first
        // messages that race must end with the same window
        let session = self.receiving().keep(header.address.from, header.session, session);
        session.window.lock().unwrap_or_else(PoisonError::into_inner).accept(header.sequence)?;
        let Header { address, key_id, session, sequence, .. } = header;
        Ok((address, ReplyToken { session, sequence, key_id, address }, at..at + length))
    }

    /// Seals the one answer to a request, in the place of its plaintext.
    pub(crate) fn seal_response(
        &self,
        reply: &ReplyToken,
        bound: &[u8; 32],
        text: &mut [u8],
    ) -> Result<Around, VaultError> {
        let ReplyToken { session, sequence, key_id, address } = *reply;
        let keys = self.receiving().find(address.from, &session).ok_or(VaultError::UnknownKey)?;
        let mut salt = vec![0; SALT];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| VaultError::Integrity)?;
        let key = keys.keys.answer(sequence, &salt)?;
        let header = Header {
            direction: Direction::Response,
            address: address.answered(),
            key_id,
            session,
            sequence,
            encapsulated: salt,
        };
        finish(&header, &key, bound, text)
    }

    /// Opens the answer to a request of ours in its place, and says where the plaintext is.
    pub(crate) fn open_response(
        &self,
        pending: &Pending,
        sealed: &mut [u8],
        bound: &[u8; 32],
    ) -> Result<Range<usize>, VaultError> {
        let (header, at) = Header::decode(sealed)?;
        let ours = header.direction == Direction::Response
            && header.address == pending.address.answered()
            && header.session == pending.session
            && header.sequence == pending.sequence
            && header.encapsulated.len() == SALT;
        if !ours {
            return Err(VaultError::Integrity);
        }
        let session = self
            .sending()
            .get(&pending.address.to)
            .and_then(|all| all.iter().find(|known| known.session == pending.session).cloned())
            .ok_or(VaultError::UnknownKey)?;
        let key = session.keys.answer(header.sequence, &header.encapsulated)?;
        let (clear, text) = sealed.split_at_mut(at);
        let length = open(&key, header.sequence, &aad(clear, bound), text)?;
        Ok(at..at + length)
    }

    /// The session to a recipient: made new for a new key, after [`MAX_AGE`] or [`MAX_MESSAGES`].
    fn session_to(&self, to: &Target<'_>, now: Timestamp) -> Result<Arc<Outgoing>, VaultError> {
        if to.not_after <= now {
            return Err(VaultError::Key("statement has expired"));
        }
        let id = key_id(to.key);
        let mut sending = self.sending();
        let all = sending.entry(to.country).or_default();
        if let Some(session) = all.last() {
            let fresh = session.key_id == id
                && now.duration_since(session.since) < MAX_AGE
                && session.next.load(Ordering::Relaxed) < MAX_MESSAGES;
            if fresh {
                return Ok(Arc::clone(session));
            }
        }
        let refused = |_| VaultError::Key("cannot be sealed for");
        let key = PublicKey::from_bytes(to.key).map_err(refused)?;
        let (encapsulated, context): (_, Sender) =
            hpke::setup_sender(&OpModeS::Base, &key, INFO).map_err(refused)?;
        let encapsulated = encapsulated.to_bytes().to_vec();
        let session = Arc::new(Outgoing {
            key_id: id,
            session: key_id(&encapsulated),
            encapsulated,
            keys: Keys::export(|label, out| context.export(label, out))?,
            next: AtomicU64::new(0),
            since: now,
        });
        if all.len() >= KEPT {
            all.remove(0);
        }
        all.push(Arc::clone(&session));
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

    fn sending(&self) -> MutexGuard<'_, BTreeMap<Country, Vec<Arc<Outgoing>>>> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn finish(
    header: &Header,
    key: &aws_lc_rs::aead::LessSafeKey,
    bound: &[u8; 32],
    text: &mut [u8],
) -> Result<Around, VaultError> {
    let clear = header.encode();
    let tag = seal(key, header.sequence, &aad(&clear, bound), text)?;
    Ok(Around { header: clear, tag })
}

fn aad(header: &[u8], bound: &[u8; 32]) -> Vec<u8> {
    [header, bound].concat()
}

const INFO: &[u8] = b"konfido sealed exchange 1";
const MAX_AGE: SignedDuration = SignedDuration::from_mins(10);
const MAX_MESSAGES: u64 = 1 << 30;
/// Sessions to one country that are kept, the newest last: answers to older ones may still come.
const KEPT: usize = 8;
/// Bytes of an answer's salt.
const SALT: usize = 32;

#[cfg(test)]
mod tests;
