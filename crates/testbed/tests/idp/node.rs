//! The country's own node as the identity provider sees it: asks, and takes the answer.

use std::sync::{Arc, Mutex};

use exchange::{Country, SystemEntropy};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::binding::{Field, post_page, read_post, redirect_url};
use identity::eidas::metadata::{Binding, Contact, Known, Metadata, Role};
use identity::eidas::request::{Request as AuthnRequest, SpType};
use identity::eidas::response::{Expectation, Identified, Levels, verify};
use identity::replay::Spent;
use jiff::{SignedDuration, Timestamp};
use testbed::idp::{Idp, Requester, Setup};
use testbed::pki::{Identity, Pki, SealKind};
use testbed::web::{Form, cookie, page, posting, see_other, set_cookie, style};
use tokio_util::sync::CancellationToken;
use transport::problem::{Body, respond};
use transport::server::{Bound, Limits};
use transport::tls::ServerTls;
use trust::encryption::DecryptionKey;

/// A country with a node and an identity provider.
pub struct Land {
    pub pki: Pki,
    pub idp: Idp,
    pub node: Arc<Node>,
    stop: CancellationToken,
}

pub struct Node {
    pub base: String,
    country: Country,
    signer: Identity,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idp: String,
    asked: Option<AuthnRequest>,
    answer: Option<(String, String)>,
    changed: Option<fn(String) -> String>,
    signed_by: Option<Arc<trust::seal::SealKey>>,
}

impl Land {
    pub async fn start(code: &str) -> Self {
        let country = Country::parse(code).unwrap();
        let pki = Pki::new(&[country], SealKind::P256, Timestamp::now());
        let server = pki.server(country, "node");
        let tls = ServerTls::public(&transport::tls::Identity {
            chain: server.chain_pem().into_bytes(),
            key: server.key_pem().as_bytes().to_vec().into(),
            roots: pki.ca_pem().into_bytes(),
        });
        let bound = Bound::tls(([127, 0, 0, 1], 0).into(), tls.unwrap()).await.unwrap();
        let base = format!("https://localhost:{}", bound.address().unwrap().port());
        let node = Arc::new(Node {
            base,
            country,
            signer: pki.signer(country, "node"),
            state: Mutex::default(),
        });
        let (stop, served) = (CancellationToken::new(), Arc::clone(&node));
        tokio::spawn(bound.serve(Limits::default(), stop.clone(), move |_, request| {
            Arc::clone(&served).serve(request)
        }));
        let requester = Requester::Fetched {
            url: format!("{}/metadata", node.base),
            signers: vec![node.signer.certificate().clone()],
        };
        let idp = Idp::start(Setup::new(country, &pki, requester)).await.unwrap();
        idp.base_url().clone_into(&mut node.state.lock().unwrap().idp);
        Self { pki, idp, node, stop }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.idp.stop().await;
    }
}

impl Node {
    /// The address that begins a login.
    pub fn begin(&self, level: Assurance, binding: &str) -> String {
        format!("{}/begin?level={}&binding={binding}", self.base, level.name())
    }

    /// Changes the request's text before it is sent.
    pub fn change(&self, change: fn(String) -> String) {
        self.state.lock().unwrap().changed = Some(change);
    }

    /// Signs the next requests with a key that is not in the metadata.
    pub fn sign_by(&self, other: &Identity) {
        self.state.lock().unwrap().signed_by = Some(Arc::new(other.seal_key()));
    }

    /// The request that went out and the answer that came: (message, relay state).
    pub fn answer(&self) -> Option<(String, String)> {
        self.state.lock().unwrap().answer.take()
    }

    /// Verifies the answer that came, as the node does.
    pub fn identified(&self, idp: &Idp) -> Result<Identified, EidasError> {
        let (message, relay) = self.answer().expect("an answer came");
        assert_eq!(relay, "relay & <state>");
        let asked = self.state.lock().unwrap().asked.clone().unwrap();
        let expected = Expectation {
            request_id: &asked.id,
            audience: &format!("{}/metadata", self.base),
            endpoint: &format!("{}/acs", self.base),
            issuer: &idp.metadata_url(),
            country: self.country,
            signers: &[idp.signing_certificate().clone()],
            assurance: asked.assurance,
            certified: Assurance::High,
            levels: Levels::Eidas,
            address: None,
            now: Timestamp::now(),
        };
        let key = DecryptionKey::from_pem(self.signer.key_pem().as_bytes()).unwrap();
        verify(&message, &expected, &key, &Spent::default())
    }

