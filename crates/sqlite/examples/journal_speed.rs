//! What one durable step costs: 300 tasks, each with a 1.5 kB evidence row and a replay key.
//!
//! `cargo run --release -p sqlite --example journal_speed [seconds] [tasks] [folder]`

use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::TransactionId;
use jiff::Timestamp;
use ledger::journal::{Journal as _, ReplayKey, Row, Step, conformance};
use sqlite::Journal;

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u64| args.next().and_then(|arg| arg.parse().ok()).unwrap_or(default);
    let (seconds, tasks) = (number(10), number(300));
    let folder = std::env::args().nth(3).map_or_else(std::env::temp_dir, Into::into);
    let path = folder.join(format!("journal-speed-{}.db", std::process::id()));
    let journal = Arc::new(Journal::open(&path).expect("the folder is writable"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("tokio");
    let (cpu, started) = (cpu_seconds(), Instant::now());
    let mut micros = runtime.block_on(measure(&journal, tasks, Duration::from_secs(seconds)));
    let (cpu, elapsed) = (cpu_seconds() - cpu, started.elapsed().as_secs_f64());
    journal.close();
    micros.sort_unstable();
    let at = |part: usize| micros.get(micros.len() * part / 1000).copied().unwrap_or(0);
    let count = micros.len();
    let size = std::fs::metadata(&path).map_or(0, |file| file.len());
    println!("tasks {tasks}  commits {count}  commits/s {:.0}", count as f64 / elapsed);
    println!("latency us  p50 {}  p99 {}  p99.9 {}", at(500), at(990), at(999));
    println!(
        "CPU us per step {:.1}  file bytes per step {}",
        cpu * 1e6 / count as f64,
        size / count.max(1) as u64
    );
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
}

async fn measure(journal: &Arc<Journal>, tasks: u64, time: Duration) -> Vec<u64> {
    let mut set = tokio::task::JoinSet::new();
    for task in 0..tasks {
        let journal = Arc::clone(journal);
        set.spawn(async move {
            let started = Instant::now();
            let mut micros = Vec::new();
            for n in 0_u64.. {
                if started.elapsed() > time {
                    break;
                }
                let begun = Instant::now();
                journal.commit(step(task, n)).await.expect("the disk works");
                micros.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
            }
            micros
        });
    }
    set.join_all().await.concat()
}

fn step(task: u64, n: u64) -> Step {
    // spread like real digests
    let mixed = (task << 40 | n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&mixed.to_be_bytes());
    let mut txid = [0; 16];
    txid[..8].copy_from_slice(&mixed.to_be_bytes());
    let row = Row {
        txid: TransactionId(txid),
        statement: vec![b's'; 900],
        secrets: ledger::sealed::Sealed { asked: vec![b'x'; 600], ..Default::default() },
        ..conformance::settled_row(0)
    };
    Step { replay: Some(ReplayKey { digest, expires: Timestamp::MAX }), rows: vec![row] }
}

/// User and system time of this process (Linux, 100 ticks a second).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or("");
    after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}
