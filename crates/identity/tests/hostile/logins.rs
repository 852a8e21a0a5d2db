//! What is signed as it should be and still must not be believed: said for somebody else, at another
//! time, to another end, by another country, or a second time.

use exchange::{Entropy, SystemEntropy};
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::binding::{Field, read_redirect, redirect_url};
use identity::eidas::request::Request;
use identity::eidas::response::{Answer, Expectation, verify};
use identity::replay::Spent;
use jiff::SignedDuration;
use trust::encryption::{Recipient, encrypt};
use trust::signature::{Profile, sign_enveloped_as};
use trust::xml::{Limits, Xml};

use super::eidas_world::{CONNECTOR, ENDPOINT, PROXY, Party, SSO, World, now, person};
use super::shapes::id;
use super::targets::unsigned;

pub struct Case {
    pub name: String,
    pub verdict: Result<(), String>,
}

fn case(name: impl Into<String>, verdict: Result<(), EidasError>) -> Case {
    Case { name: name.into(), verdict: verdict.map_err(|error| error.to_string()) }
}

pub fn all(world: &World) -> Vec<Case> {
    let mut cases = swapped_answers(world);
    cases.extend(swapped_requests(world));
    cases.extend(times(world));
    cases.extend(others(world));
    cases.extend(sealed(world));
    cases.extend(replayed(world));
    cases.extend(huge(world));
    cases.extend(urls(world));
    cases
}

/// (inside, from, to): the asked country itself says it, so the signature is good.
const ANSWERS: &[(bool, &str, &str)] = &[
    (false, "saml2p:Response", "saml2p:ArtifactResponse"),
    (false, "saml2p:Response", "saml2:Response"),
    (false, "Version=\"2.0\"", "Version=\"1.1\""),
    (true, "Version=\"2.0\"", "Version=\"2.00\""),
    (false, "InResponseTo=\"_r1\"", "InResponseTo=\"_r1 \""),
    (false, "InResponseTo=\"_r1\"", ""),
    (true, "InResponseTo=\"_r1\"", "InResponseTo=\"_R1\""),
    (true, "InResponseTo=\"_r1\"", ""),
    (false, ENDPOINT, "https://connector.es.example/response/"),
    (false, ENDPOINT, "https://connector.es.example/RESPONSE"),
    (false, ENDPOINT, "https://connector.es.example.evil.example/response"),
    (true, ENDPOINT, "https://connector.it.example/response"),
    (true, ENDPOINT, ""),
    (true, CONNECTOR, "https://connector.es.example/"),
    (true, CONNECTOR, "https://connector.it.example/metadata"),
    (true, CONNECTOR, ""),
    (
        true,
        "</saml2:Audience>",
        "</saml2:Audience><saml2:Audience>https://evil.example</saml2:Audience>",
    ),
    (
        true,
        "<saml2:AudienceRestriction>",
        "<saml2:AudienceRestriction><saml2:Audience>https://x.example</saml2:Audience></saml2:AudienceRestriction><saml2:AudienceRestriction>",
    ),
    (false, PROXY, "https://proxy.it.example/metadata"),
    (true, PROXY, "https://proxy.it.example/metadata"),
    (true, PROXY, ""),
    // the ends of the calendar, beyond which there is no time to compare with
    (true, "2026-11-21T10:05:00.000Z", "9999-12-30T22:00:00Z"),
    (true, "2026-11-21T10:00:00.000Z", "-009999-01-02T01:59:59Z"),
    (false, "2026-11-21T10:00:00.000Z", "9999-12-30T22:00:00Z"),
    (true, "cm:bearer", "cm:holder-of-key"),
    (true, "cm:bearer", "cm:sender-vouches"),
    (true, "192.0.2.7", "192.0.2.70"),
    (true, "LoA/high", "LoA/low"),
    (true, "LoA/high", "LoA/High"),
    (true, "LoA/high", "LoA/high/"),
    (true, "http://eidas.europa.eu/LoA/high", "http://national.example/LoA/high"),
    (true, "http://eidas.europa.eu/LoA/high", ""),
    (true, "saml2:AuthnStatement", "saml2:AuthzDecisionStatement"),
    (true, "AuthnInstant=", "authnInstant="),
    (true, "DK/ES/7402539902", "IT/ES/7402539902"),
    (true, "DK/ES/7402539902", "7402539902"),
    (true, "DK/ES/7402539902", "DK/ES/"),
    (true, "DK/ES/7402539902", "dk/es/7402539902"),
    (true, "DK/ES/7402539902", ""),
    (true, "1953-02-14", "1953-02-30"),
    (true, "1953-02-14", "14.02.1953"),
    (true, "1953-02-14", ""),
    (true, "attrname-format:uri", "attrname-format:basic"),
    (
        true,
        "attributes/naturalperson/PersonIdentifier",
        "attributes/legalperson/LegalPersonIdentifier",
    ),
    (
        true,
        "attributes/naturalperson/CurrentFamilyName",
        "attributes/naturalperson/currentFamilyName",
    ),
    (
        true,
        "http://eidas.europa.eu/attributes/naturalperson/DateOfBirth",
        "urn:oid:1.3.6.1.5.5.7.9.1",
    ),
    (true, "naturalperson/PlaceOfBirth\"", "naturalperson/CurrentGivenName\""),
    (true, "LatinScript=\"false\"", "LatinScript=\"true\""),
    (true, "LatinScript=\"false\"", "LatinScript=\"maybe\""),
    (true, "<saml2:AttributeStatement>", "<saml2:AttributeStatement/><saml2:AttributeStatement>"),
    (true, "<saml2:Subject>", "<saml2:Subject/><saml2:Subject>"),
    (true, "<saml2:Conditions ", "<saml2:Conditions/><saml2:Conditions "),
    (true, "<saml2:Assertion ", "<saml2:Evidence "),
    (false, "status:Success", "status:success"),
    (false, "<saml2p:Status>", "<saml2p:Status/><saml2p:Status>"),
    (false, "saml2:EncryptedAssertion", "saml2:EncryptedID"),
    (false, "saml2:EncryptedAssertion", "saml2:EncryptedAttribute"),
];

