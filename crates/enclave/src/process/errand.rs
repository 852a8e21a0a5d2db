//! What a vault process is started for beside serving a node: to make, show, share out and recover the
//! sealed store. It does one such errand and ends; no key comes back to who asked.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use exchange::Country;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::StartError;
use super::lanes::Lanes;
use crate::VaultError;
use crate::child::{MAX_LANES, REFUSED};
use crate::protocol::{Parts, Reader, VERSION, read_frame, write_frame};
use crate::ring::Use;
use crate::root::RootId;
use crate::store::{self, Place, Seen};

/// One errand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// Moves the keys in these files into the store, under these names; makes the store, and its root
    /// key, where there is none. A key whose file is gone stays as it is in the store.
    Import(Vec<(Use, String, PathBuf)>),
    /// Says what is in the store.
    Show,
    /// Writes the recovery shares of the root key into files of this folder.
    Share {
        /// How many.
        of: u8,
        /// How many of them make the root key again.
        need: u8,
        /// Where.
        folder: PathBuf,
    },
    /// Makes the root key again from shares, keeps it at its source, and writes the next store.
    Recover {
        /// Files of shares.
        shares: Vec<PathBuf>,
        /// Takes an older state.
        accept_older: bool,
    },
}

/// How it went: nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The store's counter.
    pub counter: u64,
    /// Where the log was when it was written.
    pub seen: Option<Seen>,
    /// Which root key.
    pub root: RootId,
    /// Uses and names of its keys.
    pub keys: Vec<(Use, String)>,
    /// How the state is older than one that there was.
    pub older: Option<String>,
    /// Files whose keys were taken, or that were written.
    pub files: Vec<PathBuf>,
}

/// Has a vault process of this country do it; `secret` as in [`super::Spec`].
pub fn run(
    program: &(PathBuf, Vec<String>),
    (country, secret): (Country, bool),
    place: &Place,
    errand: &Errand,
) -> Result<Report, StartError> {
    let (mut control, theirs) = UnixStream::pair()?;
    let mut child = Command::new(&program.0)
        .args(&program.1)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()?;
    let question = Parts(vec![errand.verb(), u8::from(secret)]).raw(country.as_str().as_bytes());
    let question = errand.write(place.write(question));
    let answer = ask(&mut control, &question.0);
    drop(control);
    let ended = child.wait()?;
    let Ok(answer) = answer else {
        return Err(StartError::Refused(format!("it ended ({ended})")));
    };
    match answer.split_first() {
        Some((&REFUSED, said)) => {
            Err(StartError::Refused(String::from_utf8_lossy(said).into_owned()))
        }
        _ => Report::decode(&answer).map_err(|error| StartError::Refused(error.to_string())),
    }
}

