//! The tree as files below a directory.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{MAX_BLOB, Tree};
use crate::attest::MAX_EVENT_LOG;

/// The tree of a kernel, or what is mounted in its place.
#[derive(Debug, Clone)]
pub struct Configfs {
    root: PathBuf,
    log: Option<PathBuf>,
}

impl Configfs {
    /// Where Linux has it.
    pub const ROOT: &str = "/sys/kernel/config/tsm/report";

    /// Where Gramine has its files, for [`enclave_report`](super::enclave_report).
    pub const GRAMINE: &str = "/dev/attestation";

    /// Where Linux shows the firmware's event log of a confidential VM.
    pub const EVENT_LOG: &str = "/sys/firmware/acpi/tables/data/CCEL";

    /// The tree of this machine's kernel.
    pub fn new() -> Self {
        Self::at(Path::new(Self::ROOT)).with_event_log(Path::new(Self::EVENT_LOG))
    }

    /// The files of the Gramine around this process.
    pub fn gramine() -> Self {
        Self::at(Path::new(Self::GRAMINE))
    }

    /// Another tree; what it reports is simulated, and says so.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), log: None }
    }

    /// With an event log in this file, if it is there.
    #[must_use]
    pub fn with_event_log(self, file: &Path) -> Self {
        Self { log: Some(file.to_owned()), ..self }
    }

    fn path(&self, entry: &str, attribute: &str) -> PathBuf {
        self.root.join(entry).join(attribute)
    }
}

impl Default for Configfs {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree for Configfs {
    fn create(&self, entry: &str) -> io::Result<()> {
        fs::create_dir(self.root.join(entry))
    }

    fn remove(&self, entry: &str) -> io::Result<()> {
        fs::remove_dir(self.root.join(entry))
    }

    /// One `write(2)`, and no file of ours when the kernel shows none.
    fn write(&self, entry: &str, attribute: &str, value: &[u8]) -> io::Result<()> {
        let path = self.path(entry, attribute);
        fs::OpenOptions::new().write(true).open(path)?.write_all(value)
    }

    fn read(&self, entry: &str, attribute: &str) -> io::Result<Vec<u8>> {
        let mut out = vec![];
        let file = fs::File::open(self.path(entry, attribute))?;
        file.take(MAX_BLOB + 1).read_to_end(&mut out)?;
        if out.len() as u64 > MAX_BLOB {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(out)
    }

    fn event_log(&self) -> Vec<u8> {
        let Some(Ok(file)) = self.log.as_ref().map(fs::File::open) else { return Vec::new() };
        let mut out = vec![];
        // a byte more than the longest, so that a longer one is seen to be so
        let read = file.take(MAX_EVENT_LOG as u64 + 1).read_to_end(&mut out);
        if read.is_ok() { out } else { Vec::new() }
    }

    fn simulated(&self) -> bool {
        [Self::ROOT, Self::GRAMINE].iter().all(|real| self.root != Path::new(real))
    }
}
