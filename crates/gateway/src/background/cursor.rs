//! How far our log was brought to the shared ledger: a small file, whole or absent.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The next record to bring, and those before it that the ledger did not take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Everything below was brought or refused.
    pub(super) next: u64,
    /// Refused; tried again now and then.
    pub(super) refused: BTreeSet<u64>,
    /// Block of the shared ledger up to which passed deadlines were looked for.
    #[serde(default)]
    pub(super) height: u64,
}

impl Cursor {
    /// A file that is missing is a beginning: bringing twice costs time and nothing else.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| format!("{} is damaged ({error}): remove it", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Adds refused records. Too many stop the queue: something is wrong with all of them.
    pub(super) fn refuse(&mut self, indices: Vec<u64>) -> Result<(), String> {
        self.refused.extend(indices);
        if self.refused.len() > MOST {
            return Err(format!(
                "the shared ledger refused more than {MOST} records: see the events"
            ));
        }
        Ok(())
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        let temporary = path.with_extension("tmp");
        let written = std::fs::File::create(&temporary).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&temporary, path)
        });
        written.map_err(|error| format!("{}: {error}", path.display()))
    }
}

const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared.json");
        assert_eq!(Cursor::read(&path), Ok(Cursor::default()));
        let mut cursor = Cursor { next: 7, ..Cursor::default() };
        cursor.refuse(vec![3, 5]).unwrap();
        cursor.write(&path).unwrap();
        assert_eq!(Cursor::read(&path), Ok(cursor.clone()));
        assert!(cursor.refuse((0..=MOST as u64).collect()).is_err());
        std::fs::write(&path, "{").unwrap();
        assert!(Cursor::read(&path).is_err_and(|error| error.contains("remove it")));
    }
}