/// One question and its answer, to a process that has just been started.
pub(crate) fn ask(control: &mut UnixStream, question: &[u8]) -> io::Result<Vec<u8>> {
    control.set_read_timeout(Some(PATIENCE))?;
    // lanes that nothing comes on
    let (_ours, theirs) = Lanes::new()?;
    let fds: Vec<BorrowedFd<'_>> = theirs.iter().map(OwnedFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3 * MAX_LANES))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    sendmsg(&*control, &[IoSlice::new(&[VERSION])], &mut ancillary, SendFlags::NOSIGNAL)?;
    write_frame(control, &[question])?;
    let mut answer = Vec::new();
    if read_frame(control, &mut answer)? {
        Ok(answer)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

impl Errand {
    fn verb(&self) -> u8 {
        match self {
            Self::Import(_) => IMPORT,
            Self::Show => SHOW,
            Self::Share { .. } => SHARE,
            Self::Recover { .. } => RECOVER,
        }
    }

    fn write(&self, parts: Parts) -> Parts {
        let of_path =
            |parts: Parts, path: &PathBuf| parts.part(path.as_os_str().as_encoded_bytes());
        match self {
            Self::Import(keys) => keys.iter().fold(parts, |parts, (purpose, name, path)| {
                let parts = parts.raw(&[number(*purpose)]).part(name.as_bytes());
                of_path(parts, path)
            }),
            Self::Show => parts,
            Self::Share { of, need, folder } => of_path(parts.raw(&[*of, *need]), folder),
            Self::Recover { shares, accept_older } => {
                shares.iter().fold(parts.raw(&[u8::from(*accept_older)]), of_path)
            }
        }
    }

    /// The errand, and whether it demands secret memory.
    pub(crate) fn decode(frame: &[u8]) -> Result<(Self, bool, Country, Place), VaultError> {
        let mut read = Reader::new(frame, 0);
        let [verb, secret] = read.take()?;
        let (country, place) = (read.country()?, Place::read(&mut read)?);
        let errand = match verb {
            IMPORT => {
                let mut keys = Vec::new();
                while read.at < frame.len() {
                    let purpose = purpose(read.take()?)?;
                    keys.push((purpose, store::text(read.part()?)?, store::path(read.part()?)));
                }
                Self::Import(keys)
            }
            SHOW => Self::Show,
            SHARE => {
                let [of, need] = read.take()?;
                Self::Share { of, need, folder: store::path(read.part()?) }
            }
            RECOVER => {
                let [older] = read.take()?;
                let mut shares = Vec::new();
                while read.at < frame.len() {
                    shares.push(store::path(read.part()?));
                }
                Self::Recover { shares, accept_older: older == 1 }
            }
            _ => return Err(VaultError::Malformed),
        };
        Ok((errand, secret == 1, country, place))
    }
}

impl Report {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut parts = Parts(vec![0]).raw(&self.counter.to_be_bytes()).raw(&self.root.0);
        parts = match &self.seen {
            None => parts.raw(&[0]),
            Some(seen) => {
                let parts = parts.raw(&[1]).raw(&seen.size.to_be_bytes()).raw(&seen.root);
                parts.part(seen.origin.as_bytes())
            }
        };
        parts = parts.part(self.older.as_deref().unwrap_or_default().as_bytes());
        for (purpose, name) in &self.keys {
            parts = parts.raw(&[1, number(*purpose)]).part(name.as_bytes());
        }
        for file in &self.files {
            parts = parts.raw(&[0, 0]).part(file.as_os_str().as_encoded_bytes());
        }
        parts.0
    }

    fn decode(answer: &[u8]) -> Result<Self, VaultError> {
        let mut read = Reader::new(answer, 1);
        let counter = u64::from_be_bytes(read.take()?);
        let root = RootId(read.take()?);
        let seen = match read.take()? {
            [0] => None,
            _ => {
                let (size, root) = (u64::from_be_bytes(read.take()?), read.take()?);
                Some(Seen { origin: store::text(read.part()?)?, size, root })
            }
        };
        let older = Some(store::text(read.part()?)?).filter(|older| !older.is_empty());
        let (mut keys, mut files) = (Vec::new(), Vec::new());
        while read.at < answer.len() {
            let [kind, number] = read.take()?;
            match kind {
                0 => files.push(store::path(read.part()?)),
                _ => keys.push((purpose([number])?, store::text(read.part()?)?)),
            }
        }
        Ok(Self { counter, seen, root, keys, older, files })
    }
}

fn number(purpose: Use) -> u8 {
    let number = Use::ALL.iter().position(|known| *known == purpose);
    number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX)
}

fn purpose([number]: [u8; 1]) -> Result<Use, VaultError> {
    Use::ALL.get(usize::from(number)).copied().ok_or(VaultError::Malformed)
}

const IMPORT: u8 = 1;
const SHOW: u8 = 2;
const SHARE: u8 = 3;
const RECOVER: u8 = 4;
/// A TPM may take its time.
const PATIENCE: Duration = Duration::from_secs(60);
