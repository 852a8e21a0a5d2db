//! One of the validators that the demo left, run again: alone it orders nothing, but shows what is
//! final.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Validator(Child);

impl Validator {
    /// A country's, and that country's configuration naming it from now on.
    pub fn start(dir: &Path, country: &str, config: &str) -> Self {
        let folder = dir.join("ledger").join(country);
        let socket = folder.join("line.sock");
        let named = format!("validator = \"{}\"", socket.display());
        let text = fs::read_to_string(config).unwrap();
        if !text.contains(&named) {
            assert!(text.contains("[ledger]\n"));
            let text = text.replace("[ledger]\n", &format!("[ledger]\n{named}\n"));
            fs::write(config, text).unwrap();
        }
        let log = File::create(folder.join("again.log")).unwrap();
        let run = ["ledger", "run", "--with-parent", "--config"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_konfido"));
        command.args(run).arg(folder.join("ledger.toml")).stdin(Stdio::piped());
        let started = Self(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(120);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            let said = fs::read_to_string(folder.join("again.log")).unwrap();
            assert!(Instant::now() < until, "it does not start: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
        started
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
