//! The back door: our own portals, over mutual TLS, redeem codes and use sessions.

use http::{Method, Response, StatusCode};
use identity::session::{Action, Drawer, SessionRefused, SignedIn, Ticket};
use serde_json::json;
use siem::Kind;
use transport::Peer;
use transport::problem::{Body, problem, respond};

use super::Eid;

/// Whether the path is the back door's.
pub fn is_back_path(path: &str) -> bool {
    [SESSION, LOGOUT].contains(&path)
}

impl Eid {
    /// Answers one form of a portal.
    pub async fn back(
        &self,
        method: &Method,
        path: &str,
        peer: &Peer,
        form: &[u8],
    ) -> Response<Body> {
        if method != Method::POST {
            return self.no(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "post a form");
        }
        let mut pairs = form_urlencoded::parse(form).take(16);
        let one = |name: &str| pairs.clone().find(|pair| pair.0 == name).map(|pair| pair.1);
        let (code, session) = (one("code"), one("session"));
        let application = peer.certificate().fingerprint().to_string();
        drop(pairs.next());
        match (path, code, session) {
            (SESSION, Some(code), _) => self.redeem(&Ticket::of(&code), peer, &application).await,
            (SESSION, _, Some(session)) => {
                let ticket = Ticket::of(&session);
                match self.session(&ticket, Action::Look, &application).await {
                    Ok(session) => self.tell(&ticket, &session),
                    Err(refused) => self.not_now(refused),
                }
            }
            (LOGOUT, _, Some(session)) => {
                let ticket = Ticket::of(&session);
                if let Ok(session) = self.session(&ticket, Action::Look, &application).await {
                    let _ = self.keeper.take(Drawer::Session, &ticket, self.now()).await;
                    self.noted(Kind::SessionEnded, session.country);
                }
                // ended is what it is, whoever ended it
                respond(StatusCode::NO_CONTENT, "text/plain", "")
            }
            _ => self.no(StatusCode::BAD_REQUEST, "form", "send code or session"),
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
const LOGOUT: &str = "/eid/logout";
