//! The built-in national document store.

mod keeping;

use std::path::Path;

use exchange::{Country, DocumentClass, PatientId};
use gateway::national::{
    Answer, Dispensation, DocumentStore, Entry, Form, Kept, Outcome, Patient, Status, StoreError,
    StoredDocument,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::{Database, DatabaseError, Safety};
use crate::{micros, sql_limit, timestamp};

pub use keeping::{Keep, KeepError};

/// `national.db`.
pub struct National(Database);

impl National {
    /// Opens or makes the file.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let schema = [
            include_str!("../migrations/national.sql"),
            include_str!("../migrations/national-2.sql"),
        ];
        Database::open_migrated(path, &schema, Safety::Full).map(Self)
    }

    /// Commits what is queued and closes the file.
    pub fn close(&self) {
        self.0.close();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "shaped for map_err")]
fn failed(error: DatabaseError) -> StoreError {
    StoreError::Failed(error.to_string())
}

impl DocumentStore for National {
    fn find_patients<'a>(&'a self, ids: &'a [PatientId]) -> Answer<'a, Vec<Patient>> {
        let wanted: Vec<String> = ids.iter().map(PatientId::cx).collect();
        Box::pin(
            async move { self.0.read(move |db| find_patients(db, &wanted)).await.map_err(failed) },
        )
    }

    fn entries<'a>(
        &'a self,
        patient: &'a PatientId,
        class: DocumentClass,
        limit: usize,
    ) -> Answer<'a, Vec<Entry>> {
        let patient = patient.cx();
        Box::pin(async move {
            let query = move |db: &Connection| {
                let mut select = db.prepare_cached(&format!(
                    "SELECT {ENTRY} FROM document WHERE patient = ?1 AND class = ?2 ORDER BY created DESC, unique_id LIMIT ?3"
                ))?;
                select.query_map(params![patient, class.code(), sql_limit(limit)], entry)?.collect()
            };
            self.0.read(query).await.map_err(failed)
        })
    }

    fn document<'a>(&'a self, unique_id: &'a str) -> Answer<'a, Option<StoredDocument>> {
        let id = unique_id.to_owned();
        Box::pin(async move {
            let query = move |db: &Connection| {
                let mut select = db.prepare_cached(&format!(
                    "SELECT {ENTRY}, patient, mime, content, digest FROM document WHERE unique_id = ?1"
                ))?;
                select.query_row([id], document).optional()
            };
            self.0.read(query).await.map_err(failed)
        })
    }

    fn dispense(&self, dispensation: Dispensation) -> Answer<'_, Outcome> {
        Box::pin(async move {
            self.0.write(move |db| dispense(db, &dispensation)).await.map_err(failed)
        })
    }

    fn discard<'a>(
        &'a self,
        dispensation: &'a str,
        patient: &'a PatientId,
        from: Country,
    ) -> Answer<'a, Outcome> {
        let (id, patient) = (dispensation.to_owned(), patient.cx());
        Box::pin(async move {
            self.0.write(move |db| discard(db, &id, &patient, from)).await.map_err(failed)
        })
    }

    fn import(&self, patients: Vec<Patient>, documents: Vec<StoredDocument>) -> Answer<'_, ()> {
        Box::pin(async move {
            self.0
                .write(move |db| {
                    patients.iter().try_for_each(|patient| put_patient(db, patient))?;
                    documents.iter().try_for_each(|document| put_document(db, document))?;
                    close_dispensed(db)
                })
                .await
                .map_err(failed)
        })
    }
}

fn find_patients(db: &Connection, wanted: &[String]) -> rusqlite::Result<Vec<Patient>> {
    let mut rows: Vec<i64> = Vec::new();
    for cx in wanted {
        let found: Option<i64> = db
            .prepare_cached("SELECT patient FROM patient_id WHERE cx = ?1")?
            .query_row([cx], |row| row.get(0))
            .optional()?;
        rows.extend(found.filter(|id| !rows.contains(id)));
    }
    rows.into_iter()
        .map(|id| {
            let ids: Vec<String> = db
                .prepare_cached("SELECT cx FROM patient_id WHERE patient = ?1 ORDER BY place")?
                .query_map([id], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            db.prepare_cached(
                "SELECT given, family, gender, birth, address, consent FROM patient WHERE id = ?1",
            )?
            .query_row([id], |row| {
                let address: String = row.get(4)?;
                let mut parts = address.split('\n').map(str::to_owned);
                Ok(Patient {
                    ids: ids.iter().map(|cx| patient_id(cx)).collect::<rusqlite::Result<_>>()?,
                    given: row.get(0)?,
                    family: row.get(1)?,
                    gender: row.get(2)?,
                    birth: row.get(3)?,
                    address: std::array::from_fn(|_| parts.next().unwrap_or_default()),
                    consent: row.get(5)?,
                })
            })
        })
        .collect()
}

fn put_patient(db: &Connection, patient: &Patient) -> rusqlite::Result<()> {
    let first = patient.ids.first().map(PatientId::cx).unwrap_or_default();
    let known: Option<i64> = db
        .query_row("SELECT patient FROM patient_id WHERE cx = ?1", [&first], |row| row.get(0))
        .optional()?;
    db.execute(
        "INSERT OR REPLACE INTO patient (id, given, family, gender, birth, address, consent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET given = ?2, family = ?3, gender = ?4, birth = ?5, address = ?6, consent = ?7",
        params![
            known,
            patient.given,
            patient.family,
            patient.gender,
            patient.birth,
            patient.address.each_ref().map(|line| line.replace('\n', " ")).join("\n"),
            patient.consent
        ],
    )?;
    let id = known.unwrap_or_else(|| db.last_insert_rowid());
    // an identifier that was withdrawn at home must not find the patient any more
    db.execute("DELETE FROM patient_id WHERE patient = ?1", [id])?;
    for (place, cx) in patient.ids.iter().map(PatientId::cx).enumerate() {
        db.execute(
            "INSERT OR REPLACE INTO patient_id (cx, patient, place) VALUES (?1, ?2, ?3)",
            params![cx, id, i64::try_from(place).unwrap_or(0)],
        )?;
    }
    Ok(())
}

fn put_document(db: &Connection, document: &StoredDocument) -> rusqlite::Result<()> {
    let entry = &document.entry;
    db.execute(
        "INSERT OR REPLACE INTO document (unique_id, patient, class, form, twin, title, created, language, size, hash,
                                          author, prescription, status, atc, mime, content, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        params![
            entry.unique_id,
            document.patient.cx(),
            entry.class.code(),
            i64::from(entry.form == Form::Pdf),
            entry.twin,
            entry.title,
            micros(entry.created),
            entry.language,
            entry.size.cast_signed(),
            entry.hash,
            entry.author,
            entry.prescription,
            entry.status.map(status_number),
            entry.atc,
            document.mime,
            &document.kept.sealed[..],
            document.kept.digest,
        ],
    )?;
    Ok(())
}

/// What is imported does not know what was dispensed abroad in the meantime.
fn close_dispensed(db: &Connection) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE document SET status = ?1 WHERE (prescription, patient) IN
             (SELECT prescription, patient FROM dispensation WHERE discarded = 0)",
        [status_number(Status::Closed)],
    )?;
    Ok(())
}

