//! XML signatures: what verifies is what was signed, and nothing else is ever handed out.

mod changed;
mod elsewhere;
#[path = "../fixtures/mod.rs"]
mod fixtures;
mod generated;
mod wrapping;

use std::sync::{Arc, LazyLock};

use fixtures::{ID, Kind, Leaf, Root, SAML, assertion, now};
use trust::certificate::{Anchors, Usage};
use trust::seal::SealKey;
use trust::signature::{Profile, SignatureError, sign_enveloped, verify_enveloped};
use trust::xml::{Element, Limits, Xml, XmlError};

/// One root, its seal, and an assertion about GOOD signed by it.
struct World {
    root: Root,
    anchors: Anchors,
    seal: Leaf,
    key: Arc<SealKey>,
    signed: String,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let root = Root::new();
    let (anchors, seal) = (root.anchors(), root.seal(Kind::Rsa2048));
    let key = seal.seal_key();
    let signed = sign_enveloped(&assertion(ID, "GOOD"), ID, &key).unwrap();
    World { root, anchors, seal, key, signed }
});

/// What the isolated document says, if it is believed.
fn read(text: &str, profile: Profile) -> Result<String, SignatureError> {
    let xml = Xml::parse(text, &Limits::ASSERTION)?;
    let signed = verify_enveloped(xml.root(), profile)?;
    WORLD.anchors.verify(signed.certificate(), &[], Usage::Seal, now())?;
    let name = signed.element().path(SAML, &["Subject", "NameID"]).and_then(Element::plain_text);
    Ok(name.unwrap_or("").to_owned())
}

/// What a message of several assertions says: each is cut out and verified alone, as identity does.
fn read_all(message: &str) -> Vec<Result<String, SignatureError>> {
    let xml = Xml::parse(message, &Limits::MESSAGE).unwrap();
    let root = xml.root();
    let assertions = root.descendants().chain([root]).filter(|e| e.is(SAML, "Assertion"));
    assertions.map(|e| read(&e.standalone(), Profile::Ehdsi)).collect()
}

/// The signature of the good assertion, cut out.
fn signature() -> &'static str {
    let signed = &WORLD.signed;
    let end = signed.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    &signed[signed.find("<ds:Signature ").unwrap()..end]
}

fn unsigned() -> String {
    WORLD.signed.replace(signature(), "")
}

fn evil(id: &str) -> String {
    assertion(id, "EVIL")
}

/// Puts `inner` right behind the Issuer.
fn after_issuer(assertion: &str, inner: &str) -> String {
    assertion.replacen("</saml:Issuer>", &format!("</saml:Issuer>{inner}"), 1)
}

/// Puts `inner` at the end of the element.
fn at_end(assertion: &str, inner: &str) -> String {
    assertion.replacen("</saml:Assertion>", &format!("{inner}</saml:Assertion>"), 1)
}

fn replaced(from: &str, to: &str) -> String {
    let out = WORLD.signed.replacen(from, to, 1);
    assert_ne!(out, WORLD.signed, "{from} is not in the signed assertion");
    out
}

#[test]
fn every_kind_of_key_signs_what_verifies() {
    for kind in Kind::ALL {
        let key = WORLD.root.seal(kind).seal_key();
        let signed = sign_enveloped(&assertion(ID, "Ægir &amp; søn"), ID, &key).unwrap();
        assert_eq!(read(&signed, Profile::Ehdsi).unwrap(), "Ægir & søn", "{kind:?}");
        // eIDAS takes ECDSA, and never PKCS#1 v1.5, however long the key
        let rsa = matches!(kind, Kind::Rsa2048 | Kind::Rsa3072);
        let expected = rsa.then_some(SignatureError::Forbidden("signature method"));
        assert_eq!(read(&signed, Profile::Eidas).err(), expected, "{kind:?}");
    }
}

#[test]
fn two_assertions_of_one_message_verify_each_alone() {
    let w = &*WORLD;
    let other = sign_enveloped(&assertion("_b2", "OTHER"), "_b2", &w.key).unwrap();
    let message = format!(
        "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope' xmlns:unused='urn:u'>\
         <e:Header>{}{other}</e:Header></e:Envelope>",
        w.signed
    );
    assert_eq!(read_all(&message), [Ok("GOOD".into()), Ok("OTHER".into())]);
    let xml = Xml::parse(&message, &Limits::MESSAGE).unwrap();
    let inside = xml.root().descendants().find(|e| e.is(SAML, "Assertion")).unwrap();
    assert!(matches!(
        verify_enveloped(inside, Profile::Ehdsi).unwrap_err(),
        SignatureError::Ambiguous(_)
    ));
}

