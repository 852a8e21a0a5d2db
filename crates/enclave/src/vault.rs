//! The vault with keys in this process.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use exchange::Country;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use jiff::{SignedDuration, Timestamp};
use trust::seal::SealKey;

use crate::header::{Address, Direction, Header};
use crate::key::{PublicKey, Recipient, Statement, XWing, key_id};
use crate::session::{Keys, Receiver, Sender, Window, open, seal};
use crate::{Attestation, VaultError};

/// Holds an X-Wing key that never leaves it and is made new at every start, so that a sealed
/// message of before a restart cannot be replayed after it.
pub struct Vault {
    country: Country,
    private: <XWing as Kem>::PrivateKey,
    public: PublicKey,
    key_id: [u8; 16],
    sending: Mutex<BTreeMap<Country, Arc<Outgoing>>>,
    receiving: Mutex<Incoming>,
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

/// Two generations of sessions, so that the table is bounded.
#[derive(Default)]
struct Incoming {
    young: HashMap<[u8; 16], Arc<Accepted>>,
    old: HashMap<[u8; 16], Arc<Accepted>>,
}

struct Accepted {
    keys: Keys,
    window: Mutex<Window>,
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

    /// Opens a request, once.
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
        // only an authentic message may move the window
        session.window.lock().unwrap_or_else(PoisonError::into_inner).accept(header.sequence)?;
        self.keep(header.session, &session);
        let address = header.address;
        Ok(Opened { address, plaintext, reply: ReplyToken { session, header } })
    }

    /// Seals the one answer to a request.
    pub fn seal_response(reply: ReplyToken, bound: &[u8; 32], mut plaintext: Vec<u8>) -> Result<Vec<u8>, VaultError> {
        let ReplyToken { session, header } = reply;
        let header = Header {
            direction: Direction::Response,
            address: Address { from: header.address.to, to: header.address.from, ..header.address },
            encapsulated: Vec::new(),
            ..header
        };
        finish(&header, &session.keys.response, bound, &mut plaintext)
    }

    /// Opens the answer to a request of ours.
    pub fn open_response(pending: Pending, sealed: &Bytes, bound: &[u8; 32]) -> Result<Vec<u8>, VaultError> {
        let (header, at) = Header::decode(sealed)?;
        let expected = Address { from: pending.address.to, to: pending.address.from, ..pending.address };
        let ours = header.direction == Direction::Response
            && header.address == expected
            && header.session == pending.session.session
            && header.sequence == pending.sequence;
        if !ours {
            return Err(VaultError::Integrity);
        }
        let mut plaintext = sealed[at..].to_vec();
        open(&pending.session.keys.response, header.sequence, &aad(&sealed[..at], bound), &mut plaintext)?;
        Ok(plaintext)
    }

