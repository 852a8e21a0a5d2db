//! One life of a vault process: how it is started, and its lanes.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use zeroize::Zeroizing;

use super::lanes::Lanes;
use super::{Source, Spec, StartError};
use crate::Memory;
use crate::child::{MAX_LANES, READS, REFUSED, SERVE, WRITES};
use crate::last_hop::Room;
use crate::protocol::{Parts, Reader, VERSION, read_frame, write_frame};
use crate::ring::Use;
use crate::store::Access;

/// One life of the process.
pub(super) struct Live {
    lanes: Lanes,
    /// Closed, it ends the process.
    _control: UnixStream,
    pub(super) child: Child,
    pub(super) memory: Memory,
    pub(super) fingerprint: Vec<u8>,
    /// How many connections it takes.
    pub(super) room: Room,
    /// Of the sealed store; 0 without one.
    pub(super) counter: u64,
    /// Of the X-Wing key.
    pub(super) public: Vec<u8>,
    /// Of the keys that sign, by number.
    pub(super) publics: Vec<Vec<u8>>,
}

impl Drop for Live {
    fn drop(&mut self) {
        // it has nothing that would be lost
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Live {
    pub(super) fn start(spec: &Spec) -> Result<Self, StartError> {
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
                let counter = read.take().map_or(0, u64::from_be_bytes);
                let mut most = || read.take().map_or(0, u32::from_be_bytes) as usize;
                let room = Room { connections: most(), handshakes: most() };
                let mut publics = Vec::new();
                while let Ok(public) = read.part() {
                    publics.push(public.to_vec());
                }
                let public = if publics.is_empty() { Vec::new() } else { publics.remove(0) };
                Ok(Self {
                    lanes,
                    _control: control,
                    child,
                    memory,
                    fingerprint,
                    room,
                    counter,
                    public,
                    publics,
                })
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
    fn greet(control: &mut UnixStream, spec: &Spec) -> Result<(Lanes, Vec<u8>), StartError> {
        let (lanes, theirs) = Lanes::new()?;
        let theirs: Vec<BorrowedFd<'_>> = theirs.iter().map(OwnedFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3 * MAX_LANES))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&theirs));
        sendmsg(&*control, &[IoSlice::new(&[VERSION])], &mut ancillary, SendFlags::NOSIGNAL)
            .map_err(io::Error::from)?;
        let mut open = Parts(vec![SERVE])
            .raw(spec.country.as_str().as_bytes())
            .raw(&[u8::from(spec.secret)])
            .raw(&spec.user.to_be_bytes());
        open = match &spec.store {
            None => open.raw(&[0]),
            Some((place, Access::Write)) => place.write(open.raw(&[WRITES])),
            Some((place, Access::Read)) => place.write(open.raw(&[READS])),
        };
        for (purpose, source) in &spec.keys {
            let number = Use::ALL.iter().position(|known| known == purpose);
            let number = number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX);
            open = match source {
                Source::File(path) => {
                    open.raw(&[number, 0]).part(path.as_os_str().as_encoded_bytes())
                }
                Source::Named(name, path) => open
                    .raw(&[number, 2])
                    .part(name.as_bytes())
                    .part(path.as_os_str().as_encoded_bytes()),
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
        Ok((lanes, hello.split_off(1)))
    }

    /// One request and its answer.
    pub(super) fn exchange(&self, head: &[u8], body: &[&[u8]]) -> io::Result<Vec<u8>> {
        self.lanes.exchange(&[&[head], body].concat())
    }
}

/// A vault that has not started by then does not start.
const START: Duration = Duration::from_secs(20);
