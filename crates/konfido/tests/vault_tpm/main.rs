//! A vault whose root key is in a TPM: swtpm, a test double that is a program of this machine and
//! protects nothing. Not among the default features.
#![cfg(all(feature = "tpm", debug_assertions))]

mod quote;
mod root;
mod swtpm;

use std::path::{Path, PathBuf};

use enclave::process::errand::{self, Errand, Report};
use enclave::process::{Source, Spec, StartError};
use enclave::root::Source as Root;
use enclave::store::{Access, Place};
use enclave::{Process, Use, tpm};
use exchange::Country;

use swtpm::Swtpm;

/// A vault of Denmark in a folder, with a TPM.
struct Stand {
    folder: tempfile::TempDir,
    tpm: Swtpm,
    pcrs: Vec<u8>,
}

impl Stand {
    fn new(pcrs: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tpm = Swtpm::start(&folder.path().join("tpm"));
        println!("swtpm at {}: a test double, no protection", tpm.tcti());
        Self { folder, tpm, pcrs: pcrs.to_vec() }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn place(&self) -> Place {
        let root = Root::Tpm(tpm::Place {
            folder: self.data(),
            tcti: self.tpm.tcti(),
            pcrs: self.pcrs.clone(),
            counter: Some(0x0150_0020),
        });
        Place { folder: self.data(), root, origin: "konfido.example/dk".into() }
    }

    fn errand(&self, errand: &Errand) -> Result<Report, StartError> {
        errand::run(&program(), (country(), false), &self.place(), errand)
    }

    /// Moves a session key and a log key in.
    fn import(&self) -> Report {
        std::fs::create_dir_all(self.data()).unwrap();
        self.errand(&Errand::Import(self.keys().to_vec())).unwrap()
    }

    fn keys(&self) -> [(Use, String, PathBuf); 2] {
        [(Use::Derive, "session.key"), (Use::Log, "log.key")]
            .map(|(of, name)| (of, name.to_owned(), self.data().join(name)))
    }

    fn start(&self) -> Result<Process, StartError> {
        let keys = self.keys().map(|(of, name, path)| (of, Source::Named(name, path)));
        let (program, country) = (program(), country());
        let store = Some((self.place(), Access::Write));
        Process::start(Spec {
            country,
            program,
            keys: keys.to_vec(),
            secret: false,
            user: 64_999,
            store,
        })
    }

    /// Why it does not start.
    fn refusal(&self) -> String {
        self.start().err().map(|error| error.to_string()).expect("it starts")
    }
}

fn program() -> (PathBuf, Vec<String>) {
    (env!("CARGO_BIN_EXE_konfido").into(), vec!["vault-process".into()])
}

fn country() -> Country {
    Country::parse("DK").unwrap()
}

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-aT").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}