fn swapped_answers(world: &World) -> Vec<Case> {
    let same = |text: String| text;
    let mut cases = Vec::new();
    for (inside, from, to) in ANSWERS {
        let change = |text: String| {
            assert!(text.contains(from), "{from}");
            if from.starts_with("<saml2:Assertion") {
                text.replace("saml2:Assertion", "saml2:Evidence")
            } else {
                text.replace(from, to)
            }
        };
        let text = if *inside { world.changed(same, change) } else { world.changed(change, same) };
        cases.push(case(format!("{from} -> {to}"), world.verdict(&text)));
    }
    cases
}

/// (from, to) in a request that its connector signs.
const REQUESTS: &[(&str, &str)] = &[
    (SSO, "https://proxy.it.example/request"),
    (SSO, ""),
    ("AuthnRequest", "LogoutRequest"),
    ("Version=\"2.0\"", "Version=\"1.1\""),
    ("ForceAuthn=\"true\"", "ForceAuthn=\"false\""),
    ("ForceAuthn=\"true\"", ""),
    ("IsPassive=\"false\"", "IsPassive=\"true\""),
    (
        "IsPassive=\"false\"",
        "ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact\" IsPassive=\"false\"",
    ),
    ("IssueInstant=\"2026-11-21T10:00", "IssueInstant=\"2026-11-21T09:54"),
    ("IssueInstant=\"2026-11-21T10:00", "IssueInstant=\"2026-11-21T10:06"),
    ("IssueInstant=\"2026-11-21T10:00", "IssueInstant=\"yesterday"),
    ("nameid-format:entity", "nameid-format:emailAddress"),
    ("nameid-format:persistent", "nameid-format:emailAddress"),
    (">public<", ">secret<"),
    (">public<", "><"),
    ("attrname-format:uri", "attrname-format:basic"),
    ("naturalperson/DateOfBirth", "naturalperson/DateOfDeath"),
    ("isRequired=\"true\"", "isRequired=\"false\""),
    ("naturalperson/PlaceOfBirth", "naturalperson/DateOfBirth"),
    ("LoA/substantial", "LoA/medium"),
    ("LoA/substantial", "LoA/"),
    ("http://eidas.europa.eu/LoA/substantial", "http://national.example/substantial"),
    ("Comparison=\"minimum\"", "Comparison=\"exact\""),
    ("Comparison=\"minimum\"", "Comparison=\"better\""),
    ("Comparison=\"minimum\"", "Comparison=\"maximum\""),
    (
        "</saml2:AuthnContextClassRef>",
        "</saml2:AuthnContextClassRef><saml2:AuthnContextClassRef>http://eidas.europa.eu/LoA/low</saml2:AuthnContextClassRef>",
    ),
    ("<eidas:RequestedAttributes>", "<eidas:RequestedAttributes/><eidas:RequestedAttributes>"),
    ("<saml2p:Extensions>", "<saml2p:Extensions/><saml2p:Extensions>"),
    ("http://eidas.europa.eu/saml-extensions", "http://stork.example/saml-extensions"),
];

