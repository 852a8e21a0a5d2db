//! The lanes of a vault process, and who takes which.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

use crate::child::MAX_LANES;
use crate::protocol::{Lane, Region};

/// The node's ends of the lanes.
pub(super) struct Lanes {
    all: Vec<Mutex<End>>,
    places: Places,
}

/// The node's end of a lane.
struct End {
    lane: Lane<UnixStream>,
    /// Whether the next answer on it is that to the next request. Where a call ended early, the answer may
    /// still come, and would be taken for somebody else's.
    sound: bool,
}

impl Lanes {
    /// New ones, and what the vault needs of them: of each a socket and a region.
    pub(super) fn new() -> io::Result<(Self, Vec<OwnedFd>)> {
        let number = (2 * cpus().len()).clamp(2, MAX_LANES);
        let (mut all, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..number {
            let (ours, socket) = UnixStream::pair()?;
            ours.set_read_timeout(Some(ANSWER))?;
            ours.set_write_timeout(Some(ANSWER))?;
            let (region, shared) = Region::new()?;
            all.push(Mutex::new(End { lane: Lane::new(ours, region), sound: true }));
            theirs.extend([socket.into(), shared]);
        }
        Ok((Self { all, places: Places::of(number) }, theirs))
    }

    /// One request of these parts, and its answer.
    pub(super) fn exchange(&self, parts: &[&[u8]]) -> io::Result<Vec<u8>> {
        let mut end = self.free();
        let End { lane, sound } = &mut *end;
        if !std::mem::take(sound) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // what is too long was not sent
        let sent = lane.send(parts).inspect_err(|error| {
            *sound = error.kind() == io::ErrorKind::InvalidInput;
        })?;
        let mut answer = Vec::new();
        let got = lane.receive(&mut answer)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        lane.wipe(sent.max(got));
        *sound = true;
        Ok(answer)
    }

    /// A free lane, the nearest first, or the one whose turn it is.
    fn free(&self) -> MutexGuard<'_, End> {
        let first = self.places.here();
        let lanes = self.all.len();
        for step in 0..lanes {
            match self.all[(first + step) % lanes].try_lock() {
                Ok(end) => return end,
                Err(TryLockError::Poisoned(end)) => return end.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.all[first % lanes].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which lane lives on which CPU. The vault's thread of a lane stays on one, and a thread of the node takes a
/// lane of the CPU where it runs: it waits for the answer anyway, so that nothing is lost by working in its
/// place, and no other CPU must be woken, which is most of what a short call costs on a virtual machine.
pub(crate) struct Places {
    /// The CPU of each lane; empty when there are fewer lanes than CPUs.
    cpus: Vec<usize>,
}

impl Places {
    /// For so many lanes. Both ends come to the same: the vault inherits the node's CPUs.
    pub(crate) fn of(lanes: usize) -> Self {
        let cpus = cpus();
        let each = lanes / cpus.len().max(1);
        let cpus = cpus.into_iter().flat_map(|cpu| std::iter::repeat_n(cpu, each)).collect();
        Self { cpus }
    }

    /// The calling thread stays on the CPU of this lane. Where that is not allowed it goes on without.
    pub(crate) fn stay(&self, lane: usize) {
        if let Some(cpu) = self.cpus.get(lane) {
            let mut only = CpuSet::new();
            only.set(*cpu);
            let _ = sched_setaffinity(None, &only);
        }
    }

    /// The first lane of the CPU that the calling thread runs on.
    fn here(&self) -> usize {
        let cpu = sched_getcpu();
        self.cpus.iter().position(|of| *of == cpu).unwrap_or(cpu)
    }
}

/// The CPUs that the calling thread may run on.
fn cpus() -> Vec<usize> {
    let Ok(allowed) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect()
}

/// A vault that has not answered by then hangs.
const ANSWER: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsFd as _;
    use std::sync::Arc;

    use exchange::Country;

    use super::*;
    use crate::core::Core;
    use crate::protocol::{MAX_FRAME, REGION, serve, write_frame};
    use crate::ring::Ring;

    #[test]
    fn an_answer_that_comes_late_is_nobody_elses() {
        let (lanes, theirs) = Lanes::new().unwrap();
        let mut sockets: Vec<UnixStream> = Vec::new();
        for socket in theirs.into_iter().step_by(2) {
            let mut socket = UnixStream::from(socket);
            // a frame that is too long, and then the answer to some earlier question
            socket.write_all(&[0x7f; 4]).unwrap();
            write_frame(&mut socket, &[&[0], b"of another patient"]).unwrap();
            sockets.push(socket);
        }
        for _ in 0..4 * sockets.len() {
            lanes.exchange(&[&[1]]).unwrap_err();
        }
    }

    #[test]
    fn a_lane_takes_what_follows_a_request_that_was_too_long() {
        let (lanes, theirs) = Lanes::new().unwrap();
        let mut sockets: Vec<_> =
            theirs.into_iter().step_by(2).map(|socket| UnixStream::from(socket)).collect();
        let megabyte = vec![0; 1 << 20];
        let long = [&megabyte[..]; (MAX_FRAME >> 20) + 1];
        for _ in 0..4 * sockets.len() {
            let error = lanes.exchange(&long).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        for socket in &mut sockets {
            write_frame(socket, &[&[0], b"here"]).unwrap();
        }
        assert_eq!(lanes.exchange(&[&[1]]).unwrap(), b"\0here");
    }

    #[test]
    fn nothing_of_a_document_stays_between_a_node_and_its_vault() {
        let core = Arc::new(Core::new(Country::parse("DK").unwrap(), Ring::default()));
        let (lanes, theirs) = Lanes::new().unwrap();
        let (pairs, _) = theirs.as_chunks::<2>();
        let mut shared = Vec::new();
        for [socket, region] in pairs {
            let core = Arc::clone(&core);
            let socket = UnixStream::from(socket.try_clone().unwrap());
            let taken = Region::of(region.as_fd()).unwrap();
            std::thread::spawn(move || serve(&core, &mut Lane::new(socket, taken)));
            shared.push(Region::of(region.as_fd()).unwrap());
        }
        // a ping comes back, garbage does not: what was sent is wiped as well
        for op in [1, 99] {
            let answer = lanes.exchange(&[&[op], &[7; 500_000]]).unwrap();
            assert_eq!(answer.len(), if op == 1 { 500_001 } else { 1 });
        }
        for region in shared {
            let mut left = Vec::new();
            region.take(REGION, &mut left);
            assert!(left.iter().all(|byte| *byte == 0));
        }
    }
}
