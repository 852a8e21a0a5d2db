//! swtpm, one for each test.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A TPM that is a process.
pub struct Swtpm {
    process: Child,
    port: u16,
}

impl Swtpm {
    /// With its state in this folder, which must be an absolute path.
    pub fn start(state: &Path) -> Self {
        fs::create_dir_all(state).unwrap();
        let port = ports();
        let process = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args(["--tpmstate", &format!("dir={}", state.display())])
            .args(["--server", &format!("type=tcp,port={port},bindaddr=127.0.0.1")])
            .args(["--ctrl", &format!("type=tcp,port={},bindaddr=127.0.0.1", port + 1)])
            .stdout(Stdio::null())
            .spawn()
            .expect("swtpm (apt-get install swtpm)");
        let until = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(("127.0.0.1", port + 1)).is_err() {
            assert!(Instant::now() < until, "swtpm does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { process, port }
    }

    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// Something else is measured.
    pub fn extend(&self, pcr: u8) {
        let digest = "11".repeat(32);
        let extended = Command::new("tpm2_pcrextend")
            .args(["-T", &self.tcti(), &format!("{pcr}:sha256={digest}")])
            .status()
            .expect("tpm2-tools");
        assert!(extended.success());
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two free ports, the second behind the first: so libtss2 looks for the control channel.
fn ports() -> u16 {
    loop {
        let port = testbed::site::free().unwrap().port();
        // given to nobody else either
        if testbed::site::free().unwrap().port() == port + 1 {
            return port;
        }
    }
}
