//! Two nodes with a validator each, and what comes of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use exchange::Code;
use testbed::portal::PortalError;
use testbed::site::Site;

use crate::client::Client;
use crate::install;
use crate::node::Node;
use crate::validators::Validators;

/// Spain asks (0), Denmark gives against a receipt only (1).
pub struct Stage {
    pub es: Site,
    pub dk: Site,
    pub validators: Validators,
    pub client: Client,
}

/// How long who waits for what. What no test waits for lasts longer than a busy machine takes; both waits
/// together end before the portal's 30 seconds.
pub struct Terms {
    /// Denmark waits for its offer, seconds.
    pub offer_wait: u64,
    /// Spain waits for the key, seconds.
    pub key_wait: u64,
    /// Spain asks so many at once; Denmark answers one.
    pub asking: usize,
    /// Blocks in which Spain may receipt an offer.
    pub offer_blocks: u64,
    /// Blocks in which Denmark owes the key.
    pub key_blocks: u64,
}

pub const LONG: Terms =
    Terms { offer_wait: 14, key_wait: 12, asking: 1, offer_blocks: 1000, key_blocks: 600 };

impl Stage {
    pub async fn set(folder: &Path, terms: Terms) -> anyhow::Result<Self> {
        let (es, dk, pki) = install(folder).await?;
        let ledger = folder.join("ledger");
        let validators = Validators::start(&ledger, &pki, &[&es, &dk], terms.key_blocks).await?;
        let (asking, blocks) = (terms.asking, terms.offer_blocks);
        for (site, more, seconds) in [
            (&es, format!("exchanges_at_once = {asking}\n"), terms.key_wait),
            (&dk, "exchanges_at_once = 1\nstrict = [\"ITI-39\"]\n".to_owned(), terms.offer_wait),
        ] {
            let line = site.dir.join("line.sock");
            let toml = fs::read_to_string(site.config())? + &more;
            let toml = format!(
                "{toml}\n[ledger]\nvalidator = \"{}\"\nstrict_wait_seconds = {seconds}\n\
                 offer_deadline_blocks = {blocks}\n",
                line.display()
            );
            fs::write(site.config(), toml)?;
        }
        let client = Client::new(&pki, &es, &dk)?;
        let stage = Self { es, dk, validators, client };
        stage.connect(0)?;
        stage.connect(1)?;
        Ok(stage)
    }

    fn line(&self, one: usize) -> PathBuf {
        [&self.es, &self.dk][one].dir.join("line.sock")
    }

    /// A node finds its validator.
    pub fn connect(&self, one: usize) -> anyhow::Result<()> {
        Ok(std::os::unix::fs::symlink(self.validators.socket(one), self.line(one))?)
    }

    /// It finds none any more.
    pub fn disconnect(&self, one: usize) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.line(one))?)
    }

    pub async fn start(&self) -> anyhow::Result<(Node, Node)> {
        Ok((Node::start(&self.es, None).await?, Node::start(&self.dk, None).await?))
    }

    /// Asks, and waits by itself.
    pub fn asks(&self) -> tokio::task::JoinHandle<()> {
        let client = self.client.clone();
        tokio::spawn(async move { drop(client.retrieve().await) })
    }

    /// Spain has the ciphertext and cannot post its receipt; both nodes are killed.
    pub async fn offered(&self) -> anyhow::Result<[u8; 16]> {
        let (mut b, mut a) = self.start().await?;
        self.disconnect(0)?;
        refused(&self.client.retrieve().await, Code::ErrorGeneric)?;
        let (txid, _) = open(&self.es, "taken").context("B keeps what it took")?;
        ensure!(open(&self.dk, "given").map(|row| row.0) == Some(txid), "and A what it gave");
        b.kill()?;
        a.kill()?;
        self.validators.comes_to(txid, "offered").await?;
        self.connect(0)?;
        Ok(txid)
    }
}

/// The exchange that is open in a node's files.
pub fn open(site: &Site, kind: &str) -> Option<([u8; 16], PathBuf)> {
    let files = fs::read_dir(site.data().join("strict")).ok()?;
    let mut paths = files.flatten().map(|file| file.path());
    let path = paths.find(|path| path.extension().is_some_and(|of| of == kind))?;
    let mut txid = [0; 16];
    hex::decode_to_slice(path.file_stem()?.to_str()?, &mut txid).ok()?;
    Some((txid, path))
}

/// OpenNCP was told this code.
pub fn refused<T>(got: &Result<T, PortalError>, code: Code) -> anyhow::Result<()> {
    let found = got.as_ref().err().map(PortalError::code);
    ensure!(found == Some(code.wire()), "OpenNCP was told {found:?}");
    Ok(())
}
