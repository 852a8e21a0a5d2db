//! The back channel: portal and node between themselves, over mutual TLS.

use bytes::Bytes;
use identity::Assurance;
use jiff::Timestamp;
use serde::Deserialize;
use transport::client::{Client, ClientError};

use super::Who;
use crate::web::{FORM, encode};

/// Why a code gave no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackError {
    /// The node gave no answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The node refuses.
    #[error("the node answered {0}")]
    Status(http::StatusCode),
    /// The answer cannot be read.
    #[error("the node's answer cannot be read")]
    Answer,
    /// The answer is about another part or country than was asked for.
    #[error("the node's answer is not about what was asked")]
    Other,
}

/// Somebody whom the node knows. Personal: no `Debug`.
#[derive(Clone)]
pub struct SignedIn {
    /// The node's name of the session; a secret.
    pub session: String,
    /// Country code.
    pub country: String,
    /// How sure.
    pub level: Assurance,
    /// Given and family name.
    pub name: String,
    /// Date of birth, `YYYY-MM-DD`.
    pub birth: String,
    /// The session ends.
    pub expires: Timestamp,
}

/// What `POST /eid/session` answers.
#[derive(Deserialize)]
struct Session {
    session: String,
    #[serde(rename = "for")]
    who: String,
    country: String,
    level: String,
    person: Person,
    expires: Timestamp,
}

#[derive(Deserialize)]
struct Person {
    family: String,
    given: String,
    birth: String,
}

/// The way to the node.
pub(super) struct Back(pub Client);

impl Back {
    /// Redeems a code for the person who came back with it.
    pub async fn redeem(&self, code: &str, who: Who, country: &str) -> Result<SignedIn, BackError> {
        let body = self.post("/eid/session", &[("code", code)]).await?;
        let said: Session = serde_json::from_slice(&body).map_err(|_| BackError::Answer)?;
        if said.who != who.word() || said.country != country {
            return Err(BackError::Other);
        }
        Ok(SignedIn {
            session: said.session,
            country: said.country,
            level: Assurance::of_name(&said.level).ok_or(BackError::Answer)?,
            name: format!("{} {}", said.person.given, said.person.family),
            birth: said.person.birth,
            expires: said.expires,
        })
    }

    /// Ends a session.
    pub async fn logout(&self, session: &str) -> Result<(), BackError> {
        self.post("/eid/logout", &[("session", session)]).await.map(|_| ())
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<Bytes, BackError> {
        let answer = self.0.post(path, FORM, encode(form).into()).await?;
        if answer.status.is_success() {
            Ok(answer.body)
        } else {
            Err(BackError::Status(answer.status))
        }
    }
}
