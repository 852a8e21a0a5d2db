//! What is open: a small file for each exchange, whole or absent, and what was received beside it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use exchange::TransactionId;
use jiff::Timestamp;
use ledger::entry::strict::Offer;
use ledger::entry::{Body, Entry};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What we gave: an offer, and the key that is published against a receipt of it.
#[derive(Serialize, Deserialize)]
pub(super) struct Given {
    #[serde(with = "hexed")]
    pub(super) offer: Vec<u8>,
    /// Sealed for the vault that asked: nothing that we could open.
    #[serde(with = "hexed")]
    pub(super) key: Vec<u8>,
}

/// What we took: an offer with our receipt of it.
#[derive(Serialize, Deserialize)]
pub(super) struct Taken {
    #[serde(with = "hexed")]
    pub(super) offer: Vec<u8>,
    #[serde(with = "hexed")]
    pub(super) receipt: Vec<u8>,
    /// What will open the key, as our vault sealed it.
    #[serde(with = "hexed")]
    pub(super) opener: Vec<u8>,
    /// Who asked for what, as our vault names it.
    #[serde(with = "hexed")]
    pub(super) wanted: Vec<u8>,
    /// Of the request that was answered with the offer.
    pub(super) message_id: String,
    pub(super) at: Timestamp,
}

/// All that is open.
pub(super) struct Book {
    folder: PathBuf,
    given: Mutex<BTreeMap<TransactionId, Arc<Given>>>,
    taken: Mutex<BTreeMap<TransactionId, Arc<Taken>>>,
}

impl Book {
    pub(super) fn open(folder: PathBuf) -> Result<Self, String> {
        let told = |e: io::Error| format!("{}: {e}", folder.display());
        fs::create_dir_all(&folder).map_err(told)?;
        let (given, taken) = (all(&folder, GIVEN)?, all(&folder, TAKEN)?);
        Ok(Self { given: Mutex::new(given), taken: Mutex::new(taken), folder })
    }

    pub(super) fn give(&self, txid: TransactionId, given: Given) -> Result<(), String> {
        tokio::task::block_in_place(|| write(&self.path(GIVEN, txid), &json(&given)?))?;
        lock(&self.given).insert(txid, Arc::new(given));
        Ok(())
    }

    pub(super) fn take(
        &self,
        txid: TransactionId,
        taken: Taken,
        sealed: &[u8],
    ) -> Result<Arc<Taken>, String> {
        tokio::task::block_in_place(|| {
            write(&self.path(SEALED, txid), sealed)?;
            write(&self.path(TAKEN, txid), &json(&taken)?)
        })?;
        let taken = Arc::new(taken);
        lock(&self.taken).insert(txid, Arc::clone(&taken));
        Ok(taken)
    }

    pub(super) fn given(&self) -> Vec<(TransactionId, Arc<Given>)> {
        lock(&self.given).iter().map(|(txid, row)| (*txid, Arc::clone(row))).collect()
    }

    pub(super) fn taken(&self) -> Vec<(TransactionId, Arc<Taken>)> {
        lock(&self.taken).iter().map(|(txid, row)| (*txid, Arc::clone(row))).collect()
    }

