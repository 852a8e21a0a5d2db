//! A login of ours: begun by a portal, answered by whoever identifies the person.

use base64::Engine as _;
use exchange::{CorrelationId, Country};
use http::{HeaderValue, Response, StatusCode, header};
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::attributes::Attribute;
use identity::eidas::binding::{self, Field};
use identity::eidas::metadata::Binding;
use identity::eidas::request::{Request, SpType};
use identity::eidas::response::{Expectation, Identified, verify};
use identity::session::{Drawer, SignedIn, Subject, Ticket};
use ihe::atna::occurrence::Outcome;
use ledger::crash;
use transport::problem::Body;

use super::pending::{Pending, Portal, Then};
use super::wallet::Wallet;
use super::{Eid, pages};
use crate::eid::party::Party;

/// What the browser brings: parameters of the query or form, and its cookie.
pub(super) struct Visit {
    pub pairs: Vec<(String, String)>,
    pub cookie: Option<Ticket>,
}

impl Visit {
    /// The one value with this name; a name that comes twice is none.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let mut all = self.pairs.iter().filter(|pair| pair.0 == name);
        let first = all.next()?;
        all.next().is_none().then_some(first.1.as_str())
    }
}

impl Eid {
    /// `GET /eid/login`: checks what the portal wants and sends the browser to be identified.
    pub(super) async fn begin(&self, visit: &Visit) -> Response<Body> {
        let one = |name| visit.one(name);
        let returns =
            one("return").filter(|url| self.applications.iter().any(|a| a.returns == *url));
        let (Some(returns), Some(state)) = (returns, one("state").filter(|s| s.len() <= 512))
        else {
            // not to an address that nobody configured
            let correlation = self.refused(None, "login.return");
            let next = "The page that sent you here is not known to this service.";
            return pages::trouble(
                StatusCode::BAD_REQUEST,
                "Login not possible",
                next,
                correlation,
            );
        };
        let fail = |why, country| {
            self.refused(country, why);
            pages::redirect(&pages::with_query(
                returns,
                &[("error", "invalid_request"), ("state", state)],
            ))
        };
        let Some(subject) = one("for").and_then(Subject::of) else {
            return fail("login.for", None);
        };
        let level = one("level").map_or(Some(least(subject)), Assurance::of_name);
        let Some(level) = level.filter(|level| *level >= least(subject)) else {
            return fail("login.level", None);
        };
        let Some(country) = one("country").and_then(|cc| Country::parse(cc).ok()) else {
            return fail("login.country", None);
        };
        let portal = Portal { subject, returns: returns.to_owned(), state: state.to_owned() };
        if one("via") == Some("wallet") {
            let wallet = self.wallet.as_ref();
            let believed = |wallet: &&Wallet| {
                wallet.verifier.issuers().countries().any(|known| known == country)
            };
            return match wallet.filter(believed) {
                Some(wallet) => {
                    self.begin_wallet(wallet, country, portal, visit.cookie.clone()).await
                }
                None => fail("login.wallet", Some(country)),
            };
        }
        let Some(provider) = self.providers.get(&country) else {
            return fail("login.provider", Some(country));
        };
        // some countries look for a patient by name, birth and sex
        let gender = Attribute::of("Gender").filter(|_| subject == Subject::Patient);
        let (optional, then) = (gender.into_iter().collect(), Then::Portal(portal));
        self.ask(provider, level, optional, then, visit.cookie.clone()).await
    }

