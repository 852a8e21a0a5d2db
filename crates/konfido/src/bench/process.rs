//! A process of the benchmark: started, watched through /proc, and ended with the benchmark.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// A running process; ended when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// What a process used, with its children (nginx has workers).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// User and system time, in seconds.
    pub cpu: f64,
    /// Resident memory now, in kB.
    pub resident: u64,
    /// Most resident memory ever, in kB.
    pub peak: u64,
}

impl Usage {
    /// Time since an earlier look; memory as it is now.
    pub fn since(self, before: &Self) -> Self {
        Self { cpu: self.cpu - before.cpu, ..self }
    }
}

impl Process {
    /// Starts a command whose words go to `log`, and waits until it accepts on `port`.
    pub async fn start(command: &mut Command, log: &Path, port: u16) -> anyhow::Result<Self> {
        let words = File::create(log).with_context(|| format!("cannot make {}", log.display()))?;
        let program = command.get_program().display().to_string();
        let child = command
            .stdin(Stdio::null())
            .stdout(words.try_clone()?)
            .stderr(words)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let mut process = Self { child, log: log.to_owned() };
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if process.child.try_wait()?.is_some() || started.elapsed() > START {
                let words = fs::read_to_string(&process.log).unwrap_or_default();
                anyhow::bail!("{program} does not serve on port {port}:\n{words}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(process)
    }

    /// What it used until now.
    pub fn usage(&self) -> Usage {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        let pids = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        pids.chain([pid]).map(usage).fold(Usage::default(), |all, one| Usage {
            cpu: all.cpu + one.cpu,
            resident: all.resident + one.resident,
            peak: all.peak + one.peak,
        })
    }
}

impl Drop for Process {
    /// SIGTERM, so that nginx ends its workers and a node closes its files; then SIGKILL.
    fn drop(&mut self) {
        let term = format!("kill -TERM {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &term]).status();
        let started = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && started.elapsed() < STOP {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn usage(pid: u32) -> Usage {
    let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let status = file("status");
    Usage {
        cpu: cpu_seconds(&file("stat")),
        resident: kilobytes(&status, "VmRSS:"),
        peak: kilobytes(&status, "VmHWM:"),
    }
}

/// utime and stime of proc_pid_stat(5), which counts 100 ticks a second on Linux.
fn cpu_seconds(stat: &str) -> f64 {
    let after = stat.rsplit(')').next().unwrap_or("");
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Ports on loopback that nobody uses at the moment.
pub fn free_ports<const N: usize>() -> std::io::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_memory_are_read_as_the_kernel_writes_them() {
        // a command may contain spaces and brackets
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 0 0 0 0 150 50 7 7 20 0 9 0 100 0 0";
        assert!((cpu_seconds(stat) - 2.0).abs() < 1e-9);
        let status = "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
        assert_eq!((kilobytes(status, "VmRSS:"), kilobytes(status, "VmHWM:")), (1024, 2048));
    }

    #[test]
    fn a_process_that_ends_at_once_is_reported_with_its_words() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let [port] = free_ports().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no certificate; exit 1"]);
        let failed = runtime.block_on(Process::start(&mut command, log.path(), port));
        assert!(failed.err().unwrap().to_string().contains("no certificate"));
    }
}
