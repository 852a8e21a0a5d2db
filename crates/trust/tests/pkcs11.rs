//! A lane: seal keys and cards in SoftHSM2. `cargo test -p trust --features pkcs11`.
#![cfg(feature = "pkcs11")]

mod fixtures;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, CertificateType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use fixtures::{ID, Kind, Root, assertion};
use trust::certificate::Certificate;
use trust::cose;
use trust::pkcs11::{Card, SESSIONS};
use trust::seal::{Place, Scheme, SealKey};
use trust::signature::{Profile, sign_enveloped_as, verify_enveloped};
use trust::xml::{Limits, Xml};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "246810";
const HOME: &str = "KONFIDO_TEST_TOKENS";

/// A folder with tokens of its own. SoftHSM2 reads its configuration once for a process, so the
/// first call runs the test once more in a process that has it, and returns `None`.
fn tokens(test: &str) -> Option<PathBuf> {
    if !Path::new(MODULE).exists() {
        println!("skipped: no SoftHSM2");
        return None;
    }
    if let Some(home) = std::env::var_os(HOME) {
        return Some(home.into());
    }
    let home = tempfile::tempdir().unwrap();
    let conf = home.path().join("softhsm2.conf");
    std::fs::create_dir(home.path().join("tokens")).unwrap();
    let folder = home.path().join("tokens");
    std::fs::write(
        &conf,
        format!("directories.tokendir = {}\nlog.level = ERROR\n", folder.display()),
    )
    .unwrap();
    std::fs::write(home.path().join("pin"), format!("{PIN}\n")).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(HOME, home.path())
        .env("SOFTHSM2_CONF", &conf)
        .status()
        .unwrap();
    assert!(status.success(), "{test}");
    None
}

fn util(args: &[&str]) {
    let output = Command::new("softhsm2-util").args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn token(label: &str) {
    util(&["--init-token", "--free", "--label", label, "--so-pin", "13579", "--pin", PIN]);
}

/// A key made outside with its certificate, put into the token under this label.
fn import(home: &Path, token: &str, label: &str, kind: Kind, root: &Root) -> String {
    let leaf = root.seal(kind);
    let file = home.join(format!("{label}.key"));
    std::fs::write(&file, leaf.key.serialize_pem()).unwrap();
    let id = format!("{:02X}", label.bytes().fold(0_u8, u8::wrapping_add));
    let file = file.to_str().unwrap();
    util(&["--import", file, "--token", token, "--label", label, "--id", &id, "--pin", PIN]);
    leaf.pem
}

fn place(home: &Path, token: &str, label: &str) -> Place {
    let (token, label) = (token.to_owned(), label.to_owned());
    Place { module: MODULE.into(), token, label, pin_file: home.join("pin") }
}

fn open(place: &Place, chain: &str) -> Result<SealKey, String> {
    SealKey::from_pem(place.uri().as_bytes(), chain.as_bytes()).map_err(|e| e.to_string())
}

#[test]
fn seals_in_a_token_sign_xml_and_cose() {
    let Some(home) = tokens("seals_in_a_token_sign_xml_and_cose") else { return };
    let root = Root::new();
    token("seal token");
    for kind in Kind::ALL {
        let label = format!("seal {kind:?}");
        let pem = import(&home, "seal token", &label, kind, &root);
        let key = Arc::new(open(&place(&home, "seal token", &label), &pem).unwrap());
        for profile in [Profile::Ehdsi, Profile::Eidas] {
            if profile == Profile::Eidas && kind == Kind::Rsa2048 {
                continue;
            }
            let signed = sign_enveloped_as(&assertion(ID, "Agnes"), ID, &key, profile).unwrap();
            let xml = Xml::parse(&signed, &Limits::ASSERTION).unwrap();
            let seen = verify_enveloped(xml.root(), profile).unwrap();
            assert_eq!(seen.certificate(), key.certificate(), "{kind:?} {profile:?}");
            let forged = signed.replace("Agnes", "Agnus");
            let xml = Xml::parse(&forged, &Limits::ASSERTION).unwrap();
            assert!(verify_enveloped(xml.root(), profile).is_err());
        }
        let message = cose::sign1(&key, b"evidence", b"").unwrap();
        assert_eq!(cose::verify1(&message, b"", key.certificate()).unwrap(), b"evidence");
        assert!(cose::verify1(&message, b"other", key.certificate()).is_err());
    }
}

#[test]
fn many_threads_share_a_few_sessions() {
    let Some(home) = tokens("many_threads_share_a_few_sessions") else { return };
    token("t");
    let pem = import(&home, "t", "k", Kind::P256, &Root::new());
    let key = Arc::new(open(&place(&home, "t", "k"), &pem).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..SESSIONS * 3 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let message = cose::sign1(&key, b"x", b"").unwrap();
                    assert!(cose::verify1(&message, b"", key.certificate()).is_ok());
                }
            });
        }
    });
    assert_eq!(key.cose_scheme(), Scheme::Es256);
}

