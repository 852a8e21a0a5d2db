//! A lane: a citizen's card in SoftHSM2. `cargo test -p testbed --features pkcs11 --test idp`.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, CertificateType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use http::StatusCode;
use identity::Assurance;
use testbed::browser::{Browser, Page};
use testbed::idp::card_message;
use trust::certificate::Certificate;
use trust::pkcs11::Card;

use super::node::Land;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "246810";
const TOKEN: &str = "citizen card";
const LABEL: &str = "authentication";
const HOME: &str = "KONFIDO_TEST_TOKENS";
/// `prime256v1` (RFC 5480 §2.1.1.1), DER.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Whether this process has a token. `SoftHSM2` reads its configuration once for a process, so the
/// first call runs the test once more in a process that has it.
fn token_here(test: &str) -> bool {
    if !Path::new(MODULE).exists() {
        println!("skipped: no SoftHSM2");
        return false;
    }
    if std::env::var_os(HOME).is_some() {
        return true;
    }
    let home = tempfile::tempdir().unwrap();
    let (conf, tokens) = (home.path().join("softhsm2.conf"), home.path().join("tokens"));
    std::fs::create_dir(&tokens).unwrap();
    let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
    std::fs::write(&conf, text).unwrap();
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", TOKEN, "--so-pin", "13579", "--pin", PIN])
        .env("SOFTHSM2_CONF", &conf)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let status = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(HOME, home.path())
        .env("SOFTHSM2_CONF", &conf)
        .status()
        .unwrap();
    assert!(status.success(), "{test}");
    false
}

/// What the maker of a card does, with the card's own PIN.
fn personalise() -> Session {
    let driver = Pkcs11::new(MODULE).unwrap();
    driver.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let mut slots = driver.get_slots_with_token().unwrap().into_iter();
    let slot = slots.find(|s| driver.get_token_info(*s).is_ok_and(|i| i.label() == TOKEN)).unwrap();
    let session = driver.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&AuthPin::from(PIN.to_owned()))).unwrap();
    session
}

/// A key pair made in the chip; the private half can never be read. Returns the public one.
fn generate(session: &Session) -> [u8; 65] {
    let label = || Attribute::Label(LABEL.into());
    let public = [
        Attribute::Token(true),
        Attribute::Verify(true),
        Attribute::EcParams(P256.to_vec()),
        label(),
    ];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        label(),
    ];
    let pair = session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).unwrap();
    let value = session.get_attributes(pair.1, &[AttributeType::Value]);
    assert!(value.is_ok_and(|found| found.is_empty()), "the key does not come out");
    let point = session.get_attributes(pair.0, &[AttributeType::EcPoint]).unwrap();
    let [Attribute::EcPoint(point)] = &point[..] else { panic!("no point") };
    // an OCTET STRING around it (PKCS#11 v2.40 §2.3.3)
    point.strip_prefix(&[0x04, 65]).unwrap().try_into().unwrap()
}

/// Puts the certificate beside the key.
fn store(session: &Session, certificate: &Certificate) {
    let object = [
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::CertificateType(CertificateType::X_509),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Label(LABEL.into()),
        Attribute::Subject(certificate.subject().into_bytes()),
        Attribute::Value(certificate.der().to_vec()),
    ];
    session.create_object(&object).unwrap();
}

/// What a program at a counter does with the login page that the citizen came to.
async fn present(
    browser: &mut Browser,
    page: &Page,
    base: &str,
    sign: impl Fn(&[u8]) -> (Vec<u8>, Vec<u8>),
) -> Page {
    let challenge = format!("{base}/card/challenge");
    let login = page.form("card").unwrap().fields[0].value.clone();
    let nonce = browser.post(&challenge, &[("login", &login)]).await.unwrap().html;
    let (certificate, signature) = sign(&card_message(base, &STANDARD.decode(nonce).unwrap()));
    let (certificate, signature) = (STANDARD.encode(certificate), STANDARD.encode(signature));
    let fields =
        [("login", login.as_str()), ("certificate", &certificate), ("signature", &signature)];
    browser.post(&challenge, &fields).await.unwrap()
}

#[tokio::test]
async fn a_citizen_logs_in_with_a_key_that_never_leaves_the_card() {
    if !token_here("token::a_citizen_logs_in_with_a_key_that_never_leaves_the_card") {
        return;
    }
    let land = Land::start("DK").await;
    let base = land.idp.base_url().to_owned();
    let maker = personalise();
    let certificate = land.idp.renew_card("agnete", generate(&maker)).unwrap();
    store(&maker, &certificate);
    drop(maker);

    let wrong = Card::open(Path::new(MODULE), TOKEN, LABEL, "000000");
    assert!(wrong.is_err(), "whoever finds the card does not know its PIN");
    let card = Card::open(Path::new(MODULE), TOKEN, LABEL, PIN).unwrap();
    assert_eq!(card.certificate(), &certificate);

    let mut browser = land.browser();
    let page = browser.open(&land.node.begin(Assurance::High, "post")).await.unwrap();
    let elsewhere = |message: &[u8]| card.sign(&[message, b"elsewhere"].concat()).unwrap();
    let refused = present(&mut browser, &page, &base, elsewhere).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "what another server had signed");
    let before = land.idp.resident("agnete").unwrap().card();
    let old = |message: &[u8]| {
        let signature = STANDARD.decode(super::sign(before, message)).unwrap();
        (before.certificate().der().to_vec(), signature)
    };
    let refused = present(&mut browser, &page, &base, old).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "the card before it");
    assert!(land.node.answer().is_none());

    let done = present(&mut browser, &page, &base, |message| card.sign(message).unwrap()).await;
    assert_eq!(done.document.title, "Done", "{:?}", done.hops);
    let identified = land.node.identified(&land.idp).unwrap();
    assert_eq!(identified.assurance(), Assurance::High);
    assert_eq!(identified.person().identifier.text(), "DK/DK/7402539902");
    land.stop().await;
}
