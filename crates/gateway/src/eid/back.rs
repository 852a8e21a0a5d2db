//! The back door: our own portals, over mutual TLS, redeem codes and use sessions.

use std::collections::BTreeMap;
use std::sync::Arc;

use exchange::{Code, PatientId, Purpose, Refusal};
use http::{Method, Response, StatusCode};
use identity::professional::{Occasion, admit};
use identity::session::{Action, Drawer, SessionRefused, SignedIn, Ticket};
use serde_json::json;
use siem::Kind;
use transport::Peer;
use transport::problem::{Body, problem, respond};
use trust::seal::SealKey;

use super::Eid;

/// Whether the path is the back door's.
pub fn is_back_path(path: &str) -> bool {
    [SESSION, LOGOUT, HCP, PATIENT].contains(&path)
}

impl Eid {
    /// Answers one form of a portal; `seal` signs what is issued.
    pub async fn back(
        &self,
        seal: &Arc<SealKey>,
        method: &Method,
        path: &str,
        peer: &Peer,
        form: &[u8],
    ) -> Response<Body> {
        if method != Method::POST {
            return self.no(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "post a form");
        }
        let pairs: BTreeMap<_, _> = form_urlencoded::parse(form).take(16).collect();
        let ticket = |name| pairs.get(name).map(|text| Ticket::of(text));
        let application = peer.certificate().fingerprint().to_string();
        match (path, ticket("code"), ticket("session")) {
            (SESSION, Some(code), None) => self.redeem(&code, peer, &application).await,
            (SESSION, None, Some(ticket)) => {
                match self.session(&ticket, Action::Look, &application).await {
                    Ok(session) => self.tell(&ticket, &session),
                    Err(refused) => self.not_now(refused),
                }
            }
            (HCP, None, Some(ticket)) => {
                let purpose = pairs.get("purpose").and_then(|code| Purpose::parse(code).ok());
                match (purpose, self.session(&ticket, Action::Assert, &application).await) {
                    (None, _) => {
                        self.no(StatusCode::BAD_REQUEST, "purpose", "send a purpose of use")
                    }
                    (_, Err(refused)) => self.not_now(refused),
                    (Some(purpose), Ok(session)) => self.assert(seal, session, purpose).await,
                }
            }
            (PATIENT, None, Some(ticket)) => {
                let stated = pairs.get("number").map(AsRef::as_ref);
                match self.session(&ticket, Action::Identify, &application).await {
                    Ok(session) => self.candidate(&session, stated),
                    Err(refused) => self.not_now(refused),
                }
            }
            (LOGOUT, None, Some(ticket)) => {
                if let Ok(session) = self.session(&ticket, Action::Look, &application).await {
                    let _ = self.keeper.take(Drawer::Session, &ticket, self.now()).await;
                    self.noted(Kind::SessionEnded, session.country);
                }
                // ended is what it is, whoever ended it
                respond(StatusCode::NO_CONTENT, "text/plain", "")
            }
            _ => self.no(StatusCode::BAD_REQUEST, "form", "send a code or a session"),
        }
    }

    /// An HCP assertion for the professional that the register knows today.
    async fn assert(
        &self,
        seal: &Arc<SealKey>,
        session: SignedIn,
        purpose: Purpose,
    ) -> Response<Body> {
        let Some(register) = self.register.clone() else {
            let hint = "this node has no professional register";
            return self.no(StatusCode::NOT_IMPLEMENTED, "register", hint);
        };
        let (terms, seal, country, now) =
            (self.terms.clone(), Arc::clone(seal), self.country, self.now());
        let id = format!("_{}", exchange::TransactionId::random(self.entropy.as_ref()));
        // the register may read a disk, and the seal may be slow
        let issued = tokio::task::spawn_blocking(move || {
            let (person, sure) = (&session.person, session.assurance);
            let admitted = admit(person, sure, register.as_ref(), &terms, now)?;
            let authenticated = session.authenticated;
            let occasion = Occasion { country, purpose, id: &id, authenticated, now };
            admitted.assertion(&occasion, &seal).map_err(|error| {
                Refusal::new(Code::ErrorGeneric, "the seal did not sign; try again")
                    .with_detail(error.to_string())
            })
        });
        match issued.await {
            Ok(Ok(assertion)) => {
                self.noted(Kind::AssertionIssued, country);
                respond(StatusCode::OK, "application/samlassertion+xml", assertion)
            }
            Ok(Err(refusal)) => {
                tracing::info!(detail = refusal.detail, "no assertion");
                self.no(StatusCode::FORBIDDEN, refusal.code.wire(), refusal.hint)
            }
            Err(_) => self.no(StatusCode::INTERNAL_SERVER_ERROR, "fault", "try again"),
        }
    }

