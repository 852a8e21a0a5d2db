//! A register in a CSV file ([`super::roll`]), read again when the file changes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::{Entry, PersonKey, Register, RegisterError, roll};

/// A file with professionals. Replace it by renaming, so that nobody reads half of it.
///
/// A changed file that is not a register answers nobody until it is repaired: the old one may hold
/// a professional who was suspended by the change.
pub struct RegisterFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    seen: Option<Stamp>,
    entries: Result<HashMap<PersonKey, Entry>, RegisterError>,
}

/// What tells one version of a file from another.
#[derive(PartialEq, Eq)]
struct Stamp(SystemTime, u64, u64);

impl RegisterFile {
    /// Opens and reads the file; an error when it is not a register.
    pub fn open(path: &Path) -> Result<Self, RegisterError> {
        let (seen, entries) = (stamp(path)?, read(path)?);
        let state = State { seen: Some(seen), entries: Ok(entries) };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }
}

impl Register for RegisterFile {
    fn find(&self, who: &PersonKey) -> Result<Option<Entry>, RegisterError> {
        let stamp = stamp(&self.path)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // the stamp is older than what is read: a change in between is seen the next time
        if state.seen.as_ref() != Some(&stamp) {
            state.entries = read(&self.path);
            state.seen = Some(stamp);
        }
        let entries = state.entries.as_ref().map_err(Clone::clone)?;
        Ok(entries.get(who).cloned())
    }
}

fn stamp(path: &Path) -> Result<Stamp, RegisterError> {
    let metadata = std::fs::metadata(path).map_err(|e| unreadable(&e))?;
    let modified = metadata.modified().map_err(|e| unreadable(&e))?;
    #[cfg(unix)]
    let file = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let file = 0;
    Ok(Stamp(modified, metadata.len(), file))
}

fn read(path: &Path) -> Result<HashMap<PersonKey, Entry>, RegisterError> {
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(&e))?;
    roll::parse(&text)
}

fn unreadable(error: &std::io::Error) -> RegisterError {
    RegisterError::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::conformance::{self, doctor, pharmacist};

    #[test]
    fn the_file_keeps_the_promises_of_a_register() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register.csv");
        conformance::run(&mut |entries| {
            std::fs::write(&path, roll::render(entries)).unwrap();
            Box::new(RegisterFile::open(&path).unwrap())
        })
        .unwrap();
    }

    #[test]
    fn a_doctor_who_is_suspended_today_is_suspended_without_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register.csv");
        let replace = |text: &str| {
            let next = folder.path().join("next.csv");
            std::fs::write(&next, text).unwrap();
            std::fs::rename(&next, &path).unwrap();
        };
        replace(&roll::render(&[doctor()]));
        let register = RegisterFile::open(&path).unwrap();
        let suspended = || register.find(&doctor().person).map(|entry| entry.map(|e| e.suspended));
        assert_eq!(suspended(), Ok(Some(false)));
        replace(&roll::render(&[Entry { suspended: true, ..doctor() }, pharmacist()]));
        assert_eq!(suspended(), Ok(Some(true)));
        replace("not a register\n");
        assert!(matches!(suspended(), Err(RegisterError::Line { line: 1, .. })));
        assert!(suspended().is_err(), "and stays so");
        replace(&roll::render(&[pharmacist()]));
        assert_eq!(suspended(), Ok(None));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(suspended(), Err(RegisterError::Unreadable(_))));
    }
}
