//! We ask the other part who somebody is: as specific connector its country's connector, as generic
//! proxy service what identifies the people of our own.

use exchange::Country;
use http::Response;
use identity::eidas::attributes::{Attribute, mandatory};
use identity::eidas::light::{Hoped, LightRequest, LightResponse, Place, answered};
use identity::eidas::request::Wanted;
use identity::session::{Drawer, Ticket};
use ledger::crash;
use transport::problem::Body;

use super::End;
use crate::eid::Eid;
use crate::eid::asking::{Failed, Source, expired};
use crate::eid::pending::{Asker, Connector, Pending, Then};
use crate::eid::visit::{Visit, digest};

impl Eid {
    /// Sends the browser with a token for a light request. What waits lies under the request's id, which
    /// the answer repeats.
    pub(in crate::eid) async fn ask_light(
        &self,
        end: &End,
        country: Country,
        wanted: Wanted,
        then: Then,
        browser: &Ticket,
    ) -> Response<Body> {
        let ticket = Ticket::random(self.entropy.as_ref());
        let attributes = mandatory().chain(wanted.optional.iter().copied()).map(Attribute::uri);
        let request = LightRequest {
            citizen: country,
            id: ticket.text().to_owned(),
            issuer: self.connector_entity(),
            levels: vec![(wanted.assurance.uri().to_owned(), true)],
            name_id_format: Some(PERSISTENT.to_owned()),
            provider: Some(self.contact[0].clone()),
            sector: Some(wanted.sector.word().to_owned()),
            asker: Some(self.asker(&then)),
            requester: wanted.requester.clone(),
            relay_state: None,
            attributes: attributes.collect(),
        };
        let pending = Pending {
            browser: digest(browser),
            request: request.id.clone(),
            asked: country,
            wanted,
            then,
        };
        let until = self.now() + self.lives.login;
        let kept = self.keeper.keep_at(Drawer::Login, &ticket, &pending.encode(), until).await;
        crash::point("login/asked");
        let sent = match kept {
            Ok(true) => self.send(end, &request.render()).await,
            _ => None,
        };
        sent.unwrap_or_else(|| self.unbegun(country))
    }

    /// The country whose services want to know.
    fn asker(&self, then: &Then) -> Country {
        match then {
            Then::Connector(Connector { country, .. })
            | Then::Light(Asker { country: Some(country), .. }) => *country,
            Then::Portal(_) | Then::Light(_) => self.country,
        }
    }

    /// The answer of the other part.
    pub(super) async fn light_answered(
        &self,
        end: &End,
        message: &str,
        visit: &Visit,
    ) -> Response<Body> {
        let Ok(response) = LightResponse::parse(message) else {
            return self.untaken("light.message");
        };
        let ticket = Ticket::of(&response.in_response_to);
        let pending = match self.pending(&ticket, visit).await {
            Ok(pending) => pending,
            Err(correlation) => return expired(correlation),
        };
        let hoped = Hoped {
            request_id: pending.request.clone(),
            country: pending.asked,
            asker: self.asker(&pending.then),
            bare: end.place == Place::Proxy,
            assurance: pending.wanted.assurance,
            optional: pending.wanted.optional.clone(),
            now: self.now(),
        };
        // the end that was asked, and nobody else, answers
        let here = matches!(self.source(pending.asked), Some(Source::Light(asked)) if asked.place == end.place);
        let identified = if here {
            answered(&response, &hoped).map_err(|error| Failed::of(&error))
        } else {
            Err(Failed::fault("light.place"))
        };
        self.conclude(&pending, identified).await
    }
}

const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
