//! A portal in Spain asks its node for a TRC or a next-of-kin assertion; what it gets is recognised
//! in Denmark, and what it does not get has a code.

use std::sync::Arc;

use exchange::{Code, Country, Purpose, Refusal, SystemEntropy, Transaction};
use gateway::sts::{Answered, answer_as};
use identity::issue::{self, Moment};
use identity::sts::Service;
use identity::{AssertionCache, Context, Kind, Recognised, recognise};
use ihe::soap::{self, Envelope};
use ihe::trust_exchange::{Ask, ISSUE, Kin, Relation, answered};
use jiff::{SignedDuration, Timestamp};
use testbed::assertions::professional;
use testbed::pki::{Pki, Role, SealKind};
use testbed::world::{AGNETE, MONTSERRAT};
use trust::seal::SealKey;
use trust::xml::{Limits, Xml};

const HCP: &str = "_11111111-1111-4111-8111-111111111111";
const TOKEN: &str = "_22222222-2222-4222-8222-222222222222";

struct World {
    pki: Pki,
    spain: Country,
    italy: Country,
    seal: Arc<SealKey>,
    now: Timestamp,
}

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

fn world() -> World {
    let now = "2026-11-21T03:00:00Z".parse().unwrap();
    let (spain, italy) = (country("ES"), country("IT"));
    let pki = Pki::new(&[spain, italy], SealKind::P256, now);
    let seal = Arc::new(pki.identity(spain, Role::Seal).seal_key());
    World { pki, spain, italy, seal, now }
}

fn relation() -> Ask {
    let patient = AGNETE.id();
    Ask::Relation(Relation { patient, purpose: None, prescription: None, pin: None })
}

fn kin() -> Ask {
    let (given, family) = ("Kirstine".to_owned(), "Opdigtet & Søn".to_owned());
    Ask::Kin(Kin { id: "310576-1234".into(), given, family, ..Kin::default() })
}

