//! `--soak`: many exchanges in a row. What a node keeps in memory must not grow with them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::load::Load;
use super::stand::Stand;
use super::{machine, settle};

/// Resident memory of B and A, in kB.
type Sample = [u64; 2];

/// Runs the exchanges, prints memory and disk, and fails when memory grew.
pub async fn run(stand: &Stand, load: &Load, exchanges: u64, dir: &Path) -> anyhow::Result<()> {
    machine::print(dir);
    let road = stand.konfido();
    let memory = || -> Sample { std::array::from_fn(|n| road.gateways[n].usage().resident) };
    let asked = Arc::new(AtomicU64::new(0));
    let running = load.counted(&road.portal, exchanges, Arc::clone(&asked));
    tokio::pin!(running);
    println!("| exchanges | MB of B | MB of A |\n|---|---|---|");
    let mut samples: Vec<Sample> = Vec::new();
    let part = loop {
        let next = exchanges * (samples.len() as u64 + 1) / SAMPLES;
        tokio::select! {
            part = &mut running => break part,
            () = tokio::time::sleep(LOOK) => {}
        }
        if asked.load(Ordering::Relaxed) >= next && (samples.len() as u64) < SAMPLES {
            samples.push(memory());
            print_row(next, samples[samples.len() - 1]);
        }
    };
    if (samples.len() as u64) < SAMPLES {
        samples.push(memory());
        print_row(exchanges, samples[samples.len() - 1]);
    }
    settle(road).await;
    println!("| a moment later | {} |", columns(memory()));
    let peak: Sample = std::array::from_fn(|n| road.gateways[n].usage().peak);
    println!("| most | {} |\n", columns(peak));
    print_disk(dir, part.done);
    println!(
        "\n{} exchanges, {:.0} a second, {} failed",
        part.done,
        part.per_second(),
        part.failed
    );
    let failure = part.first_failure.unwrap_or_default();
    anyhow::ensure!(
        part.failed == 0,
        "{} exchanges failed, the first with: {failure}",
        part.failed
    );
    bounded(&samples)
}

fn print_row(exchanges: u64, sample: Sample) {
    println!("| {exchanges} | {} |", columns(sample));
}

fn columns([b, a]: Sample) -> String {
    format!("{} | {}", b / 1024, a / 1024)
}

/// Fails when the last quarter's memory is more than a tenth above the second quarter's.
fn bounded(samples: &[Sample]) -> anyhow::Result<()> {
    for (n, name) in ["B", "A"].into_iter().enumerate() {
        let mean = |quarter: usize| {
            let (from, to) = (samples.len() * quarter / 4, samples.len() * (quarter + 1) / 4);
            let part = &samples[from..to];
            part.iter().map(|sample| sample[n]).sum::<u64>() as f64 / part.len().max(1) as f64
        };
        let (second, last) = (mean(1), mean(3));
        println!("{name}: second quarter {:.0} MB, last {:.0} MB", second / 1024.0, last / 1024.0);
        anyhow::ensure!(last <= second * GROWTH, "memory of node {name} grows with the exchanges");
    }
    Ok(())
}

fn print_disk(dir: &Path, exchanges: u64) {
    println!("| bytes on disk an exchange | B | A |\n|---|---|---|");
    for (name, files) in KEPT {
        let of = |country: &str| {
            let size: u64 = files.iter().map(|file| size(&dir.join(country).join(file))).sum();
            size / exchanges.max(1)
        };
        println!("| {name} | {} | {} |", of("es"), of("dk"));
    }
}

/// Bytes that a file or folder takes on disk.
fn size(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    let inner = fs::read_dir(path).into_iter().flatten().flatten();
    metadata.blocks() * 512 + inner.map(|entry| size(&entry.path())).sum::<u64>()
}

const SAMPLES: u64 = 10;
const LOOK: Duration = Duration::from_millis(10);
/// What the last quarter may have more than the second.
const GROWTH: f64 = 1.1;
/// What a node keeps.
const KEPT: [(&str, &[&str]); 4] = [
    ("journal", &["journal.db"]),
    ("journal's write-ahead log", &["journal.db-wal", "journal.db-shm"]),
    ("Merkle log", &["log"]),
    ("events", &["events.db", "events.db-wal", "events.db-shm"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_noticed_on_either_side_and_warming_up_is_not() {
        let flat: Vec<Sample> = (0..10).map(|n| [if n < 2 { 10 } else { 100 }, 100]).collect();
        assert!(bounded(&flat).is_ok());
        let b: Vec<Sample> = (0..10).map(|n| [100 + 5 * n, 100]).collect();
        let a: Vec<Sample> = (0..10).map(|n| [100, 100 + 5 * n]).collect();
        assert!(bounded(&b).is_err() && bounded(&a).is_err());
    }
}
