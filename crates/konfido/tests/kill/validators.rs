//! A shared ledger of Spain and Denmark: two validators as processes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use http::StatusCode;
use ledger::entry::Entry;
use ledger::member::{Genesis, Terms};
use serde_json::Value;
use testbed::pki::{Pki, Role};
use testbed::site::{Site, free};
use transport::plain::PlainClient;

use crate::PATIENCE;
use crate::node::pause;

/// The validators of two countries.
pub struct Validators(Vec<Validator>);

struct Validator {
    folder: PathBuf,
    child: Option<Child>,
}

impl Validators {
    /// Keys and a genesis by the commands that an operator uses, and both started: they make blocks.
    /// Who owes a key has so many blocks.
    pub async fn start(
        folder: &Path,
        pki: &Pki,
        sites: &[&Site],
        key_blocks: u64,
    ) -> anyhow::Result<Self> {
        let (mut members, mut all) = (Vec::new(), Vec::new());
        for site in sites {
            let (country, folder) = (site.land.country(), folder.join(site.land.code));
            let (out, address) = (folder.to_string_lossy().into_owned(), free()?.to_string());
            let seal =
                site.dir.join(format!("pki/{}/{}.pem", country.to_lower(), Role::Seal.stem()));
            let made = Command::new(env!("CARGO_BIN_EXE_konfido"))
                .args(["ledger", "keygen", "--name", site.land.code, "--address", &address])
                .args(["--out", &out, "--seal"])
                .arg(seal)
                .output()?;
            ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            let genesis = Genesis::parse(&String::from_utf8(made.stdout)?)?;
            let member = genesis.roll().members().first().context("keygen gives a member")?;
            fs::write(folder.join("ledger.toml"), configuration(site.land.code, &address))?;
            members.push(member.clone());
            all.push(Validator { folder, child: None });
        }
        let terms =
            Terms { half_min: 10, half_max: 1_000_000, offer_min: 2, offer_max: 1000, key_blocks };
        let mut genesis = Genesis::new("ledger.konfido.example", 4096, terms, members)?;
        for site in sites {
            genesis = genesis.signed(&pki.identity(site.land.country(), Role::Seal).seal_key())?;
        }
        fs::write(folder.join("genesis.toml"), genesis.to_toml())?;
        let mut validators = Self(all);
        (0..sites.len()).try_for_each(|one| validators.restart(one))?;
        let until = Instant::now() + PATIENCE;
        while !validators.meets().await {
            ensure!(Instant::now() < until, "no block: {}", validators.logs());
            pause().await;
        }
        Ok(validators)
    }

    async fn meets(&self) -> bool {
        let status = self.page(0, "/v1/status").await.unwrap_or_default();
        let status: Value = serde_json::from_slice(&status).unwrap_or_default();
        status["height"].as_u64() > Some(0)
    }

    /// Starts one of them (again).
    pub fn restart(&mut self, one: usize) -> anyhow::Result<()> {
        let validator = &mut self.0[one];
        let log = validator.folder.join("ledger.log");
        let log = File::options().create(true).append(true).open(log)?;
        let child = Command::new(env!("CARGO_BIN_EXE_konfido"))
            .args(["ledger", "run", "--with-parent", "--config"])
            .arg(validator.folder.join("ledger.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        validator.child = Some(child);
        Ok(())
    }

    /// `kill -9`.
    pub fn kill(&mut self, one: usize) -> anyhow::Result<()> {
        let mut child = self.0[one].child.take().context("it does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Where a node finds one of them.
    pub fn socket(&self, one: usize) -> PathBuf {
        self.0[one].folder.join("line.sock")
    }

    /// All entries, as one of them has them.
    pub async fn entries(&self, one: usize) -> anyhow::Result<Vec<Entry>> {
        let status: Value = serde_json::from_slice(&self.page(one, "/v1/status").await?)?;
        let mut all = Vec::new();
        for index in 0..status["size"].as_u64().context("no size")? {
            let bytes = self.page(one, &format!("/v1/entries/{index}")).await?;
            all.push(Entry::decode(&bytes)?);
        }
        Ok(all)
    }

    /// Waits until an exchange stands so, for all to see: on the page of each member.
    pub async fn comes_to(&self, txid: [u8; 16], state: &str) -> anyhow::Result<()> {
        let path = format!("/v1/exchanges/{}", hex::encode(txid));
        for one in 0..self.0.len() {
            self.says(one, &path, state).await?;
        }
        Ok(())
    }

    async fn says(&self, one: usize, path: &str, state: &str) -> anyhow::Result<()> {
        let (until, mut found) = (Instant::now() + PATIENCE, String::new());
        while Instant::now() < until {
            if let Ok(bytes) = self.page(one, path).await {
                let said: Value = serde_json::from_slice(&bytes)?;
                said["state"].as_str().unwrap_or_default().clone_into(&mut found);
                if found == state {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("it is {found}, and not {state}")
    }

    async fn page(&self, one: usize, path: &str) -> anyhow::Result<Vec<u8>> {
        let line = PlainClient::unix(&self.socket(one), PATIENCE);
        let (status, body) = line.get(path).await?;
        ensure!(status == StatusCode::OK, "{path}: {status}");
        Ok(body.to_vec())
    }

    /// What they wrote.
    pub fn logs(&self) -> String {
        let read = |one: &Validator| fs::read_to_string(one.folder.join("ledger.log"));
        self.0.iter().filter_map(|one| read(one).ok()).collect()
    }
}

impl Drop for Validators {
    fn drop(&mut self) {
        for child in self.0.iter_mut().filter_map(|one| one.child.as_mut()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn configuration(name: &str, address: &str) -> String {
    format!(
        "[validator]\nname = \"{name}\"\ngenesis = \"../genesis.toml\"\ndata_dir = \"data\"\n\
         members = \"{address}\"\nhttp = \"127.0.0.1:0\"\nsocket = \"line.sock\"\n\
         consensus_key = \"consensus.key\"\ncosigner_key = \"cosigner.key\"\n\
         cosigner_key_ml_dsa_44 = \"cosigner-ml-dsa-44.key\"\n"
    )
}
