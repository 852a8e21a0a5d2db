//! eIDAS messages of our own: the good ones pass, and for each rule one that breaks it is refused
//! by that very rule.

mod eidas_world;

use eidas_world::{CONNECTOR, ENDPOINT, PROXY, World, now, person};
use exchange::SystemEntropy;
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::request::Request;
use identity::eidas::response::{RULES, refuse, verify};

#[test]
fn a_person_is_identified_over_the_border() {
    for rsa in [false, true] {
        let world = World::new(rsa);
        let signers = [world.connector.certificate()];
        let asked = world.asked(&signers);
        let text = world.request.sign(&world.connector.key).unwrap();
        assert!(Request::verify(&text, &asked).unwrap() == world.request);
        let answer = world.answer();
        assert!(!answer.contains("Agnete") && !answer.contains("7402539902"));
        let found = verify(&answer, &world.expectation(), &world.key()).unwrap();
        assert!(*found.person() == person());
        assert_eq!(found.assurance(), Assurance::High);
        // the same bytes, unchanged by our own tool, still pass
        assert!(world.verdict(&world.changed(|t| t, |t| t)).is_ok());
    }
}

#[test]
fn a_refusal_says_why_and_is_signed_too() {
    let world = World::new(false);
    let text = refuse(
        &world.request,
        ENDPOINT,
        PROXY,
        "AuthnFailed",
        now(),
        &world.proxy.key,
        &SystemEntropy,
    )
    .unwrap();
    assert_eq!(world.verdict(&text), Err(EidasError::NotIdentified("AuthnFailed".into())));
    let forged = text.replace("AuthnFailed", "RequestDenied");
    assert!(matches!(world.verdict(&forged), Err(EidasError::Signature(_))));
}

#[test]
fn each_rule_of_a_response_refuses_what_breaks_it() {
    let world = World::new(false);
    let late = "2026-11-21T10:20:00.000Z";
    let table: &[(&str, bool, &str, &str)] = &[
        // (rule, inside, from, to)
        ("response.element", false, "saml2p:Response", "saml2p:LogoutResponse"),
        ("response.version", false, "Version=\"2.0\"", "Version=\"1.1\""),
        ("response.version", true, "Version=\"2.0\"", "Version=\"1.1\""),
        ("response.in-response-to", false, "InResponseTo=\"_r1\"", "InResponseTo=\"_r2\""),
        ("response.in-response-to", true, "InResponseTo=\"_r1\"", "InResponseTo=\"_r2\""),
        ("response.destination", false, ENDPOINT, "https://other.example/response"),
        ("response.recipient", true, ENDPOINT, "https://other.example/response"),
        ("response.issuer", false, PROXY, "https://proxy.it.example/metadata"),
        ("response.issuer", true, PROXY, "https://proxy.it.example/metadata"),
        ("response.issue-instant", false, "2026-11-21T10:00", "2026-11-21T09:00"),
        ("response.issue-instant", false, "2026-11-21T10:00", "2026-11-21T11:00"),
        ("response.bearer", true, "cm:bearer", "cm:sender-vouches"),
        (
            "response.confirmed-until",
            true,
            "NotOnOrAfter=\"2026-11-21T10:05:00.000Z\" Rec",
            "NotOnOrAfter=\"2026-11-21T09:05:00.000Z\" Rec",
        ),
        ("response.confirmed-until", true, "NotOnOrAfter=\"2026-11-21T10:05:00.000Z\" Rec", "Rec"),
        ("response.address", true, "192.0.2.7", "192.0.2.8"),
        (
            "response.window",
            true,
            "NotBefore=\"2026-11-21T10:00:00.000Z\"",
            "NotBefore=\"2026-11-21T10:03:00.000Z\"",
        ),
        (
            "response.window",
            true,
            "NotBefore=\"2026-11-21T10:00:00.000Z\" NotOnOrAfter=\"2026-11-21T10:05:00.000Z\"",
            "NotBefore=\"2026-11-21T10:00:00.000Z\" NotOnOrAfter=\"2026-11-21T20:05:00.000Z\"",
        ),
        ("response.audience", true, CONNECTOR, "https://connector.it.example/metadata"),
        ("response.authenticated", true, "AuthnInstant=\"2026-11-21T10:00:00.000Z\"", late),
        ("response.level", true, "LoA/high", "LoA/low"),
        ("response.level", true, "LoA/high", "LoA/highest"),
        ("minimum data set", true, "naturalperson/DateOfBirth\"", "naturalperson/DateOfDeath\""),
    ];
    for (rule, inside, from, to) in table {
        let to = if *from == "AuthnInstant=\"2026-11-21T10:00:00.000Z\"" {
            format!("AuthnInstant=\"{to}\"")
        } else {
            (*to).to_owned()
        };
        let change = |text: String| {
            assert!(text.contains(from), "{rule}: {from}");
            text.replace(from, &to)
        };
        let same = |text: String| text;
        let text = if *inside { world.changed(same, change) } else { world.changed(change, same) };
        assert_eq!(world.verdict(&text), Err(EidasError::Rule(rule)), "{from} -> {to}");
    }
    let broken = |rule: &str| table.iter().any(|row| row.0 == rule);
    // these two cannot be broken without breaking the reading before them
    let before = ["response.assertion-id", "response.statements"];
    for rule in &RULES {
        assert!(broken(rule.name) || before.contains(&rule.name), "{} has no test", rule.name);
    }
}

#[test]
fn answers_of_others_and_to_others_are_refused() {
    let world = World::new(false);
    let stranger = World::new(false);
    assert_eq!(world.verdict(&stranger.answer()), Err(EidasError::Signer));
    let mut text = world.answer();
    let at = text.find("CipherValue>").unwrap() + 40;
    text.replace_range(at..=at, if &text[at..=at] == "A" { "B" } else { "A" });
    assert!(matches!(world.verdict(&text), Err(EidasError::Signature(_))));
    // a plain assertion beside the encrypted one
    let plain = world.changed(
        |t| {
            t.replace(
                "<saml2:EncryptedAssertion>",
                "<saml2:Assertion ID=\"_x\"/><saml2:EncryptedAssertion>",
            )
        },
        |t| t,
    );
    assert!(world.verdict(&plain).is_err());
    // two encrypted ones
    let twice = world.changed(
        |t| {
            let at = t.find("<saml2:EncryptedAssertion>").unwrap();
            let end = t.find("</saml2:EncryptedAssertion>").unwrap() + 27;
            format!("{}{}{}", &t[..end], &t[at..end], &t[end..])
        },
        |t| t,
    );
    assert!(world.verdict(&twice).is_err());
}
