//! A vault in a process of its own, as its node sees it.

pub mod errand;
mod held;
mod lanes;
mod live;
mod patients;
mod strict;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use exchange::Country;
use jiff::Timestamp;
use trust::private::PrivateKey;
use zeroize::Zeroizing;

use crate::core::{Outlet, Pending, ReplyToken, Target};
use crate::header::{Address, Delivery};
use crate::last_hop::Room;
use crate::piece::{Delivered, Piece};
use crate::protocol::{Op, Parts, Reader, error};
use crate::ring::Use;
use crate::store::{Access, Place};
use crate::vault::Opened;
use crate::{Memory, VaultError};
use held::HeldKey;
pub(crate) use lanes::Places;
use live::Live;

/// What a vault process is started with.
#[derive(Clone)]
pub struct Spec {
    /// Whose vault.
    pub country: Country,
    /// The program and its arguments: they lead to [`crate::child::run`].
    pub program: (PathBuf, Vec<String>),
    /// The keys, in the order of their numbers.
    pub keys: Vec<(Use, Source)>,
    /// Refuses to start without secret memory.
    pub secret: bool,
    /// Whom it becomes when it is started as root.
    pub user: u32,
    /// Where its sealed store is, when there is one.
    pub store: Option<(Place, Access)>,
}

/// Where a key comes from.
#[derive(Clone)]
pub enum Source {
    /// A file that the vault reads, and nobody else.
    File(PathBuf),
    /// The key of this name in the sealed store; this file where the store has none.
    Named(String, PathBuf),
    /// Its contents: for keys that were made a moment ago.
    Bytes(Arc<Zeroizing<Vec<u8>>>),
}

/// Why a vault process did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The program did not run, or its lanes could not be made.
    #[error("cannot start the vault process: {0}")]
    Io(#[from] io::Error),
    /// It says why.
    #[error("the vault process does not start: {0}")]
    Refused(String),
    /// Started again, it found other keys than before.
    #[error("the vault process found other keys than before: reload (SIGHUP) to use them")]
    OtherKeys,
}

/// A vault process, started again when it died. Cloning shares it.
#[derive(Clone)]
pub struct Process(Arc<Inner>);

struct Inner {
    spec: Spec,
    live: RwLock<Arc<Live>>,
    starting: Mutex<()>,
    starts: AtomicU64,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Process({}, {})", self.0.spec.country, self.id())
    }
}

impl Process {
    /// Starts it: it has read its keys and locked itself in when this returns.
    pub fn start(spec: Spec) -> Result<Self, StartError> {
        let live = RwLock::new(Arc::new(Live::start(&spec)?));
        let (starting, starts) = (Mutex::default(), AtomicU64::new(1));
        Ok(Self(Arc::new(Inner { spec, live, starting, starts })))
    }

    /// The key of this number, as somebody else's code takes it.
    pub fn key(&self, number: u16) -> PrivateKey {
        PrivateKey::Held(Arc::new(HeldKey { process: self.clone(), number }))
    }

    /// The public half of the key of this number, when it signs.
    pub fn public_of(&self, number: u16) -> Option<Vec<u8>> {
        self.live().publics.get(usize::from(number)).filter(|public| !public.is_empty()).cloned()
    }

    /// The number of the key whose public half this is.
    pub(crate) fn number_of(&self, public: &[u8]) -> Option<u16> {
        let number =
            self.live().publics.iter().position(|known| known == public && !known.is_empty())?;
        u16::try_from(number).ok()
    }

    /// How many connections of [`crate::last_hop`] it takes.
    pub(crate) fn room(&self) -> Room {
        self.live().room
    }

    /// Whether both are one vault, however often it was started.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// 32 bytes that the secret of this number and the message make (HMAC-SHA256).
    pub fn derive(&self, number: u16, message: &[u8]) -> Result<[u8; 32], VaultError> {
        let head = Parts::of(Op::Derive).raw(&number.to_be_bytes()).0;
        let made = self.call(&head, &[message])?;
        made.get(1..).and_then(|made| made.try_into().ok()).ok_or(VaultError::Gone)
    }

    /// Whose vault.
    pub fn country(&self) -> Country {
        self.0.spec.country
    }

    /// What its keys lie in.
    pub fn memory(&self) -> Memory {
        self.live().memory
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.live().child.id()
    }

    /// How often it was started: 1 when it never died.
    pub fn starts(&self) -> u64 {
        self.0.starts.load(Ordering::Relaxed)
    }

    /// The counter of the sealed store that its keys came from: it grows with each start.
    pub fn counter(&self) -> Option<u64> {
        Some(self.live().counter).filter(|counter| *counter != 0)
    }

    /// A round trip with nothing in it but these bytes.
    pub fn ping(&self, bytes: &[u8]) -> Result<(), VaultError> {
        let back = self.call(&[Op::Ping as u8], &[bytes])?;
        if back.get(1..) == Some(bytes) { Ok(()) } else { Err(VaultError::Gone) }
    }