impl World {
    fn hcp(&self, age: SignedDuration, change: impl FnOnce(&mut Moment<'_>)) -> String {
        let country = self.spain;
        let life = SignedDuration::from_hours(4);
        let mut moment =
            Moment { country, now: self.now - age, life, id: HCP, class: "SmartcardPKI" };
        change(&mut moment);
        let seal = Arc::new(self.pki.identity(moment.country, Role::Seal).seal_key());
        issue::hcp(&professional(&MONTSERRAT), &moment, Purpose::Treatment, &seal).unwrap()
    }

    fn send(&self, request: &str) -> Answered {
        let service = Service {
            country: self.spain,
            seal: &self.seal,
            anchors: &self.pki.anchors(),
            cache: &AssertionCache::new(16),
            now: self.now,
            id: TOKEN,
        };
        answer_as(request.as_bytes(), &service, &SystemEntropy)
    }

    fn ask(&self, hcp: &str, ask: &Ask) -> Answered {
        self.send(&request(&[hcp], ask))
    }

    /// What Denmark says to these.
    fn recognise(&self, assertions: &[&str]) -> Result<Recognised, Refusal> {
        let texts: Vec<_> =
            assertions.iter().map(|text| Xml::parse(text, &Limits::ASSERTION).unwrap()).collect();
        let elements: Vec<_> = texts.iter().map(Xml::root).collect();
        let context = Context {
            transaction: Transaction::Query,
            discard: false,
            patients: &[AGNETE.id()],
            peer: Some(self.spain),
            now: self.now,
            anchors: &self.pki.anchors(),
        };
        recognise(&elements, &context, &AssertionCache::new(16))
    }
}

fn request(assertions: &[&str], ask: &Ask) -> String {
    let header = soap::Header { action: ISSUE, message_id: "urn:uuid:1", ..Default::default() };
    soap::render(&header, assertions, &ask.render())
}

/// The assertion, as a portal takes it out of the answer.
fn token(message: &str) -> String {
    let xml = Xml::parse(message, &Limits::MESSAGE).unwrap();
    let envelope = Envelope::read(&xml).unwrap();
    assert_eq!(envelope.relates_to, Some("urn:uuid:1"));
    answered(envelope.payload.unwrap()).unwrap().standalone()
}

#[test]
fn a_trc_of_the_service_is_recognised_abroad() {
    let world = world();
    let hcp = world.hcp(SignedDuration::ZERO, |_| ());
    let answered = world.ask(&hcp, &relation());
    let issued = answered.outcome.unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(
        (issued.kind, issued.expires),
        (Kind::Trc, world.now + SignedDuration::from_hours(2))
    );
    let trc = token(&answered.message);
    assert!(answered.message.contains(&issued.assertion), "as it was signed");
    let recognised = world.recognise(&[&hcp, &trc]).unwrap();
    assert_eq!(recognised.patient(), Some(&AGNETE.id()));
    assert_eq!(recognised.assertion_ids(), format!("{HCP} {TOKEN}"));
    let other = world.hcp(SignedDuration::from_secs(1), |m| m.id = "_other");
    assert!(world.recognise(&[&other, &trc]).is_err(), "it is bound to its login");
}

#[test]
fn a_trc_carries_the_code_and_the_prescription_that_some_countries_want() {
    let world = world();
    let Ask::Relation(plain) = relation() else { panic!("because relation() is one") };
    let purpose = Some(Purpose::Treatment);
    let ask =
        Relation { purpose, pin: Some("12<34".into()), prescription: Some("RX-1".into()), ..plain };
    let hcp = world.hcp(SignedDuration::ZERO, |_| ());
    let trc = token(&world.ask(&hcp, &Ask::Relation(ask)).message);
    assert!(trc.contains(":dispensationPinCode\"") && trc.contains(">12&lt;34<"));
    assert!(trc.contains(":prescriptionId\"") && trc.contains(">RX-1<"));
    world.recognise(&[&hcp, &trc]).unwrap();
}

#[test]
fn a_next_of_kin_assertion_is_recognised_beside_the_trc() {
    let world = world();
    let hcp = world.hcp(SignedDuration::ZERO, |_| ());
    let trc = token(&world.ask(&hcp, &relation()).message);
    let answered = world.ask(&hcp, &kin());
    let nok = token(&answered.message);
    assert_eq!(answered.outcome.ok().map(|issued| issued.kind), Some(Kind::Nok));
    for value in ["nextofkin:id", "310576-1234", "nextofkin:familyname", "Opdigtet &amp; Søn"] {
        assert!(nok.contains(value), "{value}");
    }
    assert!(!nok.contains("nextofkin:gender"), "what was not said is not there");
    world.recognise(&[&hcp, &trc, &nok]).unwrap();
    let refusal = world.recognise(&[&trc, &nok]).unwrap_err();
    assert_eq!(refusal.code, Code::ErrorHpiAuthenticationNotReceived, "never without the login");
}

#[test]
fn a_trc_does_not_outlive_the_login() {
    let world = world();
    let age = SignedDuration::from_mins(3 * 60 + 15);
    let hcp = world.hcp(age, |_| ());
    let answered = world.ask(&hcp, &relation());
    let end = world.now + SignedDuration::from_mins(45);
    assert_eq!(answered.outcome.ok().map(|issued| issued.expires), Some(end));
    let trc = token(&answered.message);
    assert!(trc.contains("NotOnOrAfter=\"2026-11-21T03:45:00.000Z\""), "{trc}");
    world.recognise(&[&hcp, &trc]).unwrap();
    // within the tolerance for clocks the login still counts, but there is no time left to give
    let age = SignedDuration::from_hours(4) + SignedDuration::from_secs(30);
    let answered = world.ask(&world.hcp(age, |_| ()), &relation());
    assert_eq!(answered.outcome.err().map(|r| r.code), Some(Code::ErrorNotValidAssertion));
}

#[test]
fn each_refusal_is_a_fault_with_its_code() {
    let world = world();
    let zero = SignedDuration::ZERO;
    let hcp = world.hcp(zero, |_| ());
    let trc = token(&world.ask(&hcp, &relation()).message);
    let from_to = |text: &str| {
        let end = "</ds:Signature>";
        (text.find("<ds:Signature").unwrap(), text.find(end).unwrap() + end.len())
    };
    let (from, to) = from_to(&hcp);
    let unsigned = format!("{}{}", &hcp[..from], &hcp[to..]);
    let Ask::Relation(plain) = relation() else { panic!("because relation() is one") };
    let emergency = Ask::Relation(Relation { purpose: Some(Purpose::Emergency), ..plain });
    let good = request(&[&hcp], &relation());
    for (name, request, code) in [
        ("no login", request(&[], &relation()), Code::ErrorHpiAuthenticationNotReceived),
        ("a TRC alone", request(&[&trc], &relation()), Code::ErrorHpiAuthenticationNotReceived),
        ("two", request(&[&hcp, &trc], &relation()), Code::ErrorNotValidAssertion),
        ("unsigned", request(&[&unsigned], &relation()), Code::ErrorNoSignature),
        (
            "changed",
            request(&[&hcp.replace("Montserrat", "Monserrat")], &relation()),
            Code::ErrorNotValidAssertion,
        ),
        (
            "of Italy",
            request(&[&world.hcp(zero, |m| m.country = world.italy)], &relation()),
            Code::ErrorNotValidAssertion,
        ),
        (
            "one factor",
            request(&[&world.hcp(zero, |m| m.class = "Password")], &relation()),
            Code::ErrorWeakAuthentication,
        ),
        (
            "expired",
            request(&[&world.hcp(SignedDuration::from_hours(5), |_| ())], &relation()),
            Code::ErrorNotValidAssertion,
        ),
        ("purposes differ", request(&[&hcp], &emergency), Code::ErrorNotValidTrcAssertion),
        ("renew", good.replace("200512/Issue<", "200512/Renew<"), Code::ErrorUnsupportedFeature),
        ("patient", good.replace("&amp;ISO", ""), Code::ErrorPiIncorrectFormatting),
        ("soap 1.1", good.replace("2003/05/soap-envelope", "soap"), Code::ErrorUnsupportedFeature),
        ("dtd", format!("<!DOCTYPE x>{good}"), Code::ErrorUnsupportedFeature),
        (
            "a second body element",
            good.replace("</env:Body>", "<x/></env:Body>"),
            Code::ErrorUnsupportedFeature,
        ),
    ] {
        let answered = world.send(&request);
        assert_eq!(answered.outcome.err().map(|r| r.code), Some(code), "{name}");
        let xml = Xml::parse(&answered.message, &Limits::MESSAGE).unwrap();
        let fault = Envelope::read(&xml).unwrap().payload.unwrap();
        assert!(fault.is(soap::SOAP12, "Fault"), "{name}");
        let reason = fault.path(soap::SOAP12, &["Reason", "Text"]).unwrap().plain_text().unwrap();
        assert!(reason.starts_with(code.wire()), "{name}: {reason}");
        assert!(answered.message.contains(&answered.correlation.to_string()), "{name}");
        assert!(!answered.message.contains(AGNETE.number), "{name}");
    }
}
