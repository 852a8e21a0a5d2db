//! The routes of an identity provider: two listeners, one for all and one for those with a card.

use std::sync::Arc;
use std::time::Duration;

use exchange::{Clock, Country, Entropy};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::binding::{Field, MAX_RELAY, post_page, read_post, read_redirect};
use identity::eidas::metadata::{Binding, Metadata};
use identity::eidas::person::{Person, PersonIdentifier};
use identity::eidas::request::{Asked, Request as AuthnRequest};
use identity::eidas::response::{Answer, refuse};
use transport::Peer;
use transport::problem::{Body, respond};
use trust::certificate::Anchors;
use trust::encryption::Recipient;
use trust::seal::SealKey;

use super::logins::{COOKIE_LIFE, Logins, Opened, nonce};
use super::pages;
use super::passkey::Assertion;
use super::requester::Source;
use super::residents::{Resident, Residents};
use crate::web::{Form, cookie, posting, set_cookie, style};
use crate::world::Land;

/// Everything that the routes use.
pub(super) struct Service {
    pub land: &'static Land,
    pub country: Country,
    pub base: String,
    pub card_base: String,
    pub metadata: String,
    pub key: Arc<SealKey>,
    pub source: Source,
    pub residents: Residents,
    pub cards: Anchors,
    pub logins: Logins,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Service {
    /// The listener for all.
    pub async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        match (request.method().clone(), request.uri().path()) {
            (Method::GET, "/metadata") => {
                respond(StatusCode::OK, "application/samlmetadata+xml", self.metadata.clone())
            }
            (Method::GET, "/style.css") => style(),
            (Method::POST, "/sso") => self.asked_by_post(request).await,
            (Method::GET, "/sso") => {
                let query = request.uri().query().unwrap_or("").to_owned();
                self.asked_by_redirect(&query).await
            }
            (Method::POST, "/login") => self.code(request).await,
            (Method::GET, "/passkey.js") => {
                respond(StatusCode::OK, "text/javascript", include_str!("passkey.js"))
            }
            (Method::POST, "/passkey") => self.passkey(request).await,
            (Method::POST, "/cancel") => self.cancel(request).await,
            (Method::POST, "/card/challenge") => self.challenge(request).await,
            _ => pages::refused(StatusCode::NOT_FOUND, "no such page"),
        }
    }

