//! A login becomes a professional, or a refusal with a code of its own; the assertion that comes of
//! it passes our own rules.

#![allow(clippy::unwrap_used, reason = "tests")]

mod seals;

use exchange::{Code, Country, Oid, Purpose, RoleCode, Transaction};
use identity::eidas::person::{Person, PersonIdentifier, Scripted};
use identity::professional::{Occasion, ROWS, Terms, admit};
use identity::register::conformance::{doctor, pharmacist};
use identity::register::{Entry, Facility, PersonKey, Register, RegisterError};
use identity::{Assurance, Consent, Policy, permit};
use jiff::Timestamp;
use jiff::civil::date;

struct Known(Result<Entry, RegisterError>);

impl Register for Known {
    fn find(&self, who: &PersonKey) -> Result<Option<Entry>, RegisterError> {
        self.0.clone().map(|entry| Some(entry).filter(|entry| entry.person == *who))
    }
}

fn login() -> Person {
    let identifier = PersonIdentifier::parse("ES/ES/02635542Y").unwrap();
    Person::new(identifier, "INVENTADA-ROCA", "Montserrat Maria", date(1970, 2, 28))
}

fn terms() -> Terms {
    Terms::new(Oid::parse("2.16.724").unwrap())
}

fn now() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

struct Case {
    person: Person,
    assurance: Assurance,
    entry: Entry,
    terms: Terms,
}

#[test]
fn each_reason_not_to_admit_has_its_row_and_its_code() {
    let cases: [(&str, fn(&mut Case)); 11] = [
        ("representative", |c| c.person.representative = Some(Box::new(login()))),
        ("level", |c| c.assurance = Assurance::Low),
        ("level", |c| (c.assurance, c.terms.least) = (Assurance::Low, Assurance::Low)),
        ("level", |c| (c.assurance, c.terms.least) = (Assurance::Substantial, Assurance::High)),
        ("unknown", |c| c.person.identifier.value = "02635542Z".into()),
        ("another person", |c| c.person.family = Scripted::latin("Roca")),
        ("another person", |c| c.person.birth = date(1970, 2, 27)),
        ("suspended", |c| c.entry.suspended = true),
        ("licence", |c| c.entry.until = Some(date(2026, 11, 20))),
        ("licence", |c| c.entry.from = Some(date(2026, 11, 22))),
        ("role", |c| c.terms.closed = vec![RoleCode::DOCTOR]),
    ];
    for (name, change) in cases {
        let mut case = Case {
            person: login(),
            assurance: Assurance::Substantial,
            entry: doctor(),
            terms: terms(),
        };
        let ask = |case: &Case| {
            let register = Known(Ok(case.entry.clone()));
            admit(&case.person, case.assurance, &register, &case.terms, now()).map(|_| ())
        };
        assert_eq!(ask(&case), Ok(()), "without the change");
        change(&mut case);
        let refusal = ask(&case).unwrap_err();
        let row = ROWS.iter().find(|row| row.name == name).unwrap();
        assert_eq!((refusal.detail.as_str(), refusal.code), (name, row.code));
        assert!(cases.iter().any(|case| case.0 == row.name));
    }
    let mut codes: Vec<_> = ROWS.iter().map(|row| row.code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), ROWS.len(), "one code a row");
    assert!(ROWS.iter().all(|row| cases.iter().any(|case| case.0 == row.name)), "one case a row");
}

#[test]
fn the_days_on_which_a_licence_begins_and_ends_count() {
    let today = Some(date(2026, 11, 21));
    let entry = Entry { from: today, until: today, ..doctor() };
    admit(&login(), Assurance::High, &Known(Ok(entry)), &terms(), now()).map(|_| ()).unwrap();
}

#[test]
fn a_register_that_does_not_answer_admits_nobody_and_tells_the_portal_nothing_of_it() {
    let broken = Known(Err(RegisterError::Unreadable("/etc/secret: denied".into())));
    let refusal =
        admit(&login(), Assurance::High, &broken, &terms(), now()).map(|_| ()).unwrap_err();
    assert_eq!(refusal.code, Code::ErrorGeneric);
    assert!(!refusal.to_string().contains("secret") && refusal.detail.contains("secret"));
}