    /// Sends the browser to a provider with a new request.
    pub(super) async fn ask(
        &self,
        provider: &Party,
        level: Assurance,
        optional: Vec<&'static Attribute>,
        then: Then,
        cookie: Option<Ticket>,
    ) -> Response<Body> {
        let (country, now) = (provider.country, self.now());
        let metadata = match provider.metadata(now).await {
            Ok(metadata) => metadata,
            Err(error) => {
                tracing::warn!(%country, %error, "the metadata of a provider is refused");
                return self.unasked(&then, country, "login.metadata").await;
            }
        };
        // a posted message has no length that servers on the way might cut
        let [post, redirect] = [Binding::Post, Binding::Redirect].map(|by| metadata.endpoint(by));
        let Some(endpoint) = post.or(redirect) else {
            return self.unasked(&then, country, "login.endpoint").await;
        };
        let request = Request {
            id: identity::eidas::response::id(self.entropy.as_ref()),
            issued: now,
            destination: endpoint.to_owned(),
            issuer: self.connector_entity(),
            provider: self.contact[0].clone(),
            sector: None,
            requester: None,
            assurance: level,
            optional,
        };
        let browser = cookie.unwrap_or_else(|| Ticket::random(self.entropy.as_ref()));
        let pending = Pending {
            browser: digest(&browser),
            request: request.id.clone(),
            asked: country,
            level,
            then,
        };
        let kept = self.keeper.keep(Drawer::Login, &pending.encode(), now + self.lives.login).await;
        crash::point("login/asked");
        let (relay, message) = match (kept, request.sign(&self.signing)) {
            (Ok(relay), Ok(message)) => (relay, message),
            (kept, signed) => {
                let (kept, signed) = (kept.err(), signed.err());
                tracing::error!(?kept, ?signed, "a login could not be begun");
                let correlation = self.refused(Some(country), "login.begin");
                let next = "Too many people sign in at the same time, or this service has a fault. Try again.";
                return pages::trouble(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Try again",
                    next,
                    correlation,
                );
            }
        };
        let (field, relay) = (Field::Request, Some(relay.text()));
        let sent = if post.is_some() {
            let page = binding::post_page(endpoint, field, &message, relay);
            Ok(pages::onward(page, binding::SCRIPT_HASH))
        } else {
            let url = binding::redirect_url(endpoint, field, &message, relay, &self.signing);
            url.map(|url| pages::redirect(&url))
        };
        let mut response = sent.unwrap_or_else(|error| {
            tracing::error!(%error, "a login could not be sent on");
            let correlation = self.refused(Some(country), "login.begin");
            pages::trouble(StatusCode::INTERNAL_SERVER_ERROR, "Try again", "", correlation)
        });
        set_cookie(&mut response, &browser);
        response
    }

    /// Nobody can be asked: whoever sent the person here is told so.
    async fn unasked(&self, then: &Then, country: Country, why: &str) -> Response<Body> {
        self.failed(then, country, why, Outcome::Temporary);
        match then {
            Then::Portal(portal) => {
                let error = ("error", "temporarily_unavailable");
                let pairs = [error, ("state", portal.state.as_str())];
                pages::redirect(&pages::with_query(&portal.returns, &pairs))
            }
            Then::Connector(connector) => self.pass_refusal(connector, "AuthnFailed").await,
        }
    }

    /// `POST /eid/connector/acs`: the answer of a provider.
    pub(super) async fn answered(&self, visit: &Visit) -> Response<Body> {
        let now = self.now();
        let relay = Ticket::of(visit.one("RelayState").unwrap_or(""));
        let taken = self.keeper.take(Drawer::Login, &relay, now).await;
        crash::point("login/answered");
        let pending = taken.ok().flatten().and_then(|bytes| Pending::decode(&bytes));
        let browser = visit.cookie.as_ref().map(digest);
        let ours = |pending: &&Pending| browser.as_ref() == Some(&pending.browser);
        let Some(pending) = pending.as_ref().filter(ours) else {
            let correlation = match &pending {
                Some(of) => self.failed(&of.then, of.asked, "login.browser", Outcome::Temporary),
                None => self.refused(None, "login.unknown"),
            };
            let next = "This login took too long, was used before, or began in another browser. Begin again.";
            return pages::trouble(StatusCode::BAD_REQUEST, "Login expired", next, correlation);
        };
        let identified = self.identified(pending, visit).await;
        match (&pending.then, identified) {
            (Then::Portal(portal), Ok(identified)) => {
                self.deliver(portal, pending.asked, &identified).await
            }
            (Then::Portal(portal), Err(why)) => {
                self.failed(&pending.then, pending.asked, why.row, why.outcome());
                let pairs = [("error", why.error), ("state", portal.state.as_str())];
                pages::redirect(&pages::with_query(&portal.returns, &pairs))
            }
            (Then::Connector(connector), Ok(identified)) => {
                self.pass_on(connector, &identified).await
            }
            (Then::Connector(connector), Err(why)) => {
                self.failed(&pending.then, pending.asked, why.row, why.outcome());
                self.pass_refusal(connector, why.status).await
            }
        }
    }

