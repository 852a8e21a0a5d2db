//! A node with `[eid.light]` as an operator installs it, as a process.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use exchange::Country;
use testbed::pki::Pki;
use testbed::site::Site;
use testbed::world::Land;

use crate::other::SECRET;

/// `konfido run`, with its address for browsers.
pub struct Node {
    process: Child,
    pub site: Site,
    pub url: String,
}

impl Node {
    /// A site of Spain in `dir` whose address for browsers is known before it runs.
    pub fn install(pki: &Pki, dir: &Path) -> (Site, String) {
        let es = Country::parse("ES").unwrap();
        let site = Site::new(Land::of(es).unwrap(), dir).unwrap();
        site.write(pki, &[]).unwrap();
        // a second site's ports are nobody else's
        let pages = Site::new(site.land, dir).unwrap().national;
        let url = format!("https://localhost:{}", pages.port());
        let mut toml = fs::read_to_string(site.config()).unwrap();
        toml += &format!(
            "\n[eid]\nlisten = \"{pages}\"\nurl = \"{url}\"\norganisation = \"Test\"\npage = \"https://example.es\"\n\
             email = \"eid@example.es\"\nroots = \"pki/ca.pem\"\n"
        );
        for (what, identity) in [
            ("pages", pki.server(es, "eid")),
            ("signing", pki.signer(es, "eid")),
            ("encryption", pki.signer(es, "eid-encryption")),
        ] {
            fs::write(dir.join(format!("{what}.pem")), identity.chain_pem()).unwrap();
            fs::write(dir.join(format!("{what}.key")), identity.key_pem()).unwrap();
            toml += &format!("{what} = {{ certificate = \"{what}.pem\", key = \"{what}.key\" }}\n");
        }
        fs::write(dir.join("light.secret"), format!("{SECRET}\n")).unwrap();
        fs::write(site.config(), toml).unwrap();
        (site, url)
    }

    /// Adds to the configuration and starts; waits until it serves.
    pub async fn start(site: Site, url: String, more: &str) -> Self {
        let toml = fs::read_to_string(site.config()).unwrap() + more;
        fs::write(site.config(), toml).unwrap();
        let log = File::create(site.dir.join("node.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_konfido"));
        command.args(["run", "--config"]).arg(site.config()).env("KONFIDO_LOG", "info");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut node = Self { process: command.spawn().unwrap(), site, url };
        let until = Instant::now() + Duration::from_secs(120);
        while !node.site.ready() {
            let ended = node.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "{}", node.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        node
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.site.dir.join("node.log")).unwrap()
    }

    /// How often it refused for this reason.
    pub fn refusals(&self, why: &str) -> usize {
        let (plain, quoted) = (format!("why={why} "), format!("why=\"{why}\" "));
        let refused = |line: &&str| line.contains("login refused");
        let named = |line: &&str| {
            let line = format!("{line} ");
            line.contains(&plain) || line.contains(&quoted)
        };
        self.log().lines().filter(refused).filter(named).count()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
