//! Starts, deaths, and what comes back.

use std::process::Command;
use std::time::{Duration, Instant};

use enclave::process::{Source, StartError};
use enclave::{Process, Use, Vault, VaultError};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;
use trust::cose;
use trust::private::PrivateKey;
use trust::seal::SealKey;

use super::{Known, spec, work};

fn kill(process: &Process) {
    let pid = Pid::from_raw(process.id().cast_signed()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_killed_vault_is_started_again_by_the_next_who_asks() {
    let (known, folder) = (Known::new(), tempdir().unwrap());
    let process = known.vault(folder.path());
    let secret = process.derive(0, b"session").unwrap();
    for round in 1..=3 {
        kill(&process);
        work(&process, 1);
        assert_eq!(process.starts(), round + 1);
        assert_eq!(process.derive(0, b"session").unwrap(), secret, "sessions go on");
    }
}

#[test]
fn many_who_find_it_dead_start_it_once() {
    let (known, folder) = (Known::new(), tempdir().unwrap());
    let process = known.vault(folder.path());
    kill(&process);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| work(&process, 5));
        }
    });
    assert_eq!(process.starts(), 2);
}

#[test]
fn it_ends_with_whoever_started_it() {
    let (known, folder) = (Known::new(), tempdir().unwrap());
    let process = known.vault(folder.path());
    let pid = process.id();
    drop(process);
    let gone = Instant::now();
    while std::fs::exists(format!("/proc/{pid}")).unwrap() {
        assert!(gone.elapsed() < Duration::from_secs(60), "it outlives its node");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_key_that_is_not_there_or_not_a_key_is_named() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("seal.key");
    let start = || Process::start(spec(vec![(Use::Sign, Source::File(file.clone()))]));
    let said = start().err().map(|error| error.to_string()).unwrap();
    assert!(said.contains("seal.key") && said.contains("No such file"), "{said}");
    std::fs::write(&file, "not a key").unwrap();
    let error = start().err().unwrap();
    assert!(matches!(error, StartError::Refused(_)), "{error}");
    assert!(error.to_string().contains("seal.key"), "{error}");
}

#[test]
fn other_keys_than_before_are_not_used_without_a_reload() {
    let (known, folder) = (Known::new(), tempdir().unwrap());
    let file = folder.path().join("tls.key");
    std::fs::write(&file, known.p256.serialize_pem()).unwrap();
    let process = Process::start(spec(vec![(Use::Sign, Source::File(file.clone()))])).unwrap();
    std::fs::write(&file, known.rsa.serialize_pem()).unwrap();
    kill(&process);
    assert!(process.ping(b"x").is_err());
    std::fs::write(&file, known.p256.serialize_pem()).unwrap();
    process.ping(b"x").unwrap();
}

#[test]
fn started_by_hand_it_says_what_it_is() {
    let run = Command::new(env!("CARGO_BIN_EXE_konfido")).arg("vault-process").output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success() && said.contains("started by a node, not by hand"), "{said}");
}

/// Two processes with the same file, as a node and a command beside it; and one with another file.
#[test]
fn keys_of_patients_are_locked_alike_by_every_vault_with_the_file() {
    let folder = tempdir().unwrap();
    let start = |name: &str| {
        let file = folder.path().join(name);
        Vault::of(Process::start(spec(vec![(Use::Patients, Source::File(file))])).unwrap())
    };
    let (one, other, stranger) = (start("patients.key"), start("patients.key"), start("new.key"));
    let first = one.lock("agnete", &[], &[7; 32]).unwrap();
    let made = first.made.unwrap();
    let next = other.lock("agnete", &made, &[8; 32]).unwrap();
    assert!(next.made.is_none() && next.pseudonym == first.pseudonym);
    assert_eq!(one.name("agnete").unwrap(), first.pseudonym);
    assert_ne!(stranger.name("agnete").unwrap(), first.pseudonym);
    assert_eq!(*other.unlock(&first.pseudonym, &made, &first.key).unwrap(), [7; 32]);
    assert_eq!(*one.unlock(&first.pseudonym, &made, &next.key).unwrap(), [8; 32]);
    let refused = Some(VaultError::Integrity);
    assert_eq!(stranger.unlock(&first.pseudonym, &made, &first.key).err(), refused);
    assert_eq!(one.unlock(&first.pseudonym, &made, &[0; 40]).err(), refused, "erased");
    assert_eq!(one.lock("benito", &made, &[7; 32]).err(), refused);
    let none = Vault::of(Process::start(spec(Vec::new())).unwrap());
    assert!(none.name("agnete").is_err() && none.lock("agnete", &[], &[7; 32]).is_err());
}

/// As a node does it for each exchange, with the seal's key in the vault and with one that is elsewhere.
#[test]
fn evidence_is_signed_and_its_key_locked_at_once() {
    let (known, folder) = (Known::new(), tempdir().unwrap());
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("seal.key"), known.p256.serialize_pem()).unwrap();
    let keys = [(Use::Sign, "seal.key"), (Use::Patients, "patients.key")];
    let keys = keys.map(|(purpose, name)| (purpose, Source::File(file(name))));
    let process = Process::start(spec(keys.to_vec())).unwrap();
    let certificate = CertificateParams::default().self_signed(&known.p256).unwrap().pem();
    let held = SealKey::new(&process.key(0), certificate.as_bytes()).unwrap();
    let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::default().self_signed(&other).unwrap().pem();
    let pem = PrivateKey::from(other.serialize_pem().into_bytes());
    let elsewhere = SealKey::new(&pem, certificate.as_bytes()).unwrap();
    let vault = Vault::of(process);
    let made = vault.lock("agnete", &[], &[7; 32]).unwrap().made.unwrap();
    for seal in [&held, &elsewhere] {
        let sign =
            |seal: &SealKey| (cose::sign1(seal, b"one", b""), cose::sign1(seal, b"two", b""));
        let verify = |signed: Result<Vec<u8>, _>, said: &[u8]| {
            let signed = signed.unwrap();
            assert_eq!(cose::verify1(&signed, b"", seal.certificate()).unwrap(), said);
        };
        let ((one, two), locked) = vault.lock_signing(seal, ("agnete", &made, &[8; 32]), sign);
        verify(one, b"one");
        verify(two, b"two");
        let locked = locked.unwrap();
        assert!(locked.made.is_none());
        assert_eq!(*vault.unlock(&locked.pseudonym, &made, &locked.key).unwrap(), [8; 32]);

        let (_, fresh) = vault.lock_signing(seal, ("benito", &[], &[9; 32]), sign);
        let fresh = fresh.unwrap();
        let sealed = fresh.made.unwrap();
        assert_eq!(*vault.unlock(&fresh.pseudonym, &sealed, &fresh.key).unwrap(), [9; 32]);

        let ((), unsigned) = vault.lock_signing(seal, ("agnete", &made, &[8; 32]), |_| ());
        assert!(unsigned.is_ok(), "who signs nothing locks all the same");
        let (_, of_another) = vault.lock_signing(seal, ("benito", &made, &[8; 32]), sign);
        assert_eq!(of_another.err(), Some(VaultError::Integrity));
    }
}