    /// The session to a recipient: made new for a new key, after [`MAX_AGE`] or [`MAX_MESSAGES`].
    fn session_to(&self, to: &Recipient, now: Timestamp) -> Result<Arc<Outgoing>, VaultError> {
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
            hpke::setup_sender(&OpModeS::Base, &to.key, INFO).map_err(|_| VaultError::Key("cannot be sealed for"))?;
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
        {
            let mut receiving = self.receiving.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = receiving.young.get(&header.session) {
                return Ok(Arc::clone(known));
            }
            if let Some(known) = receiving.old.remove(&header.session) {
                receiving.young.insert(header.session, Arc::clone(&known));
                return Ok(known);
            }
        }
        let encapsulated =
            <XWing as Kem>::EncappedKey::from_bytes(&header.encapsulated).map_err(|_| VaultError::Malformed)?;
        let context: Receiver = hpke::setup_receiver(&OpModeR::Base, &self.private, &encapsulated, INFO)
            .map_err(|_| VaultError::Integrity)?;
        let keys = Keys::export(|label, out| context.export(label, out))?;
        let session = Arc::new(Accepted { keys, window: Mutex::default() });
        // two first messages may race: both must use the same window
        let mut receiving = self.receiving.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(receiving.young.entry(header.session).or_insert(session)))
    }

    /// Bounds the table. A session that fell out is opened again from its `enc` with an empty
    /// window; the durable replay table behind the journey still refuses what was answered.
    fn keep(&self, id: [u8; 16], session: &Arc<Accepted>) {
        let mut receiving = self.receiving.lock().unwrap_or_else(PoisonError::into_inner);
        if receiving.young.len() > MAX_SESSIONS {
            receiving.old = std::mem::take(&mut receiving.young);
            receiving.young.insert(id, Arc::clone(session));
        }
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
/// Sessions kept a generation: 27 peers, a new session every ten minutes.
const MAX_SESSIONS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::{Transaction, TransactionId};
    use trust::certificate::Anchors;

    fn country(code: &str) -> Country {
        Country::parse(code).unwrap()
    }

    fn seal_key() -> (SealKey, Anchors) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        let ca = rcgen::Issuer::new(params, key);
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CountryName, "DK");
        let leaf = params.signed_by(&key, &ca).unwrap();
        let seal = SealKey::from_pem(key.serialize_pem().as_bytes(), leaf.pem().as_bytes()).unwrap();
        (seal, Anchors::from_pem(root.pem().as_bytes()).unwrap())
    }

    fn recipient(vault: &Vault, now: Timestamp) -> Recipient {
        let (seal, anchors) = seal_key();
        let statement = Statement::decode(&vault.publish(&seal, now).unwrap().encode()).unwrap();
        let accepted = [Attestation::SimulatedInProcess];
        let verify = |country, now, accepted: &[Attestation]| Recipient::verify(&statement, &anchors, country, now, accepted);
        assert!(verify(country("IT"), now, &accepted).is_err(), "another country");
        assert!(verify(country("DK"), now + SignedDuration::from_hours(25), &accepted).is_err(), "expired");
        assert!(verify(country("DK"), now, &[]).is_err(), "policy");
        let (_, others) = seal_key();
        assert!(Recipient::verify(&statement, &others, country("DK"), now, &accepted).is_err(), "unknown root");
        verify(country("DK"), now, &accepted).unwrap()
    }

    fn address() -> Address {
        let (from, to) = (country("ES"), country("DK"));
        Address { from, to, transaction: Transaction::Retrieve, txid: TransactionId([1; 16]) }
    }

    #[test]
    fn requests_and_answers_open_once_and_only_unchanged() {
        let now = Timestamp::now();
        let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
        let to = recipient(&dk, now);
        let bound = [7; 32];
        let (sealed, pending) = es.seal_request(&to, address(), &bound, b"hello".to_vec(), now).unwrap();
        let sealed = Bytes::from(sealed);
        for at in 0..sealed.len() {
            let mut tampered = sealed.to_vec();
            tampered[at] ^= 1;
            assert!(dk.open_request(&tampered.into(), &bound).is_err(), "byte {at}");
        }
        assert_eq!(dk.open_request(&sealed, &[8; 32]).err(), Some(VaultError::Integrity), "other header");
        let opened = dk.open_request(&sealed, &bound).unwrap();
        assert_eq!(opened.plaintext, b"hello");
        assert_eq!(opened.address, address());
        assert_eq!(dk.open_request(&sealed, &bound).err(), Some(VaultError::Replay));
        let answer = Bytes::from(Vault::seal_response(opened.reply, &bound, b"answer".to_vec()).unwrap());
        let (_, other) = es.seal_request(&to, address(), &bound, b"next".to_vec(), now).unwrap();
        assert!(Vault::open_response(other, &answer, &bound).is_err(), "answer to another request");
        assert_eq!(Vault::open_response(pending, &answer, &bound).unwrap(), b"answer");
    }

    #[test]
    fn a_restarted_vault_says_that_the_key_is_unknown() {
        let now = Timestamp::now();
        let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
        let (sealed, _) = es.seal_request(&recipient(&dk, now), address(), &[0; 32], b"x".to_vec(), now).unwrap();
        let restarted = Vault::new(country("DK"));
        assert_eq!(restarted.open_request(&sealed.into(), &[0; 32]).err(), Some(VaultError::UnknownKey));
    }
}
