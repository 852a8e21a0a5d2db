//! A peer that a test plays itself: an identity provider of Spain and a connector of Denmark, by their
//! metadata; what it says is up to the test.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use exchange::{Country, SystemEntropy};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use identity::Assurance;
use identity::eidas::binding::read_post;
use identity::eidas::metadata::{Binding, Contact, Metadata, Role};
use identity::eidas::request::{Asked, Request as AuthnRequest};
use identity::eidas::response::{Expectation, Identified, Levels, verify};
use identity::replay::Spent;
use jiff::{SignedDuration, Timestamp};
use testbed::browser::{Browser, Page};
use testbed::pki::Pki;
use tokio_util::sync::CancellationToken;
use transport::problem::{Body, respond};
use transport::server::{Bound, Limits};
use transport::tls::ServerTls;
use trust::certificate::Certificate;
use trust::encryption::DecryptionKey;
use trust::seal::SealKey;

use crate::CLIENT;
use crate::node::Node;

/// The peer, the node that it talks to, and somebody's browser.
pub struct Stage {
    pub node: Node,
    pub peer: Peer,
    pub browser: Browser,
}

pub struct Peer {
    pub base: String,
    pub key: Arc<SealKey>,
    pem: String,
    /// Forms that came to `/sso` and `/acs`: (path, message, relay state).
    came: Arc<Mutex<Vec<(String, String, String)>>>,
    stop: CancellationToken,
}

impl Stage {
    /// `levels` of the identity provider; `more` rows of the configuration, `{peer}` being its address.
    pub async fn start(dir: &Path, levels: &str, more: &str) -> Self {
        let toml = format!(
            "[[eid.provider]]\ncountry = \"ES\"\nmetadata = \"{{peer}}/idp\"\nsigners = \"peer.pem\"\nlevels = \"{levels}\"\n\
             [[eid.application]]\nname = \"portal\"\nreturn = \"{{peer}}/return\"\nclient = \"{CLIENT}\"\n{more}"
        );
        let pki = Pki::of_the_world(Timestamp::now());
        Self::beside(&pki, dir, &toml).await
    }

    /// With this configuration and nothing else.
    pub async fn beside(pki: &Pki, dir: &Path, toml: &str) -> Self {
        let (site, url) = Node::install(pki, dir);
        let peer = Peer::start(pki).await;
        fs::write(dir.join("peer.pem"), peer.key.certificate().pem()).unwrap();
        let node = Node::start(site, url, &toml.replace("{peer}", &peer.base)).await;
        let browser = Browser::new(&pki.ca_pem()).unwrap();
        Self { node, peer, browser }
    }

    /// A portal sends a Spaniard.
    pub async fn sign_in(&mut self, returns: &str) -> Page {
        let url = format!(
            "{}/eid/login?for=patient&country=ES&level=substantial&return={}{returns}&state=s",
            self.node.url, self.peer.base
        );
        self.browser.open(&url).await.unwrap()
    }

    /// Our metadata as connector.
    pub async fn metadata(&mut self) -> String {
        let url = format!("{}/eid/connector/metadata", self.node.url);
        self.browser.open(&url).await.unwrap().html
    }

    /// The request that a browser brought to the identity provider, verified, with its text and relay
    /// state.
    pub fn asked(&self) -> (AuthnRequest, String, String) {
        let (path, message, relay) = self.peer.came.lock().unwrap().pop().expect("a request came");
        assert_eq!(path, "/sso");
        let text = read_post(&message).unwrap();
        let signers = fs::read(self.node.site.dir.join("signing.pem")).unwrap();
        let signers = Certificate::from_pem(&signers).unwrap();
        let destination = format!("{}/sso", self.peer.base);
        let sector = Some(identity::eidas::request::SpType::Public)
            .filter(|_| !text.contains("eidas:SPType"));
        let (requester_needed, now) = (true, Timestamp::now());
        let asked =
            Asked { destination: &destination, signers: &signers, sector, requester_needed, now };
        (AuthnRequest::verify(&text, &asked).unwrap(), text, relay)
    }
}

