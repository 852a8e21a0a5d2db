//! The core of the vault: keys, sessions and replay windows. No I/O, no clock, no threads of its
//! own: the same code in this process and in a process, a machine or an enclave of its own.

mod terms;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::aead::LessSafeKey;
use exchange::Country;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use jiff::{SignedDuration, Timestamp};

use crate::header::{Address, Delivery, Direction, Header, TAG};
use crate::key::{PublicKey, XWing, key_id};
use crate::last_hop::{Held, Lines, Room};
use crate::piece;
use crate::ring::Ring;
use crate::session::{Keys, Receiver, Sender, nonce, open, seal};
use crate::sessions::{Accepted, Sessions};
use crate::{VaultError, memory};
pub(crate) use terms::{DeliveredAt, Given, OpenedAt, Outlet, Target};
pub use terms::{Pending, ReplyToken};

/// Holds an X-Wing key that never leaves it and is made new at every start, so that a sealed
/// message of before a restart cannot be replayed after it; and the keys of its [`Ring`].
pub struct Core {
    country: Country,
    private: <XWing as Kem>::PrivateKey,
    public: PublicKey,
    key_id: [u8; 16],
    sending: Mutex<BTreeMap<Country, Vec<Arc<Outgoing>>>>,
    receiving: Mutex<Sessions>,
    ring: Arc<Ring>,
    lines: Lines,
}

struct Outgoing {
    key_id: [u8; 16],
    encapsulated: Vec<u8>,
    session: [u8; 16],
    keys: Keys,
    next: AtomicU64,
    since: Timestamp,
}

impl Core {
    /// A vault with a new key.
    pub(crate) fn new(country: Country, ring: Ring) -> Self {
        let (ring, lines) = (Arc::new(ring), Lines::new(Room::of(memory::secret())));
        let (private, public) = XWing::gen_keypair();
        let key_id = key_id(&public.to_bytes());
        let (sending, receiving) = (Mutex::default(), Mutex::default());
        Self { country, private, public, key_id, sending, receiving, ring, lines }
    }

    /// The public half of the X-Wing key.
    pub(crate) fn public(&self) -> Vec<u8> {
        self.public.to_bytes().to_vec()
    }

    /// The private half, for [`crate::strict`].
    pub(crate) fn private(&self) -> &<XWing as Kem>::PrivateKey {
        &self.private
    }

    /// The keys that are used for others.
    pub(crate) fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// The connections that end here.
    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Seals a request in the place of its pieces; gives what stands before them.
    pub(crate) fn seal_request(
        &self,
        to: &Target<'_>,
        (address, delivery): (Address, Delivery),
        bound: &[u8; 32],
        (given, buffer): (&[Given], &mut [u8]),
        now: Timestamp,
    ) -> Result<(Vec<u8>, Pending), VaultError> {
        let session = self.session_to(to, now)?;
        let sequence = session.next.fetch_add(1, Ordering::Relaxed);
        let header = Header {
            direction: Direction::Request,
            address,
            key_id: session.key_id,
            sender: self.key_id,
            session: session.session,
            sequence,
            encapsulated: session.encapsulated.clone(),
            delivery,
            pieces: lengths(given)?,
        };
        let clear = self.finish(&header, &session.keys.request, bound, given, buffer)?;
        Ok((clear, Pending { session: session.session, sequence, address }))
    }

    /// Opens a request in its place, once.
    pub(crate) fn open_request(
        &self,
        sealed: &mut [u8],
        bound: &[u8; 32],
    ) -> Result<OpenedAt, VaultError> {
        let (header, at) = Header::decode(sealed)?;
        if header.direction != Direction::Request || header.address.to != self.country {
            return Err(VaultError::Malformed);
        }
        if header.key_id != self.key_id {
            return Err(VaultError::UnknownKey);
        }
        let session =
            self.session_from(header.address.from, header.session, &header.encapsulated)?;
        let places = open_pieces(&header, at, &session.keys.request, bound, sealed)?;
        // only a message that opens may take a place in the table or move a window; and two first
        // messages that race must end with the same window
        let session = self.receiving().keep(header.address.from, header.session, session);
        session.window.lock().unwrap_or_else(PoisonError::into_inner).accept(header.sequence)?;
        let Header { address, sender, session, sequence, delivery, .. } = header;
        let reply = ReplyToken { session, sequence, sender, delivery, address };
        Ok(OpenedAt { address, reply, places })
    }

    /// Seals the one answer to a request in the place of its pieces, for the vault that asked.
    pub(crate) fn seal_response(
        &self,
        reply: &ReplyToken,
        to: &Target<'_>,
        bound: &[u8; 32],
        (given, buffer): (&[Given], &mut [u8]),
        now: Timestamp,
    ) -> Result<Vec<u8>, VaultError> {
        let ReplyToken { session, sequence, sender, delivery, address } = *reply;
        let asked = self.receiving().find(address.from, &session).ok_or(VaultError::UnknownKey)?;
        let back = self.session_to(to, now)?;
        if to.country != address.from || back.key_id != sender {
            return Err(VaultError::Key("is not the one that asked"));
        }
        let mut encapsulated = vec![0; SALT];
        aws_lc_rs::rand::fill(&mut encapsulated).map_err(|_| VaultError::Integrity)?;
        let key = asked.keys.answer(&back.keys, sequence, &encapsulated)?;
        encapsulated.extend_from_slice(&back.encapsulated);
        let header = Header {
            direction: Direction::Response,
            address: address.answered(),
            key_id: sender,
            sender: self.key_id,
            session,
            sequence,
            encapsulated,
            delivery,
            pieces: lengths(given)?,
        };
        self.finish(&header, &key, bound, given, buffer)
    }

