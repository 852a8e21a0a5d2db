//! Starts, deaths, and what comes back.

use std::process::Command;
use std::time::{Duration, Instant};

use enclave::process::{Source, StartError};
use enclave::{Process, Use};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

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
        assert!(gone.elapsed() < Duration::from_secs(10), "it outlives its node");
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
