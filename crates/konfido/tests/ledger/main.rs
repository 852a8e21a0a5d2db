//! The ledger's commands over what the demo left: a patient's accesses, an export for a court, and an
//! erasure with its attack: whoever has every file and every key of a node guesses an identifier.

mod accesses;
mod container;
mod erasure;
#[path = "../left/mod.rs"]
mod left;
mod marks;
mod receipt;
mod validator;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use left::{configure, konfido, printed};

/// The demo's files, with a configuration of Denmark and Spain.
struct Left {
    folder: tempfile::TempDir,
    dk: String,
    es: String,
}

impl Left {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path();
        // three countries and four validators: one demo at a time
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        printed(&konfido(&["demo", "--once", "--dir", dir.to_str().expect("utf-8")]));
        let (es, dk) = (configure(dir, "ES", "2.16.724.4"), configure(dir, "DK", "1.2.208"));
        // what the demo exported is no part of the node
        std::fs::remove_file(dir.join("es/receipt.json")).expect("the demo's receipt");
        Self { folder, dk, es }
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }
}

static ALONE: Mutex<()> = Mutex::new(());

fn ledger(config: &str, arguments: &[&str]) -> std::process::Output {
    konfido(&[&["ledger"], arguments, &["--config", config]].concat())
}

/// (number, transaction) of the patient's exchanges.
fn found(config: &str, cx: &str) -> Vec<(String, String)> {
    let text = printed(&ledger(config, &["find", "--patient", cx]));
    let rows = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    rows.map(|row| (row[0].to_owned(), row[2].to_owned())).collect()
}

fn refused(output: &std::process::Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}
