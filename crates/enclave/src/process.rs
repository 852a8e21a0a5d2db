//! A vault in a process of its own, as its node sees it.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::Duration;

use bytes::Bytes;
use exchange::Country;
use jiff::Timestamp;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use trust::encryption::WrappedKey;
use trust::private::{Holder, PrivateKey};
use trust::seal::Scheme;
use zeroize::Zeroizing;

use crate::child::{MAX_LANES, REFUSED};
use crate::core::{Pending, ReplyToken, Target};
use crate::header::Address;
use crate::protocol::{Op, Parts, Reader, SCHEMES, VERSION, error, read_frame, write_frame};
use crate::ring::Use;
use crate::vault::Opened;
use crate::{Memory, VaultError};

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
}

/// Where a key comes from.
#[derive(Clone)]
pub enum Source {
    /// A file that the vault reads, and nobody else.
    File(PathBuf),
    /// Its contents: for keys that were made a moment ago.
    Bytes(Arc<Zeroizing<Vec<u8>>>),
}

/// Why a vault process did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The program did not run, or its sockets could not be made.
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

/// One life of the process.
struct Live {
    lanes: Vec<Mutex<UnixStream>>,
    /// Closed, it ends the process.
    _control: UnixStream,
    child: Child,
    memory: Memory,
    fingerprint: Vec<u8>,
    /// Of the X-Wing key.
    public: Vec<u8>,
    /// Of the keys that sign, by number.
    publics: Vec<Vec<u8>>,
}

