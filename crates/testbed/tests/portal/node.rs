//! A node as the portal sees it: sends browsers back with a code, and redeems the code.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use exchange::Country;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use jiff::{SignedDuration, Timestamp};
use testbed::browser::Browser;
use testbed::pki::{Pki, Role, SealKind};
use testbed::portal::web::{Setup, WebPortal};
use testbed::web::{Form, encode, escape, page, see_other};
use tokio_util::sync::CancellationToken;
use transport::problem::{Body, respond};
use transport::server::{Bound, Limits};
use transport::tls::ServerTls;

/// An error that no node would send.
pub const MARKUP: &str = "<script>alert(1)</script>";

pub struct Stand {
    pub pki: Pki,
    pub portal: WebPortal,
    pub node: Arc<Node>,
}

#[derive(Default)]
pub struct Node {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    return_url: String,
    codes: HashMap<String, (String, String)>,
    /// Overrides (part, country) in the next answer.
    lie: Option<(&'static str, &'static str)>,
    redeemed: usize,
    ended: Vec<String>,
}

impl Stand {
    pub async fn start() -> Self {
        let country = Country::parse("ES").unwrap();
        let pki = Pki::new(&[country], SealKind::P256, Timestamp::now());
        let identity = pki.tls(country, Role::ServiceProvider);
        let local = ([127, 0, 0, 1], 0).into();
        let front = Bound::tls(local, ServerTls::public(&identity).unwrap()).await.unwrap();
        let back = Bound::tls(local, ServerTls::new(&identity).unwrap()).await.unwrap();
        let url = |bound: &Bound| format!("https://localhost:{}", bound.address().unwrap().port());
        let setup = Setup::new(country, &pki, &url(&front), &url(&back));
        let portal = WebPortal::start(setup).await.unwrap();
        let node = Arc::new(Node::default());
        node.state.lock().unwrap().return_url = portal.return_url();
        let (one, two) = (Arc::clone(&node), Arc::clone(&node));
        let stop = CancellationToken::new();
        tokio::spawn(front.serve(Limits::default(), stop.clone(), move |_, request| {
            Arc::clone(&one).front(request)
        }));
        tokio::spawn(back.serve(Limits::default(), stop, move |peer, request| {
            assert!(peer.is_some(), "the back channel is mutual");
            Arc::clone(&two).back(request)
        }));
        Self { pki, portal, node }
    }

    pub fn browser(&self) -> Browser {
        Browser::new(&self.pki.ca_pem()).unwrap()
    }
}

impl Node {
    /// The next answer is about another part and country than was asked for.
    pub fn lie(&self, who: &'static str, country: &'static str) {
        self.state.lock().unwrap().lie = Some((who, country));
    }

    /// How many codes were redeemed, and which sessions were ended.
    pub fn heard(&self) -> (usize, Vec<String>) {
        let state = self.state.lock().unwrap();
        (state.redeemed, state.ended.clone())
    }

    /// A code for somebody who did not come from the portal.
    pub fn code(&self, who: &str, country: &str) -> String {
        let mut state = self.state.lock().unwrap();
        let code = format!("code-{}", state.codes.len());
        state.codes.insert(code.clone(), (who.to_owned(), country.to_owned()));
        code
    }

    async fn front(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        match (request.method().clone(), request.uri().path()) {
            (Method::GET, "/eid/login") => {
                let query = Form::parse(request.uri().query().unwrap().as_bytes()).unwrap();
                let only = |name| query.only(name).unwrap().to_owned();
                assert_eq!(only("return"), self.state.lock().unwrap().return_url);
                assert_eq!(only("level"), "substantial");
                let hidden = ["for", "country", "via", "state"].map(|name| {
                    let value = only(name);
                    format!("<input type=hidden name={name} value=\"{}\">", escape(&value))
                });
                let form = format!(
                    "<form id=\"who\" method=\"post\" action=\"/who\">{}<button name=\"end\" value=\"yes\">I am</button>\
                     <button name=\"end\" value=\"access_denied\">No</button>\
                     <button name=\"end\" value=\"{}\">Odd</button></form>",
                    hidden.concat(),
                    escape(MARKUP),
                );
                page(StatusCode::OK, "Who are you?", &form, &["https:"])
            }
            (Method::POST, "/who") => {
                let form = Form::of(request).await.unwrap();
                let only = |name| form.only(name).unwrap();
                let end = match only("end") {
                    "yes" => ("code", self.code(only("for"), only("country"))),
                    error => ("error", error.to_owned()),
                };
                let query = encode(&[(end.0, &end.1), ("state", only("state"))]);
                let url = self.state.lock().unwrap().return_url.clone();
                see_other(&format!("{url}?{query}"))
            }
            _ => respond(StatusCode::NOT_FOUND, "text/plain", ""),
        }
    }

    async fn back(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let form = Form::of(request).await.unwrap();
        let mut state = self.state.lock().unwrap();
        match path.as_str() {
            "/eid/session" => {
                let Some((who, country)) = state.codes.remove(form.only("code").unwrap()) else {
                    return respond(StatusCode::BAD_REQUEST, "application/json", "{}");
                };
                state.redeemed += 1;
                let (given, birth) = if who == "patient" {
                    ("Agnete <i>", "1953-02-14")
                } else {
                    ("Montserrat", "1979-06-12")
                };
                let session = format!("session-{who}-{}", state.redeemed);
                let lie = state.lie.take();
                let (who, country) = lie
                    .map_or((who, country), |(who, country)| (who.to_owned(), country.to_owned()));
                let expires = Timestamp::now() + SignedDuration::from_mins(20);
                let answer = serde_json::json!({
                    "session": session, "for": who, "country": country, "level": "high",
                    "person": { "identifier": "X/ES/1", "family": "Test", "given": given, "birth": birth },
                    "expires": expires.to_string(),
                });
                respond(StatusCode::OK, "application/json", answer.to_string())
            }
            "/eid/logout" => {
                state.ended.push(form.only("session").unwrap().to_owned());
                respond(StatusCode::NO_CONTENT, "text/plain", "")
            }
            _ => respond(StatusCode::NOT_FOUND, "text/plain", ""),
        }
    }
}
