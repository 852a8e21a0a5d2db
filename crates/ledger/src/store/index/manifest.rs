//! Which runs the index consists of and up to which block: one small file, written anew each time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Key;
use super::run::About;
use crate::evidence::sha256;
use crate::member::Registry;
use crate::store::StoreError;
use crate::store::disk::{Disk, damaged};

/// What is durable in the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// Last block that is in the runs.
    pub(super) height: u64,
    /// Number for the next run.
    pub(super) next: u64,
    /// The newest first: a row of an earlier one counts.
    pub(super) runs: Vec<About>,
    /// Open halves by deadline.
    pub(super) due: BTreeSet<(u64, Key)>,
    /// The members as they stand after that block; none while they are those of the genesis.
    pub(super) registry: Option<Arc<Registry>>,
}

impl Manifest {
    pub(super) fn load(disk: &Disk) -> Result<Option<Self>, StoreError> {
        let path = path();
        let Some(bytes) = disk.read_optional(&path)? else { return Ok(None) };
        Self::decode(&bytes).map(Some).ok_or_else(|| {
            damaged(
                &path,
                "does not read; without the folder index/ the index is made anew from the log",
            )
        })
    }

    /// Replaces the manifest; durable when it returns.
    pub(super) fn save(&self, disk: &Disk) -> Result<(), StoreError> {
        disk.place(&path(), &self.encode())?;
        disk.settle([&path()])
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let mut number = |number: u64| out.extend_from_slice(&number.to_be_bytes());
        [self.height, self.next, self.runs.len() as u64].into_iter().for_each(&mut number);
        for run in &self.runs {
            [run.id, u64::from(run.tier), run.rows, run.filter].into_iter().for_each(&mut number);
        }
        number(self.due.len() as u64);
        for (deadline, key) in &self.due {
            out.extend_from_slice(&deadline.to_be_bytes());
            out.extend_from_slice(key);
        }
        out.extend(self.registry.iter().flat_map(|registry| registry.encode()));
        let check = sha256(&out);
        out.extend_from_slice(&check);
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (told, check) = bytes.split_last_chunk::<32>()?;
        (sha256(told) == *check).then_some(())?;
        let mut rest = told.strip_prefix(MAGIC)?;
        let mut manifest =
            Self { height: number(&mut rest)?, next: number(&mut rest)?, ..Self::default() };
        for _ in 0..number(&mut rest)? {
            let (id, tier) = (number(&mut rest)?, u32::try_from(number(&mut rest)?).ok()?);
            let (rows, filter) = (number(&mut rest)?, number(&mut rest)?);
            manifest.runs.push(About { id, tier, rows, filter });
        }
        for _ in 0..number(&mut rest)? {
            let deadline = number(&mut rest)?;
            let (key, behind) = rest.split_first_chunk()?;
            manifest.due.insert((deadline, *key));
            rest = behind;
        }
        if !rest.is_empty() {
            manifest.registry = Some(Arc::new(Registry::decode(rest)?));
        }
        Some(manifest)
    }
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(u64::from_be_bytes(*taken))
}

fn path() -> PathBuf {
    Path::new(super::FOLDER).join("manifest")
}

const MAGIC: &[u8] = b"konfido index 1\n";
