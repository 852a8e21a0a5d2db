//! Asking whoever identifies the people of a country, by SAML or through the light interface, and
//! what becomes of the answer.

use exchange::{CorrelationId, Country};
use http::{Response, StatusCode};
use identity::eidas::EidasError;
use identity::eidas::binding::{self, Field};
use identity::eidas::metadata::{Binding, Metadata};
use identity::eidas::request::{Request, Wanted};
use identity::eidas::response::{Expectation, Identified, Levels, verify};
use identity::session::{Drawer, Ticket};
use ihe::atna::occurrence::Outcome;
use ledger::crash;
use transport::problem::Body;

use super::light::End;
use super::party::Party;
use super::pending::{Pending, Then};
use super::visit::{Visit, digest, set_cookie};
use super::{Eid, pages};

/// Who says who the people of a country are.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// A proxy service or identity provider, by SAML.
    Party(&'a Party),
    /// The other part of a node, through the light interface.
    Light(&'a End),
}

impl Eid {
    /// Who identifies the people of this country.
    pub(super) fn source(&self, country: Country) -> Option<Source<'_>> {
        let end = self.light.as_ref().and_then(|light| light.asked_for(country));
        let party = || self.providers.get(&country).map(Source::Party);
        end.map(Source::Light).or_else(party)
    }

    /// Sends the browser to whoever identifies the people of `country`.
    pub(super) async fn ask(
        &self,
        country: Country,
        wanted: Wanted,
        then: Then,
        cookie: Option<Ticket>,
    ) -> Response<Body> {
        let browser = cookie.unwrap_or_else(|| Ticket::random(self.entropy.as_ref()));
        let mut response = match self.source(country) {
            Some(Source::Party(party)) => self.ask_party(party, wanted, then, &browser).await,
            Some(Source::Light(end)) => self.ask_light(end, country, wanted, then, &browser).await,
            None => return self.unasked(&then, country, "login.provider").await,
        };
        set_cookie(&mut response, &browser);
        response
    }

    async fn ask_party(
        &self,
        party: &Party,
        wanted: Wanted,
        then: Then,
        browser: &Ticket,
    ) -> Response<Body> {
        let (country, now) = (party.country, self.now());
        let metadata = match party.metadata(now).await {
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
        let request = self.request(endpoint, &wanted);
        let pending = Pending {
            browser: digest(browser),
            request: request.id.clone(),
            asked: country,
            wanted,
            then,
        };
        let kept = self.keeper.keep(Drawer::Login, &pending.encode(), now + self.lives.login).await;
        crash::point("login/asked");
        let (relay, message) = match (kept, request.sign(&self.signing)) {
            (Ok(relay), Ok(message)) => (relay, message),
            (kept, signed) => {
                let (kept, signed) = (kept.err(), signed.err());
                tracing::error!(?kept, ?signed, "a login could not be begun");
                return self.unbegun(country);
            }
        };
        let (field, relay) = (Field::Request, Some(relay.text()));
        if post.is_some() {
            let page = binding::post_page(endpoint, field, &message, relay);
            return pages::onward(page, binding::SCRIPT_HASH);
        }
        match binding::redirect_url(endpoint, field, &message, relay, &self.signing) {
            Ok(url) => pages::redirect(&url),
            Err(error) => {
                tracing::error!(%error, "a login could not be sent on");
                self.unbegun(country)
            }
        }
    }

    /// The sector stands in our metadata, or else in each request (eIDAS SAML Message Format 1.2 §2.2.5);
    /// private askers say who they are.
    fn request(&self, endpoint: &str, wanted: &Wanted) -> Request {
        Request {
            id: identity::eidas::response::id(self.entropy.as_ref()),
            issued: self.now(),
            destination: endpoint.to_owned(),
            issuer: self.connector_entity(),
            provider: self.contact[0].clone(),
            sector: (self.sector_of_all() != Some(wanted.sector)).then_some(wanted.sector),
            requester: wanted.requester.clone(),
            assurance: wanted.assurance,
            optional: wanted.optional.clone(),
        }
    }

    pub(super) fn unbegun(&self, country: Country) -> Response<Body> {
        let correlation = self.refused(Some(country), "login.begin");
        let next =
            "Too many people sign in at the same time, or this service has a fault. Try again.";
        pages::trouble(StatusCode::SERVICE_UNAVAILABLE, "Try again", next, correlation)
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
            Then::Light(asker) => self.light_refusal(asker, "AuthnFailed").await,
        }
    }

    /// `POST /eid/connector/acs`: the answer of a provider.
    pub(super) async fn answered(&self, visit: &Visit) -> Response<Body> {
        let relay = Ticket::of(visit.one("RelayState").unwrap_or(""));
        match self.pending(&relay, visit).await {
            Ok(pending) => {
                let identified = self.identified(&pending, visit).await;
                self.conclude(&pending, identified).await
            }
            Err(correlation) => expired(correlation),
        }
    }

    /// What waits under this ticket, once, in the browser that began it; or the number to quote.
    pub(super) async fn pending(
        &self,
        ticket: &Ticket,
        visit: &Visit,
    ) -> Result<Pending, CorrelationId> {
        let taken = self.keeper.take(Drawer::Login, ticket, self.now()).await;
        crash::point("login/answered");
        let pending = taken.ok().flatten().and_then(|bytes| Pending::decode(&bytes));
        let pending = pending.ok_or_else(|| self.refused(None, "login.unknown"))?;
        let browser = visit.cookie.as_ref().map(digest);
        if browser.as_ref() == Some(&pending.browser) {
            return Ok(pending);
        }
        let (then, asked) = (&pending.then, pending.asked);
        Err(self.failed(then, asked, "login.browser", Outcome::Temporary))
    }

    /// On to whoever wanted to know.
    pub(super) async fn conclude(
        &self,
        pending: &Pending,
        identified: Result<Identified, Failed>,
    ) -> Response<Body> {
        let failed =
            |why: &Failed| self.failed(&pending.then, pending.asked, why.row, why.outcome());
        match (&pending.then, identified) {
            (Then::Portal(portal), Ok(who)) => self.deliver(portal, pending.asked, &who).await,
            (Then::Portal(portal), Err(why)) => {
                failed(&why);
                let pairs = [("error", why.error), ("state", portal.state.as_str())];
                pages::redirect(&pages::with_query(&portal.returns, &pairs))
            }
            (Then::Connector(connector), Ok(who)) => self.pass_on(connector, &who).await,
            (Then::Connector(connector), Err(why)) => {
                failed(&why);
                self.pass_refusal(connector, why.status).await
            }
            (Then::Light(asker), Ok(who)) => self.light_pass_on(asker, &who).await,
            (Then::Light(asker), Err(why)) => {
                failed(&why);
                self.light_refusal(asker, why.status).await
            }
        }
    }

    /// Verifies the answer to what we asked, and that it is new.
    async fn identified(&self, pending: &Pending, visit: &Visit) -> Result<Identified, Failed> {
        let provider = self.providers.get(&pending.asked).ok_or(Failed::fault("login.provider"))?;
        let now = self.now();
        let metadata = provider.metadata(now).await.map_err(|_| Failed::fault("login.metadata"))?;
        let message = visit.one("SAMLResponse").ok_or(Failed::fault("login.response"))?;
        let message = binding::read_post(message).map_err(|e| Failed::of(&e))?;
        let expected = self.expected(pending, provider.levels, &metadata)?;
        let (audience, endpoint) = (self.connector_entity(), self.acs());
        let expected = Expectation { audience: &audience, endpoint: &endpoint, ..expected };
        verify(&message, &expected, &self.decryption, self.spent.as_ref())
            .map_err(|e| Failed::of(&e))
    }

    /// All but our own addresses.
    fn expected<'a>(
        &self,
        pending: &'a Pending,
        levels: Levels,
        metadata: &'a Metadata,
    ) -> Result<Expectation<'a>, Failed> {
        Ok(Expectation {
            request_id: &pending.request,
            audience: "",
            endpoint: "",
            issuer: &metadata.entity,
            country: pending.asked,
            signers: &metadata.signing,
            assurance: pending.wanted.assurance,
            certified: metadata.certified.ok_or(Failed::fault("login.metadata"))?,
            levels,
            address: None,
            now: self.now(),
        })
    }
}

