//! What a vault whose keys are in a sealed store says of its counter.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enclave::process::errand::{self, Errand};
use enclave::process::{Source, Spec};
use enclave::store::Access;
use enclave::{Process, Use, Vault};
use jiff::Timestamp;
use tempfile::TempDir;
use testbed::pki::{Pki, Role, SealKind};
use trust::private::PrivateKey;
use trust::seal::Scheme;

fn started(folder: &TempDir) -> Process {
    let place = super::place(folder.path());
    let names = [(Use::Derive, "session.key"), (Use::Log, "log.key")];
    let file = |name: &str| folder.path().join(name);
    if !place.is_there() {
        let keys = names.map(|(of, name)| (of, name.to_owned(), file(name))).to_vec();
        let spec = super::spec(Vec::new());
        let vault = (spec.country, false);
        errand::run(&spec.program, vault, &place, &Errand::Import(keys)).unwrap();
    }
    let keys = names.map(|(of, name)| (of, Source::Named(name.to_owned(), file(name)))).to_vec();
    let store = Some((place, Access::Write));
    Process::start(Spec { store, ..super::spec(keys) }).unwrap()
}

#[test]
fn a_checkpoint_that_says_another_counter_is_not_signed() {
    let folder = tempfile::tempdir().unwrap();
    let process = started(&folder);
    assert_eq!(process.counter(), Some(2));
    let PrivateKey::Held(log) = process.key(1) else { unreachable!() };
    let body = format!("konfido.example/dk\n5\n{}\n", STANDARD.encode([7; 32]));
    let sign = |lines: &str| log.sign(Scheme::Ed25519, format!("{body}{lines}").as_bytes());
    assert!(sign("konfido-vault 2\n").is_some());
    assert!(sign("something else\nkonfido-vault 2\n").is_some());
    for lines in ["", "konfido-vault 1\n", "konfido-vault 3\n", "konfido-vault 02\nx\n", "x\n"] {
        assert!(sign(lines).is_none(), "{lines:?} is signed");
    }
    // the first line of two is what counts
    assert!(sign("konfido-vault 9\nkonfido-vault 2\n").is_none());
    assert!(log.sign(Scheme::Ed25519, b"an export of the log").is_some(), "no checkpoint");
}

#[test]
fn peers_see_the_stores_counter_in_the_key_statement_and_it_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let country = super::spec(Vec::new()).country;
    let pki = Pki::new(&[country], SealKind::P256, Timestamp::now());
    let seal = pki.identity(country, Role::Seal).seal_key();
    for counter in 2..5 {
        let process = started(&folder);
        let vault = Vault::of(process);
        let said = vault.publish(&seal, Timestamp::now()).unwrap().said().unwrap();
        assert_eq!((said.state, said.starts), (counter, 1));
    }
}
