//! XML signatures: what verifies is what was signed, and nothing else is ever handed out.

mod fixtures;

use std::sync::{Arc, LazyLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P521_SHA256_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, RSA_PSS_SHA256,
    RsaKeyPair,
};
use fixtures::{ID, Kind, Leaf, Root, SAML, assertion, now};
use proptest::prelude::*;
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

/// Signs with a method that our own seals never use, by the engine alone.
fn signed_elsewhere(
    leaf: &Leaf,
    method: &str,
    signer: impl kryptering::Signer + 'static,
) -> String {
    let ours = sign_enveloped(&assertion(ID, "GOOD"), ID, &WORLD.key).unwrap();
    let own = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    let pem = leaf.certificate().pem();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let emptied = |text: String, name: &str, value: &str| {
        let start = text.find(&format!("<ds:{name}>")).unwrap() + name.len() + 5;
        let end = text.find(&format!("</ds:{name}>")).unwrap();
        [&text[..start], value, &text[end..]].concat()
    };
    let template = emptied(ours.replacen(own, method, 1), "X509Certificate", &der);
    let template = emptied(emptied(template, "DigestValue", ""), "SignatureValue", "");
    let context = bergshamra::DsigContext::new(bergshamra::KeysManager::new())
        .with_hsm_signer(Box::new(signer));
    bergshamra::dsig::sign::sign_owned(&context, template).unwrap()
}

struct Pss(RsaKeyPair);

impl kryptering::Signer for Pss {
    fn algorithm(&self) -> kryptering::SignatureAlgorithm {
        kryptering::SignatureAlgorithm::RsaPss(kryptering::HashAlgorithm::Sha256)
    }

    fn sign(&self, data: &[u8]) -> kryptering::Result<Vec<u8>> {
        let mut out = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PSS_SHA256, &SystemRandom::new(), data, &mut out).unwrap();
        Ok(out)
    }
}

struct P521(EcdsaKeyPair, kryptering::HashAlgorithm);

impl kryptering::Signer for P521 {
    fn algorithm(&self) -> kryptering::SignatureAlgorithm {
        kryptering::SignatureAlgorithm::Ecdsa(kryptering::EcCurve::P521, self.1)
    }

    fn sign(&self, data: &[u8]) -> kryptering::Result<Vec<u8>> {
        Ok(self.0.sign(&SystemRandom::new(), data).unwrap().as_ref().to_vec())
    }
}

#[test]
fn eidas_wants_pss_and_3072_bits() {
    let method = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1";
    let short = Err(SignatureError::Forbidden("key for the signature method"));
    for (kind, eidas) in [(Kind::Rsa2048, short), (Kind::Rsa3072, Ok("GOOD".to_owned()))] {
        let leaf = WORLD.root.seal(kind);
        let pair = RsaKeyPair::from_pkcs8(&leaf.key.serialize_der()).unwrap();
        let text = signed_elsewhere(&leaf, method, Pss(pair));
        assert_eq!(read(&text, Profile::Ehdsi).unwrap(), "GOOD", "{kind:?}");
        assert_eq!(read(&text, Profile::Eidas), eidas, "{kind:?}");
        let tampered = text.replacen("GOOD", "EVIL", 1);
        assert_eq!(read(&tampered, Profile::Ehdsi), Err(SignatureError::Invalid), "{kind:?}");
    }
}

