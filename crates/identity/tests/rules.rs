//! For every row of the rule table a request that breaks exactly that rule.

use std::sync::Arc;

use exchange::{
    Code, Country, DocumentClass, Oid, PatientId, Permission, Purpose, Refusal, RoleCode,
    Transaction,
};
use identity::issue::{Moment, Professional, hcp, trc};
use identity::rules::RULES;
use identity::{AssertionCache, Consent, Context, Kind, Policy, Recognised, permit, recognise};
use jiff::{SignedDuration, Timestamp};
use trust::certificate::Anchors;
use trust::seal::SealKey;
use trust::signature::sign_enveloped;
use trust::xml::{Limits, Xml};

const HCP: &str = "_11111111-1111-4111-8111-111111111111";
const TRC: &str = "_22222222-2222-4222-8222-222222222222";

struct World {
    anchors: Anchors,
    es: Arc<SealKey>,
    it: Arc<SealKey>,
    now: Timestamp,
}

fn seal(ca: &rcgen::Issuer<'_, rcgen::KeyPair>, country: &str) -> Arc<SealKey> {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CountryName, country);
    params.distinguished_name.push(rcgen::DnType::CommonName, "seal");
    let certificate = params.signed_by(&key, ca).unwrap();
    Arc::new(
        SealKey::from_pem(key.serialize_pem().as_bytes(), certificate.pem().as_bytes()).unwrap(),
    )
}

fn world() -> World {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "root");
    let root = params.self_signed(&key).unwrap();
    let anchors = Anchors::from_pem(root.pem().as_bytes()).unwrap();
    let ca = rcgen::Issuer::new(params, key);
    World {
        anchors,
        es: seal(&ca, "ES"),
        it: seal(&ca, "IT"),
        now: "2026-11-21T10:00:00Z".parse().unwrap(),
    }
}

fn patient() -> PatientId {
    PatientId::parse_cx("1^^^&1.2.208&ISO").unwrap()
}

fn doctor() -> Professional {
    Professional {
        user: "doctor@hospital.example".into(),
        name: "A Doctor".into(),
        role: RoleCode::DOCTOR,
        organization: "Hospital".into(),
        organization_id: "urn:oid:2.16.724".into(),
        locality: "Hospital".into(),
        facility: "Hospital".into(),
        community: Oid::parse("2.16.724").unwrap(),
        permissions: ["PRD-003", "PRD-004", "PRD-005", "PRD-006", "PRD-010", "PRD-016", "PPD-046"]
            .iter()
            .filter_map(|p| Permission::of(p))
            .collect(),
    }
}

/// Signed HCP and TRC, as the Spanish security token service makes them.
fn pair(world: &World) -> [String; 2] {
    let country = Country::parse("ES").unwrap();
    let moment = |id, hours, class| Moment {
        country,
        now: world.now,
        life: SignedDuration::from_hours(hours),
        id,
        class,
    };
    let who = doctor();
    [
        hcp(&who, &moment(HCP, 4, "X509"), Purpose::Treatment, &world.es).unwrap(),
        trc(
            &who,
            HCP,
            &patient(),
            &moment(TRC, 2, "PreviousSession"),
            Purpose::Treatment,
            &world.es,
        )
        .unwrap(),
    ]
}

/// Takes the signature out, edits, and signs again: the edit is what the rules see.
fn edited(xml: &str, id: &str, key: &Arc<SealKey>, edit: impl Fn(String) -> String) -> String {
    let from = xml.find("<ds:Signature").unwrap();
    let to = xml.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let bare = format!("{}{}", &xml[..from], &xml[to..]);
    let changed = edit(bare.clone());
    assert_ne!(bare, changed, "the edit changes something");
    sign_enveloped(&changed, id, key).unwrap()
}