fn swapped_requests(world: &World) -> Vec<Case> {
    let key = &world.connector.key;
    let bare = unsigned(&world.request.sign(key).unwrap());
    let signers = [world.connector.certificate()];
    let judge = |text: &str| {
        let text = sign_enveloped_as(text, "_r1", key, Profile::Eidas).unwrap();
        Request::verify(&text, &World::asked(&signers)).map(|_| ())
    };
    assert_eq!(judge(&bare), Ok(()));
    let mut cases = Vec::new();
    for (from, to) in REQUESTS {
        assert!(bare.contains(from), "{from}");
        cases.push(case(format!("{from} -> {to}"), judge(&bare.replace(from, to))));
    }
    let many = "<eidas:RequestedAttribute Name=\"x\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:uri\"/>";
    let text = bare.replace(
        "</eidas:RequestedAttributes>",
        &format!("{}</eidas:RequestedAttributes>", many.repeat(200)),
    );
    cases.push(case("two hundred attributes", judge(&text)));
    cases
}

/// The same answer, late or early.
fn times(world: &World) -> Vec<Case> {
    let answer = world.answer();
    let mut cases = Vec::new();
    for minutes in [-600, -60, -5, -2, 7, 15, 60, 1440, 525_600] {
        let now = now() + SignedDuration::from_mins(minutes);
        let expectation = Expectation { now, ..world.expectation() };
        let found = verify(&answer, &expectation, &world.key(), &Spent::default());
        cases.push(case(format!("{minutes} minutes later"), found.map(|_| ())));
    }
    for (what, from) in [
        ("window", "NotBefore=\"2026-11-21T10:00:00.000Z\" NotOnOrAfter=\"2026-11-21T10:05"),
        ("confirmed", "NotOnOrAfter=\"2026-11-21T10:05:00.000Z\" Recipient"),
        ("authenticated", "AuthnInstant=\"2026-11-21T10:00"),
        ("issued", "IssueInstant=\"2026-11-21T10:00"),
    ] {
        for year in ["1970", "2025", "2027", "9999"] {
            let text = world.changed(
                |t| t,
                |t| {
                    assert!(t.contains(from), "{from}");
                    t.replace(from, &from.replace("2026", year))
                },
            );
            cases.push(case(format!("{what} in {year}"), world.verdict(&text)));
        }
        let text = world.changed(|t| t, |t| t.replace(from, &from.replace("2026-11-21T", "")));
        cases.push(case(format!("{what} without a date"), world.verdict(&text)));
    }
    cases
}

/// Well signed and well sealed, by or for the wrong one.
fn others(world: &World) -> Vec<Case> {
    let (attacker, elsewhere) = (Party::new(false), World::new(false));
    let recipient = Recipient::new(world.connector.certificate());
    let person = person();
    let answer = Answer {
        request: &world.request,
        endpoint: ENDPOINT,
        issuer: PROXY,
        person: &person,
        assurance: Assurance::High,
        address: "192.0.2.7",
        now: now(),
    };
    let by = |party: &Party| answer.sign(&party.key, &recipient, &SystemEntropy).unwrap();
    let judge = |text: &str| world.verdict(text);
    let sealed_elsewhere = Recipient::new(elsewhere.connector.certificate());
    let misdirected = answer.sign(&world.proxy.key, &sealed_elsewhere, &SystemEntropy).unwrap();
    let mut low = world.expectation();
    low.certified = Assurance::Substantial;
    let above = verify(&world.answer(), &low, &world.key(), &Spent::default()).map(|_| ());
    let mut cases = vec![
        case("signed by an attacker", judge(&by(&attacker))),
        case("signed by another country", judge(&by(&elsewhere.proxy))),
        case("signed by ourselves", judge(&by(&world.connector))),
        case("sealed for another", judge(&misdirected)),
        case("above the certified level", above),
        case(
            "our own request as the answer",
            judge(&world.request.sign(&world.connector.key).unwrap()),
        ),
        case(
            "no signers known",
            verify(
                &world.answer(),
                &Expectation { signers: &[], ..world.expectation() },
                &world.key(),
                &Spent::default(),
            )
            .map(|_| ()),
        ),
    ];
    // the attacker's own login at the same time, at the same country
    let own = Request { id: "_attackers".into(), ..world.request.clone() };
    let text = Answer { request: &own, ..answer }
        .sign(&world.proxy.key, &recipient, &SystemEntropy)
        .unwrap();
    cases.push(case("the answer of another login", judge(&text)));
    let renamed = text.replace("InResponseTo=\"_attackers\"", "InResponseTo=\"_r1\"");
    cases.push(case("the answer of another login, renamed", judge(&renamed)));
    let own =
        Request { issuer: "https://other.es.example/metadata".into(), ..world.request.clone() };
    let text = Answer { request: &own, ..answer }
        .sign(&world.proxy.key, &recipient, &SystemEntropy)
        .unwrap();
    cases.push(case("an answer to another service", judge(&text)));
    cases
}