#[test]
fn namespaces_that_the_message_declares_are_signed_too() {
    // declared outside, used inside, and named in the InclusiveNamespaces: it must survive the cut
    let bare = assertion(ID, "GOOD").replace(" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"", "");
    let whole = bare.replacen(
        "<saml:Assertion ",
        "<saml:Assertion xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" ",
        1,
    );
    let signed = sign_enveloped(&whole, ID, &WORLD.key).unwrap();
    let moved = signed.replacen(" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"", "", 1);
    let wrap = |uri: &str| format!("<w xmlns:xsd=\"{uri}\">{moved}</w>");
    assert_eq!(read_all(&wrap("http://www.w3.org/2001/XMLSchema")), [Ok("GOOD".into())]);
    assert_eq!(read_all(&wrap("urn:evil")), [Err(SignatureError::Invalid)]);
}

#[test]
fn a_changed_assertion_does_not_verify() {
    for (what, text) in [
        ("name", replaced(">GOOD<", ">EVIL<")),
        ("attribute", replaced("Version=\"2.0\"", "Version=\"2.1\"")),
        ("added", replaced("</saml:Subject>", "</saml:Subject><saml:Advice/>")),
        ("namespace", replaced("http://www.w3.org/2001/XMLSchema", "urn:evil")),
        ("ID and reference", WORLD.signed.replace("_a1", "_e")),
        ("longer digest", replaced("2001/04/xmlenc#sha256", "2001/04/xmlenc#sha512")),
    ] {
        assert_eq!(read(&text, Profile::Ehdsi), Err(SignatureError::Invalid), "{what}");
    }
}

#[test]
fn a_valid_signature_by_a_stranger_has_no_path() {
    let stranger = Root::new().seal(Kind::P256).seal_key();
    let text = sign_enveloped(&evil(ID), ID, &stranger).unwrap();
    assert!(matches!(read(&text, Profile::Ehdsi), Err(SignatureError::Certificate(_))));
    // our certificate in the stranger's signature does not help
    let put = |text: &str, der: &str| {
        let start = text.find("<ds:X509Certificate>").unwrap() + 20;
        let end = text.find("</ds:X509Certificate>").unwrap();
        [&text[..start], der, &text[end..]].concat()
    };
    let known = WORLD.root.seal(Kind::P256).certificate();
    let pem = known.pem();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(read(&put(&text, &der), Profile::Ehdsi), Err(SignatureError::Invalid));
}

#[test]
fn java_line_ends_inside_the_base64_are_taken() {
    let broken = |name: &str| {
        let start = WORLD.signed.find(&format!("<ds:{name}>")).unwrap() + name.len() + 5;
        let end = WORLD.signed.find(&format!("</ds:{name}>")).unwrap();
        let lines: Vec<&str> = WORLD.signed.as_bytes()[start..end]
            .chunks(76)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        [&WORLD.signed[..start], "\n", &lines.join("&#xD;\n"), "\n", &WORLD.signed[end..]].concat()
    };
    for name in ["X509Certificate", "SignatureValue"] {
        assert_eq!(read(&broken(name), Profile::Ehdsi).unwrap(), "GOOD", "{name}");
    }
}

#[test]
fn only_what_is_named_and_unsigned_is_signed() {
    let key = WORLD.seal.seal_key();
    assert_eq!(
        sign_enveloped(&assertion(ID, "GOOD"), "_other", &key),
        Err(SignatureError::Reference)
    );
    assert!(matches!(sign_enveloped(&WORLD.signed, ID, &key), Err(SignatureError::Ambiguous(_))));
}

#[test]
fn a_signed_response_holds_one_assertion_as_its_child_and_no_other() {
    let one = "<a:Assertion xmlns:a=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>";
    let ambiguous = Err(SignatureError::Ambiguous("an assertion inside the assertion"));
    for (content, expected) in [
        (String::new(), Ok(())),
        (one.to_owned(), Ok(())),
        (one.repeat(2), ambiguous.clone()),
        (format!("<deeper>{one}</deeper>"), ambiguous.clone()),
        (format!("{one}<deeper>{one}</deeper>"), ambiguous),
    ] {
        let text = format!(
            "<p:Response xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_r\">{content}</p:Response>"
        );
        let signed = sign_enveloped(&text, "_r", &WORLD.key).unwrap();
        let xml = Xml::parse(&signed, &Limits::MESSAGE).unwrap();
        let found = verify_enveloped(xml.root(), Profile::Ehdsi).map(|_| ());
        assert_eq!(found, expected, "{content}");
    }
}