/// Closes every entry of the prescription, once; the same dispensation twice is the same success.
fn dispense(db: &Connection, dispensation: &Dispensation) -> rusqlite::Result<Outcome> {
    let patient = dispensation.patient.cx();
    let known: Option<(String, String, String, bool)> = db
        .query_row(
            "SELECT prescription, patient, country, discarded FROM dispensation WHERE unique_id = ?1",
            [&dispensation.unique_id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    if let Some((prescription, owner, country, discarded)) = known {
        let same = prescription == dispensation.prescription
            && owner == patient
            && country == dispensation.country.as_str()
            && !discarded;
        return Ok(if same { Outcome::AlreadyDone } else { Outcome::Closed });
    }
    let status: Option<i64> = db
        .query_row(
            "SELECT min(status) FROM document WHERE prescription = ?1 AND patient = ?2",
            params![dispensation.prescription, patient],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    match status {
        None => return Ok(Outcome::Unknown),
        Some(0) => {}
        Some(_) => return Ok(Outcome::Closed),
    }
    db.execute(
        "INSERT INTO dispensation (unique_id, prescription, patient, country, received, discarded, content, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)",
        params![
            dispensation.unique_id,
            dispensation.prescription,
            patient,
            dispensation.country.as_str(),
            micros(dispensation.received),
            &dispensation.kept.sealed[..],
            dispensation.kept.digest,
        ],
    )?;
    set_status(db, &dispensation.prescription, &patient, Status::Closed)?;
    Ok(Outcome::Done)
}

fn discard(db: &Connection, id: &str, patient: &str, from: Country) -> rusqlite::Result<Outcome> {
    let known: Option<(String, bool)> = db
        .query_row(
            "SELECT prescription, discarded FROM dispensation
             WHERE unique_id = ?1 AND patient = ?2 AND country = ?3",
            [id, patient, from.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match known {
        None => Ok(Outcome::Unknown),
        Some((_, true)) => Ok(Outcome::AlreadyDone),
        Some((prescription, false)) => {
            db.execute("UPDATE dispensation SET discarded = 1 WHERE unique_id = ?1", [id])?;
            set_status(db, &prescription, patient, Status::Open)?;
            Ok(Outcome::Done)
        }
    }
}

fn set_status(
    db: &Connection,
    prescription: &str,
    patient: &str,
    status: Status,
) -> rusqlite::Result<usize> {
    db.execute(
        "UPDATE document SET status = ?3 WHERE prescription = ?1 AND patient = ?2",
        params![prescription, patient, status_number(status)],
    )
}

const ENTRY: &str = "unique_id, class, form, twin, title, created, language, size, hash, author, prescription, status, atc";

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let class: String = row.get(1)?;
    Ok(Entry {
        unique_id: row.get(0)?,
        class: DocumentClass::of_code(&class).ok_or(rusqlite::Error::InvalidQuery)?,
        form: if row.get::<_, i64>(2)? == 1 { Form::Pdf } else { Form::Coded },
        twin: row.get(3)?,
        title: row.get(4)?,
        created: timestamp(row.get(5)?),
        language: row.get(6)?,
        size: row.get::<_, i64>(7)?.cast_unsigned(),
        hash: row.get(8)?,
        author: row.get(9)?,
        prescription: row.get(10)?,
        status: row
            .get::<_, Option<i64>>(11)?
            .map(|s| if s == 0 { Status::Open } else { Status::Closed }),
        atc: row.get(12)?,
    })
}

fn document(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredDocument> {
    let sealed: Vec<u8> = row.get(15)?;
    Ok(StoredDocument {
        entry: entry(row)?,
        patient: patient_id(&row.get::<_, String>(13)?)?,
        mime: row.get(14)?,
        kept: Kept { sealed: sealed.into(), digest: row.get(16)? },
    })
}

fn patient_id(cx: &str) -> rusqlite::Result<PatientId> {
    PatientId::parse_cx(cx).map_err(|_| rusqlite::Error::InvalidQuery)
}

fn status_number(status: Status) -> i64 {
    i64::from(status == Status::Closed)
}
