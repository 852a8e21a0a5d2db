//! Salts and values of evidence at rest: each row's under a key of its own, which the vault locks under
//! the patient's. What is erased is a key (docs/decisions/0028-erasure.md).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use enclave::patients::Locked;
use enclave::{Vault, VaultError};
use exchange::{Code, Refusal, Side, TransactionId};
use jiff::{SignedDuration, Timestamp};
use ledger::journal::{JournalError, Outcome, PatientKey, Patients, ReplayKey, Row, Step};
use ledger::sealed::{EvidenceKey, Part, Sealed};
use ledger::{Field, Secrets};
use trust::seal::SealKey;

use crate::node::{Node, Sealing};

/// Why secrets could not be put away or taken out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsError {
    /// The vault did not lock or unlock.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// They do not open: the file is damaged, or of an earlier release and not sealed yet.
    #[error("the salts of this exchange are damaged, or not sealed yet: start the node once")]
    Damaged,
    /// The patient was erased again and again while we recorded.
    #[error("the patient is being erased")]
    Erased,
}

impl SecretsError {
    /// Without evidence nothing is exchanged.
    pub(crate) fn refusal(&self) -> Refusal {
        Refusal::new(Code::ErrorGeneric, "the evidence cannot be kept just now; try again")
            .with_detail(self.to_string())
    }
}

/// Sealed keys of patients that were used a moment ago: the vault names a patient for us once.
#[derive(Default)]
pub struct PatientKeys(Mutex<HashMap<String, (Timestamp, PatientKey)>>);

impl PatientKeys {
    fn find(&self, patient: &str, now: Timestamp) -> Option<PatientKey> {
        let known = self.known();
        let fresh = |found: &&(Timestamp, PatientKey)| now.duration_since(found.0) < LIFE;
        known.get(patient).filter(fresh).map(|found| found.1.clone())
    }

    fn keep(&self, patient: &str, key: PatientKey, now: Timestamp) {
        let mut known = self.known();
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert(patient.to_owned(), (now, key));
    }

    fn forget(&self, patient: &str) {
        self.known().remove(patient);
    }

    /// Forgets those that were not used for a while.
    pub fn expire(&self, now: Timestamp) {
        self.known().retain(|_, found| now.duration_since(found.0) < LIFE);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, (Timestamp, PatientKey)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of an evidence, and as its row keeps it.
pub(crate) struct LockedKey {
    pub(crate) key: EvidenceKey,
    patient: i64,
    locked: Vec<u8>,
}

/// A row that is durable, and the key of its evidence.
pub(crate) struct Put {
    pub(crate) outcome: Outcome,
    pub(crate) row: Row,
    pub(crate) key: EvidenceKey,
}

/// Draws the key of an evidence and locks it under that of its patient, while `sign` signs that evidence:
/// in one call to the vault, most times.
pub(crate) async fn lock_signing<T>(
    node: &Node,
    sealing: &Sealing,
    (txid, side, asked): (TransactionId, Side, &Secrets),
    sign: impl Fn(&SealKey) -> T,
) -> (T, Result<LockedKey, SecretsError>) {
    let (patient, now) = (patient(asked), node.clock.now());
    let key = EvidenceKey::draw(txid, side, node.entropy.as_ref());
    let known = node.patient_keys.find(patient, now);
    let under = known.as_ref().map_or(&[][..], |known| &known.sealed);
    let (signed, locked) =
        sealing.vault.lock_signing(&sealing.seal, (patient, under, key.bytes()), sign);
    (signed, placed(node, &sealing.vault, (patient, known), key, locked).await)
}

/// [`lock_signing`] where nothing is signed.
pub(crate) async fn lock(
    node: &Node,
    vault: &Vault,
    patient: &str,
    key: EvidenceKey,
) -> Result<LockedKey, SecretsError> {
    let known = node.patient_keys.find(patient, node.clock.now());
    let under = known.as_ref().map_or(&[][..], |known| &known.sealed);
    let locked = vault.lock(patient, under, key.bytes());
    placed(node, vault, (patient, known), key, locked).await
}

/// The number of the patient, with his key made durable when it was made just now.
async fn placed(
    node: &Node,
    vault: &Vault,
    (patient, known): (&str, Option<PatientKey>),
    key: EvidenceKey,
    locked: Result<Locked, VaultError>,
) -> Result<LockedKey, SecretsError> {
    let locked = locked?;
    if let Some(known) = known {
        return Ok(LockedKey { key, patient: known.number, locked: locked.key.to_vec() });
    }
    let made = locked.made.ok_or(VaultError::Gone)?;
    let kept = match node.journal.patient_named(locked.pseudonym).await? {
        Some(known) => known,
        None => node.journal.keep_patient(locked.pseudonym, made.to_vec()).await?,
    };
    let locked = if kept.sealed == made {
        locked
    } else {
        vault.lock(patient, &kept.sealed, key.bytes())?
    };
    let number = kept.number;
    node.patient_keys.keep(patient, kept, node.clock.now());
    Ok(LockedKey { key, patient: number, locked: locked.key.to_vec() })
}

/// Puts a new row's secrets away and makes it durable, in one step.
pub(crate) async fn put(
    node: &Node,
    vault: &Vault,
    replay: Option<ReplayKey>,
    row: Row,
    mut locked: LockedKey,
    (asked, answered): (&Secrets, Option<&Secrets>),
) -> Result<Put, SecretsError> {
    let (patient, key) = (patient(asked), &locked.key);
    let sealed = Sealed {
        patient: 0,
        key: Vec::new(),
        asked: key.seal(Part::Asked, asked),
        answered: answered.map_or_else(Vec::new, |all| key.seal(Part::Answered, all)),
    };
    let mut row = Row { secrets: sealed, ..row };
    for _ in 0..TRIES {
        (row.secrets.patient, row.secrets.key) = (locked.patient, locked.locked);
        let step = Step { replay, rows: vec![row.clone()] };
        match node.journal.commit(step).await? {
            // by another process, while we knew his key
            Outcome::Erased => node.patient_keys.forget(patient),
            outcome => return Ok(Put { outcome, row, key: locked.key }),
        }
        locked = lock(node, vault, patient, locked.key).await?;
    }
    Err(SecretsError::Erased)
}

/// The secrets of a row; `None` when they were erased.
pub async fn open(
    journal: &(impl Patients + ?Sized),
    vault: &Vault,
    row: &Row,
) -> Result<Option<Secrets>, SecretsError> {
    if row.secrets.is_erased() {
        return Ok(None);
    }
    let Some(patient) = journal.patient(row.secrets.patient).await? else {
        // the patient was erased, and the row waits to be overwritten
        return if row.secrets.key.is_empty() { Err(SecretsError::Damaged) } else { Ok(None) };
    };
    let key = vault.unlock(&patient.pseudonym, &patient.sealed, &row.secrets.key)?;
    let key = EvidenceKey::of(row.txid, row.side, key);
    key.open(&row.secrets).map(Some).ok_or(SecretsError::Damaged)
}

/// Whom the evidence is about; nobody where no patient was named, as in a discovery.
pub fn patient(asked: &Secrets) -> &str {
    asked.disclose(Field::Patient).map_or("", |(_, patient)| patient)
}

/// How long a key is known without asking the journal.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
/// Keys that are known at most.
const KNOWN: usize = 4096;
/// How often a patient may be erased while one of his requests is recorded.
const TRIES: usize = 3;