    /// What was received.
    pub(super) fn sealed(&self, txid: TransactionId) -> Result<Bytes, String> {
        let path = self.path(SEALED, txid);
        let read = tokio::task::block_in_place(|| fs::read(&path));
        read.map(Bytes::from).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// An exchange is over on our side, whichever that is.
    pub(super) fn forget(&self, txid: TransactionId) {
        lock(&self.given).remove(&txid);
        lock(&self.taken).remove(&txid);
        for kind in [GIVEN, TAKEN, SEALED] {
            let gone = tokio::task::block_in_place(|| fs::remove_file(self.path(kind, txid)));
            if let Err(error) = gone.or_else(absent) {
                tracing::error!(%txid, %error, "an open exchange that is over stays on disk");
            }
        }
    }

    /// What was taken under a key that does not fit is over, and stays for whoever complains.
    pub(super) fn set_aside(&self, txid: TransactionId) {
        lock(&self.taken).remove(&txid);
        let (from, to) = (self.path(TAKEN, txid), self.path(BROKEN, txid));
        if let Err(error) = tokio::task::block_in_place(|| fs::rename(from, to)) {
            tracing::error!(%txid, %error, "an exchange with a wrong key is not set aside");
        }
    }

    fn path(&self, kind: &str, txid: TransactionId) -> PathBuf {
        self.folder.join(format!("{}.{kind}", hex::encode(txid.0)))
    }
}

/// The offer of an entry.
pub(super) fn offer(entry: &[u8]) -> Option<Offer> {
    match Entry::decode(entry).ok()?.body() {
        Body::Offer(offer) => Some(offer.clone()),
        _ => None,
    }
}

fn all<T: DeserializeOwned>(
    folder: &Path,
    kind: &str,
) -> Result<BTreeMap<TransactionId, Arc<T>>, String> {
    let mut found = BTreeMap::new();
    for file in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = file.map_err(|e| format!("{}: {e}", folder.display()))?.path();
        if path.extension().is_none_or(|of| of != kind) {
            continue;
        }
        let told = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let mut txid = [0; 16];
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        hex::decode_to_slice(name, &mut txid).map_err(|e| told(&e))?;
        let bytes = fs::read(&path).map_err(|e| told(&e))?;
        let row = serde_json::from_slice(&bytes).map_err(|e| told(&e))?;
        found.insert(TransactionId(txid), Arc::new(row));
    }
    Ok(found)
}

fn json(row: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(row).map_err(|error| error.to_string())
}

/// Durable when it returns, and for this user only.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let temporary = path.with_extension("new");
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(true).write(true).mode(0o600);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    });
    written.map_err(|error| format!("{}: {error}", path.display()))
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn lock<T>(rows: &Mutex<T>) -> MutexGuard<'_, T> {
    rows.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes as people read them.
mod hexed {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

const GIVEN: &str = "given";
const TAKEN: &str = "taken";
const SEALED: &str = "sealed";
const BROKEN: &str = "broken";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn taken() -> Taken {
        let (offer, receipt, opener, wanted) = (vec![1], vec![2], vec![3], vec![4]);
        let (message_id, at) = ("urn:uuid:1".to_owned(), Timestamp::UNIX_EPOCH);
        Taken { offer, receipt, opener, wanted, message_id, at }
    }

    #[test]
    fn what_is_open_is_there_after_a_restart_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("strict");
        let (ours, theirs, broken) =
            (TransactionId([1; 16]), TransactionId([2; 16]), TransactionId([3; 16]));
        let book = Book::open(at.clone()).unwrap();
        book.give(ours, Given { offer: vec![5], key: vec![6] }).unwrap();
        book.take(theirs, taken(), b"sealed").unwrap();
        book.take(broken, taken(), b"sealed").unwrap();
        for file in fs::read_dir(&at).unwrap() {
            let mode = file.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "for the node's user only");
        }
        let again = Book::open(at.clone()).unwrap();
        assert_eq!(again.given()[0].1.key, [6]);
        assert_eq!(again.taken()[0].1.wanted, [4]);
        assert_eq!(again.sealed(theirs).unwrap().as_ref(), b"sealed");
        again.forget(ours);
        again.forget(theirs);
        again.set_aside(broken);
        assert!(again.given().is_empty() && again.taken().is_empty());
        let last = Book::open(at.clone()).unwrap();
        assert!(last.given().is_empty() && last.taken().is_empty() && last.sealed(theirs).is_err());
        assert_eq!(last.sealed(broken).unwrap().as_ref(), b"sealed", "for a complaint");
        fs::write(at.join(format!("{}.given", hex::encode([9; 16]))), "{").unwrap();
        assert!(Book::open(at).is_err(), "damage is told");
    }
}