/// Ciphertexts of the attacker: our encryption certificate is public.
fn sealed(world: &World) -> Vec<Case> {
    let good = world.answer();
    let recipient = Recipient::new(world.connector.certificate());
    let seal = |text: &str| encrypt(text.as_bytes(), &recipient, &SystemEntropy).unwrap();
    let evil = world.assertion_of(&good).replace("Agnete", "EVIL");
    let xml = Xml::parse(&good, &Limits::MESSAGE).unwrap();
    let data = xml.root().descendants().find(|e| e.name() == "EncryptedData").unwrap().source();
    let whole = format!("<saml2:EncryptedAssertion>{data}</saml2:EncryptedAssertion>");
    let other = format!("<saml2:EncryptedAssertion>{}</saml2:EncryptedAssertion>", seal(&evil));
    let plain = evil.clone();
    let mut cases = Vec::new();
    let variants = [
        ("in place of the good one", good.replace(data, &seal(&evil))),
        ("before the good one", good.replace(&whole, &format!("{other}{whole}"))),
        ("behind the good one", good.replace(&whole, &format!("{whole}{other}"))),
        ("beside the good data", good.replace(data, &format!("{data}{}", seal(&evil)))),
        ("plain beside", good.replace(&whole, &format!("{whole}{plain}"))),
        ("plain in place", good.replace(&whole, &plain)),
        (
            "in an extension",
            good.replace(
                "<saml2p:Status>",
                &format!("<saml2p:Extensions>{other}</saml2p:Extensions><saml2p:Status>"),
            ),
        ),
    ];
    for (name, text) in variants {
        assert_ne!(text, good, "{name}");
        cases.push(case(format!("attacker's assertion {name}"), world.verdict(&text)));
        // and when the country lets itself be made to sign it; alone in place it would be its own word
        if name != "in place of the good one" {
            let text =
                sign_enveloped_as(&unsigned(&text), id(&good), &world.proxy.key, Profile::Eidas);
            let verdict = world.verdict(&text.unwrap());
            cases.push(case(format!("attacker's assertion {name}, signed"), verdict));
        }
    }
    let same = |text: String| text;
    for (name, inside) in [
        ("two assertions", format!("<x>{evil}{evil}</x>")),
        (
            "one in another",
            evil.replace("</saml2:Assertion>", &format!("{evil}</saml2:Assertion>")),
        ),
        (
            "one in its advice",
            evil.replace(
                "<saml2:Conditions ",
                &format!("<saml2:Advice>{evil}</saml2:Advice><saml2:Conditions "),
            ),
        ),
        ("a response", unsigned(&good)),
        ("a dtd", format!("<!DOCTYPE x>{evil}")),
        ("an entity", format!("<!DOCTYPE x [<!ENTITY e \"e\">]>{evil}")),
        ("a comment", evil.replace("EVIL", "Agnete<!---->EVIL")),
        ("a section", evil.replace("EVIL", "<![CDATA[EVIL]]>")),
        ("an instruction", evil.replace("EVIL", "<?x?>EVIL")),
        ("text", "EVIL".into()),
        ("nothing", String::new()),
        ("sealed again", seal(&evil)),
        (
            "signed by another",
            sign_enveloped_as(&evil, id(&evil), &Party::new(false).key, Profile::Eidas).unwrap(),
        ),
    ] {
        let text = world.changed(same, |_| inside.clone());
        cases.push(case(format!("inside: {name}"), world.verdict(&text)));
    }
    for (from, to) in [
        ("xmlenc11#aes256-gcm", "xmlenc11#aes128-gcm"),
        ("2009/xmlenc11#aes256-gcm", "2001/04/xmlenc#aes256-cbc"),
        ("kw-aes256", "kw-aes128"),
        ("1.2.840.10045.3.1.7", "1.3.132.0.34"),
        ("<xenc:CipherValue>", "<xenc:CipherValue>AAAA"),
        (
            "<xenc:CipherData>",
            "<xenc:CipherData><xenc:CipherReference URI=\"file:///etc/hostname\"/>",
        ),
    ] {
        let text = world.changed(
            |t| {
                assert!(t.contains(from), "{from}");
                t.replace(from, to)
            },
            same,
        );
        cases.push(case(format!("{from} -> {to}"), world.verdict(&text)));
    }
    cases
}

