//! The back door: our own portals, over mutual TLS, redeem codes and use sessions.

use std::collections::BTreeMap;
use std::sync::Arc;

use exchange::{Code, CorrelationId, PatientId, Purpose, Refusal};
use http::{Method, Response, StatusCode};
use identity::Kind as Assertion;
use identity::issue::issuer;
use identity::professional::{Occasion, admit};
use identity::session::{Action, Drawer, SessionRefused, SignedIn, Ticket};
use ihe::atna::access::Step;
use ihe::atna::occurrence::Outcome;
use ledger::crash;
use serde_json::json;
use siem::Kind;
use transport::Peer;
use transport::problem::{Body, problem, respond};
use trust::seal::SealKey;

use super::Eid;
use crate::audit;
use crate::witness::Sight;

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
                    Err(refused) => self.not_now(&refused, peer),
                }
            }
            (HCP, None, Some(ticket)) => {
                let purpose = pairs.get("purpose").and_then(|code| Purpose::parse(code).ok());
                match (purpose, self.session(&ticket, Action::Assert, &application).await) {
                    (None, _) => {
                        self.no(StatusCode::BAD_REQUEST, "purpose", "send a purpose of use")
                    }
                    (_, Err(refused)) => self.not_now(&refused, peer),
                    (Some(purpose), Ok(session)) => self.assert(seal, session, purpose, peer).await,
                }
            }
            (PATIENT, None, Some(ticket)) => {
                let stated = pairs.get("number").map(AsRef::as_ref);
                match self.session(&ticket, Action::Identify, &application).await {
                    Ok(session) => self.candidate(&session, stated),
                    Err(refused) => self.not_now(&refused, peer),
                }
            }
            (LOGOUT, None, Some(ticket)) => {
                if let Ok(session) = self.session(&ticket, Action::Look, &application).await {
                    let _ = self.keeper.take(Drawer::Session, &ticket, self.now()).await;
                    self.of_session(Kind::SessionEnded, Step::Logout, &session, peer).tell();
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
        peer: &Peer,
    ) -> Response<Body> {
        let Some(register) = self.register.clone() else {
            let hint = "this node has no professional register";
            return self.no(StatusCode::NOT_IMPLEMENTED, "register", hint);
        };
        let (terms, seal, country, now) =
            (self.terms.clone(), Arc::clone(seal), self.country, self.now());
        let id = format!("_{}", exchange::TransactionId::random(self.entropy.as_ref()));
        let (signed_in, named) = (session.clone(), id.clone());
        // the register may read a disk, and the seal may be slow
        let issued = tokio::task::spawn_blocking(move || {
            let (person, sure) = (&session.person, session.assurance);
            let admitted = admit(person, sure, register.as_ref(), &terms, now)?;
            let authenticated = session.authenticated;
            let occasion = Occasion { country, purpose, id: &id, authenticated, now };
            let assertion = admitted.assertion(&occasion, &seal).map_err(|error| {
                Refusal::new(Code::ErrorGeneric, "the seal did not sign; try again")
                    .with_detail(error.to_string())
            })?;
            Ok::<_, Refusal>((assertion, admitted))
        });
        let sight = |kind| self.of_session(kind, Step::Hcp, &signed_in, peer).number(40);
        match issued.await {
            Ok(Ok((assertion, admitted))) => {
                let who = admitted.professional();
                let id = format!("{}@{}", who.user, issuer(Assertion::Hcp, country));
                let sight = sight(Kind::AssertionIssued).assertion(&named);
                sight.professional(id, &who.name, &who.locality).tell();
                respond(StatusCode::OK, "application/samlassertion+xml", assertion)
            }
            Ok(Err(refusal)) => {
                let correlation = CorrelationId::random(self.entropy.as_ref());
                let (code, hint) = (refusal.code, refusal.hint);
                tracing::info!(%correlation, detail = refusal.detail, "no assertion");
                let why = format!("{}: {hint}", code.wire());
                let outcome = audit::outcome(Some(code));
                let sight = sight(Kind::AssertionRefused).refused(outcome, &why, correlation);
                sight.code(code).tell();
                problem(StatusCode::FORBIDDEN, code.wire(), hint, correlation)
            }
            Err(_) => self.no(StatusCode::INTERNAL_SERVER_ERROR, "fault", "try again"),
        }
    }

    /// A code becomes a session, for the application that began the login.
    async fn redeem(&self, code: &Ticket, peer: &Peer, application: &str) -> Response<Body> {
        let now = self.now();
        let taken = self.keeper.take(Drawer::Code, code, now).await.ok().flatten();
        crash::point("login/taken");
        let found = taken.as_ref().and_then(|value| {
            let end = value.iter().position(|byte| *byte == b'\n')?;
            let returns = std::str::from_utf8(&value[..end]).ok()?;
            let ours = self.applications.iter().find(|a| a.returns == returns)?;
            (peer.certificate().is_named(&ours.client))
                .then(|| SignedIn::decode(&value[end + 1..]))
                .flatten()
        });
        let Some(mut session) = found else {
            let hint = "begin the login again";
            return self.restricted(StatusCode::BAD_REQUEST, "code", hint, None, peer);
        };
        application.clone_into(&mut session.application);
        session.used = now;
        let until = session.until(&self.lives);
        match self.keeper.keep(Drawer::Session, &session.encode(), until).await {
            Ok(ticket) => {
                crash::point("login/redeemed");
                self.tell(&ticket, &session)
            }
            Err(_) => self.no(StatusCode::SERVICE_UNAVAILABLE, "sessions", "begin again"),
        }
    }

    /// The session, when it may be used for this; using it prolongs it.
    pub(super) async fn session(
        &self,
        ticket: &Ticket,
        action: Action,
        application: &str,
    ) -> Result<SignedIn, NotNow> {
        let now = self.now();
        let found = self.keeper.find(Drawer::Session, ticket, now).await.ok().flatten();
        let session = found.and_then(|bytes| SignedIn::decode(&bytes));
        let unknown = || NotNow { why: "session.unknown", whose: None };
        let mut session = session.ok_or_else(unknown)?;
        if let Err(SessionRefused(why)) = session.may(action, application, now, &self.lives) {
            return Err(NotNow { why, whose: Some(Box::new(session)) });
        }
        session.used = now;
        let until = session.until(&self.lives);
        let kept = self.keeper.replace(Drawer::Session, ticket, &session.encode(), until).await;
        if kept == Ok(true) { Ok(session) } else { Err(unknown()) }
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

    fn not_now(&self, refused: &NotNow, peer: &Peer) -> Response<Body> {
        let whose = refused.whose.as_deref();
        self.restricted(StatusCode::FORBIDDEN, refused.why, "sign in again", whose, peer)
    }

    /// A code or a session was used as it may not be: an event, a record, and a problem.
    fn restricted(
        &self,
        status: StatusCode,
        why: &str,
        hint: &str,
        whose: Option<&SignedIn>,
        peer: &Peer,
    ) -> Response<Body> {
        let correlation = CorrelationId::random(self.entropy.as_ref());
        tracing::info!(%correlation, why, "session refused");
        let kind = Kind::SessionRefused;
        let sight = match whose {
            Some(session) => self.of_session(kind, Step::Restricted, session, peer),
            None => self.witness.sight(kind, Step::Restricted, self.now()).connected(peer),
        };
        sight.refused(Outcome::Temporary, why, correlation).tell();
        problem(status, why, hint, correlation)
    }

    /// What is told of a session.
    fn of_session(&self, kind: Kind, step: Step, session: &SignedIn, peer: &Peer) -> Sight<'_> {
        let sight = self.witness.sight(kind, step, self.now()).with(session.country);
        let sight = sight.login(&session.login).connected(peer);
        sight.person(session.subject, &session.person)
    }

    pub(super) fn no(&self, status: StatusCode, code: &str, hint: &str) -> Response<Body> {
        let correlation = self.refused(None, code);
        problem(status, code, hint, correlation)
    }
}

/// Why a session does not do, and whose it is. Personal: no `Debug`.
pub(super) struct NotNow {
    why: &'static str,
    whose: Option<Box<SignedIn>>,
}

const SESSION: &str = "/eid/session";
const PATIENT: &str = "/eid/patient";
const HCP: &str = "/eid/hcp";
const LOGOUT: &str = "/eid/logout";