/// The page of who comes too late, or from somewhere else.
pub(super) fn expired(correlation: CorrelationId) -> Response<Body> {
    let next =
        "This login took too long, was used before, or began in another browser. Begin again.";
    pages::trouble(StatusCode::BAD_REQUEST, "Login expired", next, correlation)
}

/// Why nobody was identified, for us, for the portal and for a connector.
pub(super) struct Failed {
    row: &'static str,
    error: &'static str,
    status: &'static str,
}

impl Failed {
    pub(super) fn fault(row: &'static str) -> Self {
        Self { row, error: "server_error", status: "AuthnFailed" }
    }

    /// A person who was not identified may try again; an answer that is not believed ends the login
    /// (DICOM PS3.15 A.5.2).
    fn outcome(&self) -> Outcome {
        if self.error == "access_denied" { Outcome::Minor } else { Outcome::Temporary }
    }

    /// What can be told of a refused answer: a rule's name, never what stood in it.
    pub(super) fn of(error: &EidasError) -> Self {
        match error {
            EidasError::NotIdentified(_) => {
                Self { error: "access_denied", ..Self::fault("login.not-identified") }
            }
            EidasError::Rule(row) => Self::fault(row),
            EidasError::Replayed => Self::fault("login.replay"),
            EidasError::Xml(_) | EidasError::Malformed(_) => Self::fault("login.malformed"),
            EidasError::Undecipherable(_) => Self::fault("login.undecipherable"),
            _ => Self::fault("login.signature"),
        }
    }
}
