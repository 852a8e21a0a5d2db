//! The other part of an eIDAS node: takes tokens from browsers, and messages from the shelf.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use exchange::{Country, SystemEntropy};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use identity::eidas::light::{Cache, LightRequest, LightResponse, LightToken};
use jiff::Timestamp;
use testbed::browser::{Browser, Page};
use testbed::pki::{Pki, Role};
use testbed::site::Site;
use tokio_util::sync::CancellationToken;
use transport::problem::{Body, respond};
use transport::server::{Bound, Limits};
use transport::stream::{Target, dial};
use transport::tls::{ClientTls, ServerTls};

/// Shared with the node under test.
pub const SECRET: &str = "a secret of both parts";

/// The other part, and the portal whose page people come back to.
pub struct Other {
    pub base: String,
    tokens: Arc<Mutex<Vec<(String, String)>>>,
    shelf: Target,
    tls: ClientTls,
    stop: CancellationToken,
}

impl Other {
    pub async fn start(pki: &Pki, country: Country) -> Self {
        let server = pki.server(country, "other");
        let tls = ServerTls::public(&transport::tls::Identity {
            chain: server.chain_pem().into_bytes(),
            key: server.key_pem().as_bytes().to_vec().into(),
            roots: pki.ca_pem().into_bytes(),
        });
        let bound = Bound::tls(([127, 0, 0, 1], 0).into(), tls.unwrap()).await.unwrap();
        let base = format!("https://localhost:{}", bound.address().unwrap().port());
        let (tokens, stop) = (Arc::default(), CancellationToken::new());
        let kept = Arc::clone(&tokens);
        tokio::spawn(bound.serve(Limits::default(), stop.clone(), move |_, request| {
            note(Arc::clone(&kept), request)
        }));
        let tls = ClientTls::new(&pki.tls(country, Role::OpenncpClient)).unwrap();
        let shelf = Target { host: String::new(), port: 0, country: Some(country), pin: None };
        Self { base, tokens, shelf, tls, stop }
    }

    /// The node whose shelf it uses.
    pub fn beside(&mut self, site: &Site) {
        self.shelf.host = site.national.ip().to_string();
        self.shelf.port = site.national.port();
    }

    /// Comes to the shelf with another certificate.
    pub fn disguised(&mut self, pki: &Pki, role: Role) {
        self.tls = ClientTls::new(&pki.tls(self.shelf.country.unwrap(), role)).unwrap();
    }

    /// The token that a browser brought to this path last.
    pub fn token(&self, path: &str) -> Option<LightToken> {
        let mut tokens = self.tokens.lock().unwrap();
        let (at, token) = tokens.pop()?;
        assert_eq!(at, path);
        Some(LightToken::decode(&token, SECRET).unwrap())
    }

    /// One request on the node's national listener: status and body.
    pub async fn ask(&self, method: Method, path: &str, body: &str) -> (StatusCode, String) {
        let (stream, _) = dial(&self.shelf, &self.tls, Duration::from_secs(5)).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, String::from_utf8(body.to_vec()).unwrap())
    }

    pub async fn put(&self, cache: Cache, id: &str, message: &str) -> StatusCode {
        self.ask(Method::PUT, &path(cache, id), message).await.0
    }

    pub async fn take(&self, cache: Cache, id: &str) -> Option<String> {
        let (status, text) = self.ask(Method::DELETE, &path(cache, id), "").await;
        (status == StatusCode::OK).then_some(text)
    }

    /// The light request of a browser that came to `path`.
    pub async fn asked(&self, page: &str, cache: Cache, issuer: &str) -> LightRequest {
        let token = self.token(page).expect("a token came");
        assert_eq!(token.issuer, issuer);
        let text = self.take(cache, &token.id).await.expect("a message lies there");
        assert!(self.take(cache, &token.id).await.is_none(), "it is taken once");
        LightRequest::parse(&text).unwrap()
    }

    /// The same for a response.
    pub async fn answered(&self, page: &str, cache: Cache, issuer: &str) -> LightResponse {
        let token = self.token(page).expect("a token came");
        assert_eq!(token.issuer, issuer);
        let text = self.take(cache, &token.id).await.expect("a message lies there");
        LightResponse::parse(&text).unwrap()
    }

    /// Puts a message and sends the browser with its token.
    pub async fn send(
        &self,
        browser: &mut Browser,
        to: &str,
        cache: Cache,
        issuer: &str,
        message: &str,
    ) -> Page {
        let token = token(issuer);
        let status = self.put(cache, &token.id, message).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        browser.post(to, &[("token", &token.encode(SECRET))]).await.unwrap()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A token written now.
pub fn token(issuer: &str) -> LightToken {
    let id = exchange::CorrelationId::random(&SystemEntropy).to_string();
    LightToken { issuer: issuer.to_owned(), id, created: Timestamp::now() }
}

fn path(cache: Cache, id: &str) -> String {
    format!("/eid/light/cache/{}/{id}", cache.name())
}

/// Every page is the same; tokens are kept with the path to which they came.
async fn note(
    tokens: Arc<Mutex<Vec<(String, String)>>>,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    if let Some(form) = testbed::web::Form::parse(&body)
        && let Some(token) = form.only("token")
    {
        tokens.lock().unwrap().push((path, token.to_owned()));
    }
    respond(StatusCode::OK, "text/html; charset=utf-8", "<!doctype html><p>here</p>")
}
