//! What was erased stands in no byte of the journal's files.

use std::path::Path;
use std::sync::Arc;

use exchange::{Side, SystemEntropy, TransactionId};
use ledger::journal::{
    Erase, Journal as _, PatientKey, Patients as _, Row, State, Step, conformance,
};
use ledger::sealed::{EvidenceKey, Part, Sealed};
use ledger::{Field, Secrets};
use rusqlite::params;
use sqlite::{Clear, Journal, Sealer};

/// Bytes that are like no other.
fn bytes<const N: usize>(kind: u8, number: u16) -> [u8; N] {
    let seed = [&[kind][..], &number.to_be_bytes()].concat();
    let mut all = Vec::new();
    while all.len() < N {
        let turn = all.len().to_be_bytes();
        all.extend(ledger::evidence::sha256(&[&seed[..], &turn].concat()));
    }
    std::array::from_fn(|at| all[at])
}

fn row(number: u16, patient: i64) -> Row {
    let secrets = Sealed {
        patient,
        key: bytes::<40>(b'k', number).to_vec(),
        asked: bytes::<700>(b'a', number).to_vec(),
        answered: bytes::<200>(b'b', number).to_vec(),
    };
    let txid = TransactionId(bytes(b't', number));
    Row { txid, secrets, ..conformance::settled_row(number) }
}

/// Whether any file of the folder has these bytes.
fn stands(folder: &Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|file| {
        let path = file.unwrap().path();
        let text = std::fs::read(&path).unwrap();
        let at = text.windows(wanted.len()).position(|at| at == wanted);
        at.inspect(|at| eprintln!("{}: page {} + {}", path.display(), at / 4096, at % 4096))
            .is_some()
    })
}

async fn finish(journal: &Journal) {
    while journal.sweep(3).await.unwrap() > 0 {}
    assert!(journal.scrub().await.unwrap());
}

/// So many that pages of the index were split, and of each kind of erasure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_of_the_files_holds_what_was_erased() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    let mut patients = Vec::new();
    for number in 0..400 {
        let (name, key) = (bytes::<32>(b'p', number), bytes::<60>(b's', number).to_vec());
        let patient = journal.keep_patient(name, key).await.unwrap();
        // an exchange goes through its states
        let whole = row(number, patient.number);
        for state in [State::Answered, State::Settled] {
            let step = Step { replay: None, rows: vec![Row { state, ..whole.clone() }] };
            journal.commit(step).await.unwrap();
        }
        patients.push(patient);
    }
    let folder = folder.path();
    let of = |number: u16| {
        let secrets = row(number, 0).secrets;
        (secrets.key, [secrets.asked[..64].to_vec(), secrets.answered[..64].to_vec()])
    };
    let named = |patient: &PatientKey| {
        stands(folder, &patient.pseudonym) || stands(folder, &patient.sealed)
    };
    for number in [0, 17, 18, 250] {
        assert!(named(&patients[usize::from(number)]) && stands(folder, &of(number).0));
    }
    assert!(journal.erase(Erase::Patient(patients[17].number)).await.unwrap());
    assert!(journal.erase(Erase::Exchange(row(250, 0).txid, Side::B)).await.unwrap());
    finish(&journal).await;
    assert!(!named(&patients[17]), "his name and his key");
    for number in [17, 250] {
        let (key, secrets) = of(number);
        assert!(!stands(folder, &key), "the key of exchange {number}");
        for sealed in secrets {
            assert!(!stands(folder, &sealed), "what was sealed of exchange {number}");
        }
    }
    let others = patients.iter().enumerate().filter(|(number, _)| *number != 17);
    for (number, patient) in others.step_by(13) {
        let number = u16::try_from(number).unwrap();
        assert!(journal.patient_named(patient.pseudonym).await.unwrap() == Some(patient.clone()));
        let found = journal.row(row(number, 0).txid, Side::B).await.unwrap().unwrap();
        assert!(number == 250 || found.secrets == row(number, patient.number).secrets);
    }
    journal.close();
    assert!(!named(&patients[17]), "nor does closing bring it back");
}

/// The process dies after the key was deleted, and before the rest was overwritten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_was_killed_is_completed_when_it_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let journal = Journal::open(&path).unwrap();
    let patient = journal.keep_patient(bytes(b'p', 1), vec![1; 60]).await.unwrap();
    let rows = (1..9).map(|number| row(number, patient.number)).collect();
    journal.commit(Step { replay: None, rows }).await.unwrap();
    assert!(journal.erase(Erase::Patient(patient.number)).await.unwrap());
    assert_eq!(journal.sweep(3).await.unwrap(), 3);
    drop(journal); // nothing is closed
    let journal = Journal::open(&path).unwrap();
    assert!(journal.patient_named(patient.pseudonym).await.unwrap().is_none());
    assert!(stands(folder.path(), &row(8, 0).secrets.key), "this test can fail");
    assert!(!journal.erase(Erase::Patient(patient.number)).await.unwrap(), "it is gone already");
    finish(&journal).await;
    assert!(journal.about(patient.number, None, 100).await.unwrap().is_empty());
    assert!((1..9).all(|number| !stands(folder.path(), &row(number, 0).secrets.key)));
    assert!(!stands(folder.path(), &patient.pseudonym));
}

/// Seals as a vault would; the patient is his own name.
struct Vault;

