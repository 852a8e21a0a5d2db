//! Sessions.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use exchange::SystemEntropy;
use identity::session::{
    Drawer, Keeper, OwnSecret, Row, SessionError, Sessions as _, Ticket, conformance,
};
use jiff::{SignedDuration, Timestamp};
use sqlite::Sessions;

#[tokio::test]
async fn the_session_store_keeps_the_promises_of_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(&folder.path().join("sessions.db"), 100).unwrap();
    conformance::run(&sessions).await.unwrap();
    sessions.close();
    assert!(sessions.find([1; 32]).await.is_err(), "closed is closed");
}

#[tokio::test]
async fn a_session_outlives_a_restart_and_the_file_says_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let now = Timestamp::now();
    let open = || {
        let store = Arc::new(Sessions::open(&path, 100).unwrap());
        (
            Keeper::new(store.clone(), Arc::new(OwnSecret::new(&[7; 32])), Arc::new(SystemEntropy)),
            store,
        )
    };
    let (keeper, store) = open();
    let secret = b"Agnete Havgaard-Test";
    let until = now + SignedDuration::from_mins(5);
    let ticket = keeper.keep(Drawer::Session, secret, until).await.unwrap();
    store.close();
    let bytes = std::fs::read(&path).unwrap();
    for hidden in [&secret[..], ticket.text().as_bytes()] {
        assert!(!bytes.windows(hidden.len()).any(|window| window == hidden));
    }
    let (keeper, store) = open();
    let found = keeper.find(Drawer::Session, &ticket, now).await.unwrap();
    assert_eq!(found.unwrap().as_slice(), secret);
    store.close();
}

/// Who floods a node with logins fills neither its disk nor its memory.
#[tokio::test]
async fn a_full_store_says_so_and_what_expired_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(&folder.path().join("sessions.db"), 3).unwrap();
    let row = |n| Row { key: [n; 32], expires: Timestamp::UNIX_EPOCH, sealed: vec![n] };
    for n in 0..3 {
        assert!(sessions.put_new(row(n)).await.unwrap());
    }
    assert_eq!(sessions.put_new(row(3)).await, Err(SessionError::Full));
    assert_eq!(sessions.sweep(Timestamp::now()).await, Ok(3));
    assert_eq!(sessions.put_new(row(3)).await, Ok(true));
    sessions.close();
}

const CHILD: &str = "KONFIDO_SQLITE_SESSIONS_CHILD";
const CODES: usize = 20_000;

fn opened(path: &Path) -> (Keeper, Arc<Sessions>) {
    let store = Arc::new(Sessions::open(path, 100_000).unwrap());
    (Keeper::new(store.clone(), Arc::new(OwnSecret::new(&[7; 32])), Arc::new(SystemEntropy)), store)
}

/// Not a test of its own: the process that is killed. Makes codes and redeems every other one.
#[tokio::test]
async fn child() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let (keeper, _store) = opened(Path::new(&path));
    let (now, mut out) = (Timestamp::now(), std::io::stdout());
    for n in 0..CODES {
        let until = now + SignedDuration::from_mins(5);
        let code = keeper.keep(Drawer::Code, b"who", until).await.unwrap();
        let mut word = "made";
        if n % 2 == 1 {
            assert!(keeper.take(Drawer::Code, &code, now).await.unwrap().is_some());
            word = "redeemed";
        }
        writeln!(out, "ack {word} {}", code.text()).unwrap();
    }
}

/// `kill -9` between a login and the redemption of its code, and after it.
#[tokio::test]
async fn after_a_kill_a_code_still_works_and_a_redeemed_one_stays_redeemed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sessions::child", "--nocapture", "--test-threads", "1"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let Some((_, code)) = line.split_once("ack ") else { continue };
        let (word, code) = code.split_once(' ').unwrap();
        // the kill may cut the last line
        if code.len() == 43 {
            told.push((word == "made", Ticket::of(code)));
        }
        if told.len() == 200 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!((200..CODES).contains(&told.len()), "{} before the kill", told.len());
    let (keeper, store) = opened(&path);
    for (works, code) in told {
        for works in [works, false] {
            let taken = keeper.take(Drawer::Code, &code, Timestamp::now()).await.unwrap();
            assert_eq!(taken.is_some(), works);
        }
    }
    store.close();
}
