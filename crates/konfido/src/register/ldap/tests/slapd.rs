//! OpenLDAP's server as a process on loopback, with TLS and a schema of a health directory.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use exchange::Country;
use identity::register::{Entry, PersonKey, Register, RegisterError};
use testbed::pki::{Pki, Role};
use zeroize::Zeroizing;

use super::super::Ldap;
use crate::register::Directory;
use crate::register::attributes::{Attributes, DEFAULTS};

/// Debian's.
pub const SLAPD: &str = "/usr/sbin/slapd";
pub const PASSWORD: &str = "opdigtet(*)\\kodeord";
const BIND: &str = "cn=konfido,dc=register,dc=example";
pub const BASE: &str = "ou=professionals,dc=register,dc=example";

/// Whether the machine has it; says so when not.
pub fn stands() -> bool {
    let stands = Path::new(SLAPD).exists();
    if !stands {
        println!("skipped: no slapd");
    }
    stands
}

/// A server that ends with its owner.
pub struct Slapd {
    process: Child,
    folder: tempfile::TempDir,
    plain: u16,
    tls: u16,
    ca: String,
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Slapd {
    /// A directory with these entries, and what stands in `more` (LDIF).
    pub fn start(pki: &Pki, entries: &[Entry], more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let tls = pki.tls(Country::parse("ES").unwrap(), Role::OpenncpServer);
        let key = tls.key.pem().unwrap();
        for (name, bytes) in [("ca.pem", &*tls.roots), ("chain.pem", &*tls.chain), ("key.pem", key)]
        {
            std::fs::write(at(name), bytes).unwrap();
        }
        std::fs::create_dir(at("db")).unwrap();
        let conf = include_str!("slapd.conf").replace("FOLDER", folder.path().to_str().unwrap());
        std::fs::write(at("slapd.conf"), conf).unwrap();
        std::fs::write(at("world.ldif"), ldif(entries) + more).unwrap();
        let conf = at("slapd.conf");
        let mut add = Command::new("/usr/sbin/slapadd");
        let add = add.arg("-q").arg("-f").arg(&conf).arg("-l").arg(at("world.ldif"));
        let add = add.output().unwrap();
        assert!(add.status.success(), "{}", String::from_utf8_lossy(&add.stderr));
        let [plain, tls] = ports();
        let urls = format!("ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{tls}");
        let mut serve = Command::new(SLAPD);
        serve.arg("-f").arg(&conf).args(["-h", &urls, "-d", "0"]);
        let process = serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Self { process, folder, plain, tls, ca: pki.ca_pem() };
        started.wait();
        started
    }

    fn wait(&self) {
        for _ in 0..2400 {
            let open = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
            if open(self.plain) && open(self.tls) {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("slapd does not listen; see {}", self.folder.path().display());
    }

    /// How it is asked; `true`: `StartTLS`.
    pub fn directory(&self, start_tls: bool) -> Directory {
        let mut attributes = DEFAULTS.map(|name| name.map(str::to_owned));
        let own = ["hcpBirth", "hcpFrom", "hcpUntil", "hcpSuspended"];
        for (into, name) in attributes[9..].iter_mut().zip(own) {
            *into = Some(name.to_owned());
        }
        let (scheme, port) = if start_tls { ("ldap", self.plain) } else { ("ldaps", self.tls) };
        Directory {
            url: format!("{scheme}://127.0.0.1:{port}"),
            roots: self.ca.clone().into_bytes(),
            bind: BIND.to_owned(),
            password: Zeroizing::new(PASSWORD.to_owned()),
            base: BASE.to_owned(),
            with_country: true,
            attributes: Attributes(attributes),
            country: Country::parse("ES").unwrap(),
        }
    }

    /// Stops answering, without closing anything.
    pub fn freeze(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-STOP", &id]).status().unwrap().success());
    }
}

fn ports() -> [u16; 2] {
    [(); 2].map(|()| testbed::site::free().unwrap().port())
}

/// A register with the server behind it.
pub struct Served(pub Ldap, #[expect(dead_code, reason = "it ends with us")] pub Slapd);

impl Register for Served {
    fn find(&self, who: &PersonKey) -> Result<Option<Entry>, RegisterError> {
        self.0.find(who)
    }
}

/// The tree with these professionals below [`BASE`].
fn ldif(entries: &[Entry]) -> String {
    let mut out = format!(
        "dn: dc=register,dc=example\nobjectClass: dcObject\nobjectClass: organization\no: Register\n\n\
         dn: {BIND}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\n\
         userPassword: {PASSWORD}\n\n\
         dn: {BASE}\nobjectClass: organizationalUnit\nou: professionals\n\n"
    );
    for (number, entry) in entries.iter().enumerate() {
        out += &person(number, entry);
    }
    out
}

/// One professional.
pub fn person(number: usize, entry: &Entry) -> String {
    let mut out =
        format!("dn: cn=p{number},{BASE}\nobjectClass: inetOrgPerson\nobjectClass: hcp\n");
    let date = |date: Option<jiff::civil::Date>| {
        date.map(|date| date.strftime("%Y%m%d000000Z").to_string()).unwrap_or_default()
    };
    let suspended = if entry.suspended { "TRUE" } else { "FALSE" };
    let values = [
        ("uid", entry.person.text()),
        ("employeeNumber", entry.number.clone()),
        ("sn", entry.family.clone()),
        ("givenName", entry.given.clone()),
        ("employeeType", entry.role.code().to_owned()),
        ("o", entry.organization.clone()),
        ("departmentNumber", entry.organization_id.clone()),
        ("businessCategory", entry.facility.name().to_owned()),
        ("l", entry.locality.clone()),
        ("hcpBirth", date(entry.birth)),
        ("hcpFrom", date(entry.from)),
        ("hcpUntil", date(entry.until)),
        ("hcpSuspended", suspended.to_owned()),
    ];
    for (name, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
        let value = base64(value);
        writeln!(out, "{name}:: {value}").unwrap();
    }
    out + "\n"
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