    /// The listener for those with a card: TLS has verified that the country issued it.
    pub fn serve_card(&self, peer: Option<&Peer>, request: &Request<Incoming>) -> Response<Body> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/style.css") => style(),
            (&Method::GET, "/card") => self.card(peer, request),
            _ => pages::refused(StatusCode::NOT_FOUND, "no such page"),
        }
    }

    async fn asked_by_post(&self, request: Request<Incoming>) -> Response<Body> {
        let Some(form) = Form::of(request).await else {
            return pages::refused(StatusCode::BAD_REQUEST, "no request");
        };
        let Some(Ok(text)) = form.only("SAMLRequest").map(read_post) else {
            return pages::refused(StatusCode::BAD_REQUEST, "no request");
        };
        let Some(requester) = self.requester().await else { return unavailable() };
        let verified = AuthnRequest::verify(&text, &self.asked(&requester, &self.sso()));
        self.begin(verified, requester, form.only("RelayState"))
    }

    async fn asked_by_redirect(&self, query: &str) -> Response<Body> {
        let Ok(came) = read_redirect(query) else {
            return pages::refused(StatusCode::BAD_REQUEST, "no request");
        };
        let Some(requester) = self.requester().await else { return unavailable() };
        let asked = self.sso();
        let verified = AuthnRequest::verify_redirected(&came, &self.asked(&requester, &asked));
        self.begin(verified, requester, came.relay.as_deref())
    }

    async fn requester(&self) -> Option<Arc<Metadata>> {
        let found = self.source.metadata(self.clock.now()).await;
        found.inspect_err(|error| tracing::warn!(%error, "no metadata of the requester")).ok()
    }

    fn asked<'a>(&self, requester: &'a Metadata, destination: &'a str) -> Asked<'a> {
        Asked {
            destination,
            signers: &requester.signing,
            sector: requester.sector,
            requester_needed: false,
            now: self.clock.now(),
        }
    }

    /// Shows the login page to a browser that brought a request.
    fn begin(
        &self,
        verified: Result<AuthnRequest, EidasError>,
        requester: Arc<Metadata>,
        relay: Option<&str>,
    ) -> Response<Body> {
        let request = match verified {
            Ok(request) if request.issuer == requester.entity => request,
            Ok(_) => return pages::refused(StatusCode::FORBIDDEN, "unknown requester"),
            Err(error) => {
                tracing::info!(%error, "request refused");
                return pages::refused(StatusCode::BAD_REQUEST, &error.to_string());
            }
        };
        if relay.is_some_and(|relay| relay.len() > MAX_RELAY) {
            return pages::refused(StatusCode::BAD_REQUEST, "relay state too long");
        }
        let now = self.clock.now();
        let (relay, entropy) = (relay.map(str::to_owned), self.entropy.as_ref());
        let opened = self.logins.open(request, requester, relay, now, entropy);
        let Some(Opened { handle, browser }) = opened else { return unavailable() };
        let shown = self
            .logins
            .with(&handle, &browser, now, |login| pages::login(self, login, &handle, false));
        let Some(mut shown) = shown else { return over() };
        set_cookie(&mut shown, &self.cookie(), &browser, COOKIE_LIFE);
        shown
    }

    /// User name, PIN and one-time code: two factors, level substantial (Implementing Regulation (EU)
    /// 2015/1502, Annex 2.2.1).
    async fn code(&self, request: Request<Incoming>) -> Response<Body> {
        let browser = self.browser(&request);
        let Some(form) = Form::of(request).await else { return over() };
        let text = |name| form.only(name).unwrap_or("");
        let (handle, now) = (text("login"), self.clock.now());
        let level = self.logins.with(handle, &browser, now, |login| login.request.assurance);
        let Some(level) = level else { return over() };
        let resident = if level <= Assurance::Substantial {
            self.residents.by_code(text("user"), text("pin"), text("code"), now)
        } else {
            None
        };
        match resident {
            Some(resident) => self.finish(handle, &browser, resident, Assurance::Substantial),
            None => self.again(handle, &browser, level <= Assurance::Substantial),
        }
    }

    /// A passkey: possession of a device that knows its owner, and no phishing: level substantial.
    async fn passkey(&self, request: Request<Incoming>) -> Response<Body> {
        let browser = self.browser(&request);
        let Some(form) = Form::of(request).await else { return over() };
        let text = |name| form.only(name).unwrap_or("").to_owned();
        let (handle, now) = (text("login"), self.clock.now());
        let next = nonce(self.entropy.as_ref());
        let asked = self.logins.with(&handle, &browser, now, |login| {
            (login.request.assurance, std::mem::replace(&mut login.challenge, next))
        });
        let Some((level, challenge)) = asked else { return over() };
        if level > Assurance::Substantial {
            return self.again(&handle, &browser, false);
        }
        let assertion = Assertion {
            credential: text("credential"),
            client_data: text("client_data"),
            authenticator_data: text("authenticator_data"),
            signature: text("signature"),
        };
        match self.residents.by_passkey(&assertion, &self.base, &challenge) {
            Some(resident) => self.finish(&handle, &browser, resident, Assurance::Substantial),
            None => self.again(&handle, &browser, true),
        }
    }

    async fn cancel(&self, request: Request<Incoming>) -> Response<Body> {
        let browser = self.browser(&request);
        let Some(form) = Form::of(request).await else { return over() };
        let (handle, now) = (form.only("login").unwrap_or(""), self.clock.now());
        let Some(login) = self.logins.take(handle, &browser, now) else { return over() };
        let Some(endpoint) = login.requester.endpoint(Binding::Post) else { return unavailable() };
        let (issuer, code) = (self.issuer(), "AuthnFailed");
        let entropy = self.entropy.as_ref();
        let message = refuse(&login.request, endpoint, &issuer, code, now, &self.key, entropy);
        self.send(message, endpoint, login.relay.as_deref())
    }

    /// The login page once more.
    pub fn again(&self, handle: &str, browser: &str, wrong: bool) -> Response<Body> {
        let shown = self.logins.with(handle, browser, self.clock.now(), |login| {
            pages::login(self, login, handle, wrong)
        });
        shown.unwrap_or_else(over)
    }

    /// Answers the request: this person, this sure.
    pub fn finish(
        &self,
        handle: &str,
        browser: &str,
        resident: &Resident,
        assurance: Assurance,
    ) -> Response<Body> {
        let now = self.clock.now();
        let Some(login) = self.logins.take(handle, browser, now) else { return over() };
        let requester = &login.requester;
        let endpoint = requester.endpoint(Binding::Post);
        let Some((endpoint, certificate)) = endpoint.zip(requester.encryption.first()) else {
            return unavailable();
        };
        let answer = Answer {
            request: &login.request,
            endpoint,
            issuer: &self.issuer(),
            person: &self.person(resident, requester),
            assurance,
            address: "",
            now,
        };
        let recipient = Recipient::new(certificate.clone());
        let message = answer.sign(&self.key, &recipient, self.entropy.as_ref());
        tracing::info!(level = assurance.name(), "a person was identified");
        self.send(message, endpoint, login.relay.as_deref())
    }

    fn person(&self, resident: &Resident, requester: &Metadata) -> Person {
        let identifier = PersonIdentifier {
            of: self.country,
            to: requester.country.unwrap_or(self.country),
            value: resident.number.to_owned(),
        };
        Person::new(identifier, resident.family, resident.given, resident.birth)
    }

    /// A page that posts itself to the requester.
    fn send(
        &self,
        message: Result<String, EidasError>,
        endpoint: &str,
        relay: Option<&str>,
    ) -> Response<Body> {
        match message {
            Ok(message) => {
                let html = post_page(endpoint, Field::Response, &message, relay);
                let mut response = posting(html);
                set_cookie(&mut response, &self.cookie(), "", Duration::ZERO);
                response
            }
            Err(error) => {
                tracing::error!(%error, "an answer could not be made");
                unavailable()
            }
        }
    }

    /// Where requests are sent.
    pub fn sso(&self) -> String {
        format!("{}/sso", self.base)
    }

    fn issuer(&self) -> String {
        format!("{}/metadata", self.base)
    }

    fn cookie(&self) -> String {
        format!("__Host-idp-{}", self.country.to_lower())
    }

    pub fn browser(&self, request: &Request<Incoming>) -> String {
        cookie(request.headers(), &self.cookie()).unwrap_or("").to_owned()
    }
}

/// Of a login that this browser did not begin, or that took too long.
pub(super) fn over() -> Response<Body> {
    pages::refused(StatusCode::BAD_REQUEST, "the login is over")
}

fn unavailable() -> Response<Body> {
    pages::refused(StatusCode::SERVICE_UNAVAILABLE, "not available now")
}
