//! The SQLite adapter of every storage port.
//!
//! What this is: [`Journal`], [`Events`], [`National`], [`Professionals`], [`Audit`] and [`Sessions`], each over a database file of its own.
//! What it is not: a query layer for others; nobody outside sees SQL.
//!
//! Start reading at [`database`] (one writer, group commit), then [`journal`].

mod audit;
pub mod database;
mod events;
mod journal;
mod log;
mod national;
mod reads;
mod register;
mod sessions;
mod writes;

pub use audit::Audit;
pub use database::{Database, DatabaseError, Safety};
pub use events::Events;
pub use journal::{Clear, Journal, SealError, Sealer};
pub use national::{Keep, KeepError, National};
pub use register::Professionals;
pub use sessions::Sessions;

use exchange::{Country, Side, Transaction};
use jiff::Timestamp;

pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(crate) fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A limit as SQL wants it; more than SQL can count is no limit.
pub(crate) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(crate) fn transaction_number(transaction: Transaction) -> i64 {
    Transaction::ALL
        .iter()
        .position(|t| *t == transaction)
        .and_then(|i| i64::try_from(i).ok())
        .unwrap_or(0)
}

pub(crate) fn transaction(number: i64) -> Transaction {
    let index = usize::try_from(number).unwrap_or(0);
    *Transaction::ALL.get(index).unwrap_or(&Transaction::PatientDiscovery)
}

pub(crate) fn side_number(side: Side) -> i64 {
    i64::from(side == Side::B)
}

pub(crate) fn side(number: i64) -> Side {
    if number == 1 { Side::B } else { Side::A }
}

pub(crate) fn country(text: &str) -> rusqlite::Result<Country> {
    Country::parse(text).map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e))
    })
}
