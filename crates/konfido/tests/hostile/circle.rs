//! The nodes under attack: `konfido demo`, run as a user runs it, and what it leaves on disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::Country;
use serde_json::Value;
use siem::{Event, EventStore as _};
use sqlite::Events;
use testbed::pki::Role;
use transport::tls::Identity;
use trust::seal::SealKey;

/// A listener of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Door {
    National,
    Border,
    Audit,
}

/// A country's node and its listener.
pub type Place = (&'static str, Door);

/// Three running nodes. Ends with the test.
pub struct Circle {
    dir: tempfile::TempDir,
    child: Child,
    world: Value,
    events: BTreeMap<&'static str, Events>,
}

impl Circle {
    /// Starts the nodes and waits until their own story is told.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = File::create(dir.path().join("stderr")).unwrap();
        let story = File::create(dir.path().join("stdout")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_konfido"))
            .args(["demo", "--dir"])
            .arg(dir.path())
            .env("KONFIDO_LOG", "debug")
            .stdin(Stdio::null())
            .stdout(story)
            .stderr(log)
            .spawn()
            .expect("konfido runs");
        let deadline = Instant::now() + Duration::from_secs(180);
        while !dir.path().join("ready").exists() {
            let ended = child.try_wait().unwrap();
            let told = || fs::read_to_string(dir.path().join("stdout")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "it is not ready: {}", told());
            std::thread::sleep(Duration::from_millis(20));
        }
        let world = fs::read_to_string(dir.path().join("world.json")).unwrap();
        let world = serde_json::from_str(&world).unwrap();
        let open = |cc: &'static str| {
            let path = dir.path().join(cc.to_lowercase()).join("events.db");
            (cc, Events::open(&path).unwrap())
        };
        let events = ["DK", "ES", "IT"].map(open).into();
        Self { dir, child, world, events }
    }

    /// Where a listener is.
    pub fn address(&self, (cc, door): Place) -> SocketAddr {
        let name = match door {
            Door::National => "national",
            Door::Border => "border",
            Door::Audit => "audit",
        };
        let text = self.world[cc][name].as_str().unwrap();
        text.trim_start_matches("https://").parse().unwrap()
    }

    /// A certificate of the circle, with its key.
    pub fn identity(&self, cc: &str, role: Role) -> Identity {
        let [chain, key] = self.pair(cc, role);
        Identity { chain, key: key.into(), roots: self.roots() }
    }

    /// The roots of the circle.
    pub fn roots(&self) -> Vec<u8> {
        fs::read(self.dir.path().join("pki/ca.pem")).unwrap()
    }

    /// A country's seal.
    pub fn seal(&self, cc: &str) -> Arc<SealKey> {
        let [chain, key] = self.pair(cc, Role::Seal);
        Arc::new(SealKey::from_pem(&key, &chain).unwrap())
    }

    fn pair(&self, cc: &str, role: Role) -> [Vec<u8>; 2] {
        let folder: PathBuf = self.dir.path().join("pki").join(cc.to_lowercase());
        ["pem", "key"].map(|kind| fs::read(folder.join(format!("{}.{kind}", role.stem()))).unwrap())
    }

    /// All events of a node, newest first.
    pub fn events(&self, cc: &str) -> Vec<Event> {
        self.events[cc].newest(100_000).unwrap()
    }

    /// What the nodes have logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("stderr")).unwrap()).into_owned()
    }

    /// `kill -9`; gives the command lines of processes of it that are left a while later.
    pub fn kill(&mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = self.dir.path().to_str().unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let lines = fs::read_dir("/proc").unwrap().filter_map(|process| {
                let line = fs::read(process.ok()?.path().join("cmdline")).ok()?;
                Some(String::from_utf8_lossy(&line).replace('\0', " "))
            });
            let left: Vec<String> = lines.filter(|line| line.contains(folder)).collect();
            if left.is_empty() || Instant::now() > deadline {
                return left;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether the process is still there.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Circle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A country of the circle.
pub fn country(cc: &str) -> Country {
    Country::parse(cc).unwrap()
}
