//! Light messages of our own: the good ones are read, and for each rule one that breaks it is refused
//! by that very rule.

use std::collections::BTreeSet;

use exchange::Country;
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::attributes::{Attribute, PREFIX, REPRESENTATIVE, mandatory};
use identity::eidas::light::{
    Hoped, LightRequest, LightResponse, LightStatus, REQUEST_RULES, RESPONSE_RULES, answered,
    attributes_of,
};
use identity::eidas::request::SpType;
use jiff::Timestamp;

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

fn request() -> LightRequest {
    let extra = Attribute::of("PlaceOfBirth").into_iter();
    LightRequest {
        citizen: country("DK"),
        id: "_1".into(),
        issuer: "https://connector.es.example/metadata".into(),
        levels: vec![(Assurance::Substantial.uri().into(), true)],
        name_id_format: None,
        provider: Some("Hospital & Sons".into()),
        sector: Some("private".into()),
        asker: Some(country("ES")),
        requester: Some("https://hospital.example/id".into()),
        relay_state: Some("r".into()),
        attributes: mandatory().chain(extra).map(Attribute::uri).collect(),
    }
}

fn response() -> LightResponse {
    let value = |row: &Attribute| match row.name {
        "PersonIdentifier" => vec!["DK/ES/7402539902".to_owned()],
        "DateOfBirth" => vec!["1953-02-14".to_owned()],
        "CurrentGivenName" => vec!["Agnete".to_owned(), "Агнете".to_owned()],
        _ => vec!["Opdigtet".to_owned()],
    };
    LightResponse {
        id: "_2".into(),
        in_response_to: "_1".into(),
        issuer: "https://proxy.dk.example".into(),
        address: None,
        relay_state: None,
        subject: None,
        subject_format: None,
        level: Some(Assurance::High.uri().into()),
        status: LightStatus { failure: false, code: None, sub_code: None, message: None },
        attributes: mandatory().map(|row| (row.uri(), value(row))).collect(),
    }
}

