//! Four validators on TCP, each with its own runtime and its own disk.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use commonware_codec::Encode as _;
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PrivateKey;
use ledger::chain::Chain;
use ledger::order::{Order as _, Taken};
use zeroize::Zeroizing;

use crate::config::{Agreed, Config, ConsensusError, Member, Membership, Timing};
use crate::evidence;
use crate::journal::JournalError;
use crate::simulation::Heard;
use crate::validator::Validator;
use crate::view::bytes;

struct Fixed(Vec<Member>);

impl Membership for Fixed {
    fn members(&self) -> Vec<Member> {
        self.0.clone()
    }
}

struct Place {
    key: PrivateKey,
    listen: SocketAddr,
    disk: tempfile::TempDir,
    chain: Arc<Chain>,
    heard: Arc<Heard>,
}

fn places() -> (Vec<Place>, Arc<Fixed>) {
    // all are bound at once, so that no two get one port
    let bound: Vec<_> = (0..4).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let places: Vec<_> = bound
        .iter()
        .enumerate()
        .map(|(at, socket)| {
            let disk = tempfile::tempdir().unwrap();
            let chain = Arc::new(evidence::chain(&disk.path().join("log")));
            let key = PrivateKey::from_seed(at as u64);
            Place { key, listen: socket.local_addr().unwrap(), disk, chain, heard: Arc::default() }
        })
        .collect();
    let member = |place: &Place| Member {
        key: bytes(&place.key.public_key()),
        address: place.listen.to_string(),
        voting: true,
    };
    let members = Arc::new(Fixed(places.iter().map(member).collect()));
    (places, members)
}

impl Place {
    fn start(&self, members: &Arc<Fixed>) -> Result<Validator, ConsensusError> {
        self.start_with(members, self.disk.path(), &self.chain)
    }

    fn start_with(
        &self,
        members: &Arc<Fixed>,
        engine: &Path,
        chain: &Arc<Chain>,
    ) -> Result<Validator, ConsensusError> {
        let seed = Zeroizing::new(self.key.encode().as_ref().try_into().unwrap());
        let config = Config::new(
            seed,
            evidence::genesis(),
            self.listen,
            engine.join("engine"),
            self.disk.path().join("witness"),
            Arc::clone(members) as Arc<dyn Membership>,
        );
        let timing = Timing { idle: Duration::from_millis(200), ..Timing::default() };
        let agreed = Agreed { epoch: 50, ..Agreed::default() };
        let config = Config { timing, agreed, local: true, ..config };
        Validator::start(Arc::clone(chain), config, Arc::clone(&self.heard) as _)
    }
}

fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(240), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn same_chain(places: &[Place]) {
    let lowest = places.iter().map(|place| place.chain.tip().height).min().unwrap();
    for height in 1..=lowest {
        let blocks: Vec<_> =
            places.iter().map(|p| p.chain.block(height).unwrap().unwrap()).collect();
        assert!(blocks.windows(2).all(|two| two[0] == two[1]), "height {height}");
    }
}

#[test]
fn four_on_tcp_agree_one_stops_the_others_go_on_and_it_catches_up() {
    let (places, members) = places();
    let mut running: Vec<_> =
        places.iter().map(|place| Some(place.start(&members).unwrap())).collect();
    let submit = |validator: &Validator, label: String| {
        assert_eq!(validator.submit(vec![evidence::entry(&label, 0)]), [Taken::Waits]);
    };
    for (at, validator) in running.iter().enumerate() {
        submit(validator.as_ref().unwrap(), format!("first {at}"));
    }
    let sizes = |these: &[usize], size| these.iter().all(|at| places[*at].chain.tip().size >= size);
    until("all have the first", || sizes(&[0, 1, 2, 3], 4));
    until("all are heard", || running[0].as_ref().unwrap().online().len() == 4);

    running[3] = None;
    for (at, validator) in running[..3].iter().enumerate() {
        submit(validator.as_ref().unwrap(), format!("second {at}"));
    }
    until("three go on", || sizes(&[0, 1, 2], 7));
    // beyond the end of an epoch
    until("an epoch ends", || places[0].chain.tip().height > 60);
    let before = places[3].chain.tip();
    assert_eq!(before.size, 4);

    running[3] = Some(places[3].start(&members).unwrap());
    let there = places[0].chain.tip().height;
    until("it catches up", || places[3].chain.tip().height >= there);
    until("it is heard", || {
        // what is told while a connection is made is lost
        running[3].as_ref().unwrap().tell(b"here again".to_vec());
        let said = (bytes(&places[3].key.public_key()), b"here again".to_vec());
        places[..3].iter().all(|place| place.heard.0.lock().unwrap().contains(&said))
    });
    assert!(running.iter().flatten().all(|validator| validator.failure().is_none()));
    drop(running);
    same_chain(&places);
}

#[test]
fn a_restored_journal_is_refused() {
    let (places, members) = places();
    let place = &places[0];
    let old = tempfile::tempdir().unwrap();
    drop(place.start(&members).unwrap());
    copy(&place.disk.path().join("engine"), &old.path().join("engine"));
    drop(place.start(&members).unwrap());
    // the one that ran last may run again, the older copy may not
    let refused = place.start_with(&members, old.path(), &place.chain);
    assert!(matches!(refused, Err(ConsensusError::Journal(JournalError::Old(_)))));
    let running = place.start(&members).unwrap();
    let twice = place.start(&members);
    assert!(matches!(twice, Err(ConsensusError::Journal(JournalError::InUse(_)))));
    drop(running);
    // nor one that was removed
    std::fs::remove_dir_all(place.disk.path().join("engine")).unwrap();
    let removed = place.start(&members);
    assert!(matches!(removed, Err(ConsensusError::Journal(JournalError::Old(_)))));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let into = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &into);
        } else {
            std::fs::copy(entry.path(), into).unwrap();
        }
    }
}