    /// Opens the answer to a request of ours in its place. Documents that were asked for in a pouch,
    /// or for the holder of a certificate, leave this vault in no other way.
    pub(crate) fn open_response(
        &self,
        pending: &Pending,
        sealed: &mut [u8],
        bound: &[u8; 32],
        outlet: Outlet<'_>,
    ) -> Result<DeliveredAt, VaultError> {
        let (header, at) = Header::decode(sealed)?;
        let ours = header.direction == Direction::Response
            && header.address == pending.address.answered()
            && header.session == pending.session
            && header.sequence == pending.sequence;
        if !ours {
            return Err(VaultError::Integrity);
        }
        if header.key_id != self.key_id {
            return Err(VaultError::UnknownKey);
        }
        let delivery = match outlet {
            Outlet::Node => Delivery::Node,
            Outlet::Pouch(key) => Delivery::Pouch(key.digest()),
            Outlet::Line(number) => Delivery::Tls(self.lines.peer(number)?),
        };
        if header.delivery != delivery {
            return Err(VaultError::Key("is not for whom it was asked"));
        }
        let asked = self
            .sending()
            .get(&pending.address.to)
            .and_then(|all| all.iter().find(|known| known.session == pending.session).cloned())
            .ok_or(VaultError::UnknownKey)?;
        let (salt, encapsulated) =
            header.encapsulated.split_at_checked(SALT).ok_or(VaultError::Malformed)?;
        let (from, id) = (header.address.from, key_id(encapsulated));
        let back = self.session_from(from, id, encapsulated)?;
        let key = asked.keys.answer(&back.keys, header.sequence, salt)?;
        let places = open_pieces(&header, at, &key, bound, sealed)?;
        self.receiving().keep(from, id, back);
        match outlet {
            Outlet::Node => Ok(DeliveredAt::Here(places)),
            Outlet::Pouch(to) => {
                piece::pack(to, header.address, sealed, &places).map(DeliveredAt::Packed)
            }
            Outlet::Line(number) => {
                let (first, documents) = places.split_first().ok_or(VaultError::Malformed)?;
                self.lines.hold(number, Held::of(sealed, documents))?;
                Ok(DeliveredAt::Held {
                    first: first.clone(),
                    lengths: documents.iter().map(Range::len).collect(),
                    digests: documents
                        .iter()
                        .map(|of| piece::sha256(&sealed[of.clone()]))
                        .collect(),
                })
            }
        }
    }

    /// Seals the pieces; gives the header as it stands before them.
    fn finish(
        &self,
        header: &Header,
        key: &LessSafeKey,
        bound: &[u8; 32],
        given: &[Given],
        buffer: &mut [u8],
    ) -> Result<Vec<u8>, VaultError> {
        let clear = header.encode();
        let aad = aad(&clear, bound);
        let places = header.places(0, buffer.len())?;
        for (number, (given, place)) in given.iter().zip(places).enumerate() {
            let piece = &mut buffer[place.start..place.end + TAG];
            if let Some((label, once)) = &given.kept {
                self.ring.take_out(label, *once, piece).ok_or(VaultError::Integrity)?;
            }
            seal(key, nonce(header.sequence, number), &aad, piece)?;
        }
        Ok(clear)
    }

    /// The session to a recipient: made new for a new key, after [`MAX_AGE`] or [`MAX_MESSAGES`].
    fn session_to(&self, to: &Target<'_>, now: Timestamp) -> Result<Arc<Outgoing>, VaultError> {
        if to.not_after <= now {
            return Err(VaultError::Key("statement has expired"));
        }
        let id = key_id(to.key);
        let mut sending = self.sending();
        let all = sending.entry(to.country).or_default();
        // not the last one only: while a country renews its key we speak to both of its vaults
        let fresh = |session: &&Arc<Outgoing>| {
            session.key_id == id
                && now.duration_since(session.since) < MAX_AGE
                && session.next.load(Ordering::Relaxed) < MAX_MESSAGES
        };
        if let Some(session) = all.iter().rev().find(fresh) {
            return Ok(Arc::clone(session));
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

    /// The session that a peer opened to us, from the table or from its `enc`.
    fn session_from(
        &self,
        from: Country,
        id: [u8; 16],
        encapsulated: &[u8],
    ) -> Result<Arc<Accepted>, VaultError> {
        if id != key_id(encapsulated) {
            return Err(VaultError::Malformed);
        }
        if let Some(known) = self.receiving().find(from, &id) {
            return Ok(known);
        }
        let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(encapsulated)
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

fn open_pieces(
    header: &Header,
    at: usize,
    key: &LessSafeKey,
    bound: &[u8; 32],
    sealed: &mut [u8],
) -> Result<Vec<Range<usize>>, VaultError> {
    let places = header.places(at, sealed.len())?;
    let (clear, _) = sealed.split_at(at);
    let aad = aad(clear, bound);
    for (number, place) in places.iter().enumerate() {
        let piece = &mut sealed[place.start..place.end + TAG];
        open(key, nonce(header.sequence, number), &aad, piece)?;
    }
    Ok(places)
}

fn lengths(given: &[Given]) -> Result<Vec<u32>, VaultError> {
    let length = |given: &Given| u32::try_from(given.length).map_err(|_| VaultError::Malformed);
    given.iter().map(length).collect()
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
