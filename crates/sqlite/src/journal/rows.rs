//! A row of the journal and the tables that it stands in.
//!
//! `evidence` is narrow and holds what each step changes; `request` and `statement` hold what was
//! signed, each in the order in which it came; `chain` holds each country's certificates once.

use std::sync::LazyLock;

use exchange::{Side, TransactionId};
use ledger::journal::{Row, State};
use ledger::sealed::{ERASED, Sealed};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{country, micros, side, side_number, timestamp, transaction, transaction_number};

/// A row as it stands in the file.
pub(super) struct Kept {
    pub(super) row: Row,
    id: i64,
    /// Its row of `statement`.
    statement: Option<i64>,
}

/// What [`read`] reads; a condition and an order may follow.
pub(super) const SELECT: &str = "SELECT txid, side, transaction_kind, requester, provider, state, request.signed, \
    coalesce(statement.signed, x''), request.secrets, coalesce(statement.secrets, x''), coalesce(der, x''), \
    undelivered, at, log_index, evidence.id, evidence.statement, \
    coalesce(request.patient, -1), coalesce(request.key, x'') \
    FROM evidence JOIN request ON request.id = evidence.id \
    LEFT JOIN statement ON statement.id = evidence.statement LEFT JOIN chain ON chain.id = evidence.chain";

static FIND: LazyLock<String> = LazyLock::new(|| format!("{SELECT} WHERE txid = ?1 AND side = ?2"));

pub(super) fn find(
    db: &Connection,
    txid: TransactionId,
    side: Side,
) -> rusqlite::Result<Option<Kept>> {
    let mut select = db.prepare_cached(&FIND)?;
    let kept = |row: &rusqlite::Row<'_>| {
        Ok(Kept { row: read(row)?, id: row.get(14)?, statement: row.get(15)? })
    };
    select.query_row(params![txid.0, side_number(side)], kept).optional()
}

/// Puts a row in the place of `old`, or where none was.
pub(super) fn put(db: &Connection, row: &Row, old: Option<&Kept>) -> rusqlite::Result<()> {
    match old {
        Some(old) => advance(db, row, old),
        None if insert(db, row)? => Ok(()),
        // another row of the same step put it there
        None => match find(db, row.txid, row.side)? {
            Some(old) if row.follows(&old.row) => advance(db, row, &old),
            _ => Ok(()),
        },
    }
}