/// eIDAS nodes sign with the hash that they were configured for, whatever the curve of their key.
#[test]
fn any_hash_goes_with_any_curve_and_none_can_be_swapped() {
    use kryptering::HashAlgorithm;
    let leaf = WORLD.root.seal(Kind::P521);
    let der = leaf.key.serialize_der();
    for (algorithm, hash, own, other) in [
        (&ECDSA_P521_SHA512_FIXED_SIGNING, HashAlgorithm::Sha512, "sha512", "sha256"),
        (&ECDSA_P521_SHA256_FIXED_SIGNING, HashAlgorithm::Sha256, "sha256", "sha384"),
    ] {
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &der).unwrap();
        let method = format!("http://www.w3.org/2001/04/xmldsig-more#ecdsa-{own}");
        let text = signed_elsewhere(&leaf, &method, P521(pair, hash));
        for profile in [Profile::Ehdsi, Profile::Eidas] {
            assert_eq!(read(&text, profile).unwrap(), "GOOD");
            let swapped = text.replacen(&format!("ecdsa-{own}"), &format!("ecdsa-{other}"), 1);
            assert_eq!(read(&swapped, profile), Err(SignatureError::Invalid));
        }
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

/// XSW 1-8 (Somorovsky et al., USENIX Security 2012), and their kin. All keep the valid signature.
fn wrapping_attacks() -> Vec<(&'static str, String)> {
    let (signed, unsigned, sig) = (&WORLD.signed, unsigned(), signature());
    let response =
        |inner: &str| format!("<p:Response xmlns:p='urn:p' ID='_r'>{inner}</p:Response>");
    let sig_with = |inner: &str| {
        sig.replace("</ds:Signature>", &format!("<ds:Object>{inner}</ds:Object></ds:Signature>"))
    };
    vec![
        ("1: original in the signature of an evil root", {
            let root = after_issuer(&evil("_e"), &sig_with(&unsigned));
            response(&root)
        }),
        (
            "2: signature detached beside the original",
            response(&format!("{}{sig}{unsigned}", evil("_e"))),
        ),
        ("3: evil sibling before", response(&format!("{}{signed}", evil("_e")))),
        ("3b: evil sibling after", response(&format!("{signed}{}", evil("_e")))),
        ("4: original inside evil", response(&at_end(&evil("_e"), signed))),
        ("5: signature moved to evil, original at the end", {
            response(&format!("{}{unsigned}", after_issuer(&evil("_e"), sig)))
        }),
        ("6: original inside the moved signature", {
            response(&after_issuer(&evil("_e"), &sig_with(&unsigned)))
        }),
        ("7: evil in Extensions", {
            response(&format!("<p:Extensions>{}</p:Extensions>{signed}", evil("_e")))
        }),
        ("8: original in the Object of evil's signature", {
            let own = sig.replace("</ds:Signature>", "");
            let moved = format!("{own}<ds:Object>{unsigned}</ds:Object></ds:Signature>");
            response(&after_issuer(&evil(ID), &moved))
        }),
        ("9: the same ID twice", response(&format!("{}{signed}", evil(ID)))),
        ("evil with the signature copied, same ID", response(&after_issuer(&evil(ID), sig))),
        ("evil inside the original", response(&at_end(signed, &evil("_e")))),
        ("same ID inside", at_end(signed, &format!("<x ID='{ID}'/>"))),
        ("same Id inside", at_end(signed, &format!("<x Id='{ID}'/>"))),
        ("same xml:id inside", at_end(signed, &format!("<x xml:id='{ID}'/>"))),
    ]
}

#[test]
fn wrapped_signatures_never_yield_evil() {
    let mut good = 0;
    for (what, message) in wrapping_attacks() {
        for name in read_all(&message).into_iter().flatten() {
            assert_eq!(name, "GOOD", "{what}");
            good += 1;
        }
    }
    // 3, 3b, 4, 7 and 9 leave the original whole, and it is still what was signed
    assert_eq!(good, 5);
}

#[test]
fn a_changed_signature_is_refused_before_any_cryptography() {
    use SignatureError::{Ambiguous, Forbidden, Missing, Reference};
    const REFERENCES: SignatureError = Ambiguous("not exactly one reference");
    const HIDDEN: SignatureError = Forbidden("comment, CDATA section or processing instruction");
    let (signed, sig) = (&WORLD.signed, signature());
    let part = |name: &str| {
        let end = format!("</ds:{name}>");
        let start = signed.find(&format!("<ds:{name}")).unwrap();
        &signed[start..signed.find(&end).unwrap() + end.len()]
    };
    let (info, reference, certificate) =
        (part("SignedInfo"), part("Reference"), part("X509Certificate"));
    let exc = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">";
    let no_exc = {
        let start = signed.find(exc).unwrap();
        let end = start + signed[start..].find("</ds:Transform>").unwrap() + 15;
        [&signed[..start], &signed[end..]].concat()
    };
    let twice = |part: &str| replaced(part, &part.repeat(2));
    let cases = [
        ("stripped", unsigned(), Missing),
        ("no SignedInfo", replaced(info, ""), Ambiguous("the signature holds more than it should")),
        ("two SignedInfo", twice(info), Ambiguous("the signature holds more than it should")),
        (
            "an Object",
            replaced("</ds:Signature>", "<ds:Object/></ds:Signature>"),
            Ambiguous("the signature holds more than it should"),
        ),
        ("two signatures", twice(sig), Ambiguous("more than one signature")),
        ("no Reference", replaced(reference, ""), REFERENCES),
        ("two References", twice(reference), REFERENCES),
        (
            "a foreign Reference",
            replaced("</ds:SignedInfo>", "<Reference/></ds:SignedInfo>"),
            REFERENCES,
        ),
        ("another element", replaced("URI=\"#_a1\"", "URI=\"#_b2\""), Reference),
        ("the whole document", replaced("URI=\"#_a1\"", "URI=\"\""), Reference),
        ("no URI", replaced(" URI=\"#_a1\"", ""), Reference),
        ("an xpointer", replaced("URI=\"#_a1\"", "URI=\"#xpointer(id('_a1'))\""), Reference),
        ("a file", replaced("URI=\"#_a1\"", "URI=\"/etc/passwd\""), Reference),
        ("an attachment", replaced("URI=\"#_a1\"", "URI=\"cid:a\""), Reference),
        ("two certificates", twice(certificate), Ambiguous("not exactly one certificate")),
        ("no certificate", replaced(certificate, ""), Ambiguous("not exactly one certificate")),
        (
            "SHA-1 signature",
            replaced("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1"),
            Forbidden("signature method"),
        ),
        (
            "HMAC",
            replaced("xmldsig-more#rsa-sha256", "xmldsig-more#hmac-sha256"),
            Forbidden("signature method"),
        ),
        (
            "SHA-1 digest",
            replaced("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1"),
            Forbidden("digest method"),
        ),
        (
            "ECDSA by an RSA key",
            replaced("#rsa-sha256", "#ecdsa-sha256"),
            Forbidden("key for the signature method"),
        ),
        (
            "inclusive canonicalization",
            replaced(
                "http://www.w3.org/2001/10/xml-exc-c14n#",
                "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
            ),
            Forbidden("canonicalization"),
        ),
        ("no exclusive transform", no_exc, Forbidden("transform")),
        (
            "a foreign transform",
            replaced("</ds:Transforms>", "<x:Transform xmlns:x='urn:x'/></ds:Transforms>"),
            Forbidden("transform"),
        ),
        (
            "xslt",
            replaced("2000/09/xmldsig#enveloped-signature", "TR/1999/REC-xslt-19991116"),
            Forbidden("transform"),
        ),
        // libxmlsec refuses these five (interop/differential.py)
        (
            "an element in the signature value",
            replaced("</ds:SignatureValue>", "<saml:Subject/></ds:SignatureValue>"),
            Ambiguous("a value holds an element"),
        ),
        (
            "an element before the signature value",
            replaced("<ds:SignatureValue>", "<ds:SignatureValue><saml:Subject/>"),
            Ambiguous("a value holds an element"),
        ),
        (
            "an element in the digest",
            replaced("</ds:DigestValue>", "<ds:DigestValue/></ds:DigestValue>"),
            Ambiguous("a value holds an element"),
        ),
        (
            "a no-break space in the signature value",
            replaced("</ds:SignatureValue>", "\u{a0}</ds:SignatureValue>"),
            Forbidden("letter in base64"),
        ),
        (
            "a no-break space in the digest",
            replaced("<ds:DigestValue>", "<ds:DigestValue>\u{a0}"),
            Forbidden("letter in base64"),
        ),
        ("comment in the name", replaced("GOOD", "GO<!---->OD"), HIDDEN),
        ("comment in the digest", replaced("<ds:DigestValue>", "<ds:DigestValue><!---->"), HIDDEN),
        ("CDATA", replaced("GOOD", "<![CDATA[GOOD]]>"), HIDDEN),
        (
            "signature not behind the Issuer",
            at_end(&unsigned(), sig),
            Ambiguous("the signature does not follow the Issuer"),
        ),
        (
            "something else before it",
            replaced("<saml:Issuer>urn:idp:DK</saml:Issuer>", "<saml:X/>"),
            Ambiguous("the signature does not follow the Issuer"),
        ),
        (
            "two equal ids that nothing refers to",
            replaced("GOOD</saml:NameID>", "GOOD</saml:NameID><x Id='q'/><y xml:id='q'/>"),
            Ambiguous("the ID is not unique"),
        ),
        ("an id that reads as a pointer", signed.replace("_a1", "xpointer(/)"), Reference),
        (
            "a foreign parameter of the transform",
            replaced(
                exc,
                &format!("{exc}<x:InclusiveNamespaces xmlns:x='urn:x' PrefixList='saml'/>"),
            ),
            Forbidden("canonicalization parameter"),
        ),
        (
            "a foreign parameter of the canonicalization",
            replaced(
                "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
                "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><x:X xmlns:x='urn:x'/></ds:CanonicalizationMethod>",
            ),
            Forbidden("canonicalization parameter"),
        ),
        (
            "a list of inclusive prefixes that takes minutes to walk",
            replaced("PrefixList=\"xsd\"", &format!("PrefixList=\"{}\"", "xsd ".repeat(33))),
            Forbidden("canonicalization parameter"),
        ),
        ("deeper", replaced(sig, &format!("<saml:X>{sig}</saml:X>")), Missing),
        (
            "no ID",
            replaced(" ID=\"_a1\"", ""),
            SignatureError::Xml(XmlError::Attribute { name: "ID" }),
        ),
        ("DTD", format!("<!DOCTYPE a>{signed}"), SignatureError::Xml(XmlError::DocumentType)),
        ("PI", replaced("GOOD", "GO<?x?>OD"), SignatureError::Xml(XmlError::ProcessingInstruction)),
        (
            "relative namespace",
            replaced(" Version=", " xmlns:v=\"1\" Version="),
            SignatureError::Xml(XmlError::RelativeNamespace),
        ),
    ];
    for (what, text, expected) in cases {
        assert_eq!(read(&text, Profile::Ehdsi), Err(expected), "{what}");
    }
}

#[test]
fn a_changed_assertion_does_not_verify() {
    for (what, text) in [
        ("name", replaced("GOOD", "EVIL")),
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

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC*") {
        let _ = Xml::parse(&text, &Limits::ASSERTION).map(|xml| xml.root().standalone());
    }

    #[test]
    fn no_markup_makes_the_reader_panic(
        text in "(<[a-c:]{0,3}( (xmlns(:a)?|ID|a:b)=['\"][a-z:#&;]{0,6}['\"])?/?>|</[a-c]>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|<\\?|&#?[x0-9a-z]{0,5};|['\"<>=/]|[a-c ]){0,40}"
    ) {
        if let Ok(xml) = Xml::parse(&text, &Limits::ASSERTION) {
            let _ = verify_enveloped(xml.root(), Profile::Ehdsi).map(|_| ());
            for element in xml.root().descendants() {
                let _ = (element.content_range(), element.standalone());
            }
        }
    }

    #[test]
    fn a_changed_byte_never_changes_what_is_read(at in any::<prop::sample::Index>(), to in 0x20u8..0x7f) {
        let mut bytes = WORLD.signed.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = to;
        let text = String::from_utf8(bytes).unwrap();
        if let Ok(name) = read(&text, Profile::Ehdsi) {
            prop_assert_eq!(name, "GOOD");
        }
    }
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
