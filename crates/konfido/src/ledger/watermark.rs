//! How far this member's ledger is known to have been, by what stands beside its store: the engine's
//! journals and witness, and the checkpoint that was published. A store that ends before that is an
//! older copy, and is not gone on from.

use std::path::{Path, PathBuf};

use ledger::chain::{Chain, ChainError};
use ledger::checkpoint::{BlockLine, SignedCheckpoint};
use ledger::member::Genesis;
use ledger::store::StoreError;

use crate::config::Validator;

/// Opens the chain of a validator with this consensus key, unless it is an older copy.
pub fn open(config: &Validator, genesis: &Genesis, key: &[u8; 32]) -> anyhow::Result<Chain> {
    let folder = config.data_dir.join(LOG);
    let (journals, witness) = engine(&config.data_dir);
    let reached = ledger_consensus::reached(&journals, &witness, key)?;
    let known = reached.max(published(&folder));
    Chain::open_at_least(&folder, genesis, known).map_err(|error| match error {
        ChainError::Store(old @ StoreError::Old { .. }) => {
            anyhow::anyhow!("{}: {old}\n{NEXT}", folder.display())
        }
        other => other.into(),
    })
}

/// The engine's journals, and the witness of their last start.
pub fn engine(data_dir: &Path) -> (PathBuf, PathBuf) {
    (data_dir.join("engine"), data_dir.join("engine.witness"))
}

/// The block under the checkpoint that was published from this folder.
fn published(folder: &Path) -> Option<u64> {
    let note = std::fs::read_to_string(folder.join("checkpoint")).ok()?;
    let note = SignedCheckpoint::read(&note).ok()?;
    BlockLine::of(note.checkpoint()).map(|block| block.height)
}

/// Folder of the blocks and tiles; a web server may serve it.
pub const LOG: &str = "log";
const NEXT: &str = "Put the newest copy of this folder back. If it is lost, move the folder away and give this member \
    a new consensus key (konfido ledger keygen, then konfido ledger govern draft key consensus); with that key \
    the validator fetches the whole log from the other members. docs/ledger.md, \"An older copy\"";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::keygen::{self, TERMS};
    use exchange::Country;
    use jiff::Timestamp;
    use ledger::checkpoint::Checkpoint;
    use testbed::pki::{Pki, Role, SealKind};

    /// A ledger of one has no engine: its published checkpoint is all that knows.
    #[test]
    fn a_log_that_ends_before_its_checkpoint_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new(&[Country::parse("DK").unwrap()], SealKind::P256, Timestamp::now());
        let seal = pki.identity(Country::parse("DK").unwrap(), Role::Seal).certificate().clone();
        let keys = folder.path().join("keys");
        let member = keygen::make(&keys, "DK", "127.0.0.1:1", &seal).unwrap();
        let genesis = Genesis::new("ledger.example", 100, TERMS, vec![member]).unwrap();
        let text = "[validator]\nname = \"DK\"\ngenesis = \"genesis.toml\"\ndata_dir = \"data\"\n\
            members = \"127.0.0.1:1\"\nhttp = \"127.0.0.1:2\"\nconsensus_key = \"keys/consensus.key\"\n\
            cosigner_key = \"keys/cosigner.key\"\n";
        let config = Validator::parse(&folder.path().join("ledger.toml"), text).unwrap();
        std::fs::create_dir_all(&config.data_dir).unwrap();
        let opened = || open(&config, &genesis, &[1; 32]).map(|chain| chain.tip().height);
        assert_eq!(opened().unwrap(), 0);
        let checkpoint = |line: String| {
            let (origin, root) = ("ledger.example".to_owned(), [2; 32]);
            let checkpoint = Checkpoint { origin, size: 1, root, lines: vec![line] };
            let note = SignedCheckpoint::new(checkpoint);
            let note = format!("{note}\u{2014} ledger.example/DK AAAAAAAAAAA=\n");
            std::fs::write(config.data_dir.join(LOG).join("checkpoint"), note).unwrap();
        };
        checkpoint(BlockLine { height: 7, digest: [3; 32] }.to_string());
        let said = opened().unwrap_err().to_string();
        assert!(said.contains("ends at block 0, but block 7 was final"), "{said}");
        checkpoint("a remark".to_owned());
        assert_eq!(opened().unwrap(), 0, "what names no block says nothing");
    }
}