impl Sealer for Vault {
    fn name(&mut self, clear: &Clear) -> Result<[u8; 32], String> {
        let patient = clear.asked.disclose(Field::Patient).map_or("", |(_, patient)| patient);
        Ok(ledger::evidence::sha256(patient.as_bytes()))
    }

    fn seal(
        &mut self,
        clear: &Clear,
        known: Option<&PatientKey>,
    ) -> Result<(Sealed, Option<Vec<u8>>), String> {
        let key = EvidenceKey::draw(clear.txid, clear.side, &SystemEntropy);
        let answered = clear.answered.as_ref();
        let sealed = Sealed {
            patient: 0,
            key: key.bytes().to_vec(),
            asked: key.seal(Part::Asked, &clear.asked),
            answered: answered.map_or_else(Vec::new, |all| key.seal(Part::Answered, all)),
        };
        Ok((sealed, known.is_none().then(|| vec![5; 60])))
    }
}

/// What the release before stored in the clear; one row, as the first release had it, holds the
/// answer's secrets with the request's.
fn of_version_3(path: &Path, rows: u16) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    for step in [
        include_str!("../../migrations/journal.sql"),
        include_str!("../../migrations/journal-2.sql"),
        include_str!("../../migrations/journal-3.sql"),
        "PRAGMA user_version = 3",
    ] {
        db.execute_batch(step).unwrap();
    }
    let draw = |field, value: String| Secrets::draw([(field, value)], &SystemEntropy).encode();
    for number in 0..rows {
        let asked = draw(Field::Patient, format!("Agnete Lund {}", number % 3));
        let answered = draw(Field::Answer, format!("answer {number}"));
        let (asked, behind) = match number {
            0 => ([asked, answered].concat(), Vec::new()),
            _ => (asked, answered),
        };
        let (id, txid) = (i64::from(number) + 1, bytes::<16>(b't', number));
        db.execute("INSERT INTO request VALUES (?1, x'00', ?2)", params![id, asked]).unwrap();
        db.execute("INSERT INTO statement VALUES (?1, x'01', ?2)", params![id, behind]).unwrap();
        db.execute(
            "INSERT INTO evidence VALUES (?1, ?2, 1, 2, 'ES', 'DK', 2, ?1, NULL, 0, 1000, ?1)",
            params![id, txid],
        )
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_the_release_before_are_sealed_and_no_page_still_holds_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    of_version_3(&path, 200);
    assert!(stands(folder.path(), b"Agnete Lund") && stands(folder.path(), b"answer 77"));
    let mut seen = Vec::new();
    let mut progress = |done, all| seen.push((done, all));
    let journal = Journal::open_sealing(&path, &mut Vault, &mut progress).unwrap();
    assert_eq!(seen, [(64, 200), (128, 200), (192, 200), (200, 200)], "in slices");
    assert!(!stands(folder.path(), b"Agnete Lund") && !stands(folder.path(), b"answer 77"));
    for number in [0, 1, 199] {
        let txid = TransactionId(bytes(b't', number));
        let row = journal.row(txid, Side::B).await.unwrap().unwrap();
        let key: [u8; 32] = row.secrets.key.clone().try_into().unwrap();
        let open = EvidenceKey::of(txid, Side::B, key.into()).open(&row.secrets).unwrap();
        let shown = |field| open.disclose(field).unwrap().1.to_owned();
        assert_eq!(shown(Field::Patient), format!("Agnete Lund {}", number % 3));
        assert_eq!(shown(Field::Answer), format!("answer {number}"));
    }
    let names = [0, 1, 2].map(|n| ledger::evidence::sha256(format!("Agnete Lund {n}").as_bytes()));
    let mut known = 0;
    for name in names {
        let patient = journal.patient_named(name).await.unwrap().unwrap();
        known += journal.about(patient.number, None, 500).await.unwrap().len();
    }
    assert_eq!(known, 200, "each row is its patient's");
    journal.close();
    let again = Journal::open_sealing(&path, &mut Vault, &mut |_, _| panic!("once")).unwrap();
    assert!(Journal::any_locked(&path).unwrap().is_some());
    again.close();
}

/// Requests go on while somebody is erased.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_goes_on_during_an_erasure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let journal = Arc::new(Journal::open(&path).unwrap());
    let gone = journal.keep_patient(bytes(b'p', 1), bytes::<60>(b's', 1).to_vec()).await.unwrap();
    let stays = journal.keep_patient(bytes(b'p', 2), bytes::<60>(b's', 2).to_vec()).await.unwrap();
    for number in 0..100 {
        let rows = vec![row(number, gone.number)];
        journal.commit(Step { replay: None, rows }).await.unwrap();
    }
    let busy = Arc::clone(&journal);
    let others = tokio::spawn(async move {
        for number in 100..400 {
            let rows = vec![row(number, stays.number)];
            busy.commit(Step { replay: None, rows }).await.unwrap();
            // on a slow disk nobody else would get its turn
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    });
    // another process, as the command is
    let command = Journal::open(&path).unwrap();
    assert!(command.erase(Erase::Patient(gone.number)).await.unwrap());
    finish(&command).await;
    command.close();
    others.await.unwrap();
    assert_eq!(journal.about(2, None, 1000).await.unwrap().len(), 300);
    assert!(!stands(folder.path(), &gone.pseudonym) && !stands(folder.path(), &gone.sealed));
    assert!((0..100).step_by(11).all(|number| !stands(folder.path(), &row(number, 0).secrets.key)));
}
