//! One writer, group commit.

use std::sync::Arc;

use sqlite::{Database, DatabaseError, Safety};

const SCHEMA: &str = "CREATE TABLE n (n INTEGER PRIMARY KEY) STRICT;";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_job_that_fails_undoes_itself_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let database =
        Arc::new(Database::open(&folder.path().join("n.db"), SCHEMA, Safety::Full).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..300_i64 {
        let database = Arc::clone(&database);
        tasks.spawn(async move {
            let job = move |db: &rusqlite::Connection| {
                db.execute("INSERT INTO n VALUES (?1)", [n])?;
                // every third one fails after its insert
                if n % 3 == 0 { Err(rusqlite::Error::InvalidQuery) } else { Ok(n) }
            };
            (n, database.write(job).await.is_ok())
        });
    }
    for (n, done) in tasks.join_all().await {
        assert_eq!(done, n % 3 != 0);
    }
    let kept: i64 = database
        .read(|db| db.query_row("SELECT count(*) FROM n WHERE n % 3 <> 0", [], |row| row.get(0)))
        .await
        .unwrap();
    let undone: i64 = database
        .read(|db| db.query_row("SELECT count(*) FROM n WHERE n % 3 = 0", [], |row| row.get(0)))
        .await
        .unwrap();
    assert_eq!((kept, undone), (200, 0));
}

#[tokio::test]
async fn a_job_that_panics_does_not_stop_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("n.db"), SCHEMA, Safety::Full).unwrap();
    let broken = database.write(|_| -> rusqlite::Result<()> { panic!("a bug in a job") }).await;
    assert!(broken.is_err());
    assert!(database.write(|db| db.execute("INSERT INTO n VALUES (1)", [])).await.is_ok());
    let broken = database.read(|_| -> rusqlite::Result<()> { panic!("a bug in a query") }).await;
    assert!(broken.is_err());
    for _ in 0..8 {
        assert!(
            database
                .read(|db| db.query_row("SELECT n FROM n", [], |row| row.get::<_, i64>(0)))
                .await
                .is_ok()
        );
    }
}

#[tokio::test]
async fn half_a_job_is_not_committed_when_its_savepoint_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("n.db"), SCHEMA, Safety::Full).unwrap();
    let broken = database.write(|db| -> rusqlite::Result<()> {
        db.execute("INSERT INTO n VALUES (1)", [])?;
        db.execute_batch("RELEASE job")?;
        Err(rusqlite::Error::InvalidQuery)
    });
    assert!(broken.await.is_err());
    assert!(database.write(|db| db.execute("INSERT INTO n VALUES (2)", [])).await.is_ok());
    let kept = database.read(|db| db.query_row("SELECT sum(n) FROM n", [], |row| row.get(0)));
    assert_eq!(kept.await.map(|sum: i64| sum).unwrap(), 2);
}

/// `konfido documents import` writes the file of a node that serves. A job that has read before the
/// other wrote could not write any more, however long it waited (`SQLITE_BUSY_SNAPSHOT`).
#[tokio::test]
async fn a_job_that_reads_before_it_writes_is_not_overtaken_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n.db");
    let database = Database::open(&path, SCHEMA, Safety::Full).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.busy_timeout(std::time::Duration::ZERO).unwrap();
    let job = move |db: &rusqlite::Connection| {
        db.query_row("SELECT count(*) FROM n", [], |row| row.get::<_, i64>(0))?;
        let _ = other.execute("INSERT INTO n VALUES (1)", []);
        db.execute("INSERT INTO n VALUES (2)", [])
    };
    assert_eq!(database.write(job).await.unwrap(), 1);
}

#[test]
fn a_later_schema_is_refused_and_readers_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n.db");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let database = Database::open(&path, SCHEMA, Safety::Normal).unwrap();
    assert!(
        runtime.block_on(database.read(|db| db.execute("INSERT INTO n VALUES (1)", []))).is_err()
    );
    database.close();
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let refused = Database::open(&path, SCHEMA, Safety::Normal).err();
    assert!(matches!(refused, Some(DatabaseError::Newer { found: 99, .. })));
    std::fs::write(&path, b"not a database, but long enough to look like a header of one").unwrap();
    assert!(Database::open(&path, SCHEMA, Safety::Normal).is_err());
}

#[tokio::test]
async fn other_users_of_the_machine_do_not_read_the_databases() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n.db");
    // as an earlier version left it
    std::fs::write(&path, b"").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    for file in [path, folder.path().join("new.db")] {
        let database = Database::open(&file, SCHEMA, Safety::Full).unwrap();
        database.write(|db| db.execute("INSERT INTO n VALUES (1)", [])).await.unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let name = format!("{}{suffix}", file.display());
            let mode = std::fs::metadata(&name).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
        }
    }
}