#[test]
fn what_is_wrong_is_said() {
    let Some(home) = tokens("what_is_wrong_is_said") else { return };
    let root = Root::new();
    token("t");
    let pem = import(&home, "t", "k", Kind::P256, &root);
    let good = place(&home, "t", "k");
    std::fs::write(home.join("wrong"), "000000").unwrap();
    for (place, chain, said) in [
        (Place { module: home.join("none.so"), ..good.clone() }, &pem, "driver does not start"),
        (Place { token: "u".into(), ..good.clone() }, &pem, "there is not one token u"),
        (Place { pin_file: home.join("none"), ..good.clone() }, &pem, "pin file cannot be read"),
        (Place { pin_file: home.join("wrong"), ..good.clone() }, &pem, "the token refuses"),
        (Place { label: "other".into(), ..good.clone() }, &pem, "the token refuses"),
        (good.clone(), &root.seal(Kind::P256).pem, "does not sign for the certificate"),
        (good.clone(), &root.seal(Kind::Rsa2048).pem, "does not sign for the certificate"),
    ] {
        let error = open(&place, chain).err().unwrap();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains(PIN) && !error.contains("000000"), "{error}");
    }
    open(&good, &pem).unwrap();
    // two keys of one label: nobody knows which is meant
    import(&home, "t", "kk", Kind::P256, &root);
    let file = home.join("kk.key");
    util(&[
        "--import",
        file.to_str().unwrap(),
        "--token",
        "t",
        "--label",
        "k",
        "--id",
        "FF",
        "--pin",
        PIN,
    ]);
    assert!(open(&good, &pem).is_err());
}

#[test]
fn a_card_proves_its_holder_by_signing_a_challenge() {
    let Some(home) = tokens("a_card_proves_its_holder_by_signing_a_challenge") else { return };
    let root = Root::new();
    // a process does not see tokens that are made after it began
    let kinds = [Kind::P256, Kind::Rsa2048];
    kinds.iter().for_each(|kind| token(&format!("card {kind:?}")));
    token("stolen");
    for kind in kinds {
        let (name, label) = (format!("card {kind:?}"), "auth");
        let pem = import(&home, &name, label, kind, &root);
        let module = Path::new(MODULE);
        let error = Card::open(module, &name, label, PIN).err().unwrap().to_string();
        assert!(error.contains("the card holds no certificate"), "{error}");
        let certificate = Certificate::from_pem(pem.as_bytes()).unwrap().remove(0);
        write_certificate(&name, label, &certificate);
        let card = Card::open(module, &name, label, PIN).unwrap();
        let (der, signature) = card.sign(b"challenge of server A").unwrap();
        let shown = Certificate::from_der(&der).unwrap();
        assert_eq!(shown, certificate);
        root.anchors()
            .verify(&shown, &[], trust::certificate::Usage::Seal, fixtures::now())
            .unwrap();
        assert!(shown.signed(b"challenge of server A", &signature));
        assert!(!shown.signed(b"challenge of server B", &signature));
        assert!(!root.seal(kind).certificate().signed(b"challenge of server A", &signature));
    }
    import(&home, "stolen", "auth", Kind::P256, &root);
    let error =
        Card::open(Path::new(MODULE), "stolen", "auth", "111111").err().unwrap().to_string();
    assert!(error.contains("the token refuses") && !error.contains("111111"), "{error}");
}

/// Puts the certificate beside the key, as the issuer of a card does.
fn write_certificate(token: &str, label: &str, certificate: &Certificate) {
    let driver = Pkcs11::new(MODULE).unwrap();
    let mut slots = driver.get_slots_with_token().unwrap().into_iter();
    let slot = slots.find(|s| driver.get_token_info(*s).is_ok_and(|i| i.label() == token)).unwrap();
    let session = driver.open_rw_session(slot).unwrap();
    let _ = session.login(UserType::User, Some(&AuthPin::from(PIN.to_owned())));
    let subject = certificate.subject().into_bytes();
    session
        .create_object(&[
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::CertificateType(CertificateType::X_509),
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Label(label.to_owned().into()),
            Attribute::Subject(subject),
            Attribute::Value(certificate.der().to_vec()),
        ])
        .unwrap();
}
