//! Metadata: what we publish is what a peer reads; each rule refuses what breaks it; and the book
//! believes nothing a second longer than it may.

mod eidas_world;

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use eidas_world::{CONNECTOR, ENDPOINT, PROXY, Party, SSO, now};
use exchange::{Country, SystemEntropy};
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::attributes::{Attribute, mandatory};
use identity::eidas::metadata::{
    Binding, Book, Contact, Fetch, Known, Metadata, Peer, RULES, Role, Unknown, Unreachable,
};
use identity::eidas::request::SpType;
use jiff::{SignedDuration, Timestamp, ToSpan};
use trust::certificate::Certificate;
use trust::signature::{Profile, SignatureError, sign_enveloped_as};

struct World {
    /// Signs metadata.
    national: Party,
    /// Signs and decrypts messages.
    node: Party,
    signers: Vec<Certificate>,
}

fn denmark() -> Country {
    Country::parse("DK").unwrap()
}

impl World {
    fn new() -> Self {
        let (national, node) = (Party::new(false), Party::new(true));
        let signers = vec![national.certificate()];
        Self { national, node, signers }
    }

    fn metadata(&self, role: Role) -> Metadata {
        let proxy = role == Role::ProxyService;
        Metadata {
            entity: if proxy { PROXY } else { CONNECTOR }.into(),
            role,
            valid_until: now() + SignedDuration::from_hours(48),
            country: Some(denmark()),
            certified: proxy.then_some(Assurance::High),
            versions: vec!["1.2".into(), "1.4".into()],
            sector: (!proxy).then_some(SpType::Public),
            requester_needed: proxy,
            wants_signed: true,
            signing: vec![self.node.certificate(), self.national.certificate()],
            encryption: if proxy { vec![] } else { vec![self.node.certificate()] },
            endpoints: if proxy {
                vec![(Binding::Redirect, SSO.into()), (Binding::Post, SSO.into())]
            } else {
                vec![(Binding::Post, ENDPOINT.into())]
            },
            methods: vec![("http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1".into(), 3072)],
            attributes: if proxy { mandatory().map(Attribute::uri).collect() } else { vec![] },
        }
    }

    fn sign(&self, metadata: &Metadata) -> String {
        let contact = Contact {
            organisation: "Agency & Sons",
            url: "https://agency.example",
            email: "eid@agency.example",
        };
        metadata.sign(&contact, &self.national.key, &SystemEntropy).unwrap()
    }

    fn known(&self, role: Role) -> Known<'_> {
        let url = if role == Role::ProxyService { PROXY } else { CONNECTOR };
        Known { url, role, country: denmark(), signers: &self.signers, now: now() }
    }

    /// Signed once more after the text was changed.
    fn changed(&self, text: &str, from: &str, to: &str) -> String {
        assert!(text.contains(from), "{from}");
        let (start, rest) = text.split_once("<ds:Signature ").unwrap();
        let unsigned = format!("{start}{}", rest.split_once("</ds:Signature>").unwrap().1);
        let id = text.split(" ID=\"").nth(1).unwrap().split('"').next().unwrap();
        let unsigned = unsigned.replace(from, to);
        sign_enveloped_as(&unsigned, id, &self.national.key, Profile::Eidas).unwrap()
    }
}

#[test]
fn what_we_publish_is_what_a_peer_reads() {
    let world = World::new();
    for role in [Role::Connector, Role::ProxyService] {
        let ours = world.metadata(role);
        let text = world.sign(&ours);
        assert_eq!(Metadata::verify(&text, &world.known(role)), Ok(ours.clone()));
        // the change that changes nothing passes, too
        let same = world.changed(&text, "Agency", "Agency");
        assert_eq!(Metadata::verify(&same, &world.known(role)), Ok(ours.clone()));
        let tampered = text.replace("https://", "https://evil.");
        let invalid = EidasError::Signature(SignatureError::Invalid);
        assert_eq!(Metadata::verify(&tampered, &world.known(role)), Err(invalid));
        let stranger = [world.node.certificate()];
        let known = Known { signers: &stranger, ..world.known(role) };
        assert_eq!(Metadata::verify(&text, &known), Err(EidasError::Signer));
    }
    let proxy = world.metadata(Role::ProxyService);
    assert_eq!(proxy.endpoint(Binding::Post), Some(SSO));
    assert_eq!(world.metadata(Role::Connector).endpoint(Binding::Redirect), None);
    // a connector's metadata is no proxy service's
    let text = world.sign(&proxy);
    let known = Known { url: PROXY, ..world.known(Role::Connector) };
    assert!(matches!(Metadata::verify(&text, &known), Err(EidasError::Xml(_))));
}

