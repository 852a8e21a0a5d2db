//! Four validators in four processes on this machine: `cargo run --release -p ledger-consensus
//! --example four [full|paced|kill] [batch bytes] [seconds] [rate]`.
//!
//! Evidence is signed before the clock starts; signatures are verified, trees appended and disks
//! synced while it runs.

mod evidence;
mod node;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Failure = Box<dyn std::error::Error>;

/// What each node is told on its command line.
pub struct Plan {
    /// One for each node.
    pub ports: Vec<u16>,
    /// Bytes of entries in a block.
    pub batch: usize,
    /// Entries a second of all four together.
    pub rate: Option<u64>,
    /// The entries that it signs and submits.
    pub numbers: Range<u64>,
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == "--node") {
        let number = |at: usize| -> Result<u64, Failure> { Ok(args[at].parse()?) };
        let plan = Plan {
            ports: args[8..].iter().map(|port| port.parse()).collect::<Result<_, _>>()?,
            batch: number(3)? as usize,
            rate: Some(number(4)?).filter(|rate| *rate > 0),
            numbers: number(5)?..number(6)?,
        };
        return node::run(Path::new(&args[1]), number(2)? as u8, &plan);
    }
    let mode = args.first().map_or("full", String::as_str);
    let number = |at: usize, default: u64| {
        args.get(at).map_or(Ok(default), |text| text.parse().map_err(Failure::from))
    };
    let (batch, seconds) = (number(1, 1 << 20)?, number(2, 20)?);
    let rate = number(3, if mode == "full" { 0 } else { 1000 })?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{mode}, batch {batch}, {seconds} s, rate {rate}, load {}", load.trim());
    // ext4 without a journal is slow to create files where others were deleted in the last minutes: who measures
    // several times keeps what the runs before left
    let keep = std::env::var_os("BENCH_KEEP").is_some();
    let folder = tempfile::Builder::new()
        .disable_cleanup(keep)
        .tempdir_in(std::env::var("BENCH_DIR").unwrap_or("/tmp".into()))?;
    evidence::prepare(folder.path())?;
    let setup = Setup { folder: folder.path(), batch, rate, seconds, ports: ports()? };
    match mode {
        "kill" => setup.kill(),
        _ => setup.steady(),
    }
}

struct Setup<'f> {
    folder: &'f Path,
    batch: u64,
    rate: u64,
    seconds: u64,
    ports: Vec<u16>,
}