/// What was used before.
fn replayed(world: &World) -> Vec<Case> {
    let (spent, first) = (Spent::default(), world.answer());
    let judge = |text: &str| verify(text, &world.expectation(), &world.key(), &spent).map(|_| ());
    assert_eq!(judge(&first), Ok(()));
    let used = id(&world.assertion_of(&first)).to_owned();
    let again = world.changed(|t| t, |t| t.replace(&id(&t).to_owned(), &used));
    vec![
        case("the same answer", judge(&first)),
        case("a second answer to the same request", judge(&world.answer())),
        case("the same assertion in another answer", judge(&again)),
    ]
}

/// More than there can be.
fn huge(world: &World) -> Vec<Case> {
    let same = |text: String| text;
    let inside = |from: &str, to: String| world.changed(same, |text| text.replace(from, &to));
    let mut noise = vec![0; 75_000];
    SystemEntropy.fill(&mut noise);
    let filler = noise.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let attribute = "<saml2:Attribute Name=\"http://eidas.europa.eu/attributes/naturalperson/Gender\"><saml2:AttributeValue>f</saml2:AttributeValue></saml2:Attribute>";
    let wide = (0..200).map(|n| format!(" a{n}=\"\"")).collect::<String>();
    [
        ("a long name", inside("Agnete", filler[..5000].to_owned())),
        ("a message that is too long", inside("Agnete", filler.clone())),
        ("a long identifier", inside("7402539902", filler[..5000].to_owned())),
        (
            "many attributes of one kind",
            inside(
                "</saml2:AttributeStatement>",
                format!("{}</saml2:AttributeStatement>", attribute.repeat(400)),
            ),
        ),
        (
            "deep nesting",
            inside(
                "<saml2:Subject>",
                format!("{}{}<saml2:Subject>", "<x>".repeat(90), "</x>".repeat(90)),
            ),
        ),
        ("a wide element", inside("<saml2:Subject>", format!("<x{wide}/><saml2:Subject>"))),
        (
            "a long id",
            world.changed(same, |t| t.replace(&id(&t).to_owned(), &format!("_{}", &filler[..300]))),
        ),
        (
            "a long text",
            world.changed(
                |t| t.replace("<saml2p:Status>", &format!("<x>{filler}</x><saml2p:Status>")),
                same,
            ),
        ),
    ]
    .into_iter()
    .map(|(name, text)| case(name, world.verdict(&text)))
    .collect()
}

/// The signed query string, changed.
fn urls(world: &World) -> Vec<Case> {
    let key = &world.connector.key;
    let bare = unsigned(&world.request.sign(key).unwrap());
    let signers = [world.connector.certificate()];
    let judge = |query: &str| {
        Request::verify_redirected(&read_redirect(query)?, &World::asked(&signers)).map(|_| ())
    };
    let url = |text: &str, key| {
        let url = redirect_url(SSO, Field::Request, text, Some("state 1"), key).unwrap();
        url.split_once('?').unwrap().1.to_owned()
    };
    let good = url(&bare, key);
    assert_eq!(judge(&good), Ok(()));
    let evil = url(&bare.replace("Hospital", "EVIL"), &Party::new(false).key);
    let part = |query: &str, name: &str| {
        let all = query.split('&').find(|p| p.starts_with(&format!("{name}="))).unwrap();
        all.to_owned()
    };
    let mut cases = vec![case("a URL of an attacker", judge(&evil))];
    for name in ["SAMLRequest", "RelayState", "SigAlg", "Signature"] {
        let (ours, theirs) = (part(&good, name), part(&evil, name));
        let other = if ours == theirs { format!("{theirs}x") } else { theirs };
        for (what, text) in [
            ("of another", good.replace(&ours, &other)),
            ("missing", good.replace(&ours, "x=")),
            ("empty", good.replace(&ours, &format!("{name}="))),
            ("twice", format!("{good}&{ours}")),
            ("twice, another behind", format!("{good}&{other}")),
            ("twice, another before", format!("{other}&{good}")),
            ("in other letters before", format!("{}&{good}", other.to_lowercase())),
            (
                "with an escaped name",
                good.replacen(&name[..1], &format!("%{:02X}", name.as_bytes()[0]), 1),
            ),
        ] {
            cases.push(case(format!("URL: {name} {what}"), judge(&text)));
        }
    }
    cases
}
