//! A ledger of one member, and its validator as a process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use exchange::{Country, SystemEntropy, Transaction, TransactionId};
use http::StatusCode;
use jiff::Timestamp;
use ledger::bundle::Bundle;
use ledger::entry::Half;
use ledger::evidence::{JointStatement, RequestStatement};
use ledger::line::{Answer, ENTRIES_PATH, put};
use ledger::proof::Proof;
use ledger::timestamp::TimeStampToken;
use ledger::{Field, Secrets};
use testbed::pki::{Pki, Role, SealKind};
use transport::plain::PlainClient;
use trust::seal::SealKey;

/// Until what must come is there.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct Validator {
    folder: tempfile::TempDir,
    seal: SealKey,
    pki: Pki,
    line: PlainClient,
    child: Option<Child>,
}

impl Validator {
    /// Of Denmark alone, stamped by the authority at `url` each second. Not started yet.
    pub fn install(url: &str, authority: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dk = Country::parse("DK").unwrap();
        let pki = Pki::new(&[dk], SealKind::P256, Timestamp::now());
        let identity = pki.identity(dk, Role::Seal);
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put("seal.pem", &identity.chain_pem());
        put("seal.key", identity.key_pem());
        put("roots.pem", &pki.ca_pem());
        put("tsa.pem", authority);
        put(
            "ledger.toml",
            &format!(
                "[validator]\nname = \"DK\"\ngenesis = \"genesis.toml\"\ndata_dir = \"data\"\n\
                 members = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n\
                 consensus_key = \"keys/consensus.key\"\ncosigner_key = \"keys/cosigner.key\"\n\
                 cosigner_key_ml_dsa_44 = \"keys/cosigner-ml-dsa-44.key\"\n\
                 [validator.timestamp]\nurl = \"{url}\"\nroots = \"tsa.pem\"\nevery_seconds = 1\n"
            ),
        );
        let line = PlainClient::unix(&folder.path().join("data/line.sock"), PATIENCE);
        let seal = identity.seal_key();
        let made = Self { folder, seal, pki, line, child: None };
        let (seal, keys) = (made.file("seal.pem"), made.file("keys"));
        let keygen = ["ledger", "keygen", "--name", "DK", "--address", "127.0.0.1:7950"];
        let part = said(&konfido(&[&keygen[..], &["--seal", &seal, "--out", &keys]].concat()));
        fs::write(made.file("genesis.toml"), part).unwrap();
        let sign = ["--key", &made.file("seal.key"), "--seal", &seal];
        let genesis = made.file("genesis.toml");
        said(&konfido(&[&["ledger", "genesis", &genesis], &sign[..]].concat()));
        made
    }

    pub fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Starts it, and waits until it answers.
    pub async fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.file("log.txt")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_konfido"))
            .args(["ledger", "run", "--with-parent", "--config", &self.file("ledger.toml")])
            .env("KONFIDO_LOG", "info")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let until = Instant::now() + PATIENCE;
        while self.line.get("/v1/status").await.is_err() {
            assert!(Instant::now() < until, "it does not start: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// SIGTERM; how it ended, and after how long.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        let mut child = self.child.take().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let from = Instant::now();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        (child.wait().unwrap(), from.elapsed())
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.file("log.txt")).unwrap_or_default()
    }

    /// A page; none when it is not there.
    pub async fn get(&self, path: &str) -> Option<String> {
        let (status, body) = self.line.get(path).await.unwrap();
        (status == StatusCode::OK).then(|| String::from_utf8(body.to_vec()).unwrap())
    }

    /// Entries under the published checkpoint.
    pub async fn published(&self) -> u64 {
        let status = self.get("/v1/status").await.unwrap();
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["published"].as_u64().unwrap()
    }

    /// Brings one more piece of evidence, and waits until it stands under a checkpoint; how long that
    /// took.
    pub async fn grow(&self) -> Duration {
        let (from, before) = (Instant::now(), self.published().await);
        let body = put(&[self.evidence()]);
        let (status, body) =
            self.line.post(ENTRIES_PATH, "application/octet-stream", body).await.unwrap();
        let answers: Vec<Answer> = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, &answers[..]), (StatusCode::OK, &[Answer::Waits][..]));
        while self.published().await == before {
            assert!(from.elapsed() < PATIENCE, "no checkpoint: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        from.elapsed()
    }

    /// What Denmark says alone of an exchange with a country without KONFIDO.
    fn evidence(&self) -> Vec<u8> {
        let draw = |field: Field| {
            Secrets::draw([(field, "its value".to_owned())], &SystemEntropy).commitments()
        };
        let txid = TransactionId::random(&SystemEntropy);
        let (it, dk) = (Country::parse("IT").unwrap(), Country::parse("DK").unwrap());
        let asked = draw(Field::Patient);
        let request = RequestStatement::new(txid, Transaction::Retrieve, it, dk, asked);
        let said = JointStatement::one_sided(&request, draw(Field::Answer), "answered");
        let record = said.settle_alone(&self.seal).unwrap().signed;
        Half::entry(&record, 0, &self.seal).unwrap().padded(0).into_bytes()
    }

    /// Waits for a stamp over the newest checkpoint; the proof of its last entry under it.
    pub async fn stamped(&self) -> Proof {
        let (until, last) = (Instant::now() + PATIENCE, self.published().await - 1);
        loop {
            if let Some(text) = self.get(&format!("/v1/entries/{last}/proof?stamped")).await {
                return Proof::parse(text.as_bytes()).unwrap();
            }
            assert!(Instant::now() < until, "no stamp: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The receipt of an entry with its stamp, as an export makes it.
    pub async fn receipt(&self, proof: &Proof) -> Vec<u8> {
        let (_, entry) = self.line.get(&format!("/v1/entries/{}", proof.index)).await.unwrap();
        fs::write(self.file("entry"), &entry).unwrap();
        let policy = self.get("/policy").await.unwrap();
        fs::write(self.file("policy"), &policy).unwrap();
        let signer = self.pki.identity(Country::parse("DK").unwrap(), Role::Seal);
        let bare = Proof { extra: None, ..proof.clone() };
        let signers = [signer.certificate()];
        let receipt = Bundle::new(&entry, Timestamp::now(), &signers, &bare, &policy);
        let token = TimeStampToken::read(proof.extra.as_ref().unwrap()).unwrap();
        receipt.stamped(&token).to_json()
    }

    pub fn tiles(&self) -> PathBuf {
        Path::new(&self.file("data")).join("log")
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn konfido(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_konfido")).args(arguments).output().unwrap()
}

pub fn said(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout.clone()).unwrap()
}
