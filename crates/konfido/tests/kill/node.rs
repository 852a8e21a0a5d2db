//! A node as a process, and what may be done to it.

use std::fs::File;
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use testbed::site::Site;

use crate::PATIENCE;

/// `konfido run`.
pub struct Node(Child);

impl Node {
    /// Starts, and waits until it serves. `armed` is set in its environment.
    pub async fn start(site: &Site, armed: Option<(&str, &str)>) -> anyhow::Result<Self> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let log = File::options().create(true).append(true).open(site.dir.join("node.log"))?;
            let mut command = Command::new(env!("CARGO_BIN_EXE_konfido"));
            command.args(["run", "--config"]).arg(site.config()).env("KONFIDO_LOG", "info");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).envs(armed);
            let mut node = Self(command.spawn()?);
            while Instant::now() < until && node.0.try_wait()?.is_none() {
                // one that is to die may do so before it serves
                let up = if armed.is_some() {
                    TcpStream::connect(site.admin).is_ok()
                } else {
                    site.ready()
                };
                if up {
                    return Ok(node);
                }
                pause().await;
            }
            // it may have died before it was seen; and a port of its own may still be closing
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("{} does not start: see its node.log", site.land.code)
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it has killed itself.
    pub async fn died(&mut self) -> anyhow::Result<()> {
        let status = self.ended().await.context("it passed the moment and lives")?;
        ensure!(status.signal() == Some(9), "it ended by itself: {status}");
        Ok(())
    }

    /// Waits until it holds still.
    pub async fn halted(&self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
            // proc(5): the state is behind the name, which stands in parentheses
            if stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T')) {
                return Ok(());
            }
            pause().await;
        }
        bail!("it did not come to the moment")
    }

    /// Goes on after it was held.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    /// `kill -9` from outside.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// As an operator stops it.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.signal("TERM")?;
        let status = self.ended().await.context("it does not stop")?;
        ensure!(status.success(), "it stopped with {status}");
        Ok(())
    }

    /// Reads its files again.
    pub fn hang_up(&self) -> anyhow::Result<()> {
        self.signal("HUP")
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.0.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status()?;
        ensure!(sent.success(), "SIG{name} was not sent");
        Ok(())
    }

    async fn ended(&mut self) -> Option<std::process::ExitStatus> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Some(status);
            }
            pause().await;
        }
        None
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Between two looks at something that will change.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