#[test]
fn each_rule_of_metadata_refuses_what_breaks_it() {
    use Role::{Connector, ProxyService};
    let world = World::new();
    let short = short_key();
    let old = expired_key();
    type Change<'a> = Box<dyn Fn(&mut Metadata) + 'a>;
    let table: Vec<(&str, Role, Change<'_>)> = vec![
        ("metadata.entity", Connector, Box::new(|m| m.entity = "https://other.example".into())),
        ("metadata.entity", ProxyService, Box::new(|m| m.entity.push('/'))),
        ("metadata.valid-until", Connector, Box::new(|m| m.valid_until = now())),
        ("metadata.valid-too-long", Connector, Box::new(|m| m.valid_until += 750.hours())),
        ("metadata.node-country", ProxyService, Box::new(|m| m.country = None)),
        (
            "metadata.node-country",
            ProxyService,
            Box::new(|m| m.country = Country::parse("ES").ok()),
        ),
        ("metadata.version", Connector, Box::new(|m| m.versions = vec!["2.0".into()])),
        ("metadata.level", ProxyService, Box::new(|m| m.certified = None)),
        ("metadata.signing-key", Connector, Box::new(|m| m.signing = vec![])),
        ("metadata.signing-key", Connector, Box::new(|m| m.signing.push(short.clone()))),
        ("metadata.signing-key", ProxyService, Box::new(|m| m.signing.push(old.clone()))),
        ("metadata.encryption-key", Connector, Box::new(|m| m.encryption = vec![])),
        ("metadata.encryption-key", ProxyService, Box::new(|m| m.encryption.push(short.clone()))),
        ("metadata.endpoint", Connector, Box::new(|m| m.endpoints = vec![])),
        (
            "metadata.endpoint",
            Connector,
            Box::new(|m| m.endpoints.push((Binding::Post, "http://plain.example".into()))),
        ),
        (
            "metadata.endpoint",
            Connector,
            Box::new(|m| m.endpoints.push((Binding::Post, "javascript:alert(1)".into()))),
        ),
        ("metadata.key-size", ProxyService, Box::new(|m| m.methods[0].1 = 2048)),
    ];
    for (rule, role, change) in &table {
        let mut metadata = world.metadata(*role);
        change(&mut metadata);
        let found = Metadata::verify(&world.sign(&metadata), &world.known(*role));
        assert_eq!(found.err(), Some(EidasError::Rule(rule)), "{rule}");
    }
    for rule in &RULES {
        assert!(table.iter().any(|row| row.0 == rule.name), "{} has no test", rule.name);
    }
}

#[test]
fn texts_that_are_no_metadata_are_refused() {
    let world = World::new();
    let text = world.sign(&world.metadata(Role::ProxyService));
    let known = world.known(Role::ProxyService);
    for (from, to) in [
        ("md:EntityDescriptor", "md:EntitiesDescriptor"),
        (" validUntil=", " notValidUntil="),
        ("validUntil=\"2026", "validUntil=\"MMXXVI"),
        ("urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:1.1:protocol"),
        ("<eidas:NodeCountry>DK", "<eidas:NodeCountry>Denmark"),
        ("MinKeySize=\"3072\"", "MinKeySize=\"many\""),
        (
            "<md:NameIDFormat>",
            "<md:KeyDescriptor><ds:X509Certificate xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">AAAA</ds:X509Certificate></md:KeyDescriptor><md:NameIDFormat>",
        ),
    ] {
        let found = Metadata::verify(&world.changed(&text, from, to), &known);
        assert!(
            matches!(found, Err(EidasError::Xml(_) | EidasError::Malformed(_))),
            "{from}: {:?}",
            found.err()
        );
    }
    assert!(Metadata::verify("", &known).is_err());
    assert!(Metadata::verify(&"x".repeat(600_000), &known).is_err());
}

fn issued(rsa: Option<rcgen::RsaKeySize>, year: i32) -> Certificate {
    let key = match rsa {
        Some(size) => rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap(),
        None => rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(),
    };
    let mut params = rcgen::CertificateParams::default();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap()
}

fn short_key() -> Certificate {
    issued(Some(rcgen::RsaKeySize::_2048), 2090)
}

fn expired_key() -> Certificate {
    issued(None, 2026)
}

/// Serves what it was told to, and counts.
struct Served {
    text: Mutex<Option<String>>,
    times: AtomicUsize,
}

impl Served {
    fn new(text: Option<String>) -> Self {
        Self { text: Mutex::new(text), times: AtomicUsize::new(0) }
    }

    fn now_serve(&self, text: Option<String>) {
        *self.text.lock().unwrap() = text;
    }

    fn times(&self) -> usize {
        self.times.swap(0, Ordering::Relaxed)
    }
}

impl Fetch for Served {
    async fn fetch(&self, _: &str) -> Result<String, Unreachable> {
        self.times.fetch_add(1, Ordering::Relaxed);
        self.text.lock().unwrap().clone().ok_or(Unreachable)
    }
}

/// The fakes are always ready.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the fake waited"),
    }
}

struct Shelf {
    world: World,
    book: Book,
    served: Served,
}

