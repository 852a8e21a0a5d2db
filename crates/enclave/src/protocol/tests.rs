//! A node that was taken over, on a lane of a vault that serves.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use exchange::{Country, Transaction, TransactionId};
use jiff::Timestamp;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

use super::region::SIZE;
use super::*;
use crate::Delivery;
use crate::core::Target;
use crate::header::{Address, TAG};
use crate::piece::{Piece, buffer};
use crate::ring::{Ring, Use};

/// The node's end: pipes, and the region twice, for who writes while others read.
struct Node {
    from: PipeReader,
    to: PipeWriter,
    region: Region,
    other: Option<Region>,
}

impl Node {
    /// A new lane of this vault.
    fn to(core: &Arc<Core>) -> Self {
        let ((asked, to), (from, answered)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let (region, shared) = Region::new().unwrap();
        let other = Region::of(shared.as_fd()).unwrap();
        let core = Arc::clone(core);
        std::thread::spawn(move || {
            let region = Region::of(shared.as_fd()).unwrap();
            let _ = serve(&core, &mut Lane::new(asked, answered, region));
        });
        Self { from, to, region, other: Some(other) }
    }

    /// As an honest node does it.
    fn lane(self) -> Lane<PipeReader, PipeWriter> {
        Lane::new(self.from, self.to, self.region)
    }

    /// Says that there is a frame of this length in the region.
    fn ring(&mut self, length: u32) {
        self.to.write_all(&(length | 1 << 31).to_be_bytes()).unwrap();
    }

    /// The next answer's status and the rest of it; `None` when the lane has ended.
    fn answer(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut length = [0; 4];
        self.from.read_exact(&mut length).ok()?;
        let length = u32::from_be_bytes(length);
        let mut frame = vec![0; (length & !(1 << 31)) as usize];
        if length >> 31 == 0 {
            self.from.read_exact(&mut frame).unwrap();
        } else {
            frame.clear();
            self.region.take((length & !(1 << 31)) as usize, &mut frame);
        }
        Some((frame[0], frame[1..].to_vec()))
    }
}

fn vault() -> Arc<Core> {
    Arc::new(Core::new(Country::parse("DK").unwrap(), Ring::default()))
}

/// A request for this vault with this many bytes in it, as the frame that opens it.
fn request(sender: &Core, to: &Core, length: usize) -> Vec<u8> {
    let (es, dk) = (Country::parse("ES").unwrap(), Country::parse("DK").unwrap());
    let now = Timestamp::now();
    let (key, not_after) = (to.public(), now + jiff::SignedDuration::from_hours(1));
    let target = Target { country: dk, key: &key, not_after };
    let txid = TransactionId([1; 16]);
    let address = Address { from: es, to: dk, transaction: Transaction::Retrieve, txid };
    let (given, mut text) = buffer(&[Piece::Clear(&vec![7; length])]).unwrap();
    let into = (&*given, &mut *text);
    let (header, _) =
        sender.seal_request(&target, (address, Delivery::Node), &[0; 32], into, now).unwrap();
    [&[Op::OpenRequest as u8][..], &[0; 32], &header, &text].concat()
}

fn sender() -> Core {
    Core::new(Country::parse("ES").unwrap(), Ring::default())
}

#[test]
fn frames_of_any_length_come_back_as_they_went() {
    let mut lane = Node::to(&vault()).lane();
    let mut back = Vec::new();
    for limit in [1, lane::SHORT, 100_000, SIZE, SIZE + 300_000] {
        for length in limit - 1..=limit + 1 {
            let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let sent = lane.send(&[&[Op::Ping as u8], &body]).unwrap();
            let got = lane.receive(&mut back).unwrap().unwrap();
            assert_eq!((back[0], &back[1..]), (0, &body[..]), "{length}");
            lane.wipe(sent.max(got));
        }
    }
}

#[test]
fn lengths_that_are_none_are_refused_and_the_lane_goes_on() {
    let mut node = Node::to(&vault());
    node.region.put(&[&vec![Op::Ping as u8; SIZE]]);
    let malformed = (status(VaultError::Malformed), Vec::new());
    for length in [0, SIZE as u32 + 1, 2 * SIZE as u32, (1 << 31) - 1] {
        node.ring(length);
        assert_eq!(node.answer(), Some(malformed.clone()), "{length}");
    }
    node.ring(SIZE as u32);
    assert_eq!(node.answer().map(|(status, back)| (status, back.len())), Some((0, SIZE - 1)));
}

#[test]
fn garbage_in_a_region_is_an_error_and_changes_nothing() {
    let (core, from) = (vault(), sender());
    let mut node = Node::to(&core);
    let good = request(&from, &core, 20_000);
    let mut random = 1_u64;
    for round in 0..500_usize {
        let mut frame = good.clone();
        for _ in 0..=round % 7 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (random >> 33) as usize % frame.len();
            // the first byte is another request's
            frame[at.max(1)] ^= 1 << (random >> 60 & 7);
        }
        frame.truncate(if round % 3 == 0 { frame.len() - 1 } else { frame.len() });
        if frame == good {
            continue;
        }
        node.region.put(&[&frame]);
        node.ring(frame.len() as u32);
        assert_ne!(node.answer().unwrap().0, 0, "{round}");
    }
    node.region.put(&[&good]);
    node.ring(good.len() as u32);
    assert_eq!(node.answer().unwrap().0, 0, "none of it took the place of the true one");
    node.region.put(&[&good]);
    node.ring(good.len() as u32);
    assert_eq!(node.answer().unwrap(), (status(VaultError::Replay), Vec::new()));
}