#[test]
fn greek_names_are_compared_in_the_script_of_the_register() {
    let mut person = login();
    person.family = Scripted {
        latin: "Papadopoulos".into(),
        original: Some("Παπαδόπουλος".into()),
    };
    for family in ["PAPADOPOULOS", "ΠΑΠΑΔΟΠΟΥΛΟΣ"] {
        let register = Known(Ok(Entry { family: family.into(), ..doctor() }));
        admit(&person, Assurance::High, &register, &terms(), now()).map(|_| ()).unwrap();
    }
}

#[test]
fn the_assertion_of_each_level_and_role_passes_our_own_rules() {
    let world = seals::world();
    for (assurance, entry) in [
        (Assurance::Substantial, doctor()),
        (
            Assurance::High,
            Entry {
                birth: None,
                number: "ES-FAR-0442".into(),
                role: RoleCode::PHARMACIST,
                ..doctor()
            },
        ),
        (Assurance::High, Entry { organization_id: pharmacist().organization_id, ..doctor() }),
    ] {
        let register = Known(Ok(entry.clone()));
        let admitted = admit(&login(), assurance, &register, &terms(), now()).unwrap();
        let occasion = Occasion {
            country: Country::parse("ES").unwrap(),
            purpose: Purpose::Emergency,
            id: "_11111111-1111-4111-8111-111111111111",
            authenticated: "2026-11-21T08:30:00Z".parse().unwrap(),
            now: now(),
        };
        let hcp = admitted.assertion(&occasion, &world.es).unwrap();
        assert!(hcp.contains("AuthnInstant=\"2026-11-21T08:30:00.000Z\""), "{hcp}");
        assert!(hcp.contains(&entry.organization_id));
        let recognised = world.recognise(&[&hcp], Transaction::PatientDiscovery, &[]).unwrap();
        assert_eq!((recognised.role(), recognised.purpose()), (entry.role, Purpose::Emergency));
        assert_eq!(recognised.name(), "Montserrat Inventada Roca");
        assert_eq!(recognised.point_of_care(), "Barcelona, Urgències");
        let policy = Policy::default();
        permit(recognised, Transaction::PatientDiscovery, None, Consent::Given, &policy).unwrap();
    }
}

#[test]
fn every_role_and_facility_of_the_register_is_recognised_and_may_find_a_patient() {
    let world = seals::world();
    let codes = [
        "221", "2221", "2222", "2261", "2262", "2264", "2265", "2266", "2267", "2269", "3211",
        "3213", "44",
    ];
    for (place, code) in codes.into_iter().enumerate() {
        let role = RoleCode::parse(code).unwrap();
        let entry = Entry { role, facility: Facility::ALL[place % 4], ..doctor() };
        let admitted =
            admit(&login(), Assurance::High, &Known(Ok(entry)), &terms(), now()).unwrap();
        let country = Country::parse("ES").unwrap();
        let (purpose, at) = (Purpose::Treatment, now());
        let occasion = Occasion { country, purpose, id: "_1", authenticated: at, now: at };
        let hcp = admitted.assertion(&occasion, &world.es).unwrap();
        let found = Transaction::PatientDiscovery;
        let recognised = world.recognise(&[&hcp], found, &[]).unwrap();
        permit(recognised, found, None, Consent::Given, &Policy::default()).unwrap();
    }
}

#[test]
fn an_assertion_does_not_outlive_the_licence() {
    let world = seals::world();
    let entry = Entry { until: Some(date(2026, 11, 21)), ..doctor() };
    let late: Timestamp = "2026-11-21T22:00:00Z".parse().unwrap();
    let admitted = admit(&login(), Assurance::High, &Known(Ok(entry)), &terms(), late).unwrap();
    let country = Country::parse("ES").unwrap();
    let occasion =
        Occasion { country, purpose: Purpose::Treatment, id: "_1", authenticated: late, now: late };
    let hcp = admitted.assertion(&occasion, &world.es).unwrap();
    assert!(hcp.contains("NotOnOrAfter=\"2026-11-22T00:00:00.000Z\""), "{hcp}");
}
