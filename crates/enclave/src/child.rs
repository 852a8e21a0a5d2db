//! What runs in a vault process: take the keys, lock the door, serve. Or one errand, before there are
//! doors to lock: [`errand`].

mod errand;
mod shelf;

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::sync::{Arc, Barrier};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::core::Core;
use crate::process::Places;
use crate::protocol::{Lane, Parts, Reader, Region, read_frame, serve, write_frame};
use crate::ring::{Ring, Use};
use crate::store::{self, Place};
use crate::{Memory, VaultError, lockdown, memory, protocol};
use shelf::Shelf;
pub(crate) use shelf::{READS, WRITES};

/// Serves the node at the other end of standard input until it is gone. To be called first in
/// `main`, before there is a second thread.
pub fn run() -> ExitCode {
    let kept = memory::enter();
    std::panic::set_hook(Box::new(|_| std::process::exit(PANICKED)));
    match start(kept) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "konfido vault: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(kept: Memory) -> Result<(), String> {
    lockdown::undumpable()?;
    let control = io::stdin().as_fd().try_clone_to_owned();
    // as a file: it needs no call that only sockets know, once it has its lanes
    let mut control = File::from(control.map_err(|e| e.to_string())?);
    let lanes = lanes(&control).map_err(|e| format!("is started by a node, not by hand: {e}"))?;
    let mut frame = Vec::new();
    read_frame(&mut control, &mut frame).map_err(|e| e.to_string())?;
    if frame.first().is_some_and(|verb| *verb != SERVE) {
        #[cfg(feature = "tpm")]
        if frame.first() == Some(&crate::tpm::TPM) {
            let answer = crate::tpm::answer(&frame, &control);
            return write_frame(&mut control, &[&answer]).map_err(|e| e.to_string());
        }
        let answer = errand::run(&frame, kept);
        return write_frame(&mut control, &[&answer]).map_err(|e| e.to_string());
    }
    let opened = open(&frame, kept);
    let (core, hello) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            write_frame(&mut control, &[&[REFUSED], error.as_bytes()])
                .map_err(|e| e.to_string())?;
            return Ok(());
        }
    };
    let (core, ready) = (Arc::new(core), Arc::new(Barrier::new(lanes.len() + 1)));
    let places = Arc::new(Places::of(lanes.len()));
    for (number, mut lane) in lanes.into_iter().enumerate() {
        let (core, ready, places) = (Arc::clone(&core), Arc::clone(&ready), Arc::clone(&places));
        std::thread::spawn(move || {
            places.stay(number);
            // once it runs, and once it may do nothing else any more
            ready.wait();
            ready.wait();
            let _ = serve(&core, &mut lane);
        });
    }
    ready.wait();
    lockdown::leave_calls()?;
    ready.wait();
    write_frame(&mut control, &[&hello]).map_err(|e| e.to_string())?;
    // nothing comes here any more; it ends when the node does
    let _ = read_frame(&mut control, &mut frame);
    std::process::exit(0)
}

/// The lanes that the node gave us, each two pipes and a region, with one byte: the version.
fn lanes(control: &File) -> io::Result<Vec<Lane<PipeReader, PipeWriter>>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3 * MAX_LANES))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut version = [0];
    let mut parts = [io::IoSliceMut::new(&mut version)];
    recvmsg(control, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let given = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let (mut given, mut lanes) = (given.flatten(), Vec::new());
    while let Some(from) = given.next() {
        let (Some(to), Some(region)) = (given.next(), given.next()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        lanes.push(Lane::new(from.into(), to.into(), Region::of(region.as_fd())?));
    }
    if version != [protocol::VERSION] || lanes.is_empty() {
        return Err(io::Error::other("no lanes of this version"));
    }
    Ok(lanes)
}

/// Reads the keys and gives up everything but calls.
fn open(frame: &[u8], kept: Memory) -> Result<(Core, Vec<u8>), String> {
    let malformed = |error: VaultError| error.to_string();
    let mut read = Reader::new(frame, 1);
    let country = read.country().map_err(malformed)?;
    let [demanded] = read.take().map_err(malformed)?;
    let user = u32::from_be_bytes(read.take().map_err(malformed)?);
    demand(demanded == 1, kept)?;
    let store = match read.take().map_err(malformed)? {
        [0] => None,
        [access] => Some((Place::read(&mut read).map_err(malformed)?, access)),
    };
    let mut shelf = Shelf::open(store, country)?;
    let mut ring = Ring::default();
    while read.at < frame.len() {
        let [purpose, kind] = read.take().map_err(malformed)?;
        let purpose = *Use::ALL.get(usize::from(purpose)).ok_or("unknown use of a key")?;
        let given = read.part().map_err(malformed)?;
        match kind {
            0 => shelf.add(purpose, "", &store::path(given), &mut ring)?,
            1 => ring.add(purpose, given)?,
            _ => {
                let name = store::text(given).map_err(malformed)?;
                let file = store::path(read.part().map_err(malformed)?);
                shelf.add(purpose, &name, &file, &mut ring)?;
            }
        }
    }
    let counter = shelf.close()?;
    counter.into_iter().for_each(|counter| ring.count(counter));
    lockdown::leave_root(user)?;
    lockdown::leave_files()?;
    let fingerprint = ring.fingerprint();
    let core = Core::new(country, ring);
    // the generator of chance opens what it needs before nothing can be opened any more
    aws_lc_rs::rand::fill(&mut [0; 1]).map_err(|_| "no chance")?;
    let hello = Parts(vec![0, u8::from(kept == Memory::Secret)]).raw(&fingerprint);
    let hello = hello.raw(&counter.unwrap_or(0).to_be_bytes());
    let room = core.lines().room();
    let hello = [room.connections, room.handshakes].into_iter().fold(hello, |hello, most| {
        hello.raw(&u32::try_from(most).unwrap_or(u32::MAX).to_be_bytes())
    });
    let hello = hello.part(&core.public());
    let hello = core.ring().publics().fold(hello, Parts::part).0;
    Ok((core, hello))
}

fn demand(secret: bool, kept: Memory) -> Result<(), String> {
    if secret && kept != Memory::Secret {
        return Err("this kernel gives no secret memory (memfd_secret; before Linux 6.5 boot \
                    with secretmem.enable=1, and see ulimit -l); [vault] memory = \"any\" goes without"
            .into());
    }
    Ok(())
}

/// First byte of what a node says first: keys follow, and it is to serve. Others are errands.
pub(crate) const SERVE: u8 = 0;
/// First byte of an answer that says in words why the vault does not start.
pub(crate) const REFUSED: u8 = 255;
/// Lanes at most.
pub(crate) const MAX_LANES: usize = 32;
/// Exit code after a panic: no message, it could say too much.
const PANICKED: i32 = 70;