#[test]
fn whoever_speaks_before_the_answer_has_said_nothing() {
    let (core, from) = (vault(), sender());
    let short = request(&from, &core, 100);
    let framed = [&(short.len() as u32).to_be_bytes()[..], &short].concat();
    let doorbell = (short.len() as u32 | 1 << 31).to_be_bytes();
    for behind in [&framed[..], &doorbell, &[0]] {
        for first in [&framed[..], &doorbell] {
            let mut node = Node::to(&core);
            node.region.put(&[&short]);
            node.to.write_all(&[first, behind].concat()).unwrap();
            assert_eq!(node.answer(), None, "the lane ends");
        }
    }
    let mut node = Node::to(&core);
    node.to.write_all(&framed).unwrap();
    assert_eq!(node.answer().unwrap().0, 0, "it was opened by none of them");
}

#[test]
fn what_changes_while_it_is_read_opens_as_it_was_sealed_or_not_at_all() {
    let (core, from) = (vault(), sender());
    let mut node = Node::to(&core);
    let mut other = node.other.take().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    // another thread of the same node, in the same region, without pause
    let meddler = std::thread::spawn(move || {
        let mut round = 0_u32;
        while !stopped.load(Ordering::Relaxed) {
            round = round.wrapping_add(1);
            let length = 200 + round as usize % 40_000;
            // never the number of a request
            other.put(&[&vec![round.to_le_bytes()[0] | 0x40; length]]);
            std::thread::sleep(std::time::Duration::from_micros(u64::from(round % 150)));
        }
    });
    let mut calm = Node::to(&core);
    let (mut opened, mut refused) = (0, 0);
    for _ in 0..1_000 {
        let frame = request(&from, &core, 60_000);
        node.region.put(&[&frame]);
        node.ring(frame.len() as u32);
        // what is refused is said through the pipe; what was opened is in the region
        let mut told = [0; 4];
        node.from.read_exact(&mut told).expect("the vault serves");
        let done = told[0] & 0x80 != 0;
        if !done {
            assert_eq!(told, [0, 0, 0, 1]);
            node.from.read_exact(&mut told[..1]).unwrap();
            assert_ne!(told[0], 0);
        }
        // where nobody meddles it opens exactly if it did not open before
        calm.region.put(&[&frame]);
        calm.ring(frame.len() as u32);
        let (status, text) = calm.answer().unwrap();
        if done {
            opened += 1;
            assert_eq!(status, super::status(VaultError::Replay));
        } else {
            refused += 1;
            // behind the text stands what was its tag
            let text = &text[text.len() - TAG - 60_000..text.len() - TAG];
            assert!(status == 0 && text.iter().all(|byte| *byte == 7), "another text");
        }
    }
    stop.store(true, Ordering::Relaxed);
    meddler.join().unwrap();
    assert!(refused > 0, "nothing raced in {opened} calls");
    assert!(opened > 0, "nothing opened in {refused} calls");
}

#[test]
fn a_region_that_could_become_shorter_is_not_taken() {
    let made = |size, seals: SealFlags| {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = memfd_create("other", flags).unwrap();
        ftruncate(&fd, size).unwrap();
        fcntl_add_seals(&fd, seals).unwrap();
        Region::of(fd.as_fd()).is_ok()
    };
    let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    assert!(made(SIZE as u64, all));
    assert!(!made(SIZE as u64, SealFlags::GROW | SealFlags::SEAL));
    assert!(!made(SIZE as u64, SealFlags::empty()));
    assert!(!made(SIZE as u64 - 4096, all));
    let (_, shared) = Region::new().unwrap();
    assert!(ftruncate(&shared, 0).is_err(), "ours cannot");
    let (pipe, _) = io::pipe().unwrap();
    assert!(Region::of(pipe.as_fd()).is_err());
}

#[test]
fn a_document_whose_answer_would_be_too_long_is_refused_and_the_vault_stays() {
    let mut ring = Ring::default();
    ring.add(Use::Keep, &[7; 32]).unwrap();
    let core = Core::new(Country::parse("DK").unwrap(), ring);
    let mut asked = u32::try_from(MAX_FRAME).unwrap().to_be_bytes().to_vec();
    asked.push(Op::Keep as u8);
    asked.resize(4 + MAX_FRAME, 0);
    write_frame(&mut asked, &[&[Op::Ping as u8, 9]]).unwrap();
    let mut answered = Vec::new();
    let region = Region::new().unwrap().0;
    serve(&core, &mut Lane::new(&*asked, &mut answered, region)).unwrap();
    assert_eq!(answered, [0, 0, 0, 1, 1, 0, 0, 0, 2, 0, 9]);
}
