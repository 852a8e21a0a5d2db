//! The proxy service: other countries' connectors ask us who one of our people is; our own identity
//! provider says it, we pass it on.

use std::sync::Arc;

use exchange::CorrelationId;
use http::{Response, StatusCode};
use identity::eidas::EidasError;
use identity::eidas::binding::{self, Field};
use identity::eidas::metadata::{Binding, Metadata};
use identity::eidas::person::{Person, PersonIdentifier};
use identity::eidas::request::{Asked, Request, SpType, Wanted};
use identity::eidas::response::{Answer, Identified, refuse};
use jiff::SignedDuration;
use transport::problem::Body;
use trust::encryption::Recipient;

use super::party::Party;
use super::pending::{Connector, Then};
use super::visit::Visit;
use super::{Eid, pages};

impl Eid {
    /// `/eid/proxy/sso`: a request by POST, or by Redirect when there is a `query`.
    pub(super) async fn asked(&self, visit: &Visit, query: Option<&str>) -> Response<Body> {
        let (connector, request) = match self.believed(visit, query).await {
            Ok(believed) => believed,
            Err(why) => {
                let correlation = self.refused(None, why);
                let next = "The service that sent you here asked in a way that this country does not accept.";
                let title = "Identification not possible";
                return pages::trouble(StatusCode::BAD_REQUEST, title, next, correlation);
            }
        };
        let relay = visit.one("RelayState").unwrap_or("").to_owned();
        let wanted = Wanted {
            assurance: request.assurance,
            optional: request.optional.clone(),
            sector: request.sector.unwrap_or(SpType::Public),
            requester: request.requester.clone(),
        };
        let country = connector.country;
        let waiting = Connector { country, request, relay };
        if self.source(self.country).is_none() || wanted.assurance > self.certified {
            self.failed_to(&waiting, "proxy.level");
            return self.pass_refusal(&waiting, "NoAuthnContext").await;
        }
        self.ask(self.country, wanted, Then::Connector(waiting), visit.cookie.clone()).await
    }

    /// The connector that asks, by its metadata, and what it asks.
    async fn believed(
        &self,
        visit: &Visit,
        query: Option<&str>,
    ) -> Result<(&Party, Request), &'static str> {
        let redirected = query.map(binding::read_redirect).transpose();
        let redirected = redirected.map_err(|_| "proxy.redirect")?;
        let message = match &redirected {
            Some(redirected) => redirected.message.clone(),
            None => {
                let message = visit.one("SAMLRequest").ok_or("proxy.request")?;
                binding::read_post(message).map_err(|_| "proxy.post")?
            }
        };
        // not believed yet: it only says whose keys to try
        let issuer = binding::claimed_issuer(&message).map_err(|_| "proxy.malformed")?;
        let connector = self.connectors.iter().find(|party| party.entity == issuer);
        let connector = connector.ok_or("proxy.issuer")?;
        let now = self.now();
        let metadata = connector.metadata(now).await.map_err(|error| {
            tracing::warn!(country = %connector.country, %error, "the metadata of a connector is refused");
            "proxy.metadata"
        })?;
        let destination = self.sso();
        let asked = Asked {
            destination: &destination,
            signers: &metadata.signing,
            sector: metadata.sector,
            requester_needed: true,
            now,
        };
        let request = match &redirected {
            Some(redirected) => Request::verify_redirected(redirected, &asked),
            None => Request::verify(&message, &asked),
        };
        let request = request.map_err(|error| {
            tracing::info!(country = %connector.country, %error, "request refused");
            match error {
                EidasError::Rule(row) => row,
                _ => "proxy.refused",
            }
        })?;
        let horizon = SignedDuration::from_mins(15);
        match self.keeper.first_seen(&request.id, now, horizon).await {
            Ok(true) => Ok((connector, request)),
            Ok(false) => Err("proxy.replay"),
            Err(_) => Err("proxy.store"),
        }
    }

    /// Passes on who was identified: what was asked for, and no more.
    pub(super) async fn pass_on(&self, to: &Connector, who: &Identified) -> Response<Body> {
        let person = self.person_for(to, who.person());
        let level = who.assurance().min(self.certified);
        let Some((metadata, endpoint)) = self.consumer(to).await else {
            return lost(self.failed_to(to, "proxy.answer"));
        };
        let recipient = metadata.encryption.first().cloned().map(Recipient::new);
        let answer = Answer {
            request: &to.request,
            endpoint: &endpoint,
            issuer: &self.proxy_entity(),
            person: &person,
            assurance: level,
            address: "",
            now: self.now(),
        };
        let signed = recipient.map(|r| answer.sign(&self.signing, &r, self.entropy.as_ref()));
        match signed {
            Some(Ok(message)) => {
                self.passed_on(to, who.person());
                onward(&endpoint, &message, &to.relay)
            }
            _ => lost(self.failed_to(to, "proxy.answer")),
        }
    }

    /// Tells the connector that nobody was identified.
    pub(super) async fn pass_refusal(&self, to: &Connector, code: &str) -> Response<Body> {
        let Some((_, endpoint)) = self.consumer(to).await else {
            return lost(self.refused(Some(to.country), "proxy.answer"));
        };
        let (issuer, now) = (self.proxy_entity(), self.now());
        let entropy = self.entropy.as_ref();
        match refuse(&to.request, &endpoint, &issuer, code, now, &self.signing, entropy) {
            Ok(message) => onward(&endpoint, &message, &to.relay),
            Err(_) => lost(self.refused(Some(to.country), "proxy.answer")),
        }
    }

    /// Where the connector takes answers.
    async fn consumer(&self, to: &Connector) -> Option<(Arc<Metadata>, String)> {
        let party = self.connectors.iter().find(|party| party.entity == to.request.issuer)?;
        let metadata = party.metadata(self.now()).await.ok()?;
        let endpoint = metadata.endpoint(Binding::Post)?.to_owned();
        Some((metadata, endpoint))
    }

    /// The identifier is made for the asking country; optional attributes go only when asked for.
    fn person_for(&self, to: &Connector, person: &Person) -> Person {
        let mut person = person.clone();
        let for_them = |mut person: Person| {
            let value = person.identifier.value;
            person.identifier = PersonIdentifier { of: self.country, to: to.country, value };
            person.more.retain(|name, _| to.request.optional.iter().any(|row| row.name == *name));
            person
        };
        person.representative = person.representative.map(|other| Box::new(for_them(*other)));
        for_them(person)
    }
}

/// Nobody can be answered but the person.
pub(super) fn lost(correlation: CorrelationId) -> Response<Body> {
    let next = "The service that sent you here cannot be answered now. Begin again later.";
    pages::trouble(StatusCode::BAD_GATEWAY, "Identification not possible", next, correlation)
}

fn onward(endpoint: &str, message: &str, relay: &str) -> Response<Body> {
    let page = binding::post_page(
        endpoint,
        Field::Response,
        message,
        Some(relay).filter(|r| !r.is_empty()),
    );
    pages::onward(page, binding::SCRIPT_HASH)
}
