//! The kinds of signed element that come from outside, each with a reader and an attacker's wish.

use std::sync::Arc;

use exchange::{Country, Oid, Permission, Purpose, RoleCode, SystemEntropy, Transaction};
use identity::eidas::metadata::{Binding, Contact, Known, Metadata, Role};
use identity::eidas::request::Request;
use identity::issue::{Moment, Professional, hcp};
use identity::{AssertionCache, Assurance, Context, recognise};
use jiff::SignedDuration;
use trust::certificate::Anchors;
use trust::encryption::{Recipient, encrypt};
use trust::seal::SealKey;
use trust::signature::{Profile, sign_enveloped, sign_enveloped_as};
use trust::xml::{Limits, Xml};

use super::eidas_world::{PROXY, Party, SSO, World, now};
use super::shapes::{Target, id};

pub fn unsigned(signed: &str) -> String {
    let (start, rest) = signed.split_once("<ds:Signature ").unwrap();
    format!("{start}{}", rest.split_once("</ds:Signature>").unwrap().1)
}

fn swapped(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

pub fn request(world: &World) -> Target<'_> {
    let good = world.request.sign(&world.connector.key).unwrap();
    let evil = swapped(&unsigned(&good), "Hospital", "EVIL");
    let judge = |text: &str| {
        let signers = [world.connector.certificate()];
        let found = Request::verify(text, &World::asked(&signers)).map_err(|e| e.to_string())?;
        assert!(!found.provider.contains("EVIL"));
        Ok(())
    };
    target("request", good, evil, Box::new(judge), true)
}

pub fn response(world: &World) -> Target<'_> {
    let good = world.answer();
    let evil = swapped(&world.assertion_of(&good), "Agnete", "EVIL");
    let recipient = Recipient::new(world.connector.certificate());
    let sealed = encrypt(evil.as_bytes(), &recipient, &SystemEntropy).unwrap();
    let xml = Xml::parse(&good, &Limits::MESSAGE).unwrap();
    let data = xml.root().descendants().find(|e| e.name() == "EncryptedData").unwrap();
    let evil = unsigned(&swapped(&good, data.source(), &sealed));
    let judge = |text: &str| world.verdict(text).map_err(|e| e.to_string());
    target("response", good, evil, Box::new(judge), true)
}

/// The assertion within, when the country signs that, too: a proxy of the country that lets the
/// attacker change what it will seal.
pub fn assertion(world: &World) -> Target<'_> {
    let plain = world.assertion_of(&world.answer());
    let good = sign_enveloped_as(&plain, id(&plain), &world.proxy.key, Profile::Eidas).unwrap();
    let evil = swapped(&plain, "Agnete", "EVIL");
    let judge = |text: &str| {
        let sealed = world.changed(|outside| outside, |_| text.to_owned());
        world.verdict(&sealed).map_err(|e| e.to_string())
    };
    target("assertion", good, evil, Box::new(judge), false)
}

pub fn metadata(world: &World) -> Target<'_> {
    let metadata = Metadata {
        entity: PROXY.into(),
        role: Role::ProxyService,
        valid_until: now() + SignedDuration::from_hours(24),
        country: Country::parse("DK").ok(),
        certified: Some(Assurance::High),
        versions: vec!["1.2".into()],
        sector: None,
        requester_needed: false,
        wants_signed: true,
        signing: vec![world.proxy.certificate()],
        encryption: vec![],
        endpoints: vec![(Binding::Post, SSO.into())],
        methods: vec![],
        attributes: vec![],
    };
    let contact = Contact { organisation: "O", url: "https://o.example", email: "o@o.example" };
    let good = metadata.sign(&contact, &world.proxy.key, &SystemEntropy).unwrap();
    let evil = swapped(&unsigned(&good), SSO, "https://EVIL.example/");
    let judge = |text: &str| {
        let country = Country::parse("DK").unwrap();
        let role = Role::ProxyService;
        let known = Known { url: PROXY, role, country, signers: &world.signers, now: now() };
        Metadata::verify(text, &known).map(|_| ()).map_err(|e| e.to_string())
    };
    target("metadata", good, evil, Box::new(judge), true)
}

/// A clinician's assertion, with a cache that knows the good one.
pub fn clinician(seal: &Seal) -> Target<'_> {
    let who = Professional {
        user: "doctor@hospital.example".into(),
        name: "Doctor Good".into(),
        role: RoleCode::DOCTOR,
        organization: "Hospital".into(),
        organization_id: "urn:oid:2.16.724".into(),
        locality: "Hospital".into(),
        facility: "Hospital".into(),
        community: Oid::parse("2.16.724").unwrap(),
        permissions: Permission::of("PRD-006").into_iter().collect(),
    };
    let moment = Moment {
        country: Country::parse("ES").unwrap(),
        now: now(),
        life: SignedDuration::from_hours(1),
        id: "_11111111-1111-4111-8111-111111111111",
        class: "X509",
    };
    let good = hcp(&who, &moment, Purpose::Treatment, &seal.key).unwrap();
    let evil = swapped(&unsigned(&good), "Doctor Good", "EVIL");
    let cache = AssertionCache::new(64);
    let judge = move |text: &str| {
        let header = format!("<h>{text}</h>");
        let xml = Xml::parse(&header, &Limits::MESSAGE).map_err(|e| e.to_string())?;
        let elements: Vec<_> = xml.root().children().collect();
        let context = Context {
            transaction: Transaction::PatientDiscovery,
            discard: false,
            patients: &[],
            peer: Country::parse("ES").ok(),
            now: now(),
            anchors: &seal.anchors,
        };
        recognise(&elements, &context, &cache).map(|_| ()).map_err(|refusal| refusal.to_string())
    };
    judge(&good).unwrap();
    let mut made = target("clinician", good, evil.clone(), Box::new(judge), true);
    made.forged = sign_enveloped(&evil, moment.id, &Party::new(false).key).unwrap();
    made
}

fn target<'w>(
    kind: &'static str,
    good: String,
    evil: String,
    judge: Box<dyn Fn(&str) -> Result<(), String> + 'w>,
    signature_needed: bool,
) -> Target<'w> {
    let attacker = Party::new(false);
    let forged = sign_enveloped_as(&evil, id(&evil), &attacker.key, Profile::Eidas).unwrap();
    Target { kind, good, evil, forged, judge, signature_needed }
}

/// A seal of the Spanish health network.
pub struct Seal {
    key: Arc<SealKey>,
    anchors: Anchors,
}

impl Seal {
    pub fn new() -> Self {
        let ca = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "root");
        let root = params.self_signed(&ca).unwrap();
        let ca = rcgen::Issuer::new(params, ca);
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CountryName, "ES");
        params.distinguished_name.push(rcgen::DnType::CommonName, "seal");
        let chain = params.signed_by(&key, &ca).unwrap().pem();
        let key = SealKey::from_pem(key.serialize_pem().as_bytes(), chain.as_bytes()).unwrap();
        Self { key: Arc::new(key), anchors: Anchors::from_pem(root.pem().as_bytes()).unwrap() }
    }
}