    /// Holds the identity provider's metadata against the rules.
    pub fn metadata_of(&self, idp: &Idp, text: &str) -> Metadata {
        let known = Known {
            url: &idp.metadata_url(),
            role: Role::ProxyService,
            country: self.country,
            signers: &[idp.signing_certificate().clone()],
            now: Timestamp::now(),
        };
        Metadata::verify(text, &known).unwrap()
    }

    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        match (request.method().clone(), request.uri().path()) {
            (Method::GET, "/metadata") => {
                respond(StatusCode::OK, "application/samlmetadata+xml", self.metadata())
            }
            (Method::GET, "/style.css") => style(),
            (Method::GET, "/begin") => self.ask(&request),
            (Method::POST, "/acs") => {
                assert_eq!(cookie(request.headers(), "__Host-node"), Some("here"));
                let form = Form::of(request).await.unwrap();
                let message = read_post(form.only("SAMLResponse").unwrap()).unwrap();
                let relay = form.only("RelayState").unwrap().to_owned();
                self.state.lock().unwrap().answer = Some((message, relay));
                see_other("/done")
            }
            _ => page(StatusCode::OK, "Done", "", &[]),
        }
    }

    fn ask(&self, request: &Request<Incoming>) -> Response<Body> {
        let query = Form::parse(request.uri().query().unwrap().as_bytes()).unwrap();
        let mut state = self.state.lock().unwrap();
        let sso = format!("{}/sso", state.idp);
        let asked = AuthnRequest {
            id: format!("_{}", exchange::CorrelationId::random(&SystemEntropy)),
            issued: Timestamp::now(),
            destination: sso.clone(),
            issuer: format!("{}/metadata", self.base),
            provider: "Hospital <b>Test</b>".into(),
            sector: Some(SpType::Public),
            requester: None,
            assurance: Assurance::of_name(query.only("level").unwrap()).unwrap(),
            optional: vec![],
        };
        let key = state.signed_by.clone().unwrap_or_else(|| Arc::new(self.signer.seal_key()));
        let text = asked.sign(&key).unwrap();
        let text = state.changed.map_or(text.clone(), |change| change(text));
        state.asked = Some(asked);
        let relay = Some("relay & <state>");
        let mut response = if query.only("binding") == Some("redirect") {
            see_other(&redirect_url(&sso, Field::Request, &text, relay, &key).unwrap())
        } else {
            posting(post_page(&sso, Field::Request, &text, relay))
        };
        let life = std::time::Duration::from_secs(60);
        set_cookie(&mut response, "__Host-node", "here", life);
        // the answer is posted from another site (SameSite=None)
        let lines = response.headers_mut();
        let line = lines["set-cookie"].to_str().unwrap().replace("SameSite=Lax", "SameSite=None");
        lines.insert("set-cookie", line.parse().unwrap());
        response
    }

    fn metadata(&self) -> String {
        let metadata = Metadata {
            entity: format!("{}/metadata", self.base),
            role: Role::Connector,
            valid_until: Timestamp::now() + SignedDuration::from_hours(1),
            country: Some(self.country),
            certified: None,
            versions: vec!["1.2".into()],
            sector: None,
            requester_needed: false,
            wants_signed: true,
            signing: vec![self.signer.certificate().clone()],
            encryption: vec![self.signer.certificate().clone()],
            endpoints: vec![(Binding::Post, format!("{}/acs", self.base))],
            methods: vec![],
            attributes: vec![],
        };
        let contact = Contact { organisation: "Test", url: &self.base, email: "a@b.example" };
        metadata.sign(&contact, &Arc::new(self.signer.seal_key()), &SystemEntropy).unwrap()
    }
}
