//! eIDAS messages of our own: the good ones pass, and for each rule one that breaks it is refused
//! by that very rule.

mod eidas_world;

use eidas_world::{CONNECTOR, ENDPOINT, PROXY, SSO, World, now, person};
use exchange::SystemEntropy;
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::request::{Request, SpType};
use identity::eidas::response::{Expectation, RULES, refuse, verify};
use identity::replay::Spent;
use trust::signature::{Profile, sign_enveloped_as};
use trust::xml::{Limits, Xml};

#[test]
fn a_person_is_identified_over_the_border() {
    for rsa in [false, true] {
        let world = World::new(rsa);
        let signers = [world.connector.certificate()];
        let asked = World::asked(&signers);
        let text = world.request.sign(&world.connector.key).unwrap();
        assert!(Request::verify(&text, &asked).unwrap() == world.request);
        let answer = world.answer();
        assert!(!answer.contains("Agnete") && !answer.contains("7402539902"));
        let found = verify(&answer, &world.expectation(), &world.key(), &Spent::default()).unwrap();
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
        ("response.level-known", true, "LoA/high", "LoA/highest"),
        ("response.person-country", true, "DK/ES/7402539902", "IT/ES/7402539902"),
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
    // the first two cannot be broken without breaking the reading before them, the last has a test below
    let before = ["response.assertion-id", "response.statements", "response.level-certified"];
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

#[test]
fn a_country_is_believed_up_to_the_level_that_it_is_certified_for() {
    let world = World::new(false);
    let answer = world.answer();
    for (certified, expected) in [
        (Assurance::High, Ok(())),
        (Assurance::Substantial, Err(EidasError::Rule("response.level-certified"))),
    ] {
        let expectation = Expectation { certified, ..world.expectation() };
        let found = verify(&answer, &expectation, &world.key(), &Spent::default());
        assert_eq!(found.map(|_| ()), expected);
    }
}

#[test]
fn an_answer_is_used_once_and_so_is_what_it_answers() {
    let (mut world, spent) = (World::new(false), Spent::default());
    let use_up = |world: &World, text: &str| {
        verify(text, &world.expectation(), &world.key(), &spent).map(|_| ())
    };
    let first = world.answer();
    // what is refused uses nothing up
    let late = world.changed(|t| t, |t| t.replace("cm:bearer", "cm:none"));
    assert_eq!(use_up(&world, &late), Err(EidasError::Rule("response.bearer")));
    assert_eq!(use_up(&world, &first), Ok(()));
    assert_eq!(use_up(&world, &first), Err(EidasError::Replayed));
    assert_eq!(use_up(&world, &world.answer()), Err(EidasError::Replayed));
    // the used assertion as the answer to the next request
    world.request.id = "_r2".into();
    let next = world.answer();
    let id = |text: &str| world.assertion_of(text).split("ID=\"").nth(1).unwrap()[..41].to_owned();
    let (used, fresh) = (id(&first), id(&next));
    let again = world.changed(
        |t| t,
        |t| {
            let own = t.split("ID=\"").nth(1).unwrap()[..41].to_owned();
            t.replace(&own, &used)
        },
    );
    assert_ne!(used, fresh);
    assert_eq!(use_up(&world, &again), Err(EidasError::Replayed));
}

#[test]
fn a_refusal_of_another_login_does_not_end_this_one() {
    let world = World::new(false);
    let refusal = |request: &Request, endpoint, issuer, at| {
        let key = &world.proxy.key;
        refuse(request, endpoint, issuer, "AuthnFailed", at, key, &SystemEntropy).unwrap()
    };
    let other = Request { id: "_other".into(), ..world.request.clone() };
    let early = "2026-11-21T09:00:00Z".parse().unwrap();
    for (text, rule) in [
        (refusal(&other, ENDPOINT, PROXY, now()), "response.in-response-to"),
        (refusal(&world.request, SSO, PROXY, now()), "response.destination"),
        (refusal(&world.request, ENDPOINT, CONNECTOR, now()), "response.issuer"),
        (refusal(&world.request, ENDPOINT, PROXY, early), "response.issue-instant"),
    ] {
        assert_eq!(world.verdict(&text), Err(EidasError::Rule(rule)));
    }
    let text = refusal(&world.request, ENDPOINT, PROXY, now());
    let spent = Spent::default();
    let verdict = || verify(&text, &world.expectation(), &world.key(), &spent).map(|_| ());
    assert_eq!(verdict(), Err(EidasError::NotIdentified("AuthnFailed".into())));
    assert_eq!(verdict(), Err(EidasError::Replayed));
}

#[test]
fn a_signer_whose_certificate_is_over_is_not_believed() {
    let world = World::new(false);
    let certificate = world.proxy.certificate();
    let answer = world.answer();
    let after = certificate.not_after() + jiff::SignedDuration::from_secs(1);
    let expectation = Expectation { now: after, ..world.expectation() };
    let found = verify(&answer, &expectation, &world.key(), &Spent::default());
    assert_eq!(found.map(|_| ()), Err(EidasError::Expired));
}

/// Otherwise anybody could ask us what opens.
#[test]
fn nothing_is_decrypted_before_the_signature_is_believed() {
    let world = World::new(false);
    let broken = |text: String| text.replace("<xenc:CipherValue>", "<xenc:CipherValue>AAAA");
    let sealed_wrong = world.changed(broken, |t| t);
    let undecipherable = EidasError::Undecipherable(trust::encryption::Undecipherable);
    assert_eq!(world.verdict(&sealed_wrong), Err(undecipherable));
    let invalid = EidasError::Signature(trust::signature::SignatureError::Invalid);
    assert_eq!(world.verdict(&broken(world.answer())), Err(invalid));
    let stranger = World::new(false);
    assert_eq!(world.verdict(&stranger.changed(broken, |t| t)), Err(EidasError::Signer));
}

#[test]
fn private_askers_say_who_they_are_and_of_public_ones_nobody_needs_to_know() {
    let world = World::new(false);
    let signers = [world.connector.certificate()];
    let asked = |sector, requester: Option<&str>| {
        let requester = requester.map(str::to_owned);
        let request = Request { sector, requester, ..world.request.clone() };
        let text = request.sign(&world.connector.key).unwrap();
        // the connector's metadata names no sector
        Request::verify(&text, &World::asked(&signers)).map(|r| (r.sector, r.requester))
    };
    let (private, public) = (Some(SpType::Private), Some(SpType::Public));
    let id = "https://hospital.example/id";
    assert_eq!(asked(private, Some(id)), Ok((private, Some(id.to_owned()))));
    assert_eq!(asked(public, Some(id)), Ok((public, None)));
    assert_eq!(asked(public, None), Ok((public, None)));
    for refused in [None, Some(""), Some(&*"x".repeat(1025))] {
        assert_eq!(asked(private, refused), Err(EidasError::Rule("request.requester")));
    }
    assert_eq!(asked(None, None), Err(EidasError::Rule("request.sector")));
}

#[test]
fn who_names_a_higher_level_first_is_answered_with_the_least_that_would_do() {
    let world = World::new(false);
    let (low, high) = (Assurance::Low.uri(), Assurance::High.uri());
    let class =
        |uri: &str| format!("<saml2:AuthnContextClassRef>{uri}</saml2:AuthnContextClassRef>");
    let request = Request { assurance: Assurance::Low, ..world.request.clone() };
    let signed = request.sign(&world.connector.key).unwrap();
    let xml = Xml::parse(&signed, &Limits::MESSAGE).unwrap();
    let signature = xml.root().descendants().find(|e| e.name() == "Signature").unwrap();
    let listed = [high, Assurance::Substantial.uri(), low, "http://id.example/LoA/1"];
    let text = signed
        .replace(signature.source(), "")
        .replace("Comparison=\"minimum\"", "Comparison=\"exact\"")
        .replace(&class(low), &listed.map(class).concat());
    let key = &world.connector.key;
    let text = sign_enveloped_as(&text, &request.id, key, Profile::Eidas).unwrap();
    let signers = [world.connector.certificate()];
    let read = Request::verify(&text, &World::asked(&signers)).unwrap();
    assert_eq!(read.assurance, Assurance::Low);
}
