//! `konfido bench exchange`: what an exchange costs through two KONFIDO nodes, through a pair of
//! nginx in their place, and without anything in between. docs/benchmarks.md explains the method.
//!
//! Each node, the stub behind them and each nginx is a process of its own, so that its time and
//! memory are its own; the clients are here.

mod listener;
mod load;
mod machine;
mod nginx;
mod process;
mod report;
mod repository;
mod soak;
mod stand;
mod stub;
mod vault;

use std::path::PathBuf;
use std::time::Duration;

pub use listener::Listener;
pub use repository::serve as repository;
pub use stub::{Options as StubOptions, serve as stub};
pub use vault::run as vault;

use load::{Load, Part};
use process::Usage;
use report::Report;
use stand::{Road, Stand};

/// How to measure.
#[derive(clap::Args, Clone)]
pub struct Options {
    /// Concurrent clients
    #[arg(long, default_value_t = 300)]
    clients: usize,
    /// Seconds for each part of each round
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Rounds; medians of them are printed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Size of the document in bytes
    #[arg(long, default_value_t = 100_000)]
    document: usize,
    /// Offered exchanges a second at half load; half of what was reached when missing
    #[arg(long)]
    rate: Option<u64>,
    /// Instead: this many exchanges in a row, and whether memory stays bounded
    #[arg(long, value_name = "EXCHANGES")]
    soak: Option<u64>,
    /// Measures a second pair, too, whose private keys are in the nodes: what the vaults cost
    #[arg(long)]
    compare_vaults: bool,
    /// Keeps databases and logs here instead of in a temporary folder; fsync is this disk's
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Closed loop, or paced at half of what the nodes reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offer {
    /// Every client asks again as soon as it was answered.
    Full,
    /// So many a second, whatever comes of them.
    Paced(u64),
}

/// One part of one round.
struct Measured {
    road: &'static str,
    paced: bool,
    part: Part,
    /// Of each process between the clients and the stub, during the part and what it left to do.
    gateways: Vec<Usage>,
    /// Of the stub and the audit repositories.
    stub: Usage,
}

/// Runs all parts and prints Markdown.
pub async fn exchange(options: Options) -> anyhow::Result<()> {
    let temporary = std::env::temp_dir().join(format!("konfido-bench-{}", std::process::id()));
    let dir = std::path::absolute(options.dir.as_ref().unwrap_or(&temporary))?;
    std::fs::create_dir_all(&dir)?;
    let stand = Stand::start(&dir, options.document, options.compare_vaults).await?;
    let load = Load::new(&stand, options.clients);
    let result = match options.soak {
        Some(exchanges) => soak::run(&stand, &load, exchanges, &dir).await,
        None => rounds(&stand, &load, &options, &dir).await,
    };
    drop(stand);
    if options.dir.is_none() {
        std::fs::remove_dir_all(&dir).ok();
    }
    result
}

/// The parts of a round are interleaved, so that a neighbour's load falls on all of them.
async fn rounds(
    stand: &Stand,
    load: &Load,
    options: &Options,
    dir: &std::path::Path,
) -> anyhow::Result<()> {
    machine::print(dir);
    let time = Duration::from_secs(options.seconds);
    for road in &stand.roads {
        load.closed(&road.portal, WARM_UP).await; // connections, assertions, sessions
        settle(road).await;
    }
    let (mut report, mut half) = (Report::default(), options.rate);
    for round in 1..=options.rounds.max(1) {
        for paced in [false, true] {
            for road in &stand.roads {
                let offer = if paced { Offer::Paced(half.unwrap_or(1)) } else { Offer::Full };
                let measured = measure(stand, road, load, offer, time).await;
                eprintln!("round {round}: {}", measured.line());
                if !paced {
                    half.get_or_insert((measured.part.per_second() / 2.0).max(1.0) as u64);
                }
                report.add(measured);
            }
        }
    }
    report.print(stand.missing);
    report.check()
}

async fn measure(
    stand: &Stand,
    road: &Road,
    load: &Load,
    offer: Offer,
    time: Duration,
) -> Measured {
    let before: Vec<Usage> = road.gateways.iter().map(process::Process::usage).collect();
    let beside = || {
        let all = road.repositories.iter().chain([&stand.stub]).map(process::Process::usage);
        Usage { cpu: all.map(|usage| usage.cpu).sum(), ..Usage::default() }
    };
    let stub = beside();
    let part = match offer {
        Offer::Full => load.closed(&road.portal, time).await,
        Offer::Paced(rate) => load.paced(&road.portal, rate, time).await,
    };
    let memory: Vec<Usage> = road.gateways.iter().map(process::Process::usage).collect();
    // receipts and log entries are still on their way: they are the exchanges' cost, not the next part's
    settle(road).await;
    let stub = beside().since(&stub);
    let after = road.gateways.iter().map(process::Process::usage);
    let gateways = after
        .zip(before)
        .zip(memory)
        .map(|((after, before), memory)| Usage { cpu: after.cpu - before.cpu, ..memory })
        .collect();
    Measured { road: road.name, paced: offer != Offer::Full, part, gateways, stub }
}

/// Waits until the processes of a road have nothing left to do.
async fn settle(road: &Road) {
    let cpu = || road.gateways.iter().map(|p| p.usage().cpu).sum::<f64>();
    for _ in 0..SETTLE_TRIES {
        let before = cpu();
        tokio::time::sleep(SETTLE).await;
        if cpu() - before < IDLE_CPU * SETTLE.as_secs_f64() {
            return;
        }
    }
}

const WARM_UP: Duration = Duration::from_secs(2);
/// Longer than the pauses of the tasks in the background.
const SETTLE: Duration = Duration::from_millis(1500);
const SETTLE_TRIES: usize = 40;
/// Cores that a road's processes may use at rest.
const IDLE_CPU: f64 = 0.04;