    /// A code becomes a session, for the application that began the login.
    async fn redeem(&self, code: &Ticket, peer: &Peer, application: &str) -> Response<Body> {
        let now = self.now();
        let taken = self.keeper.take(Drawer::Code, code, now).await.ok().flatten();
        let found = taken.as_ref().and_then(|value| {
            let end = value.iter().position(|byte| *byte == b'\n')?;
            let returns = std::str::from_utf8(&value[..end]).ok()?;
            let ours = self.applications.iter().find(|a| a.returns == returns)?;
            (ours.client == peer.certificate().common_name())
                .then(|| SignedIn::decode(&value[end + 1..]))
                .flatten()
        });
        let Some(mut session) = found else {
            return self.no(StatusCode::BAD_REQUEST, "code", "begin the login again");
        };
        application.clone_into(&mut session.application);
        session.used = now;
        let until = session.until(&self.lives);
        match self.keeper.keep(Drawer::Session, &session.encode(), until).await {
            Ok(ticket) => self.tell(&ticket, &session),
            Err(_) => self.no(StatusCode::SERVICE_UNAVAILABLE, "sessions", "begin again"),
        }
    }

    /// The session, when it may be used for this; using it prolongs it.
    pub(super) async fn session(
        &self,
        ticket: &Ticket,
        action: Action,
        application: &str,
    ) -> Result<SignedIn, SessionRefused> {
        let now = self.now();
        let found = self.keeper.find(Drawer::Session, ticket, now).await.ok().flatten();
        let session = found.and_then(|bytes| SignedIn::decode(&bytes));
        let mut session = session.ok_or(SessionRefused("session.unknown"))?;
        session.may(action, application, now, &self.lives)?;
        session.used = now;
        let until = session.until(&self.lives);
        let kept = self.keeper.replace(Drawer::Session, ticket, &session.encode(), until).await;
        if kept == Ok(true) { Ok(session) } else { Err(SessionRefused("session.unknown")) }
    }

    /// What their country is asked for; it fits what the country wants to be asked.
    fn candidate(&self, session: &SignedIn, stated: Option<&str>) -> Response<Body> {
        match self.matching.candidate(&session.person, stated) {
            Ok(found) => {
                let traits = &found.traits;
                let answer = json!({
                    "country": found.country.as_str(),
                    "patients": traits.ids.iter().map(PatientId::cx).collect::<Vec<_>>(),
                    "family": traits.family,
                    "given": traits.given,
                    "sex": traits.sex,
                    "birth": traits.birth.map(|day| day.to_string()),
                    "acting": found.acting.map(|acting| acting.identifier.text()),
                });
                respond(StatusCode::OK, "application/json", answer.to_string())
            }
            Err(refusal) => {
                tracing::info!(detail = refusal.detail, "no patient to ask for");
                self.no(StatusCode::UNPROCESSABLE_ENTITY, refusal.code.wire(), refusal.hint)
            }
        }
    }

    fn tell(&self, ticket: &Ticket, session: &SignedIn) -> Response<Body> {
        let person = &session.person;
        let answer = json!({
            "session": ticket.text(),
            "for": session.subject.word(),
            "country": session.country.as_str(),
            "level": session.assurance.name(),
            "person": {
                "identifier": person.identifier.text(),
                "family": person.family.latin,
                "given": person.given.latin,
                "birth": person.birth.to_string(),
            },
            "expires": session.until(&self.lives).to_string(),
        });
        respond(StatusCode::OK, "application/json", answer.to_string())
    }

    pub(super) fn not_now(&self, refused: SessionRefused) -> Response<Body> {
        self.no(StatusCode::FORBIDDEN, refused.0, "sign in again")
    }

    pub(super) fn no(&self, status: StatusCode, code: &str, hint: &str) -> Response<Body> {
        let correlation = self.refused(None, code);
        problem(status, code, hint, correlation)
    }
}

const SESSION: &str = "/eid/session";
const PATIENT: &str = "/eid/patient";
const HCP: &str = "/eid/hcp";
const LOGOUT: &str = "/eid/logout";
