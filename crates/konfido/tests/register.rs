//! Where a node's professional register is, by the commands of an operator.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use exchange::Country;
use identity::register::conformance::{doctor, pharmacist};
use identity::register::{Entry, Register as _, roll};
use jiff::Timestamp;
use testbed::pki::{Pki, SealKind};

const LDAP: &str = "[eid.ldap]\nurl = \"ldaps://127.0.0.1:1\"\nroots = \"ca.pem\"\n\
                    bind = \"cn=konfido\"\npassword_file = \"password\"\nbase = \"dc=example\"\n\
                    [eid.ldap.attributes]\nsuspended = \"locked\"\n";

/// The files of Spain; `[eid]` ends with `more`.
fn configure(folder: &Path, more: &str) {
    let spain = Country::parse("ES").unwrap();
    let pki = Pki::new(&[spain], SealKind::P256, Timestamp::now());
    pki.write(folder).unwrap();
    for (name, identity) in [
        ("pages", pki.server(spain, "eid")),
        ("signing", pki.signer(spain, "eid")),
        ("encryption", pki.signer(spain, "eid")),
    ] {
        std::fs::write(folder.join(format!("{name}.pem")), identity.chain_pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), identity.key_pem()).unwrap();
    }
    std::fs::write(folder.join("password"), "secret-word\n").unwrap();
    let pair = |name: &str| format!("{{ certificate = \"{name}.pem\", key = \"{name}.key\" }}");
    let mut text = format!(
        "[node]\ncountry = \"ES\"\nhome_community_id = \"1.2.724\"\ndata_dir = \"data\"\n\
         [listen]\nnational = \"127.0.0.1:0\"\nborder = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
         [tls]\nroots = \"ca.pem\"\nservice_consumer = {}\nservice_provider = {}\n\
         [seal]\ncertificate = \"es/seal.pem\"\nkey = \"es/seal.key\"\nroots = \"ca.pem\"\n",
        pair("es/service-consumer"),
        pair("es/service-provider"),
    );
    write!(
        text,
        "[eid]\nlisten = \"127.0.0.1:0\"\nurl = \"https://eid.example\"\norganisation = \"a\"\n\
         page = \"https://a.example\"\nemail = \"a@a.example\"\nroots = \"ca.pem\"\n\
         pages = {}\nsigning = {}\nencryption = {}\n{more}",
        pair("pages"),
        pair("signing"),
        pair("encryption"),
    )
    .unwrap();
    std::fs::write(folder.join("konfido.toml"), text).unwrap();
}

fn konfido(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_konfido"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

/// What it said, without the breaks and borders of a terminal.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).replace('│', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_wrong_with_a_register_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("bad.csv"), "person\n").unwrap();
    std::fs::write(folder.join("bad.db"), "no database at all, but long enough to be one").unwrap();
    std::fs::write(folder.join("empty"), "\n").unwrap();
    let table = [
        ("register = \"bad.csv\"".to_owned(), "register line 1: number is missing"),
        ("register = \"none.csv\"".to_owned(), "no professional register: register cannot be read"),
        ("register = \"none.db\"".to_owned(), "konfido eid register import makes it"),
        ("register = \"bad.db\"".to_owned(), "no professional register: no database"),
        ("register = \"bad.txt\"".to_owned(), "neither .csv nor .db"),
        (format!("register = \"bad.csv\"\n{LDAP}"), "[eid] has a register and an ldap"),
        (LDAP.replace("ldaps://", "https://"), "url is no address of a directory"),
        (LDAP.replace("127.0.0.1:1\"", "127.0.0.1:1/o=a?uid\""), "url is no address"),
        (LDAP.replace("127.0.0.1:1", "cn=a@127.0.0.1:1"), "url is no address"),
        (LDAP.replace("suspended = \"locked\"", ""), "has no suspended"),
        (LDAP.replace("locked", "a)(b=*"), "suspended names no attribute"),
        (LDAP.replace("suspended", "suspendet"), "did you mean suspended?"),
        (
            LDAP.replace("[eid.ldap.attributes]", "[eid.ldap.attributes]\nperson = \"\""),
            "person names",
        ),
        (LDAP.replace("\"cn=konfido\"", "\"\""), "bind is empty"),
        (LDAP.replace("\"password\"", "\"none\""), "cannot read"),
        (LDAP.replace("\"password\"", "\"empty\""), "holds no password"),
        (LDAP.replace("\"ca.pem\"", "\"password\""), "no roots"),
    ];
    for (more, expected) in table {
        configure(folder, &more);
        let output = konfido(folder, &["check"]);
        assert!(
            !output.status.success() && said(&output).contains(expected),
            "{more}: {}",
            said(&output)
        );
        assert!(!said(&output).contains("secret-word"));
    }
}

#[test]
fn a_directory_needs_the_feature_and_a_node_starts_while_it_is_away() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), LDAP);
    let check = konfido(folder.path(), &["check"]);
    if cfg!(feature = "ldap") {
        assert!(check.status.success(), "{}", said(&check));
        let asked = konfido(folder.path(), &["eid", "check"]);
        assert!(!asked.status.success() && said(&asked).contains("no professional is admitted"));
        let out = String::from_utf8_lossy(&asked.stdout);
        assert!(out.contains("register\tES\t-\tregister cannot be read: the directory"), "{out}");
    } else {
        let expected = "this konfido was built without the feature ldap";
        assert!(!check.status.success() && said(&check).contains(expected), "{}", said(&check));
    }
}

#[test]
fn a_database_becomes_what_a_csv_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "register = \"register.db\"\n");
    let file = folder.join("professionals.csv");
    let import = || konfido(folder, &["eid", "register", "import", "professionals.csv"]);
    std::fs::write(&file, roll::render(&[doctor(), pharmacist()])).unwrap();
    let output = import();
    assert!(output.status.success(), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("2\tprofessionals\t"));
    // open all the time, as a node has it
    let database = sqlite::Professionals::open(&folder.join("register.db")).unwrap();
    let find = |who: &Entry| database.find(&who.person).unwrap();
    assert!(find(&doctor()) == Some(doctor()) && find(&pharmacist()) == Some(pharmacist()));
    for arguments in [&["check"][..], &["eid", "check"]] {
        let output = konfido(folder, arguments);
        assert!(output.status.success(), "{}", said(&output));
    }

    std::fs::write(&file, roll::render(&[doctor()]).replace("Hospital\"", "Hospitl\"")).unwrap();
    let refused = import();
    assert!(!refused.status.success() && said(&refused).contains("line 2"), "{}", said(&refused));
    assert!(find(&pharmacist()) == Some(pharmacist()), "nothing changed");

    let suspended = Entry { suspended: true, ..doctor() };
    std::fs::write(&file, roll::render(std::slice::from_ref(&suspended))).unwrap();
    assert!(import().status.success());
    assert!(find(&doctor()) == Some(suspended) && find(&pharmacist()).is_none());

    configure(folder, "register = \"professionals.csv\"\n");
    assert!(said(&import()).contains("register is no .db"));
}
