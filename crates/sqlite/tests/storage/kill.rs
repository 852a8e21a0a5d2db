//! `kill -9` at any moment: what was acknowledged is there, once; a step is there whole or not at all.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::{Side, TransactionId};
use jiff::Timestamp;
use ledger::journal::{Journal as _, Outcome, ReplayKey, Row, Step, conformance};
use sqlite::Journal;

const CHILD: &str = "KONFIDO_SQLITE_KILL_CHILD";

fn step(number: u64) -> Step {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&number.to_be_bytes());
    let statement = [&number.to_be_bytes()[..], &[b's'; 700]].concat();
    let row = Row {
        txid: txid(number),
        statement,
        secrets: ledger::sealed::Sealed { asked: vec![b'x'; 800], ..Default::default() },
        ..conformance::settled_row(0)
    };
    Step { replay: Some(ReplayKey { digest, expires: Timestamp::MAX }), rows: vec![row] }
}

fn txid(number: u64) -> TransactionId {
    TransactionId(u128::from(number).to_be_bytes())
}

/// Not a test of its own: the process that is killed. Commits from 16 tasks, tells each acknowledged number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let (first, path) = told.split_once(' ').unwrap();
    let first: u64 = first.parse().unwrap();
    let journal = Arc::new(Journal::open(Path::new(path)).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16 {
        let journal = Arc::clone(&journal);
        tasks.spawn(async move {
            for n in 0..100_000 {
                let number = first + n * 16 + task;
                assert_eq!(journal.commit(step(number)).await.unwrap(), Outcome::Recorded);
                writeln!(std::io::stdout().lock(), "ack {number}").unwrap();
                if n % 8 == 7 {
                    journal.sequence(0, 50).await.unwrap();
                }
            }
        });
    }
    tasks.join_all().await;
}

/// Numbers that the child acknowledged before it was killed: after that time, and so many.
fn acknowledged(path: &Path, first: u64, life: Duration, least: usize) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--nocapture", "--test-threads", "1"])
        .env(CHILD, format!("{first} {}", path.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut started = None;
    let mut killed = false;
    let mut numbers = Vec::new();
    for line in lines.map_while(Result::ok) {
        // only a whole line counts: the kill may cut the last one
        let Some(number) = line.split_once("ack ").and_then(|(_, n)| n.parse().ok()) else {
            continue;
        };
        numbers.push(number);
        let lived = started.get_or_insert_with(Instant::now).elapsed() > life;
        if !killed && lived && numbers.len() >= least {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the child ended by itself");
    numbers.pop();
    numbers
}

#[test]
fn what_was_acknowledged_survives_a_kill_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut all = BTreeSet::new();
    let lives = [(1, 1), (7, 20), (23, 60), (60, 150), (110, 250), (3, 5), (41, 80)];
    for (round, (millis, least)) in (0_u64..).zip(lives) {
        let life = Duration::from_millis(millis);
        let numbers = acknowledged(&path, round * 10_000_000, life, least);
        all.extend(numbers);
        let journal = Journal::open(&path).unwrap();
        runtime.block_on(async {
            let rows = journal.newest(1_000_000).await.unwrap();
            let there: BTreeSet<_> = rows.iter().map(|row| row.txid.0).collect();
            assert_eq!(rows.len(), there.len(), "twice");
            for number in &all {
                assert!(
                    there.contains(&txid(*number).0),
                    "round {round}: {number} was acknowledged and is lost"
                );
            }
            let mut whole = 0;
            for number in there
                .iter()
                .map(|id| u64::try_from(u128::from_be_bytes(*id)).unwrap())
                .filter(|n| n / 10_000_000 == round)
            {
                assert_eq!(
                    journal.commit(step(number)).await.unwrap(),
                    Outcome::Replayed,
                    "a row without its key"
                );
                whole += 1;
            }
            assert!(whole > 0, "round {round} committed nothing");
        });
        journal.close();
    }
    let journal = Journal::open(&path).unwrap();
    runtime.block_on(async {
        let leaves = journal.sequence(0, 1_000_000).await.unwrap();
        assert!(
            leaves.iter().map(|(index, _)| *index).eq(0..leaves.len() as u64),
            "places without gaps"
        );
        let different: BTreeSet<_> = leaves.iter().map(|(_, leaf)| leaf.clone()).collect();
        assert_eq!(different.len(), leaves.len(), "each leaf once");
        assert!(leaves.len() >= all.len());
        let row = journal.row(txid(*all.first().unwrap()), Side::B).await.unwrap().unwrap();
        assert!(row.index.is_some());
    });
    assert!(all.len() > 500, "{} is too few to mean something", all.len());
}
