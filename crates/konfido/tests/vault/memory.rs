//! From outside: nobody reads a key out of the process, not even root with the usual tools.

use std::process::Command;

use enclave::process::errand::{self, Errand};
use enclave::process::{Source, Spec};
use enclave::store::Access;
use enclave::{Memory, Process, Use};
use tempfile::tempdir;

use testbed::memory::{finds, mappings, memory};

use super::reader::three_ways;
use super::{Known, work};

fn root() -> bool {
    let uid = std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own));
    uid.is_ok_and(|uid| uid == 0)
}

#[test]
fn root_reads_no_key_page_and_finds_no_key_anywhere_in_the_process() {
    if !root() {
        println!("skipped: not root");
        return;
    }
    let (known, folder) = (Known::new(), tempdir().unwrap());
    let process = known.vault(folder.path());
    if process.memory() != Memory::Secret {
        println!("skipped: this kernel gives no secret memory");
        return;
    }
    work(&process, 50);
    let pid = process.id();
    let secret = mappings(pid).unwrap().into_iter().find(|m| m.name.contains("secretmem"));
    let secret = secret.expect("the arena is mapped");
    for (way, read) in three_ways(pid, secret.start + 4096) {
        assert!(read.is_err(), "{way} reads a key page");
    }
    work(&process, 1);
    let markers = known.markers();
    let read = memory(pid).unwrap();
    assert!(read.iter().any(|(m, _)| m.name == "[stack]"), "root reads the rest of it");
    for (mapping, bytes) in &read {
        assert!(!finds(bytes, &markers), "a key lies in {} {:x}", mapping.name, mapping.start);
    }
    // the search finds what is there: our own copy of the keys
    let own = memory(std::process::id()).unwrap();
    assert!(own.iter().any(|(_, bytes)| finds(bytes, &markers)), "the search would find them");
}

#[test]
fn root_finds_neither_a_key_of_the_sealed_store_nor_its_root_key() {
    if !root() {
        println!("skipped: not root");
        return;
    }
    let (known, folder) = (Known::new(), tempdir().unwrap());
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("p256.key"), known.p256.serialize_pem()).unwrap();
    std::fs::write(file("rsa.key"), known.rsa.serialize_pem()).unwrap();
    let place = super::place(folder.path());
    let names = [(Use::Derive, "session.key"), (Use::Sign, "p256.key"), (Use::Sign, "rsa.key")];
    let keys = names.map(|(of, name)| (of, name.to_owned(), file(name))).to_vec();
    let vault = (super::spec(Vec::new()).country, false);
    let program = super::spec(Vec::new()).program;
    errand::run(&program, vault, &place, &Errand::Import(keys)).unwrap();
    ["p256.key", "rsa.key"].iter().for_each(|name| std::fs::remove_file(file(name)).unwrap());
    let keys = names.map(|(of, name)| (of, Source::Named(name.to_owned(), file(name)))).to_vec();
    let store = Some((place, Access::Write));
    let process = Process::start(Spec { store, ..super::spec(keys) }).unwrap();
    if process.memory() != Memory::Secret {
        println!("skipped: this kernel gives no secret memory");
        return;
    }
    assert_eq!(process.counter(), Some(2));
    work(&process, 1);
    let mut markers = known.markers();
    markers.push(std::fs::read(file("root.key")).unwrap());
    for (mapping, bytes) in memory(process.id()).unwrap() {
        assert!(!finds(&bytes, &markers), "a key lies in {} {:x}", mapping.name, mapping.start);
    }
}

#[test]
fn another_user_reads_nothing_of_it() {
    let (known, folder) = (Known::new(), tempdir().unwrap());
    let process = known.vault(folder.path());
    let pid = process.id();
    if root() {
        // nobody else, and not the user whom it became either
        for user in ["65534", "64999"] {
            let mem = format!("/proc/{pid}/mem");
            let user = [format!("--reuid={user}"), format!("--regid={user}")];
            let read = Command::new("setpriv")
                .args(user)
                .args(["--clear-groups", "head", "-c1", &mem])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&read.stderr).into_owned();
            assert!(!read.status.success() && said.contains("Permission denied"), "{said}");
        }
    } else {
        for (way, read) in three_ways(pid, 4096) {
            assert!(read.is_err(), "{way}: its own user reads it");
        }
        assert!(memory(pid).is_err());
    }
}

/// As started by an ordinary user: it stays that user, who reads nothing of it.
#[test]
fn an_ordinary_user_does_not_read_his_own_vault() {
    if !root() {
        println!("skipped: covered by another_user_reads_nothing_of_it, which ran as a user");
        return;
    }
    let (known, folder) = (Known::new(), tempdir().unwrap());
    let program = folder.path().join("konfido");
    // by another process: what this one writes, a child of another test may hold open when it is to run
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_konfido")).arg(&program).status();
    assert!(copied.unwrap().success());
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let keys = vec![(
        Use::Sign,
        Source::Bytes(std::sync::Arc::new(known.p256.serialize_pem().into_bytes().into())),
    )];
    let user = ["--reuid=1234", "--regid=1234", "--clear-groups"];
    let arguments = user.map(str::to_owned).into_iter();
    let arguments = arguments.chain([program.display().to_string(), "vault-process".to_owned()]);
    let spec = Spec { program: ("setpriv".into(), arguments.collect()), ..super::spec(keys) };
    let process = Process::start(spec).unwrap();
    let pid = process.id();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("Uid:\t1234\t1234\t1234\t1234"), "{status}");
    assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    for file in ["mem", "maps", "environ", "auxv"] {
        let read = Command::new("setpriv")
            .args(user)
            .args(["head", "-c1", &format!("/proc/{pid}/{file}")])
            .output()
            .unwrap();
        assert!(!read.status.success(), "{file} is read by its own user");
    }
    let mut gdb = Command::new("setpriv");
    gdb.args(user).args(["cat", &format!("/proc/{pid}/syscall")]);
    assert!(!gdb.output().unwrap().status.success(), "traced by its own user");
}

#[test]
fn a_crash_leaves_no_core() {
    let (known, folder) = (Known::new(), tempdir().unwrap());
    let process = known.vault(folder.path());
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
    if root() {
        // gcore writes what a core would hold; the arena is not in it, even for root
        work(&process, 20);
        let read = memory(process.id()).unwrap();
        let whole: Vec<u8> = read.into_iter().flat_map(|(_, bytes)| bytes).collect();
        if process.memory() == Memory::Secret {
            assert!(!finds(&whole, &known.markers()));
        }
        assert!(finds(&whole, &[b"konfido".to_vec()]));
    }
}
