//! The demo's shared ledger: four validators, each a process of its own, and what the story asks of
//! them.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use exchange::Country;
use gateway::background::share::Shared;
use http::StatusCode;
use ledger::member::Genesis;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testbed::pki::{Pki, Role};
use transport::plain::PlainClient;

use super::PATIENCE;
use crate::ledger::keygen::{self, EPOCH, TERMS};

/// Who has a vote: three countries, and the Commission, which has no gateway.
const MEMBERS: [&str; 4] = ["DK", "ES", "IT", "EU"];

/// The validators.
pub struct Validators {
    each: Vec<Validator>,
}

/// One of them.
struct Validator {
    name: &'static str,
    config: PathBuf,
    socket: PathBuf,
    child: Option<Child>,
}

impl Validators {
    /// Makes keys and a genesis that all four sign, and starts them.
    pub fn start(dir: &Path, pki: &Pki) -> anyhow::Result<Self> {
        let folder = dir.join("ledger");
        // all bound at once, so that no two get the same; free again for the validators
        let own = own_loopback();
        let bound: Vec<TcpListener> =
            MEMBERS.iter().map(|_| TcpListener::bind((own, 0))).collect::<Result<_, _>>()?;
        let mut members = Vec::new();
        for (name, bound) in MEMBERS.iter().zip(&bound) {
            let seal = pki.identity(Country::parse(name)?, Role::Seal).certificate();
            let address = bound.local_addr()?.to_string();
            members.push(told(keygen::make(&folder.join(name), name, &address, seal))?);
        }
        let mut genesis = Genesis::new("ledger.konfido.example", EPOCH, TERMS, members.clone())?;
        for name in MEMBERS {
            genesis =
                genesis.signed(&pki.identity(Country::parse(name)?, Role::Seal).seal_key())?;
        }
        std::fs::write(folder.join("genesis.toml"), genesis.to_toml())?;
        drop(bound);
        let mut each = Vec::new();
        for member in &members {
            let name = MEMBERS.iter().find(|name| **name == member.name().as_str());
            let name = name.context("a member of another ledger")?;
            let config = folder.join(name).join("ledger.toml");
            std::fs::write(&config, configuration(name, member.address().as_str()))?;
            let socket = folder.join(name).join("line.sock");
            let mut validator = Validator { name, config, socket, child: None };
            validator.start()?;
            each.push(validator);
        }
        Ok(Self { each })
    }

    /// Where a country's node brings its evidence.
    pub fn shared(&self, country: Country) -> Option<Shared> {
        let found = self.each.iter().find(|one| one.name == country.as_str())?;
        Some(Shared { socket: found.socket.clone(), deadline: 10_000 })
    }

    /// The line to a country's validator.
    pub fn line(&self, country: Country) -> anyhow::Result<PlainClient> {
        let found = self.each.iter().find(|one| one.name == country.as_str());
        Ok(PlainClient::unix(&found.context("no such validator")?.socket, ANSWER))
    }

    /// What a validator answers.
    pub async fn get(&self, name: &str, path: &str) -> anyhow::Result<Vec<u8>> {
        let found = self.each.iter().find(|one| one.name == name).context("no such validator")?;
        let (status, body) = PlainClient::unix(&found.socket, ANSWER).get(path).await?;
        anyhow::ensure!(status == StatusCode::OK, "{name} answers {status}");
        Ok(body.to_vec())
    }

    /// Where each of them stands; those that are away are left out.
    pub async fn statuses(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for one in &self.each {
            if let Ok(body) = self.get(one.name, "/v1/status").await {
                all.extend(serde_json::from_slice(&body));
            }
        }
        all
    }

    /// Waits until so many of them have the same root over at least `size` entries.
    pub async fn agreed(&self, members: usize, size: u64) -> Result<(u64, String), String> {
        let started = Instant::now();
        loop {
            let statuses = self.statuses().await;
            let mut roots: Vec<_> =
                statuses.iter().map(|one| (one["size"].as_u64(), one["root"].as_str())).collect();
            roots.dedup();
            if let [(Some(found), Some(root))] = roots[..]
                && statuses.len() == members
                && found >= size
            {
                return Ok((found, root.to_owned()));
            }
            if started.elapsed() > PATIENCE {
                return Err(format!(
                    "{} of {members} answer, with {} roots",
                    statuses.len(),
                    roots.len()
                ));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<u32> {
        let one = self.each.iter_mut().find(|one| one.name == name).context("no such validator")?;
        let mut child = one.child.take().context("it does not run")?;
        let id = child.id();
        child.kill()?;
        child.wait()?;
        Ok(id)
    }

    /// Starts it again.
    pub fn restart(&mut self, name: &str) -> anyhow::Result<()> {
        self.each.iter_mut().find(|one| one.name == name).context("no such validator")?.start()
    }
}

impl Validator {
    fn start(&mut self) -> anyhow::Result<()> {
        let log = std::fs::File::create(self.config.with_extension("log"))?;
        let child = Command::new("/proc/self/exe")
            .args(["ledger", "run", "--with-parent", "--config"])
            .arg(&self.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("a validator does not start")?;
        self.child = Some(child);
        Ok(())
    }
}

impl Drop for Validators {
    fn drop(&mut self) {
        for child in self.each.iter().filter_map(|one| one.child.as_ref()) {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        }
        for child in self.each.iter_mut().filter_map(|one| one.child.as_mut()) {
            let _ = child.wait();
        }
    }
}

/// An address of this machine's loopback (127.0.0.0/8) that no other process uses: a port of it that is
/// free now is free a moment later.
fn own_loopback() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | high & 63, middle, low)
}

fn configuration(name: &str, address: &str) -> String {
    format!(
        "[validator]\n\
         name = \"{name}\"\n\
         genesis = \"../genesis.toml\"\n\
         data_dir = \"data\"\n\
         members = \"{address}\"\n\
         http = \"127.0.0.1:0\"\n\
         socket = \"line.sock\"\n\
         consensus_key = \"{}\"\n\
         cosigner_key = \"{}\"\n\
         cosigner_key_ml_dsa_44 = \"{}\"\n",
        keygen::CONSENSUS,
        keygen::COSIGNER,
        keygen::COSIGNER_PQ,
    )
}

fn told<T>(result: miette::Result<T>) -> anyhow::Result<T> {
    result.map_err(|report| anyhow::anyhow!("{report}"))
}

/// One question.
const ANSWER: Duration = Duration::from_secs(5);