    /// Verifies the answer to what we asked, and that it is new.
    async fn identified(&self, pending: &Pending, visit: &Visit) -> Result<Identified, Failed> {
        let provider = self.providers.get(&pending.asked).ok_or(Failed::fault("login.provider"))?;
        let now = self.now();
        let metadata = provider.metadata(now).await.map_err(|_| Failed::fault("login.metadata"))?;
        let message = visit.one("SAMLResponse").ok_or(Failed::fault("login.response"))?;
        let message = binding::read_post(message).map_err(|e| failed(&e))?;
        let expected = Expectation {
            request_id: &pending.request,
            audience: &self.connector_entity(),
            endpoint: &self.acs(),
            issuer: &metadata.entity,
            country: pending.asked,
            signers: &metadata.signing,
            assurance: pending.level,
            certified: metadata.certified.ok_or(Failed::fault("login.metadata"))?,
            sector: SpType::Public,
            address: None,
            now,
        };
        verify(&message, &expected, &self.decryption, self.spent.as_ref()).map_err(|e| failed(&e))
    }

    /// Signs the person in and sends the browser back with a code.
    async fn deliver(&self, portal: &Portal, country: Country, who: &Identified) -> Response<Body> {
        let now = self.now();
        let session = SignedIn {
            subject: portal.subject,
            person: who.person().clone(),
            country,
            assurance: who.assurance(),
            authenticated: who.authenticated(),
            used: now,
            application: String::new(),
            login: CorrelationId::random(self.entropy.as_ref()).to_string(),
        };
        self.hand_over(&session, &portal.returns, &portal.state).await
    }

    /// A code for a session that the portal at `returns` redeems.
    pub(super) async fn hand_over(
        &self,
        session: &SignedIn,
        returns: &str,
        state: &str,
    ) -> Response<Body> {
        let until = self.now() + self.lives.code;
        let mut value = zeroize::Zeroizing::new(returns.as_bytes().to_vec());
        value.push(b'\n');
        value.extend(session.encode().iter());
        match self.keeper.keep(Drawer::Code, &value, until).await {
            Ok(code) => {
                crash::point("login/coded");
                self.signed_in(session, returns);
                let pairs = [("code", code.text()), ("state", state)];
                pages::redirect(&pages::with_query(returns, &pairs))
            }
            Err(error) => {
                tracing::error!(%error, "a session could not be kept");
                self.failed_at(returns, session.country, "login.store");
                let pairs = [("error", "temporarily_unavailable"), ("state", state)];
                pages::redirect(&pages::with_query(returns, &pairs))
            }
        }
    }
}

/// Why nobody was identified, for us, for the portal and for a connector.
pub(super) struct Failed {
    row: &'static str,
    error: &'static str,
    status: &'static str,
}

impl Failed {
    fn fault(row: &'static str) -> Self {
        Self { row, error: "server_error", status: "AuthnFailed" }
    }

    /// A person who was not identified may try again; an answer that is not believed ends the login
    /// (DICOM PS3.15 A.5.2).
    fn outcome(&self) -> Outcome {
        if self.error == "access_denied" { Outcome::Minor } else { Outcome::Temporary }
    }
}

/// What can be told of a refused answer: a rule's name, never what stood in it.
fn failed(error: &EidasError) -> Failed {
    match error {
        EidasError::NotIdentified(_) => {
            Failed { row: "login.not-identified", error: "access_denied", status: "AuthnFailed" }
        }
        EidasError::Rule(row) => Failed::fault(row),
        EidasError::Replayed => Failed::fault("login.replay"),
        EidasError::Xml(_) | EidasError::Malformed(_) => Failed::fault("login.malformed"),
        EidasError::Undecipherable(_) => Failed::fault("login.undecipherable"),
        _ => Failed::fault("login.signature"),
    }
}

/// Professionals need two factors; of patients any notified eID is taken, unless a portal wants more.
fn least(subject: Subject) -> Assurance {
    match subject {
        Subject::Professional => Assurance::Substantial,
        Subject::Patient => Assurance::Low,
    }
}

pub(super) fn digest(cookie: &Ticket) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, cookie.text().as_bytes());
    base64::engine::general_purpose::STANDARD.encode(digest)
}

/// Binds the login to this browser. `SameSite=None`, because the answer is posted by another
/// country's page.
pub(super) fn set_cookie(response: &mut Response<Body>, cookie: &Ticket) {
    let text = format!(
        "{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=3600",
        cookie.text()
    );
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(header::SET_COOKIE, text);
    }
}

/// `__Host-`: from this host, over TLS, for all paths (RFC 6265bis §4.1.3.2).
pub(super) const COOKIE: &str = "__Host-konfido-eid";
