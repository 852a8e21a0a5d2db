//! Members of a ledger as operators set them up: files, commands, and one process each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use exchange::Country;
use jiff::Timestamp;
use ledger::line::{Answer, ENTRIES_PATH, put};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testbed::pki::{Pki, SealKind};
use transport::plain::PlainClient;
use trust::seal::SealKey;

use super::left::{konfido, printed};

/// The members' folders below one.
pub struct Circle {
    pub folder: tempfile::TempDir,
    pub members: Vec<Member>,
}

/// One member.
pub struct Member {
    pub name: &'static str,
    pub folder: PathBuf,
    /// Of its validator for the other members.
    port: u16,
    child: Option<Child>,
}

impl Circle {
    /// Each has a seal and an address, which stays its own while it is down.
    pub fn new(names: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let member = |name: &&'static str| {
            let own = folder.path().join(name.to_lowercase());
            fs::create_dir(&own).expect("a folder");
            let port = testbed::site::free().expect("a port").port();
            let member = Member { name, folder: own, port, child: None };
            member.certify();
            member
        };
        let members = names.iter().map(member).collect();
        Self { folder, members }
    }

    pub fn member(&self, name: &str) -> &Member {
        self.members.iter().find(|member| member.name == name).expect("a member")
    }

    pub fn member_mut(&mut self, name: &str) -> &mut Member {
        self.members.iter_mut().find(|member| member.name == name).expect("a member")
    }

    pub fn genesis(&self) -> String {
        text(&self.folder.path().join("genesis.toml"))
    }

    /// A path of a file that the members pass on.
    pub fn passed(&self, name: &str) -> String {
        text(&self.folder.path().join(name))
    }

    /// Waits until `held` says so of what these members answer.
    pub fn until(&self, names: &[&str], what: &str, held: impl Fn(&Value) -> bool) {
        let started = Instant::now();
        loop {
            let statuses: Vec<_> = names.iter().map(|name| self.member(name).status()).collect();
            if statuses.iter().all(|status| status.as_ref().is_some_and(&held)) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{what} did not come: {statuses:?}");
            std::thread::sleep(PAUSE);
        }
    }

    pub fn until_height(&self, names: &[&str], height: u64) {
        let there = |status: &Value| status["height"].as_u64() >= Some(height);
        self.until(names, &format!("height {height}"), there);
    }
}

impl Member {
    fn certify(&self) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CountryName, self.name);
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(self.folder.join("seal.pem"), certificate.pem()).expect("written");
        fs::write(self.folder.join("seal.key"), key.serialize_pem()).expect("written");
    }

    /// The same of a country that has a node, with all of its certificates.
    pub fn certify_node(&self) {
        let country = Country::parse(self.name).expect("a country");
        let pki = Pki::new(&[country], SealKind::P256, Timestamp::now());
        pki.write(&self.folder.join("pki")).expect("written");
        for file in ["seal.pem", "seal.key"] {
            let made = self.folder.join("pki").join(country.to_lower()).join(file);
            fs::copy(made, self.folder.join(file)).expect("copied");
        }
    }

    pub fn seal(&self) -> SealKey {
        let read = |name| fs::read(self.folder.join(name)).expect("a file");
        SealKey::from_pem(&read("seal.key"), &read("seal.pem")).expect("a seal")
    }

    pub fn path(&self, name: &str) -> String {
        text(&self.folder.join(name))
    }

    /// `konfido ledger keygen` as the page says; what it prints.
    pub fn keygen(&self, keys: &str) -> String {
        let (out, seal) = (self.path(keys), self.path("seal.pem"));
        // a name, as countries have them
        let address = format!("localhost:{}", self.port);
        let named = ["ledger", "keygen", "--name", self.name, "--address", &address];
        printed(&konfido(&[&named[..], &["--seal", &seal, "--out", &out]].concat()))
    }

    /// Its `ledger.toml`, with the consensus key in this folder.
    pub fn configure(&self, genesis: &str, keys: &str) {
        let text = format!(
            "[validator]\nname = \"{}\"\ngenesis = \"{genesis}\"\ndata_dir = \"data\"\n\
             members = \"127.0.0.1:{}\"\nhttp = \"127.0.0.1:0\"\n\
             consensus_key = \"{keys}/consensus.key\"\ncosigner_key = \"keys/cosigner.key\"\n\
             cosigner_key_ml_dsa_44 = \"keys/cosigner-ml-dsa-44.key\"\n",
            self.name, self.port
        );
        fs::write(self.folder.join("ledger.toml"), text).expect("written");
    }

    /// `konfido ledger run`.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs", self.name);
        let log = fs::File::options().create(true).append(true).open(self.folder.join("stderr"));
        let child = Command::new(env!("CARGO_BIN_EXE_konfido"))
            .args(["ledger", "run", "--with-parent", "--config", &self.path("ledger.toml")])
            .env("RUST_LOG", "info")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log.expect("a file"))
            .spawn();
        self.child = Some(child.expect("konfido runs"));
    }

    /// SIGTERM; it ends well.
    pub fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        let id = Pid::from_child(&child);
        kill_process(id, Signal::TERM).expect("a signal");
        let started = Instant::now();
        while child.try_wait().expect("a status").is_none() {
            assert!(started.elapsed() < PATIENCE, "{} does not end", self.name);
            std::thread::sleep(PAUSE);
        }
        let status = child.wait().expect("a status");
        let said = fs::read_to_string(self.folder.join("stderr")).unwrap_or_default();
        assert!(status.success(), "{} ended with {status}: {said}", self.name);
    }

    pub fn socket(&self) -> String {
        self.path("data/line.sock")
    }

    fn client(&self) -> PlainClient {
        PlainClient::unix(Path::new(&self.socket()), PATIENCE)
    }

    pub fn status(&self) -> Option<Value> {
        let body = wait(self.client().get("/v1/status")).ok()?.1;
        serde_json::from_slice(&body).ok()
    }

    /// What the validator says to an entry, whoever brings it.
    pub fn bring(&self, entry: Vec<u8>) -> Answer {
        let asked = self.client();
        let (_, body) = wait(asked.post(ENTRIES_PATH, "application/octet-stream", put(&[entry])))
            .expect("an answer");
        serde_json::from_slice::<Vec<Answer>>(&body).expect("answers").remove(0)
    }

    /// `konfido ledger …` that asks this member's validator.
    pub fn ledger(&self, arguments: &[&str]) -> Output {
        konfido(&[&["ledger"], arguments, &["--config", &self.path("ledger.toml")]].concat())
    }

    /// Signs a draft with its own seal at its own validator.
    pub fn sign(&self, draft: &str) -> Output {
        self.sign_at(draft, self)
    }

    /// The same, at another's validator.
    pub fn sign_at(&self, draft: &str, other: &Self) -> Output {
        let (key, seal) = (self.path("seal.key"), self.path("seal.pem"));
        other.ledger(&["govern", "sign", draft, "--key", &key, "--seal", &seal])
    }

    /// The checkpoint that it published last.
    pub fn checkpoint(&self) -> String {
        fs::read_to_string(self.folder.join("data/log/checkpoint")).unwrap_or_default()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    said
}

fn text(path: &Path) -> String {
    path.to_str().expect("utf-8").to_owned()
}

fn wait<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// Two cores of a busy machine are slow.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);
