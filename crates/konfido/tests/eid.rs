//! `konfido eid` as an integrator uses it, as a process.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use exchange::Country;
use identity::eidas::metadata::{Known, Metadata, Role};
use jiff::Timestamp;
use testbed::pki::Pki;
use testbed::site::Site;
use testbed::world::Land;
use trust::certificate::Certificate;

const METADATA: &str = "https://eid.example.es/eid/connector/metadata";

fn konfido(args: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_konfido")).args(args).current_dir(dir).output().unwrap()
}

/// A site in Spain with `[eid]`, whose Danish provider is not there.
fn site(dir: &Path) {
    let es = Country::parse("ES").unwrap();
    let pki = Pki::of_the_world(Timestamp::now());
    let site = Site::new(Land::of(es).unwrap(), dir).unwrap();
    site.write(&pki, &[]).unwrap();
    let mut toml = fs::read_to_string(site.config()).unwrap();
    toml += "\n[eid]\nlisten = \"127.0.0.1:0\"\nurl = \"https://eid.example.es\"\norganisation = \"Test\"\n\
             page = \"https://example.es\"\nemail = \"eid@example.es\"\nroots = \"pki/ca.pem\"\n";
    for (what, identity) in [
        ("pages", pki.server(es, "eid")),
        ("signing", pki.signer(es, "eid")),
        ("encryption", pki.signer(es, "eid-encryption")),
    ] {
        fs::write(dir.join(format!("{what}.pem")), identity.chain_pem()).unwrap();
        fs::write(dir.join(format!("{what}.key")), identity.key_pem()).unwrap();
        toml += &format!("{what} = {{ certificate = \"{what}.pem\", key = \"{what}.key\" }}\n");
    }
    toml += "[[eid.provider]]\ncountry = \"DK\"\nmetadata = \"https://localhost:1/metadata\"\nsigners = \"signing.pem\"\n";
    fs::write(site.config(), toml).unwrap();
}

#[test]
fn an_integrator_gets_our_metadata_verifies_it_and_learns_which_peer_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    site(dir);
    let checked = konfido(&["check"], dir);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

    let printed = konfido(&["eid", "metadata", "--role", "connector"], dir);
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let text = String::from_utf8(printed.stdout).unwrap();
    let signers = Certificate::from_pem(&fs::read(dir.join("signing.pem")).unwrap()).unwrap();
    let known = Known {
        url: METADATA,
        role: Role::Connector,
        country: Country::parse("ES").unwrap(),
        signers: &signers,
        now: Timestamp::now(),
    };
    Metadata::verify(&text, &known).unwrap();

    let file = dir.join("metadata.xml");
    fs::write(&file, &text).unwrap();
    let verify = |signers: &str| {
        let output = konfido(&["eid", "verify", "metadata.xml", "--signers", signers], dir);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(verify("signing.pem"), (true, String::new()));
    let (held, said) = verify("encryption.pem");
    assert!(!held && said.contains("not among the certificates given"), "{said}");
    fs::write(&file, text.replace("eid@example.es", "evil@example.es")).unwrap();
    let (held, said) = verify("signing.pem");
    assert!(!held && said.contains("does not verify"), "{said}");

    let checked = konfido(&["eid", "check"], dir);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!checked.status.success(), "a login with Denmark would fail");
    assert!(
        said.starts_with("provider\tDK\thttps://localhost:1/metadata\tmetadata cannot be fetched")
    );
    let why = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(why.contains("could not connect"), "{why}");
}