/// A node's process, and what it said.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Setup<'_> {
    fn steady(&self) -> Result<(), Failure> {
        let mut nodes = self.all()?;
        std::thread::sleep(Duration::from_secs(self.seconds));
        let before: Vec<_> = nodes.iter().map(Process::tips).collect();
        for node in &mut nodes {
            node.input = None;
        }
        nodes.iter_mut().try_for_each(|node| node.child.wait().map(drop))?;
        for (node, tips) in nodes.iter().zip(&before) {
            let warm = tips.iter().find(|tip| tip.0 >= 3000).copied().unwrap_or_default();
            let last = tips.last().copied().unwrap_or_default();
            if self.rate == 0 && last.2 >= 4 * PREPARED * self.seconds {
                return Err("the entries were used up before the end: PREPARED is too small".into());
            }
            let time = (last.0 - warm.0) as f64 / 1000.0;
            let rate = |a: u64, b: u64| (b - a) as f64 / time;
            println!(
                "  {:.0} entries/s, {:.1} blocks/s; {}",
                rate(warm.2, last.2),
                rate(warm.1, last.1),
                node.last("took")
            );
        }
        self.compare()
    }

    /// One of four is killed under load and started again.
    fn kill(&self) -> Result<(), Failure> {
        let mut nodes = self.all()?;
        std::thread::sleep(Duration::from_secs(8));
        nodes[3].child.kill()?;
        nodes[3].child.wait()?;
        std::thread::sleep(Duration::from_secs(self.seconds));
        let killed = nodes[3].tips().last().copied().unwrap_or_default();
        let missed = nodes[0].tips().last().copied().unwrap_or_default().1 - killed.1;
        nodes[3] = self.start(3, 0..0)?;
        nodes[3].go()?;
        std::thread::sleep(Duration::from_secs(10));
        let series = nodes[0].tips();
        println!("  second: entries finalised at a member that lives (killed at 8)");
        for second in 0..8 + self.seconds + 8 {
            let at = |s: u64| series.iter().find(|tip| tip.0 >= s * 1000).map_or(0, |tip| tip.2);
            print!(" {}", at(second + 1).saturating_sub(at(second)));
        }
        let back = nodes[3].tips();
        let there = back.iter().find(|tip| tip.1 >= killed.1 + missed);
        match there {
            Some(tip) => {
                let moved = back.iter().find(|tip| tip.1 > killed.1).map_or(0, |tip| tip.0);
                println!(
                    "\n  {}; {missed} blocks behind, the first after {moved} ms, caught up in {} ms: {:.0} blocks/s",
                    nodes[3].last("open"),
                    tip.0,
                    missed as f64 * 1000.0 / tip.0.max(1) as f64
                );
            }
            None => println!("\n  it did not catch up: {:?}", back.last()),
        }
        for node in &mut nodes {
            node.input = None;
        }
        nodes.iter_mut().try_for_each(|node| node.child.wait().map(drop))?;
        self.compare()
    }

    fn all(&self) -> Result<Vec<Process>, Failure> {
        let count = if self.rate == 0 {
            PREPARED * self.seconds
        } else {
            self.rate * (self.seconds + 30) / 4
        };
        let mut nodes: Vec<_> =
            (0..4).map(|at| self.start(at, 0..count)).collect::<Result<_, _>>()?;
        for node in &mut nodes {
            while node.last("open").is_empty() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        std::thread::sleep(Duration::from_secs(2));
        nodes.iter_mut().try_for_each(Process::go)?;
        Ok(nodes)
    }

    fn start(&self, at: u8, numbers: Range<u64>) -> Result<Process, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--node").arg(self.folder).arg(at.to_string());
        for number in [self.batch, self.rate, numbers.start, numbers.end, 0] {
            command.arg(number.to_string());
        }
        command.args(self.ports.iter().map(u16::to_string));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let said = Arc::new(Mutex::new(Vec::new()));
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let saying = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                saying.lock().expect("because no holder panics").push(line);
            }
        });
        Ok(Process { input: child.stdin.take(), child, said })
    }

    /// All four have the same blocks.
    fn compare(&self) -> Result<(), Failure> {
        let genesis = evidence::genesis(self.folder)?;
        let chains: Vec<_> = (0..4)
            .map(|at| {
                ledger::chain::Chain::open(&self.folder.join(format!("node{at}/log")), &genesis)
            })
            .collect::<Result<_, _>>()?;
        let lowest = chains.iter().map(|chain| chain.tip().height).min().unwrap_or(0);
        let mut entries = 0;
        for height in 1..=lowest {
            let blocks: Vec<_> =
                chains.iter().map(|chain| chain.block(height)).collect::<Result<_, _>>()?;
            if blocks.windows(2).any(|two| two[0] != two[1]) {
                return Err(format!("block {height} differs").into());
            }
            entries += blocks[0].as_ref().map_or(0, |block| block.entries().len());
        }
        let folders =
            ["log", "engine"].map(|part| size(&self.folder.join(format!("node0/{part}"))));
        println!(
            "  {lowest} blocks with {entries} entries equal at all four; on disk at one: log {} MB, engine {} MB",
            folders[0] >> 20,
            folders[1] >> 20
        );
        Ok(())
    }
}

impl Process {
    fn go(&mut self) -> Result<(), Failure> {
        let input = self.input.as_mut().ok_or("no input")?;
        Ok(input.write_all(b"go\n")?)
    }

    /// Milliseconds, height and size, as it said them.
    fn tips(&self) -> Vec<(u64, u64, u64)> {
        let said = self.said.lock().expect("because no holder panics");
        let read = |line: &String| {
            let mut numbers = line.strip_prefix("tip ")?.split(' ').map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
        };
        said.iter().filter_map(read).collect()
    }

    fn last(&self, start: &str) -> String {
        let said = self.said.lock().expect("because no holder panics");
        said.iter().rev().find(|line| line.starts_with(start)).cloned().unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ports() -> Result<Vec<u16>, Failure> {
    let bound: Vec<_> =
        (0..4).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    Ok(bound
        .iter()
        .map(|socket| socket.local_addr().map(|a| a.port()))
        .collect::<Result<_, _>>()?)
}

fn size(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return std::fs::metadata(path).map_or(0, |meta| meta.len());
    };
    entries.flatten().map(|entry| size(&entry.path())).sum()
}

/// Entries that each process makes beforehand for a second at full speed: more than become final.
const PREPARED: u64 = 10_000;
