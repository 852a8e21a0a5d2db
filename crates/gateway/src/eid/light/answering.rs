//! The other part asks us: as specific proxy service for people of our country, as generic connector
//! for people of others.

use http::Response;
use identity::eidas::EidasError;
use identity::eidas::light::{LightRequest, LightResponse, LightStatus, Place, attributes_of};
use identity::eidas::person::Person;
use identity::eidas::request::Wanted;
use identity::eidas::response::{Identified, id};
use transport::problem::Body;

use super::End;
use crate::eid::Eid;
use crate::eid::pending::{Asker, Then};
use crate::eid::proxy::lost;
use crate::eid::visit::Visit;

impl Eid {
    /// A request of the other part: it is answered, by a page or by a light response.
    pub(super) async fn light_asked(
        &self,
        end: &End,
        message: &str,
        visit: &Visit,
    ) -> Response<Body> {
        let Ok(request) = LightRequest::parse(message) else {
            return self.untaken("light.message");
        };
        let wanted = request.wanted();
        let asker = Asker {
            place: end.place,
            id: request.id.clone(),
            country: request.asker,
            optional: wanted.as_ref().map_or_else(|_| Vec::new(), |w| w.optional.clone()),
            relay: request.relay_state.clone(),
            format: request.name_id_format.clone(),
        };
        match wanted.map_err(|error| of(&error)).and_then(|w| self.possible(end, &request, w)) {
            Ok(wanted) => {
                let (citizen, cookie) = (request.citizen, visit.cookie.clone());
                self.ask(citizen, wanted, Then::Light(asker), cookie).await
            }
            Err(why) => {
                self.failed_beside(request.citizen, why);
                self.light_refusal(&asker, status(why)).await
            }
        }
    }

    /// Whether somebody can be asked for that.
    fn possible(
        &self,
        end: &End,
        request: &LightRequest,
        wanted: Wanted,
    ) -> Result<Wanted, &'static str> {
        let own = request.citizen == self.country;
        let known = own || end.place == Place::Connector;
        if !known || self.source(request.citizen).is_none() {
            return Err("light.country");
        }
        let certified = !own || wanted.assurance <= self.certified;
        certified.then_some(wanted).ok_or("light.level-certified")
    }

    /// Passes on who was identified: what was asked for, and no more.
    pub(in crate::eid) async fn light_pass_on(
        &self,
        to: &Asker,
        who: &Identified,
    ) -> Response<Body> {
        let bare = to.place == Place::Proxy;
        let person = given(who.person(), to);
        let own = person.identifier.of == self.country;
        let level = if own { who.assurance().min(self.certified) } else { who.assurance() };
        let format = to.format.clone().unwrap_or_else(|| UNSPECIFIED.to_owned());
        let identifier =
            if bare { person.identifier.value.clone() } else { person.identifier.text() };
        let subject =
            if format.ends_with(":transient") { id(self.entropy.as_ref()) } else { identifier };
        let response = LightResponse {
            subject: Some(subject),
            subject_format: Some(format),
            level: Some(level.uri().to_owned()),
            attributes: attributes_of(&person, bare),
            ..self.light_response(to, status_of("Success", None))
        };
        match self.light_send(to, &response).await {
            Some(sent) => {
                self.passed_beside(to, who.person());
                sent
            }
            None => lost(self.failed_beside(person.identifier.of, LOST)),
        }
    }

    /// Tells the other part that nobody was identified. `code` is the last word of a SAML status.
    pub(in crate::eid) async fn light_refusal(&self, to: &Asker, code: &str) -> Response<Body> {
        // the interface knows fewer words than SAML
        let sub = SUB_STATUS.iter().find(|sub| **sub == code).copied().unwrap_or("RequestDenied");
        let first = if sub == "AuthnFailed" { "Responder" } else { "Requester" };
        let response = self.light_response(to, status_of(first, Some(sub)));
        let sent = self.light_send(to, &response).await;
        sent.unwrap_or_else(|| lost(self.refused(to.country, LOST)))
    }

    /// An answer that says nothing of anybody.
    fn light_response(&self, to: &Asker, status: LightStatus) -> LightResponse {
        LightResponse {
            id: id(self.entropy.as_ref()),
            in_response_to: to.id.clone(),
            issuer: self.proxy_entity(),
            address: None,
            relay_state: to.relay.clone(),
            subject: None,
            subject_format: None,
            level: None,
            status,
            attributes: Vec::new(),
        }
    }

    async fn light_send(&self, to: &Asker, response: &LightResponse) -> Option<Response<Body>> {
        let end = self.light.as_ref()?.at(to.place).filter(|end| !end.asks())?;
        self.send(end, &zeroize::Zeroizing::new(response.render())).await
    }
}

/// Optional attributes go only when asked for.
fn given(person: &Person, to: &Asker) -> Person {
    let mut person = person.clone();
    let asked = |name: &str| to.optional.iter().any(|row| row.name == name);
    person.more.retain(|name, _| asked(name));
    if let Some(other) = &mut person.representative {
        other.more.retain(|name, _| asked(name));
    }
    person
}

/// The row that did not hold.
fn of(error: &EidasError) -> &'static str {
    match error {
        EidasError::Rule(row) => row,
        _ => "light.message",
    }
}

/// What the other part is told of a row.
fn status(why: &str) -> &'static str {
    match why {
        "light.attribute" | "light.minimum-data-set" => "InvalidAttrNameOrValue",
        _ => "RequestDenied",
    }
}

fn status_of(code: &str, sub: Option<&str>) -> LightStatus {
    let uri = |word: &str| format!("urn:oasis:names:tc:SAML:2.0:status:{word}");
    let failure = code != "Success";
    LightStatus { failure, code: Some(uri(code)), sub_code: sub.map(uri), message: None }
}

/// The row of an answer that could not be given.
const LOST: &str = "light.answer";
/// `subStatusCode` of the interface's schema.
const SUB_STATUS: [&str; 4] =
    ["AuthnFailed", "InvalidAttrNameOrValue", "InvalidNameIDPolicy", "RequestDenied"];
const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