fn hoped() -> Hoped {
    Hoped {
        request_id: "_1".into(),
        country: country("DK"),
        asker: country("ES"),
        bare: false,
        assurance: Assurance::Substantial,
        optional: Attribute::of("PlaceOfBirth").into_iter().collect(),
        now: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn what_is_asked_is_read_whole() {
    let read = LightRequest::parse(&request().render()).unwrap();
    assert_eq!(read, request());
    let wanted = read.wanted().unwrap();
    assert_eq!((wanted.assurance, wanted.sector), (Assurance::Substantial, SpType::Private));
    assert_eq!(wanted.requester.as_deref(), Some("https://hospital.example/id"));
    let names: Vec<_> = wanted.optional.iter().map(|row| row.name).collect();
    assert_eq!(names, ["PlaceOfBirth"]);

    let public = LightRequest { sector: None, ..request() }.wanted().unwrap();
    assert_eq!((public.sector, public.requester), (SpType::Public, None));
    // a scheme that is not notified, with the notified levels that would do as well
    let levels = [("http://id.example/LoA/3", false), (Assurance::High.uri(), true)];
    let mut mixed = request();
    mixed.levels.extend(levels.map(|(uri, notified)| (uri.to_owned(), notified)));
    assert_eq!(mixed.wanted().unwrap().assurance, Assurance::Substantial, "the least");
}

#[test]
fn each_rule_of_a_request_refuses_what_breaks_it() {
    type Change = fn(&mut LightRequest);
    let table: [(&str, Change); 18] = [
        ("light.request-id", |r| r.id.clear()),
        ("light.request-id", |r| r.id = "x".repeat(257)),
        ("light.relay-state", |r| r.relay_state = Some("x".repeat(1025))),
        ("light.level", |r| r.levels.clear()),
        ("light.level", |r| r.levels[0].0 = "http://eidas.europa.eu/LoA/most".into()),
        ("light.level", |r| r.levels[0] = ("http://id.example/LoA/3".into(), false)),
        ("light.level", |r| r.levels.push(("http://id.example/LoA/3".into(), true))),
        ("light.level", |r| r.levels.push(("http://eidas.europa.eu/LoA/x".into(), false))),
        ("light.level", |r| r.levels[0].1 = false),
        ("light.level", |r| r.levels.push(r.levels[0].clone())),
        ("light.sector", |r| r.sector = Some("press".into())),
        ("light.requester", |r| r.requester = None),
        ("light.requester", |r| r.requester = Some(String::new())),
        ("light.requester", |r| r.requester = Some("x".repeat(1025))),
        ("light.attribute", |r| r.attributes.push("http://example.com/shoe-size".into())),
        ("light.attribute", |r| r.attributes.push(r.attributes[0].clone())),
        ("light.attribute", |r| {
            r.attributes.extend((0..128).map(|n| format!("http://eidas.europa.eu/attributes/{n}")));
        }),
        ("light.minimum-data-set", |r| drop(r.attributes.remove(0))),
    ];
    for (rule, change) in table {
        let mut changed = request();
        change(&mut changed);
        assert_eq!(changed.wanted(), Err(EidasError::Rule(rule)), "{changed:?}");
    }
    let tried: BTreeSet<_> = table.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(tried, REQUEST_RULES.iter().map(|rule| rule.name).collect());
}

#[test]
fn who_was_identified_is_read_whole() {
    let read = LightResponse::parse(&response().render()).unwrap();
    let found = answered(&read, &hoped()).unwrap();
    let person = found.person();
    assert_eq!(
        (person.identifier.text().as_str(), found.assurance()),
        ("DK/ES/7402539902", Assurance::High)
    );
    assert_eq!(person.given.original.as_deref(), Some("Агнете"));
    assert!(attributes_of(person, false) == response().attributes, "and written as it was");
    assert_eq!(attributes_of(person, true)[0].1, ["7402539902"]);

    let mut bare = response();
    bare.attributes[0].1 = vec!["7402539902".into()];
    let malformed = EidasError::Malformed("person identifier");
    assert!(answered(&bare, &hoped()).err() == Some(malformed), "only where it may be bare");
    let found = answered(&bare, &Hoped { bare: true, ..hoped() }).unwrap();
    assert_eq!(found.person().identifier.text(), "DK/ES/7402539902");

    let mut acting = response();
    let theirs = acting.attributes.clone().into_iter().map(|(uri, mut values)| {
        values.truncate(1);
        (uri.replace(PREFIX, REPRESENTATIVE), values)
    });
    let theirs: Vec<_> = theirs.collect();
    acting.attributes.extend(theirs);
    let found = answered(&acting, &hoped()).unwrap();
    let other = found.person().representative.as_ref().unwrap();
    assert_eq!(other.family.latin, "Opdigtet");
}

#[test]
fn each_rule_of_a_response_refuses_what_breaks_it() {
    type Change = fn(&mut LightResponse);
    let legal = "http://eidas.europa.eu/attributes/legalperson/LegalName";
    assert!(Attribute::of("LegalName").is_none(), "{legal} is of nobody's natural person");
    let table: [(&str, Change); 12] = [
        ("light.in-response-to", |r| r.in_response_to = "_3".into()),
        ("light.response-id", |r| r.id.clear()),
        ("light.status", |r| {
            r.status.code = Some("urn:oasis:names:tc:SAML:2.0:status:Responder".into());
        }),
        ("light.level", |r| r.level = None),
        ("light.level", |r| r.level = Some(Assurance::Low.uri().into())),
        ("light.level", |r| r.level = Some("http://id.example/LoA/3".into())),
        ("light.attribute", |r| {
            let legal = "http://eidas.europa.eu/attributes/legalperson/LegalName";
            r.attributes.push((legal.into(), vec!["x".into()]));
        }),
        ("light.attribute", |r| {
            r.attributes.push((format!("{PREFIX}BirthName"), vec!["x".into()]));
        }),
        ("light.person-country", |r| r.attributes[0].1 = vec!["SE/ES/1".into()]),
        ("light.person-country", |r| {
            let theirs = r.attributes.clone().into_iter();
            let mut theirs: Vec<_> =
                theirs.map(|(uri, v)| (uri.replace(PREFIX, REPRESENTATIVE), v)).collect();
            theirs[0].1 = vec!["SE/ES/1".into()];
            r.attributes.extend(theirs);
        }),
        ("minimum data set", |r| drop(r.attributes.remove(1))),
        ("minimum data set", |r| r.attributes.clear()),
    ];
    for (rule, change) in table {
        let mut changed = response();
        change(&mut changed);
        assert!(answered(&changed, &hoped()).err() == Some(EidasError::Rule(rule)), "{rule}");
    }
    let tried: BTreeSet<_> = table.iter().map(|(rule, _)| *rule).collect();
    assert!(RESPONSE_RULES.iter().all(|rule| tried.contains(rule.name)));
}

#[test]
fn values_come_once_and_in_the_scripts_that_they_may_have() {
    type Change = fn(&mut LightResponse);
    let changes: [Change; 6] = [
        |r| r.attributes[0].1.push("DK/ES/1".into()),
        |r| r.attributes[1].1.clear(),
        |r| r.attributes[1].1 = vec![String::new()],
        |r| r.attributes[1].1 = vec!["a".into(), "b".into(), "c".into()],
        |r| r.attributes[1].1 = vec!["x".repeat(4097)],
        |r| r.attributes.push(r.attributes[1].clone()),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut changed = response();
        change(&mut changed);
        let refused = answered(&changed, &hoped()).err();
        assert!(matches!(refused, Some(EidasError::Malformed(_))), "{at}: {refused:?}");
    }
}

#[test]
fn a_failure_identifies_nobody_whatever_else_it_says() {
    let mut failed = response();
    failed.status.failure = true;
    failed.status.sub_code = Some("urn:oasis:names:tc:SAML:2.0:status:RequestDenied".into());
    let said = answered(&failed, &hoped()).err();
    assert!(said == Some(EidasError::NotIdentified("RequestDenied".into())));
    failed.in_response_to = "_3".into();
    let said = answered(&failed, &hoped()).err();
    assert!(said == Some(EidasError::Rule("light.in-response-to")), "it ends no other login");
}
