//! Sessions and logins on their way. Values are sealed before they come here.

use std::path::Path;

use identity::session::{Row, SessionError, Sessions as Port, Stored};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row as Found, params};

use crate::database::{Database, DatabaseError, Safety};

/// `sessions.db`.
pub struct Sessions {
    database: Database,
    most: i64,
}

impl Sessions {
    /// Opens or makes the file, in which at most `most` rows are kept: whoever begins logins
    /// without end fills neither disk nor memory. `Full`: after a power failure a redeemed code or an
    /// ended session must not be back.
    pub fn open(path: &Path, most: u32) -> Result<Self, DatabaseError> {
        let schema = include_str!("../migrations/sessions.sql");
        Ok(Self { database: Database::open(path, schema, Safety::Full)?, most: most.into() })
    }

    /// Commits what is queued and closes the file.
    pub fn close(&self) {
        self.database.close();
    }

    fn act<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Stored<'_, T> {
        Box::pin(async move { self.database.write(job).await.map_err(failed) })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "shaped for map_err")]
fn failed(error: DatabaseError) -> SessionError {
    SessionError::Failed(error.to_string())
}

impl Port for Sessions {
    fn put_new(&self, row: Row) -> Stored<'_, bool> {
        let most = self.most;
        Box::pin(async move {
            let put = self.database.write(move |db| {
                let count = "SELECT count(*) FROM session";
                let full = db.prepare_cached(count)?.query_row([], |r| r.get::<_, i64>(0))? >= most;
                if full {
                    return Ok(None);
                }
                let insert = "INSERT INTO session (key, expires, sealed) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
                let values = params![row.key, row.expires.as_millisecond(), row.sealed];
                db.prepare_cached(insert)?.execute(values).map(|n| Some(n == 1))
            });
            put.await.map_err(failed)?.ok_or(SessionError::Full)
        })
    }

    fn replace(&self, row: Row) -> Stored<'_, bool> {
        self.act(move |db| {
            let update = "UPDATE session SET expires = ?2, sealed = ?3 WHERE key = ?1";
            let values = params![row.key, row.expires.as_millisecond(), row.sealed];
            db.prepare_cached(update)?.execute(values).map(|n| n == 1)
        })
    }

    fn find(&self, key: [u8; 32]) -> Stored<'_, Option<Row>> {
        Box::pin(async move {
            let select = "SELECT key, expires, sealed FROM session WHERE key = ?1";
            let found = self
                .database
                .read(move |db| db.prepare_cached(select)?.query_row([key], row).optional());
            found.await.map_err(failed)
        })
    }

    fn take(&self, key: [u8; 32]) -> Stored<'_, Option<Row>> {
        self.act(move |db| {
            let delete = "DELETE FROM session WHERE key = ?1 RETURNING key, expires, sealed";
            db.prepare_cached(delete)?.query_row([key], row).optional()
        })
    }

    fn sweep(&self, now: Timestamp) -> Stored<'_, u64> {
        self.act(move |db| {
            let delete = "DELETE FROM session WHERE expires <= ?1";
            db.prepare_cached(delete)?.execute([now.as_millisecond()]).map(|n| n as u64)
        })
    }
}

fn row(found: &Found<'_>) -> rusqlite::Result<Row> {
    let expires = Timestamp::from_millisecond(found.get(1)?);
    Ok(Row {
        key: found.get(0)?,
        expires: expires.map_err(|_| rusqlite::Error::IntegralValueOutOfRange(1, 0))?,
        sealed: found.get(2)?,
    })
}