/// Whether the row was new; one that is there stays as it is.
pub(super) fn insert(db: &Connection, row: &Row) -> rusqlite::Result<bool> {
    let new = db
        .prepare_cached(
            "INSERT INTO evidence (txid, side, transaction_kind, requester, provider, state, chain, undelivered, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (txid, side) DO NOTHING",
        )?
        .execute(params![
            row.txid.0,
            side_number(row.side),
            transaction_number(row.transaction),
            row.requester.as_str(),
            row.provider.as_str(),
            state_number(row.state),
            chain(db, &row.peer_certificate)?,
            row.undelivered,
            micros(row.at),
        ])?
        == 1;
    if new {
        let id = db.last_insert_rowid();
        let Sealed { patient, key, asked, answered } = &row.secrets;
        db.prepare_cached(
            "INSERT INTO request (id, signed, secrets, patient, key) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![id, row.request, asked, patient, key])?;
        if !row.statement.is_empty() {
            let statement = write(db, None, &row.statement, answered)?;
            db.prepare_cached("UPDATE evidence SET statement = ?2 WHERE id = ?1")?
                .execute([id, statement])?;
        }
    }
    Ok(new)
}

/// What is in the log stays there: a half that has its place makes room for the whole.
fn advance(db: &Connection, row: &Row, old: &Kept) -> rusqlite::Result<()> {
    if row.state == State::Settled && old.row.state == State::Half {
        db.prepare_cached(
            "INSERT INTO superseded (log_index, statement)
             SELECT log_index, signed FROM evidence JOIN statement ON statement.id = evidence.statement
             WHERE evidence.id = ?1 AND log_index IS NOT NULL",
        )?
        .execute([old.id])?;
    }
    let stands = old.statement.is_some() || !row.statement.is_empty();
    let statement = if stands {
        // what was erased stays so, though its other half comes
        let erased = old.row.secrets.is_erased();
        let answered: &[u8] = if erased { b"" } else { &row.secrets.answered };
        Some(write(db, old.statement, &row.statement, answered)?)
    } else {
        None
    };
    db.prepare_cached(
        "UPDATE evidence SET state = ?2, statement = ?3, chain = ?4, undelivered = ?5, log_index = NULL
         WHERE id = ?1",
    )?
    .execute(params![
        old.id,
        state_number(row.state),
        statement,
        chain(db, &row.peer_certificate)?,
        row.undelivered,
    ])
    .map(|_| ())
}

/// Writes what was signed, in the place of what stood there; gives the place.
fn write(db: &Connection, at: Option<i64>, signed: &[u8], secrets: &[u8]) -> rusqlite::Result<i64> {
    match at {
        Some(id) => {
            db.prepare_cached("UPDATE statement SET signed = ?2, secrets = ?3 WHERE id = ?1")?
                .execute(params![id, signed, secrets])?;
            Ok(id)
        }
        None => db
            .prepare_cached("INSERT INTO statement (signed, secrets) VALUES (?1, ?2)")?
            .insert(params![signed, secrets]),
    }
}

/// Where these certificates stand; none when there are none.
fn chain(db: &Connection, der: &[u8]) -> rusqlite::Result<Option<i64>> {
    if der.is_empty() {
        return Ok(None);
    }
    let mut select = db.prepare_cached("SELECT id FROM chain WHERE der = ?1")?;
    let known = select.query_row([der], |row| row.get(0)).optional()?;
    match known {
        Some(id) => Ok(Some(id)),
        None => db.prepare_cached("INSERT INTO chain (der) VALUES (?1)")?.insert([der]).map(Some),
    }
}

pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let index: Option<i64> = row.get(13)?;
    let patient = row.get(16)?;
    let secrets = if patient == ERASED {
        Sealed::default()
    } else {
        Sealed { patient, key: row.get(17)?, asked: row.get(8)?, answered: row.get(9)? }
    };
    Ok(Row {
        txid: TransactionId(row.get(0)?),
        side: side(row.get(1)?),
        transaction: transaction(row.get(2)?),
        requester: country(&row.get::<_, String>(3)?)?,
        provider: country(&row.get::<_, String>(4)?)?,
        state: match row.get::<_, i64>(5)? {
            0 => State::Asked,
            1 => State::Answered,
            3 => State::Half,
            _ => State::Settled,
        },
        request: row.get(6)?,
        statement: row.get(7)?,
        secrets,
        peer_certificate: row.get(10)?,
        undelivered: row.get::<_, i64>(11)? != DELIVERED,
        at: timestamp(row.get(12)?),
        index: index.and_then(|i| u64::try_from(i).ok()),
    })
}

fn state_number(state: State) -> i64 {
    match state {
        State::Asked => 0,
        State::Answered => 1,
        State::Settled => 2,
        State::Half => 3,
    }
}

/// The value of the column `undelivered` that asks for nothing more.
pub(super) const DELIVERED: i64 = 0;

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    /// SQLite did, to look whether the parameters call for another plan.
    #[test]
    fn looking_for_a_row_does_not_prepare_the_statement_anew_each_time() {
        let db = Connection::open_in_memory().unwrap();
        crate::database::steady(&db).unwrap();
        crate::journal::MIGRATIONS.iter().for_each(|step| db.execute_batch(step).unwrap());
        for number in 0..9_u8 {
            let mut select = db.prepare_cached(&FIND).unwrap();
            assert!(!select.exists(params![[number; 16], number % 2]).unwrap());
            assert_eq!(select.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
