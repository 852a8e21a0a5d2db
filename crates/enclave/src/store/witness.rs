//! What tells that a store, or a log, is an older one than there was: the log's newest checkpoint,
//! which our own log key signed, says the counter of the store of that time; the store says where the
//! log was when it was written.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use trust::note::Checkpoint;
use trust::seal::SigningKey;

use super::{Contents, Place, Seen};
use crate::ring::Use;

/// The extension line of a checkpoint (c2sp.org/tlog-checkpoint) about a store's counter.
pub fn line(counter: u64) -> String {
    format!("{LINE}{counter}")
}

/// The counter that a checkpoint says.
pub(crate) fn counter(checkpoint: &Checkpoint) -> Option<u64> {
    let said = checkpoint.lines.iter().find_map(|said| said.strip_prefix(LINE))?;
    let counter = said.parse().ok()?;
    (line(counter).strip_prefix(LINE) == Some(said)).then_some(counter)
}

/// The newest checkpoint of the log: what it covers, and the counter that it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) seen: Seen,
    pub(crate) counter: Option<u64>,
}

/// Reads it from the log's folder; `None` before the first leaf.
pub(crate) fn newest(place: &Place, store: &Contents) -> Result<Option<Newest>, String> {
    let path = place.folder.join("log/checkpoint");
    let Some(note) = read(&path)? else { return Ok(None) };
    let key = store.keys.iter().find(|key| key.purpose == Use::Log);
    let key = key.ok_or("the store has no key of the log")?;
    let key = SigningKey::from_ed25519(&key.bytes).map_err(|e| e.to_string())?;
    let checkpoint = Checkpoint::verify(&note, key.public())
        .ok_or_else(|| format!("{} is not signed by the log key in the store", path.display()))?;
    let counter = counter(&checkpoint);
    let Checkpoint { origin, size, root, .. } = checkpoint;
    if origin != place.origin {
        return Err(format!("{} is of the log {origin}, not {}", path.display(), place.origin));
    }
    Ok(Some(Newest { seen: Seen { origin, size, root }, counter }))
}

/// The counter that the log's checkpoint says, whoever signed it: for a folder without a store.
pub(crate) fn unsigned(folder: &Path) -> Result<Option<u64>, String> {
    let note = read(&folder.join("log/checkpoint"))?;
    let body = note.as_deref().and_then(|note| note.split_once("\n\n"));
    let checkpoint = body.and_then(|(body, _)| Checkpoint::parse(&format!("{body}\n")));
    Ok(checkpoint.as_ref().and_then(counter))
}

fn read(path: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(|e| format!("cannot read {}: {e}", path.display())),
    }
}

/// Refuses an older store, and an older log. The TPM counts after the store is written: one that
/// was killed between the two has a store that is one ahead.
pub(crate) fn compare(
    store: &Contents,
    newest: Option<&Newest>,
    ticks: Option<u64>,
) -> Result<(), Older> {
    match (store.ticks, ticks) {
        (Some(here), Some(now)) if here != now && here.checked_sub(1) != Some(now) => {
            return Err(Older::Ticks { here, now });
        }
        (None, Some(now)) if store.counter > 0 => return Err(Older::Uncounted { now }),
        _ => {}
    }
    let said = newest.and_then(|newest| newest.counter).unwrap_or(0);
    if store.counter < said {
        return Err(Older::Store { here: store.counter, said });
    }
    let Some(known) = &store.seen else { return Ok(()) };
    let here = newest.map_or(0, |newest| newest.seen.size);
    if here < known.size {
        return Err(Older::Log { here, known: known.size });
    }
    match newest {
        Some(newest) if newest.seen.origin != known.origin => Err(Older::Origin),
        Some(newest) if here == known.size && newest.seen.root != known.root => {
            Err(Older::Fork { size: here })
        }
        _ => Ok(()),
    }
}

/// How a state is older than one that there was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Older {
    #[error("older state: vault.sealed has counter {here}, and the log says {said}")]
    Store { here: u64, said: u64 },
    #[error("older state: the log has {here} entries, and vault.sealed knows of {known}")]
    Log { here: u64, known: u64 },
    #[error("older state: the log has other entries than vault.sealed knows of, {size} of both")]
    Fork { size: u64 },
    #[error("older state: vault.sealed knows of a log with another name ([ledger] origin)")]
    Origin,
    #[error(
        "older state: vault.sealed was written at {here} of the TPM's counter, which is at {now}"
    )]
    Ticks { here: u64, now: u64 },
    #[error("older state: vault.sealed was never counted by this TPM, which is at {now}")]
    Uncounted { now: u64 },
}

const LINE: &str = "konfido-vault ";

#[cfg(test)]
mod tests {
    use exchange::Country;

    use super::*;

    fn store(counter: u64, size: u64, ticks: Option<u64>) -> Contents {
        let seen = Seen { origin: "konfido.example/dk".into(), size, root: [1; 32] };
        let new = Contents::new(Country::parse("DK").unwrap());
        Contents { counter, seen: Some(seen), ticks, ..new }
    }

    fn log(size: u64, counter: Option<u64>) -> Newest {
        let seen = Seen { origin: "konfido.example/dk".into(), size, root: [1; 32] };
        Newest { seen, counter }
    }

    #[test]
    fn each_way_of_being_older_has_its_name() {
        let judge = |store: Contents, log: Option<Newest>, ticks| {
            compare(&store, log.as_ref(), ticks).err()
        };
        let sound = [
            (store(5, 8, None), Some(log(8, Some(5))), None),
            (store(6, 8, None), Some(log(9, Some(5))), None),
            (store(5, 8, None), Some(log(8, None)), None),
            (store(5, 0, None), None, None),
            (store(5, 8, Some(3)), Some(log(8, Some(5))), Some(3)),
            // killed before the TPM counted
            (store(5, 8, Some(4)), Some(log(8, Some(4))), Some(3)),
            // counted, and now without a counter
            (store(5, 8, Some(4)), Some(log(8, Some(4))), None),
        ];
        for (number, (store, log, ticks)) in sound.into_iter().enumerate() {
            assert_eq!(judge(store, log, ticks), None, "row {number}");
        }
        let mut forked = log(8, Some(5));
        forked.seen.root = [2; 32];
        let mut renamed = log(9, Some(5));
        renamed.seen.origin = "konfido.example/es".into();
        let older = [
            (store(4, 8, None), Some(log(8, Some(5))), None, Older::Store { here: 4, said: 5 }),
            (store(5, 8, None), Some(log(7, Some(5))), None, Older::Log { here: 7, known: 8 }),
            (store(5, 8, None), None, None, Older::Log { here: 0, known: 8 }),
            (store(5, 8, None), Some(forked), None, Older::Fork { size: 8 }),
            (store(5, 8, None), Some(renamed), None, Older::Origin),
            (store(5, 0, Some(2)), None, Some(3), Older::Ticks { here: 2, now: 3 }),
            (store(5, 0, Some(5)), None, Some(3), Older::Ticks { here: 5, now: 3 }),
            (store(5, 0, None), None, Some(3), Older::Uncounted { now: 3 }),
        ];
        for (store, log, ticks, why) in older {
            assert_eq!(judge(store, log, ticks), Some(why));
        }
    }
}