fn ask(
    world: &World,
    assertions: &[String],
    change: impl FnOnce(&mut Context<'_>),
) -> Result<Recognised, Refusal> {
    let envelope = format!("<h>{}</h>", assertions.concat());
    let xml = Xml::parse(&envelope, &Limits::MESSAGE).unwrap();
    let elements: Vec<_> = xml.root().children().collect();
    let patients = [patient()];
    let mut context = Context {
        transaction: Transaction::Query,
        discard: false,
        patients: &patients,
        peer: Country::parse("ES").ok(),
        now: world.now,
        anchors: &world.anchors,
    };
    change(&mut context);
    recognise(&elements, &context, &AssertionCache::new(64))
}

#[test]
fn a_valid_pair_may_use_all_four_transactions() {
    let world = world();
    let pair = pair(&world);
    for (transaction, class) in [
        (Transaction::PatientDiscovery, None),
        (Transaction::Query, Some(DocumentClass::PatientSummary)),
        (Transaction::Query, Some(DocumentClass::EPrescription)),
        (Transaction::Retrieve, None),
        (Transaction::Submit, Some(DocumentClass::EDispensation)),
        (Transaction::Submit, Some(DocumentClass::Discard)),
    ] {
        let recognised = ask(&world, &pair, |c| c.transaction = transaction).unwrap();
        assert_eq!(recognised.patient(), Some(&patient()));
        permit(recognised, transaction, class, Consent::Given, &Policy::default()).unwrap();
    }
}

#[test]
fn rights_are_role_and_permission_and_consent() {
    let world = world();
    let [hcp, trc] = pair(&world);
    let may = |hcp: &str, transaction, class, consent| {
        let recognised =
            ask(&world, &[hcp.to_owned(), trc.clone()], |c| c.transaction = transaction).unwrap();
        permit(recognised, transaction, class, consent, &Policy::default())
            .map(|_| ())
            .map_err(|r| r.code)
    };
    let summary = Some(DocumentClass::PatientSummary);
    let clerk = edited(&hcp, HCP, &world.es, |x| x.replace("code=\"221\"", "code=\"44\""));
    let rights = Err(Code::ErrorInsufficientRights);
    assert_eq!(may(&clerk, Transaction::PatientDiscovery, None, Consent::Given), Ok(()));
    assert_eq!(may(&clerk, Transaction::Query, summary, Consent::Given), rights);
    let nurse = edited(&hcp, HCP, &world.es, |x| x.replace("code=\"221\"", "code=\"2221\""));
    assert_eq!(
        may(&nurse, Transaction::Submit, Some(DocumentClass::EDispensation), Consent::Given),
        rights
    );
    let unpermitted = edited(&hcp, HCP, &world.es, |x| x.replace("PRD-016", "PRD-999"));
    assert_eq!(may(&unpermitted, Transaction::Query, summary, Consent::Given), rights);
    assert_eq!(
        may(&hcp, Transaction::Query, summary, Consent::Withheld),
        Err(Code::ErrorPsNoConsent)
    );
    assert_eq!(
        may(&hcp, Transaction::PatientDiscovery, None, Consent::Withheld),
        Err(Code::WarningPiNoConsent)
    );
    // what an ITI-39 returns is looked at before it is released
    let only_prescriptions = edited(&hcp, HCP, &world.es, |x| x.replace("PRD-003", "PRD-999"));
    let recognised =
        ask(&world, &[only_prescriptions, trc.clone()], |c| c.transaction = Transaction::Retrieve)
            .unwrap();
    let mandate =
        permit(recognised, Transaction::Retrieve, None, Consent::Given, &Policy::default())
            .unwrap();
    assert!(mandate.covers(DocumentClass::EPrescription));
    assert!(!mandate.covers(DocumentClass::PatientSummary));
}

/// (rule, what breaks it): an edit of the HCP or TRC text, or of the request.
enum Break {
    Hcp(fn(String) -> String),
    Trc(fn(String) -> String),
    HcpAndTrc(fn(String) -> String),
    Request(fn(&mut Context<'_>)),
    WithoutTrc,
    ItalianSeal,
    NextOfKin(fn(String) -> String),
}

static BREAKS: &[(&str, Break)] = &[
    ("version", Break::Hcp(|x| x.replace("Version=\"2.0\"", "Version=\"1.1\""))),
    ("issuer", Break::Hcp(|x| x.replace("urn:idp:ES:countryB", "urn:idp:ES"))),
    ("issue instant", Break::Hcp(|x| x.replace("IssueInstant=\"2026", "IssueInstant=\"2027"))),
    ("name id", Break::HcpAndTrc(|x| x.replace(">doctor@hospital.example<", "><"))),
    (
        "name id format",
        Break::Hcp(|x| x.replace("nameid-format:unspecified", "nameid-format:kerberos")),
    ),
    ("sender vouches", Break::Hcp(|x| x.replace("cm:sender-vouches", "cm:bearer"))),
    (
        "not before",
        Break::Hcp(|x| x.replace("NotBefore=\"2026-11-21T10:00", "NotBefore=\"2026-11-21T10:02")),
    ),
    (
        "not on or after",
        Break::Hcp(|x| {
            x.replace("NotBefore=\"2026-11-21T10", "NotBefore=\"2026-11-21T08")
                .replace("NotOnOrAfter=\"2026-11-21T14:00", "NotOnOrAfter=\"2026-11-21T09:58")
        }),
    ),
    (
        "hcp life span",
        Break::Hcp(|x| {
            x.replace("NotOnOrAfter=\"2026-11-21T14:00", "NotOnOrAfter=\"2026-11-21T14:01")
        }),
    ),
    (
        "trc life span",
        Break::Trc(|x| {
            x.replace("NotOnOrAfter=\"2026-11-21T12:00", "NotOnOrAfter=\"2026-11-21T12:01")
        }),
    ),
    (
        "nok life span",
        Break::NextOfKin(|x| {
            x.replace("NotOnOrAfter=\"2026-11-21T12:00", "NotOnOrAfter=\"2026-11-21T12:01")
        }),
    ),
    ("audience", Break::Hcp(|x| x.replace("audience:x-border", "audience:other"))),
    (
        "authentication instant",
        Break::Hcp(|x| x.replace("AuthnInstant=\"2026", "AuthnInstant=\"2027")),
    ),
    ("two factors", Break::Hcp(|x| x.replace("ac:classes:X509", "ac:classes:Password"))),
    (
        "previous session",
        Break::Trc(|x| x.replace("ac:classes:PreviousSession", "ac:classes:X509")),
    ),
    ("seal country", Break::ItalianSeal),
    ("tls country", Break::Request(|c| c.peer = Country::parse("IT").ok())),
    ("role", Break::Hcp(|x| x.replace("code=\"221\"", "code=\"999\""))),
    ("subject", Break::Hcp(|x| x.replace(">A Doctor<", "><"))),
    (
        "facility type",
        Break::Hcp(|x| {
            x.replace("xsi:type=\"xsd:string\">Hospital<", "xsi:type=\"xsd:string\">Castle<")
        }),
    ),
    ("purpose of use", Break::Hcp(|x| x.replace("code=\"TREATMENT\"", "code=\"RESEARCH\""))),
    ("locality", Break::Hcp(|x| x.replace("environment:locality", "environment:elsewhere"))),
    ("trc required", Break::WithoutTrc),
    ("trc patient", Break::Trc(|x| x.replace("1^^^&amp;1.2.208&amp;ISO", "somebody"))),
    ("trc advice", Break::Trc(|x| x.replace("_11111111", "_33333333"))),
    (
        "trc name id",
        Break::Trc(|x| x.replace(">doctor@hospital.example<", ">other@hospital.example<")),
    ),
    ("trc purpose", Break::Trc(|x| x.replace("code=\"TREATMENT\"", "code=\"EMERGENCY\""))),
    ("nok binding", Break::NextOfKin(|x| x.replace("_11111111", "_33333333"))),
    ("same country", Break::Request(|_| {})),
    ("patient of the trc", Break::Trc(|x| x.replace("1^^^&amp;", "2^^^&amp;"))),
    (
        "organisation for discard",
        Break::Hcp(|x| x.replace("subject:organization-id", "subject:other")),
    ),
];

#[test]
fn every_rule_has_a_request_that_it_refuses() {
    let world = world();
    let [hcp, trc] = pair(&world);
    for rule in RULES {
        let (_, broken) = BREAKS.iter().find(|(name, _)| *name == rule.name).expect(rule.name);
        let both = [hcp.clone(), trc.clone()];
        let verdict = match broken {
            Break::Hcp(edit) => {
                let discard = rule.name == "organisation for discard";
                let hcp = edited(&hcp, HCP, &world.es, edit);
                ask(&world, &[hcp, trc.clone()], |c| c.discard = discard)
            }
            Break::Trc(edit) => {
                ask(&world, &[hcp.clone(), edited(&trc, TRC, &world.es, edit)], |_| {})
            }
            Break::HcpAndTrc(edit) => {
                let hcp = edited(&hcp, HCP, &world.es, edit);
                ask(&world, &[hcp, edited(&trc, TRC, &world.es, edit)], |_| {})
            }
            Break::Request(_) if rule.name == "same country" => {
                // shadowed by "tls country", which looks at each assertion: it must refuse there
                let trc =
                    edited(&trc, TRC, &world.it, |x| x.replace("urn:initgw:ES", "urn:initgw:IT"));
                let refusal = ask(&world, &[hcp.clone(), trc], |_| {}).unwrap_err();
                assert_eq!(refusal.detail, "tls country");
                continue;
            }
            Break::Request(change) => ask(&world, &both, change),
            Break::WithoutTrc => ask(&world, std::slice::from_ref(&hcp), |_| {}),
            Break::ItalianSeal => {
                let hcp = edited(&hcp, HCP, &world.it, |x| x.replace("A Doctor", "B Doctor"));
                ask(&world, &[hcp, trc.clone()], |_| {})
            }
            Break::NextOfKin(edit) => {
                ask(&world, &[hcp.clone(), trc.clone(), next_of_kin(*edit, &world)], |_| {})
            }
        };
        let refusal = verdict.expect_err(rule.name);
        assert_eq!(refusal.detail, rule.name);
        assert_eq!(refusal.code, rule.code, "{}", rule.name);
    }
}

/// A NoK assertion carries another id, so it is signed under that.
fn next_of_kin(edit: fn(String) -> String, world: &World) -> String {
    let [_, trc] = pair(world);
    let from = trc.find("<ds:Signature").unwrap();
    let to = trc.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let bare = format!("{}{}", &trc[..from], &trc[to..]);
    let nok =
        edit(bare.replace("urn:ehdsi:assertions:trc", Kind::Nok.qualifier()).replace(TRC, "_4"));
    sign_enveloped(&nok, "_4", &world.es).unwrap()
}

#[test]
fn missing_doubled_unsigned_tampered_and_unknown_assertions_are_refused() {
    let world = world();
    let [hcp, trc] = pair(&world);
    let code = |assertions: &[String]| ask(&world, assertions, |_| {}).unwrap_err().code;
    assert_eq!(code(&[]), Code::ErrorHpiAuthenticationNotReceived);
    assert_eq!(code(std::slice::from_ref(&trc)), Code::ErrorHpiAuthenticationNotReceived);
    assert_eq!(code(&[hcp.clone(), hcp.clone()]), Code::ErrorNotValidAssertion);
    assert_eq!(
        code(&[hcp.replace("urn:ehdsi:assertions:hcp", "urn:other")]),
        Code::ErrorNotValidAssertion
    );
    assert_eq!(
        code(&[hcp.replace("A Doctor", "B Doctor"), trc.clone()]),
        Code::ErrorNotValidAssertion
    );
    assert_eq!(
        code(&[hcp.clone(), trc.replace("code=\"TREATMENT\"", "code=\"EMERGENCY\"")]),
        Code::ErrorNotValidTrcAssertion
    );
    let from = hcp.find("<ds:Signature").unwrap();
    let to = hcp.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    assert_eq!(code(&[format!("{}{}", &hcp[..from], &hcp[to..])]), Code::ErrorNoSignature);
    let other = self::world();
    assert_eq!(
        ask(&other, &[hcp, trc], |_| {}).unwrap_err().code,
        Code::ErrorNotValidAssertion,
        "unknown root"
    );
}

#[test]
fn a_cached_assertion_still_expires() {
    let world = world();
    let pair = pair(&world);
    let envelope = format!("<h>{}</h>", pair.concat());
    let xml = Xml::parse(&envelope, &Limits::MESSAGE).unwrap();
    let elements: Vec<_> = xml.root().children().collect();
    let cache = AssertionCache::new(64);
    let patients = [patient()];
    let at = |now: Timestamp| {
        let context = Context {
            transaction: Transaction::Query,
            discard: false,
            patients: &patients,
            peer: Country::parse("ES").ok(),
            now,
            anchors: &world.anchors,
        };
        recognise(&elements, &context, &cache)
    };
    assert!(at(world.now).is_ok());
    assert!(at(world.now + SignedDuration::from_mins(5)).is_ok());
    assert!(at(world.now + SignedDuration::from_mins(122)).is_err());
}