impl Peer {
    async fn start(pki: &Pki) -> Self {
        let (es, dk) = (Country::parse("ES").unwrap(), Country::parse("DK").unwrap());
        let server = pki.server(es, "peer");
        let tls = ServerTls::public(&transport::tls::Identity {
            chain: server.chain_pem().into_bytes(),
            key: server.key_pem().as_bytes().to_vec().into(),
            roots: pki.ca_pem().into_bytes(),
        });
        let bound = Bound::tls(([127, 0, 0, 1], 0).into(), tls.unwrap()).await.unwrap();
        let base = format!("https://localhost:{}", bound.address().unwrap().port());
        let signer = pki.signer(es, "peer");
        let (key, pem) = (Arc::new(signer.seal_key()), signer.key_pem().to_owned());
        let idp = metadata(&base, Role::ProxyService, es, &key);
        let connector = metadata(&base, Role::Connector, dk, &key);
        let (came, stop) = (Arc::default(), CancellationToken::new());
        let kept = Arc::clone(&came);
        tokio::spawn(bound.serve(Limits::default(), stop.clone(), move |_, request| {
            serve(Arc::clone(&kept), [idp.clone(), connector.clone()], request)
        }));
        Self { base, key, pem, came, stop }
    }

    /// Its name as connector.
    pub fn connector(&self) -> String {
        format!("{}/connector", self.base)
    }

    /// Who was identified for the request of the connector with this id.
    pub fn identified(&self, request: &str, node: &Node) -> Identified {
        let (path, message, _) = self.came.lock().unwrap().pop().expect("an answer came");
        assert_eq!(path, "/acs");
        let signers = fs::read(node.site.dir.join("signing.pem")).unwrap();
        let expected = Expectation {
            request_id: request,
            audience: &self.connector(),
            endpoint: &format!("{}/acs", self.base),
            issuer: &format!("{}/eid/proxy/metadata", node.url),
            country: Country::parse("ES").unwrap(),
            signers: &Certificate::from_pem(&signers).unwrap(),
            assurance: Assurance::Low,
            certified: Assurance::High,
            levels: Levels::Eidas,
            address: None,
            now: Timestamp::now(),
        };
        let key = DecryptionKey::from_pem(self.pem.as_bytes()).unwrap();
        let text = read_post(&message).unwrap();
        verify(&text, &expected, &key, &Spent::default()).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn metadata(base: &str, role: Role, country: Country, key: &Arc<SealKey>) -> String {
    let connector = role == Role::Connector;
    let (path, endpoint) = if connector { ("connector", "acs") } else { ("idp", "sso") };
    let metadata = Metadata {
        entity: format!("{base}/{path}"),
        role,
        valid_until: Timestamp::now() + SignedDuration::from_hours(24),
        country: Some(country),
        certified: (!connector).then_some(Assurance::High),
        versions: vec![],
        sector: None,
        requester_needed: false,
        wants_signed: true,
        signing: vec![key.certificate().clone()],
        encryption: if connector { vec![key.certificate().clone()] } else { vec![] },
        endpoints: vec![(Binding::Post, format!("{base}/{endpoint}"))],
        methods: vec![],
        attributes: vec![],
    };
    let contact = Contact { organisation: "Test", url: base, email: "nobody@example.es" };
    metadata.sign(&contact, key, &SystemEntropy).unwrap()
}

async fn serve(
    came: Arc<Mutex<Vec<(String, String, String)>>>,
    [idp, connector]: [String; 2],
    request: Request<Incoming>,
) -> Response<Body> {
    let (path, method) = (request.uri().path().to_owned(), request.method().clone());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    match (method, path.as_str()) {
        (Method::GET, "/idp") => respond(StatusCode::OK, "application/samlmetadata+xml", idp),
        (Method::GET, "/connector") => {
            respond(StatusCode::OK, "application/samlmetadata+xml", connector)
        }
        _ => {
            let form = testbed::web::Form::parse(&body);
            let one = |name| form.as_ref().and_then(|form| form.only(name)).map(str::to_owned);
            if let Some(message) = one("SAMLRequest").or(one("SAMLResponse")) {
                let relay = one("RelayState").unwrap_or_default();
                came.lock().unwrap().push((path, message, relay));
            }
            respond(StatusCode::OK, "text/html; charset=utf-8", "<!doctype html><p>here</p>")
        }
    }
}
