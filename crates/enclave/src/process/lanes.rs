//! The lanes of a vault process, and who takes which.

use std::io::{self, IoSlice, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
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
    lane: Lane<Patient<PipeReader>, Patient<PipeWriter>>,
    /// Whether the next answer on it is that to the next request. Where a call ended early, the answer may
    /// still come, and would be taken for somebody else's.
    sound: bool,
}

impl Lanes {
    /// New ones, and what the vault needs of them: of each two pipes and a region.
    pub(super) fn new() -> io::Result<(Self, Vec<OwnedFd>)> {
        let number = (2 * cpus().len()).clamp(2, MAX_LANES);
        let (mut all, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..number {
            let ((asked, ask), (answers, answered)) = (io::pipe()?, io::pipe()?);
            ioctl_fionbio(&ask, true)?;
            let (region, shared) = Region::new()?;
            let lane = Lane::new(Patient(answers), Patient(ask), region);
            all.push(Mutex::new(End { lane, sound: true }));
            theirs.extend([asked.into(), answered.into(), shared]);
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

/// The node's end of a pipe: it waits for a vault, but not for ever.
struct Patient<P>(P);

impl Read for Patient<PipeReader> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        ready(&self.0, PollFlags::IN)?;
        self.0.read(into)
    }
}

impl Write for Patient<PipeWriter> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match self.0.write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready(&self.0, PollFlags::OUT)?;
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until the pipe can be read or written, or its other end is closed.
fn ready(pipe: &impl AsFd, how: PollFlags) -> io::Result<()> {
    loop {
        match poll(&mut [PollFd::new(pipe, how)], Some(&ANSWER)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Err(Errno::INTR) => {}
            done => return Ok(done.map(drop)?),
        }
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
const ANSWER: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use exchange::Country;

    use super::*;
    use crate::core::Core;
    use crate::protocol::{MAX_FRAME, REGION, serve, write_frame};
    use crate::ring::Ring;

    /// The vault's ends, as it gets them.
    fn ends() -> (Lanes, Vec<(PipeReader, PipeWriter, OwnedFd)>) {
        let (lanes, theirs) = Lanes::new().unwrap();
        let mut theirs = theirs.into_iter();
        let mut all = Vec::new();
        while let (Some(from), Some(to), Some(region)) =
            (theirs.next(), theirs.next(), theirs.next())
        {
            all.push((from.into(), to.into(), region));
        }
        (lanes, all)
    }

    #[test]
    fn an_answer_that_comes_late_is_nobody_elses() {
        let (lanes, mut theirs) = ends();
        for (_, to, _) in &mut theirs {
            // a frame that is too long, and then the answer to some earlier question
            to.write_all(&[0x7f; 4]).unwrap();
            write_frame(to, &[&[0], b"of another patient"]).unwrap();
        }
        for _ in 0..4 * theirs.len() {
            lanes.exchange(&[&[1]]).unwrap_err();
        }
    }

    #[test]
    fn a_lane_takes_what_follows_a_request_that_was_too_long() {
        let (lanes, mut theirs) = ends();
        let megabyte = vec![0; 1 << 20];
        let long = [&megabyte[..]; (MAX_FRAME >> 20) + 1];
        for _ in 0..4 * theirs.len() {
            let error = lanes.exchange(&long).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        for (_, to, _) in &mut theirs {
            write_frame(to, &[&[0], b"here"]).unwrap();
        }
        assert_eq!(lanes.exchange(&[&[1]]).unwrap(), b"\0here");
    }

    #[test]
    fn nothing_of_a_document_stays_between_a_node_and_its_vault() {
        let core = Arc::new(Core::new(Country::parse("DK").unwrap(), Ring::default()));
        let (lanes, theirs) = ends();
        let mut shared = Vec::new();
        for (from, to, region) in theirs {
            let (core, taken) = (Arc::clone(&core), Region::of(region.as_fd()).unwrap());
            std::thread::spawn(move || serve(&core, &mut Lane::new(from, to, taken)));
            shared.push(Region::of(region.as_fd()).unwrap());
        }
        // a ping comes back, garbage does not: what was sent is wiped as well
        for op in [1, 99] {
            let answer = lanes.exchange(&[&[op], &vec![7; 500_000]]).unwrap();
            assert_eq!(answer.len(), if op == 1 { 500_001 } else { 1 });
        }
        for region in shared {
            let mut left = Vec::new();
            region.take(REGION, &mut left);
            assert!(left.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn a_vault_that_is_gone_is_noticed_before_and_within_a_long_request() {
        let (lanes, theirs) = ends();
        let long = vec![0; 2 * REGION];
        let gone = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            drop(theirs);
        });
        let error = lanes.exchange(&[&long]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        gone.join().unwrap();
        lanes.exchange(&[&[1]]).unwrap_err();
    }
}
