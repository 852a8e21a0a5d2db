//! The root key: sealed, opened, counted, and made again when the TPM is gone.

use std::fs;

use enclave::process::errand::Errand;
use exchange::SystemEntropy;
use rustix::process::{Pid, Signal, kill_process};

use super::{Stand, copy};
use crate::swtpm::Swtpm;

#[test]
fn the_tpm_seals_the_root_key_and_opens_it_at_each_start() {
    let stand = Stand::new(&[]);
    let report = stand.import();
    assert_eq!(report.counter, 1);
    assert!(stand.data().join("root.tpm").exists() && !stand.data().join("root.key").exists());
    let first = stand.start().unwrap();
    assert_eq!(first.counter(), Some(2));
    let made = first.derive(0, b"session").unwrap();
    drop(first);
    let again = stand.start().unwrap();
    assert_eq!((again.counter(), again.derive(0, b"session").unwrap()), (Some(3), made));
    let shown = stand.errand(&Errand::Show).unwrap();
    assert_eq!((shown.older, shown.keys.len()), (None, 2));
    assert!(stand.place().root.name().starts_with("simulated tpm swtpm:"), "a double says so");
}

#[test]
fn another_boot_does_not_open_it() {
    let stand = Stand::new(&[7, 16]);
    stand.import();
    drop(stand.start().unwrap());
    stand.tpm.extend(16);
    let said = stand.refusal();
    assert!(said.contains("the TPM does not open") && said.contains("registers 7, 16"), "{said}");
}

#[test]
fn copies_of_all_files_from_before_are_refused_since_the_tpm_counted_on() {
    let stand = Stand::new(&[]);
    stand.import();
    let before = stand.folder.path().join("before");
    copy(&stand.data(), &before);
    drop(stand.start().unwrap());
    // not even the log tells: it is as old as the store
    fs::remove_dir_all(stand.data()).unwrap();
    copy(&before, &stand.data());
    let said = stand.refusal();
    assert!(said.contains("older state") && said.contains("the TPM's counter"), "{said}");
}

#[test]
fn a_kill_between_the_store_and_the_counter_costs_nothing() {
    let stand = Stand::new(&[]);
    stand.import();
    for round in 0..12 {
        let (told, thread) = std::sync::mpsc::channel();
        let starting = std::thread::scope(|scope| {
            let starting = scope.spawn(|| {
                let _ = told.send(rustix::thread::gettid());
                stand.start()
            });
            let thread = thread.recv().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(8 * round));
            for pid in children(thread) {
                let _ = kill_process(pid, Signal::KILL);
            }
            starting.join().unwrap()
        });
        drop(starting);
        drop(stand.start().unwrap_or_else(|error| panic!("round {round}: {error}")));
    }
}

/// What this thread of ours started: other tests have vaults, too.
fn children(thread: Pid) -> Vec<Pid> {
    let file = format!("/proc/self/task/{}/children", thread.as_raw_nonzero());
    let children = fs::read_to_string(file).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

#[test]
fn two_people_bring_the_vault_to_a_new_tpm() {
    let mut stand = Stand::new(&[16]);
    stand.import();
    let folder = stand.folder.path().join("people");
    let shares = stand.errand(&Errand::Share { of: 3, need: 2, folder }).unwrap().files;
    let process = stand.start().unwrap();
    let made = process.derive(0, b"session").unwrap();
    drop(process);
    // the board is replaced; the disk is there
    stand.tpm = Swtpm::start(&stand.folder.path().join("another-tpm"));
    let said = stand.refusal();
    assert!(said.contains("the TPM does not open"), "{said}");
    let recover = |shares, accept_older| stand.errand(&Errand::Recover { shares, accept_older });
    let said = recover(vec![shares[0].clone()], false).err().unwrap().to_string();
    assert!(said.contains("only 1 of 2"), "{said}");
    // another TPM's counter knows nothing of this store: it is taken on their word
    let pair = vec![shares[0].clone(), shares[2].clone()];
    let said = recover(pair.clone(), false).err().unwrap().to_string();
    assert!(said.contains("older state") && said.contains("--accept-older"), "{said}");
    let report = recover(pair, true).unwrap();
    assert!(report.older.is_some_and(|older| older.contains("TPM's counter")));
    let process = stand.start().unwrap();
    assert_eq!(process.derive(0, b"session").unwrap(), made);
}

/// The processes that had the root key for a moment are gone, and the vault has it nowhere that is read.
#[test]
fn root_finds_no_root_key_in_the_vaults_memory() {
    let stand = Stand::new(&[]);
    // a root key that we know, sealed as recovered ones are
    let known = stand.data().join("root.key");
    let folder = stand.data();
    enclave::keyfile::key(&folder_made(&folder), "root.key", "begin anew", &SystemEntropy).unwrap();
    let secret = fs::read(&known).unwrap();
    let file = enclave::store::Place {
        root: enclave::root::Source::File(folder.clone()),
        ..stand.place()
    };
    let vault = (super::country(), false);
    let run = |place: &enclave::store::Place, errand: &Errand| {
        enclave::process::errand::run(&super::program(), vault, place, errand).unwrap()
    };
    run(&file, &Errand::Import(stand.keys().to_vec()));
    let out = stand.folder.path().join("people");
    let shares = run(&file, &Errand::Share { of: 2, need: 2, folder: out }).files;
    fs::remove_file(&known).unwrap();
    run(&stand.place(), &Errand::Recover { shares, accept_older: true });
    let process = stand.start().unwrap();
    if process.memory() != enclave::Memory::Secret {
        println!("skipped: this kernel gives no secret memory");
        return;
    }
    let read = match testbed::memory::memory(process.id()) {
        Ok(read) => read,
        Err(error) => return println!("skipped: not root: {error}"),
    };
    for (mapping, bytes) in read {
        let found = testbed::memory::finds(&bytes, std::slice::from_ref(&secret));
        assert!(!found, "the root key lies in {} {:x}", mapping.name, mapping.start);
    }
}

fn folder_made(folder: &std::path::Path) -> std::path::PathBuf {
    fs::create_dir_all(folder).unwrap();
    folder.to_owned()
}