    /// Has the process try this; an answer says that it survived.
    #[cfg(debug_assertions)]
    pub fn attack(&self, attack: crate::attack::Attack) -> io::Result<()> {
        let number = crate::attack::Attack::ALL.iter().position(|known| *known == attack);
        let number = number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX);
        self.live().exchange(&[crate::attack::OP, number], &[]).map(drop)
    }

    /// The public half of its X-Wing key, of a process that answers, which start that is of, and
    /// the counter of its store.
    pub(crate) fn public(&self) -> Result<(Vec<u8>, u64, u64), VaultError> {
        self.ping(&[])?;
        let live = self.live();
        Ok((live.public.clone(), self.starts(), live.counter))
    }

    pub(crate) fn seal_request(
        &self,
        to: &Target<'_>,
        (address, delivery): (Address, Delivery),
        bound: &[u8; 32],
        pieces: &[Piece<'_>],
        now: Timestamp,
    ) -> Result<(Bytes, Pending), VaultError> {
        let head = Parts::of(Op::SealRequest).target(to).time(now).address(&address);
        let head = head.delivery(delivery).raw(bound).pieces(pieces)?;
        let answer = self.call_with(&head.0, pieces)?;
        let mut read = Reader::new(&answer, 1);
        let pending = read.pending().map_err(|_| VaultError::Gone)?;
        let at = read.at;
        Ok((Bytes::from(answer).slice(at..), pending))
    }

    pub(crate) fn open_request(
        &self,
        sealed: &[u8],
        bound: &[u8; 32],
    ) -> Result<Opened, VaultError> {
        let answer = self.call(&Parts::of(Op::OpenRequest).raw(bound).0, &[sealed])?;
        let answer = Bytes::from(answer);
        let mut read = Reader::new(&answer, 1);
        let reply = read.token().map_err(|_| VaultError::Gone)?;
        let pieces = read.opened(&answer).map_err(|_| VaultError::Gone)?;
        Ok(Opened { address: reply.address, pieces, reply })
    }

    pub(crate) fn seal_response(
        &self,
        reply: &ReplyToken,
        to: &Target<'_>,
        bound: &[u8; 32],
        pieces: &[Piece<'_>],
        now: Timestamp,
    ) -> Result<Bytes, VaultError> {
        let head = Parts::of(Op::SealResponse).token(reply).target(to).time(now);
        let head = head.raw(bound).pieces(pieces)?;
        Ok(Bytes::from(self.call_with(&head.0, pieces)?).slice(1..))
    }

    pub(crate) fn open_response(
        &self,
        pending: &Pending,
        sealed: &[u8],
        bound: &[u8; 32],
        outlet: Outlet<'_>,
    ) -> Result<Delivered, VaultError> {
        let head = Parts::of(Op::OpenResponse).pending(pending).raw(bound).outlet(outlet);
        let answer = Bytes::from(self.call(&head.0, &[sealed])?);
        Reader::new(&answer, 1).delivered(&answer).map_err(|_| VaultError::Gone)
    }

    pub(crate) fn keep(&self, label: &[u8], document: &[u8]) -> Result<Bytes, VaultError> {
        let head = Parts::of(Op::Keep).part(label);
        Ok(Bytes::from(self.call(&head.0, &[document])?).slice(1..))
    }

    /// With [`Op::Look`] nothing but that it opens, with [`Op::HandOut`] the document.
    pub(crate) fn take_out(
        &self,
        op: Op,
        label: &[u8],
        sealed: &[u8],
    ) -> Result<Bytes, VaultError> {
        let head = Parts::of(op).part(label);
        Ok(Bytes::from(self.call(&head.0, &[sealed])?).slice(1..))
    }

    fn call_with(&self, head: &[u8], pieces: &[Piece<'_>]) -> Result<Vec<u8>, VaultError> {
        let slices: Vec<&[u8]> = pieces.iter().flat_map(|piece| piece.slices()).collect();
        self.call(head, &slices)
    }

    /// One request and its answer, whose first byte is 0. A process that died is started again, and
    /// asked once more.
    pub(crate) fn call(&self, head: &[u8], body: &[&[u8]]) -> Result<Vec<u8>, VaultError> {
        for _ in 0..2 {
            let live = self.live();
            match live.exchange(head, body) {
                Ok(answer) => {
                    let status = answer.first().copied().unwrap_or(u8::MAX);
                    return if status == 0 { Ok(answer) } else { Err(error(status)) };
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    return Err(VaultError::Malformed);
                }
                Err(_) => self.restart(&live)?,
            }
        }
        Err(VaultError::Gone)
    }

    /// One request to a process that lives; one that died is not started for it.
    pub(crate) fn call_alive(&self, head: &[u8]) -> Result<Vec<u8>, VaultError> {
        let answer = self.live().exchange(head, &[]).map_err(|_| VaultError::Gone)?;
        let status = answer.first().copied().unwrap_or(u8::MAX);
        if status == 0 { Ok(answer) } else { Err(error(status)) }
    }

    /// Starts it again, unless somebody did since `dead` was seen dead.
    fn restart(&self, dead: &Arc<Live>) -> Result<(), VaultError> {
        let _one = self.0.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&self.live(), dead) {
            return Ok(());
        }
        let next = Live::start(&self.0.spec).map_err(|_| VaultError::Gone)?;
        if next.fingerprint != dead.fingerprint {
            return Err(VaultError::Gone);
        }
        *self.0.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        self.0.starts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn live(&self) -> Arc<Live> {
        Arc::clone(&self.0.live.read().unwrap_or_else(PoisonError::into_inner))
    }
}