impl Shelf {
    fn new() -> Self {
        let world = World::new();
        let peer = Peer {
            url: PROXY.into(),
            role: Role::ProxyService,
            country: denmark(),
            signers: world.signers.clone(),
        };
        let served = Served::new(Some(world.sign(&world.metadata(Role::ProxyService))));
        Self { world, book: Book::new(vec![peer]), served }
    }

    fn find(&self, minutes: i64) -> Result<Timestamp, Unknown> {
        let at = now() + SignedDuration::from_mins(minutes);
        let found = self.book.find(PROXY, Role::ProxyService, &self.served, at);
        ready(found).map(|metadata| metadata.valid_until)
    }

    fn publish(&self, valid_until_hours: i64) {
        let mut metadata = self.world.metadata(Role::ProxyService);
        metadata.valid_until = now() + SignedDuration::from_hours(valid_until_hours);
        self.served.now_serve(Some(self.world.sign(&metadata)));
    }
}

const HOUR: i64 = 60;

#[test]
fn metadata_is_fetched_once_a_day() {
    let shelf = Shelf::new();
    let first = shelf.find(0).unwrap();
    assert_eq!(shelf.served.times(), 1);
    for minutes in [1, HOUR, 24 * HOUR - 1] {
        assert_eq!(shelf.find(minutes), Ok(first));
    }
    assert_eq!(shelf.served.times(), 0);
    assert!(shelf.book.due(now()).is_empty());
    shelf.publish(96);
    let day = now() + SignedDuration::from_hours(24);
    assert_eq!(shelf.book.due(day).len(), 1);
    assert!(shelf.find(24 * HOUR).unwrap() > first);
    assert_eq!(shelf.served.times(), 1);
}

#[test]
fn short_lived_metadata_is_fetched_ahead_of_its_end() {
    let shelf = Shelf::new();
    shelf.publish(4);
    shelf.find(0).unwrap();
    shelf.find(3 * HOUR - 1).unwrap();
    assert_eq!(shelf.served.times(), 1);
    shelf.find(3 * HOUR).unwrap();
    assert_eq!(shelf.served.times(), 1);
}

#[test]
fn when_refreshing_fails_the_old_one_is_believed_until_its_end_and_not_a_second_longer() {
    let forged = World::new();
    let forged = forged.sign(&forged.metadata(Role::ProxyService));
    for (text, why) in [
        (None, Unknown::Unreachable(Unreachable)),
        (Some(forged), Unknown::Refused(EidasError::Signer)),
    ] {
        let shelf = Shelf::new();
        let until = shelf.find(0).unwrap();
        shelf.served.now_serve(text);
        shelf.served.times();
        assert_eq!(shelf.find(25 * HOUR), Ok(until));
        assert_eq!(shelf.find(25 * HOUR), Ok(until));
        assert_eq!(shelf.served.times(), 1, "a failure is remembered");
        assert_eq!(shelf.find(25 * HOUR + 1), Ok(until));
        assert_eq!(shelf.served.times(), 1, "and forgotten after a minute");
        let last = until - SignedDuration::from_nanos(1);
        let found = shelf.book.find(PROXY, Role::ProxyService, &shelf.served, last);
        assert_eq!(ready(found).unwrap().valid_until, until);
        assert_eq!(shelf.find(48 * HOUR), Err(why));
        // and once it can be fetched, it is back
        shelf.publish(96);
        assert!(shelf.find(50 * HOUR).is_ok());
    }
}

#[test]
fn a_peer_that_was_never_reached_is_asked_once_a_minute() {
    let shelf = Shelf::new();
    shelf.served.now_serve(None);
    for minutes in [0, 0, 0, 1, 1] {
        assert_eq!(shelf.find(minutes), Err(Unknown::Unreachable(Unreachable)));
    }
    assert_eq!(shelf.served.times(), 2);
    shelf.publish(48);
    assert!(shelf.find(2).is_ok());
}

#[test]
fn a_stranger_is_never_fetched() {
    let shelf = Shelf::new();
    for (url, role) in [
        ("https://evil.example/metadata", Role::ProxyService),
        (PROXY, Role::Connector),
        ("https://169.254.169.254/", Role::ProxyService),
    ] {
        let found = ready(shelf.book.find(url, role, &shelf.served, now()));
        assert_eq!(found.err(), Some(Unknown::Stranger));
    }
    assert_eq!(shelf.served.times(), 0);
    assert_eq!(shelf.book.peers().len(), 1);
}

#[test]
fn while_one_fetches_the_others_go_on_with_what_is_known() {
    let shelf = Shelf::new();
    let until = shelf.find(0).unwrap();
    let at = now() + SignedDuration::from_hours(25);
    struct Slow;
    impl Fetch for Slow {
        async fn fetch(&self, _: &str) -> Result<String, Unreachable> {
            std::future::pending().await
        }
    }
    let mut slow = pin!(shelf.book.find(PROXY, Role::ProxyService, &Slow, at));
    assert!(slow.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    shelf.served.times();
    assert_eq!(shelf.find(25 * HOUR), Ok(until));
    assert_eq!(shelf.served.times(), 0);
}