impl Drop for Live {
    fn drop(&mut self) {
        // it has nothing that would be lost
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

    /// 32 bytes that the secret of this number and the message make (HMAC-SHA256).
    pub fn derive(&self, number: u16, message: &[u8]) -> Result<[u8; 32], VaultError> {
        let head = Parts::of(Op::Derive).raw(&number.to_be_bytes()).0;
        let made = self.call(&head, message)?;
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

    /// A round trip with nothing in it but these bytes.
    pub fn ping(&self, bytes: &[u8]) -> Result<(), VaultError> {
        let back = self.call(&[Op::Ping as u8], bytes)?;
        if back.get(1..) == Some(bytes) { Ok(()) } else { Err(VaultError::Gone) }
    }

    /// Has the process try this; an answer says that it survived.
    #[cfg(debug_assertions)]
    pub fn attack(&self, attack: crate::attack::Attack) -> io::Result<()> {
        let number = crate::attack::Attack::ALL.iter().position(|known| *known == attack);
        let number = number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX);
        self.live().exchange(&[crate::attack::OP, number], &[]).map(drop)
    }

    /// The public half of its X-Wing key, of a process that answers, and which start that is of.
    pub(crate) fn public(&self) -> Result<(Vec<u8>, u64), VaultError> {
        self.ping(&[])?;
        Ok((self.live().public.clone(), self.starts()))
    }

    pub(crate) fn seal_request(
        &self,
        to: &Target<'_>,
        address: Address,
        bound: &[u8; 32],
        plaintext: &[u8],
        now: Timestamp,
    ) -> Result<(Bytes, Pending), VaultError> {
        let head = Parts::of(Op::SealRequest)
            .raw(to.country.as_str().as_bytes())
            .time(to.not_after)
            .time(now)
            .part(to.key)
            .address(&address)
            .raw(bound);
        let answer = self.call(&head.0, plaintext)?;
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
        let answer = self.call(&Parts::of(Op::OpenRequest).raw(bound).0, sealed)?;
        let mut read = Reader::new(&answer, 1);
        let reply = read.token().map_err(|_| VaultError::Gone)?;
        let at = read.at;
        Ok(Opened { address: reply.address, plaintext: Bytes::from(answer).slice(at..), reply })
    }

    pub(crate) fn seal_response(
        &self,
        reply: &ReplyToken,
        bound: &[u8; 32],
        plaintext: &[u8],
    ) -> Result<Bytes, VaultError> {
        let head = Parts::of(Op::SealResponse).token(reply).raw(bound);
        Ok(Bytes::from(self.call(&head.0, plaintext)?).slice(1..))
    }

    pub(crate) fn open_response(
        &self,
        pending: &Pending,
        sealed: &[u8],
        bound: &[u8; 32],
    ) -> Result<Bytes, VaultError> {
        let head = Parts::of(Op::OpenResponse).pending(pending).raw(bound);
        Ok(Bytes::from(self.call(&head.0, sealed)?).slice(1..))
    }

    /// One request and its answer, whose first byte is 0. A process that died is started again, and
    /// asked once more.
    fn call(&self, head: &[u8], body: &[u8]) -> Result<Vec<u8>, VaultError> {
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

impl Live {
    fn start(spec: &Spec) -> Result<Self, StartError> {
        let (mut control, theirs) = UnixStream::pair()?;
        let mut child = Command::new(&spec.program.0)
            .args(&spec.program.1)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()?;
        let made = Self::greet(&mut control, spec);
        match made {
            Ok((lanes, hello)) => {
                let memory = match hello.first() {
                    Some(1) => Memory::Secret,
                    _ => Memory::Ordinary,
                };
                let fingerprint = hello.get(1..33).unwrap_or_default().to_vec();
                let mut read = Reader::new(&hello, 33);
                let mut publics = Vec::new();
                while let Ok(public) = read.part() {
                    publics.push(public.to_vec());
                }
                let public = if publics.is_empty() { Vec::new() } else { publics.remove(0) };
                let lanes = lanes.into_iter().map(Mutex::new).collect();
                Ok(Self { lanes, _control: control, child, memory, fingerprint, public, publics })
            }
            Err(error) => {
                let _ = child.kill();
                match (error, child.wait()) {
                    (StartError::Io(_), Ok(status)) => {
                        Err(StartError::Refused(format!("it ended ({status})")))
                    }
                    (error, _) => Err(error),
                }
            }
        }
    }

    /// Gives the lanes and the keys, and waits until the process serves.
    fn greet(
        control: &mut UnixStream,
        spec: &Spec,
    ) -> Result<(Vec<UnixStream>, Vec<u8>), StartError> {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let pairs: Vec<_> = (0..(2 * threads).min(MAX_LANES))
            .map(|_| UnixStream::pair())
            .collect::<io::Result<_>>()?;
        let theirs: Vec<BorrowedFd<'_>> = pairs.iter().map(|pair| pair.1.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_LANES))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&theirs));
        sendmsg(&*control, &[IoSlice::new(&[VERSION])], &mut ancillary, SendFlags::NOSIGNAL)
            .map_err(io::Error::from)?;
        let mut open = Parts::default()
            .raw(spec.country.as_str().as_bytes())
            .raw(&[u8::from(spec.secret)])
            .raw(&spec.user.to_be_bytes());
        for (purpose, source) in &spec.keys {
            let number = Use::ALL.iter().position(|known| known == purpose);
            let number = number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX);
            open = match source {
                Source::File(path) => {
                    open.raw(&[number, 0]).part(path.as_os_str().as_encoded_bytes())
                }
                Source::Bytes(bytes) => open.raw(&[number, 1]).part(bytes),
            };
        }
        let open = Zeroizing::new(open.0);
        control.set_read_timeout(Some(START))?;
        write_frame(control, &[&open])?;
        let mut hello = Vec::new();
        if !read_frame(control, &mut hello)? {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if hello.first() == Some(&REFUSED) {
            return Err(StartError::Refused(String::from_utf8_lossy(&hello[1..]).into_owned()));
        }
        control.set_read_timeout(None)?;
        let lanes = pairs.into_iter().map(|pair| {
            pair.0.set_read_timeout(Some(ANSWER))?;
            pair.0.set_write_timeout(Some(ANSWER))?;
            Ok(pair.0)
        });
        Ok((lanes.collect::<io::Result<_>>()?, hello.split_off(1)))
    }

    fn exchange(&self, head: &[u8], body: &[u8]) -> io::Result<Vec<u8>> {
        let mut lane = self.lane();
        write_frame(&mut *lane, &[head, body])?;
        let mut answer = Vec::new();
        if read_frame(&mut *lane, &mut answer)? {
            Ok(answer)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// A free lane, or the one whose turn it is.
    fn lane(&self) -> MutexGuard<'_, UnixStream> {
        thread_local!(static FIRST: usize = NEXT.fetch_add(1, Ordering::Relaxed));
        let first = FIRST.with(|first| *first);
        let lanes = self.lanes.len();
        for step in 0..lanes {
            match self.lanes[(first + step) % lanes].try_lock() {
                Ok(lane) => return lane,
                Err(TryLockError::Poisoned(lane)) => return lane.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.lanes[first % lanes].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key of a vault process.
struct HeldKey {
    process: Process,
    number: u16,
}

impl Holder for HeldKey {
    fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        let known = SCHEMES.iter().position(|known| *known == scheme)?;
        let head =
            Parts::of(Op::Sign).raw(&self.number.to_be_bytes()).raw(&[u8::try_from(known).ok()?]);
        let mut made = self.process.call(&head.0, message).ok()?;
        made.remove(0);
        Some(made)
    }

    fn unwrap(&self, wrapped: &WrappedKey) -> Option<Zeroizing<Vec<u8>>> {
        let head = Parts::of(Op::Unwrap).raw(&self.number.to_be_bytes());
        let found = Zeroizing::new(self.process.call(&head.0, &wrapped.encode()).ok()?);
        Some(Zeroizing::new(found[1..].to_vec()))
    }
}

/// Threads take their first lane in turn.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// A vault that has not started by then does not start.
const START: Duration = Duration::from_secs(20);
/// A vault that has not answered by then hangs.
const ANSWER: Duration = Duration::from_secs(20);
