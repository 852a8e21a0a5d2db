//! The threads of the index: one writes runs, the other merges them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::manifest::Manifest;
use super::run::{self, About, Rows, Run, Writer};
use super::{FILTERS, FOLDER, Inner, Key, Memory, Value};
use crate::crash;
use crate::store::StoreError;
use crate::store::disk::{Disk, at};

/// Starts both threads.
pub(super) fn start(inner: &Arc<Inner>) -> Result<Vec<JoinHandle<()>>, StoreError> {
    let works: [(&str, fn(&Inner) -> Result<bool, StoreError>); 2] =
        [("ledger-index", Inner::flush), ("ledger-merge", Inner::merge)];
    let spawn = |(name, work): (&str, fn(&Inner) -> Result<bool, StoreError>)| {
        let inner = inner.clone();
        let thread = std::thread::Builder::new().name(name.to_owned());
        thread.spawn(move || inner.work(work)).map_err(|source| at(Path::new(FOLDER), source))
    };
    works.into_iter().map(spawn).collect()
}

/// Removes runs that no manifest names: a crash left them.
pub(super) fn remove_strangers(disk: &Disk, manifest: &Manifest) -> Result<(), StoreError> {
    let known: BTreeSet<_> = manifest.runs.iter().map(|about| run::path(about.id)).collect();
    for name in disk.names(Path::new(FOLDER))? {
        let path = Path::new(FOLDER).join(&name);
        if name.starts_with("run-") && !known.contains(&path) {
            disk.remove(&path)?;
        }
    }
    Ok(())
}

impl Inner {
    /// Does a work until the index is closed. After a failure it is tried again: the rows stay in memory.
    fn work(&self, work: fn(&Self) -> Result<bool, StoreError>) {
        while !self.stop.load(Ordering::SeqCst) {
            let wait = match work(self) {
                Ok(true) => {
                    self.turn.1.notify_all();
                    continue;
                }
                Ok(false) => Duration::from_millis(100),
                Err(_) => Duration::from_millis(300),
            };
            let guard = self.turn.0.lock().unwrap_or_else(PoisonError::into_inner);
            drop(self.turn.1.wait_timeout(guard, wait));
        }
    }

    /// Writes the sealed rows as a run; false when there are none.
    fn flush(&self) -> Result<bool, StoreError> {
        let Some(sealed) = self.read().sealed.clone() else { return Ok(false) };
        let mut writer = Writer::new(&self.disk, self.next_id(), 0, sealed.rows.len() as u64)?;
        sealed.rows.iter().try_for_each(|(key, value)| writer.add(key, value))?;
        let about = writer.finish()?;
        crash::point("store/run");
        self.adopt(about, &[], Some(&sealed))?;
        Ok(true)
    }

    /// At the end: everything that is in memory.
    pub(super) fn flush_all(&self) -> Result<(), StoreError> {
        self.flush()?;
        let mut tables = self.write();
        if tables.sealed.is_none() && !tables.active.rows.is_empty() {
            tables.seal();
            drop(tables);
            self.flush()?;
        }
        Ok(())
    }

    /// Merges the newest runs when there are enough of a tier; false when there are not.
    fn merge(&self) -> Result<bool, StoreError> {
        let runs = self.read().runs.clone();
        let count = to_merge(&runs.iter().map(|run| run.about.tier).collect::<Vec<_>>());
        let merged = &runs[..count];
        let Some(oldest) = merged.last() else { return Ok(false) };
        let at_most = merged.iter().map(|run| run.about.rows).sum();
        let mut writer = Writer::new(&self.disk, self.next_id(), oldest.about.tier + 1, at_most)?;
        for row in Merged::of(merged) {
            let (key, value) = row?;
            writer.add(&key, &value)?;
            if self.stop.load(Ordering::Relaxed) {
                return writer.abandon().map(|()| false);
            }
        }
        let about = writer.finish()?;
        crash::point("store/merged");
        let old: Vec<u64> = merged.iter().map(|run| run.about.id).collect();
        self.adopt(about, &old, None)?;
        Ok(true)
    }

    /// Puts a run in the place of others, or in front with what was sealed; durable before readers see it.
    fn adopt(&self, about: About, old: &[u64], sealed: Option<&Memory>) -> Result<(), StoreError> {
        let mut manifest = self.manifest();
        let mut next = manifest.clone();
        let place = next.runs.iter().position(|run| old.contains(&run.id)).unwrap_or(0);
        next.runs.retain(|run| !old.contains(&run.id));
        next.runs.insert(place, about);
        if let Some(Memory { height, due, registry, .. }) = sealed {
            (next.height, next.due, next.registry) = (*height, due.clone(), registry.clone());
        }
        let held: u64 = self.read().runs.iter().map(|run| run.held()).sum();
        let run = Arc::new(Run::open(&self.disk, about, held + about.filter <= FILTERS)?);
        next.save(&self.disk)?;
        crash::point("store/manifest");
        *manifest = next;
        let mut tables = self.write();
        tables.runs.retain(|run| !old.contains(&run.about.id));
        tables.runs.insert(place, run);
        if sealed.is_some() {
            tables.sealed = None;
            tables.seal_when_full();
        }
        drop(tables);
        old.iter().try_for_each(|id| self.disk.remove(&run::path(*id)))
    }

    fn next_id(&self) -> u64 {
        let mut manifest = self.manifest();
        manifest.next += 1;
        manifest.next
    }
}

/// How many of the newest runs are merged: all of a tier that has four, and so on upwards as when counting.
fn to_merge(tiers: &[u32]) -> usize {
    let (mut count, mut carried) = (0, 0);
    for tier in 0.. {
        let of_tier = tiers[count..].iter().take_while(|other| **other <= tier).count();
        if of_tier + carried < FANOUT {
            return count;
        }
        (count, carried) = (count + of_tier, 1);
    }
    count
}

/// The rows of several runs in order; of an id, that of the newest.
struct Merged<'r> {
    runs: Vec<std::iter::Peekable<Rows<'r>>>,
}

impl<'r> Merged<'r> {
    fn of(runs: &'r [Arc<Run>]) -> Self {
        Self { runs: runs.iter().map(|run| run.rows().peekable()).collect() }
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<(Key, Value), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut least: Option<Key> = None;
        for run in &mut self.runs {
            match run.peek() {
                Some(Ok((key, _))) => least = Some(least.map_or(*key, |least| least.min(*key))),
                Some(Err(_)) => return run.next(),
                None => {}
            }
        }
        let least = least?;
        let mut row = None;
        for run in &mut self.runs {
            let same = run.next_if(|next| next.as_ref().is_ok_and(|(key, _)| *key == least));
            row = row.or(same);
        }
        row
    }
}

/// Runs of a tier that are merged.
const FANOUT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_merged_as_numbers_are_counted() {
        let table: &[(&[u32], usize)] = &[
            (&[], 0),
            (&[0, 0, 0], 0),
            (&[0, 0, 0, 0], 4),
            (&[0, 0, 0, 0, 1, 1], 4),
            (&[0, 0, 0, 0, 1, 1, 1], 7),
            (&[0, 0, 0, 1, 1, 1], 0),
            (&[0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3], 10),
        ];
        for (tiers, count) in table {
            assert_eq!(to_merge(tiers), *count, "{tiers:?}");
        }
    }
}
