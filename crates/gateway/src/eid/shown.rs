//! A login by wallet, as it is kept under the ticket of the picture and under that of the link.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::Country;
use identity::session::Subject;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::login::{Visit, digest};
use super::pending::Portal;

/// What is kept under a ticket, before and after the wallet answered.
pub(super) struct Shown {
    pub browser: String,
    pub country: Country,
    pub portal: Portal,
    pub session: Zeroizing<Vec<u8>>,
    /// In the picture's row: the link's ticket.
    pub other: String,
    /// When the wallet answered; the answer is being checked, or was when the node died.
    pub answered: Option<Timestamp>,
    /// After that: who, or why nobody.
    pub outcome: Option<Result<Zeroizing<Vec<u8>>, String>>,
}

impl Shown {
    pub(super) fn is_of(&self, visit: &Visit) -> bool {
        visit.cookie.as_ref().is_some_and(|cookie| digest(cookie) == self.browser)
    }

    /// Nobody will say what came of the answer.
    pub(super) fn is_lost(&self, now: Timestamp) -> bool {
        let since = self.answered.filter(|_| self.outcome.is_none());
        since.is_some_and(|at| now.duration_since(at) > CHECKED)
    }

    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let (signed, refused) = match &self.outcome {
            Some(Ok(signed)) => (Value::from(STANDARD.encode(signed)), Value::Null),
            Some(Err(why)) => (Value::Null, Value::from(why.as_str())),
            None => (Value::Null, Value::Null),
        };
        let value = json!({
            "browser": self.browser,
            "country": self.country.as_str(),
            "subject": self.portal.subject.word(),
            "returns": self.portal.returns,
            "state": self.portal.state,
            "session": STANDARD.encode(&self.session),
            "other": self.other,
            "answered": self.answered.map(|at| at.to_string()),
            "signed": signed,
            "refused": refused,
        });
        Zeroizing::new(value.to_string().into_bytes())
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let secret = |name: &str| STANDARD.decode(text(name)?).ok().map(Zeroizing::new);
        let outcome = secret("signed").map(Ok).or_else(|| text("refused").map(Err));
        Some(Self {
            browser: text("browser")?,
            country: Country::parse(&text("country")?).ok()?,
            portal: Portal {
                subject: Subject::of(&text("subject")?)?,
                returns: text("returns")?,
                state: text("state")?,
            },
            session: secret("session")?,
            other: text("other")?,
            answered: text("answered").and_then(|at| at.parse().ok()),
            outcome,
        })
    }
}

/// An answer is checked within this, its status list fetched.
const CHECKED: SignedDuration = SignedDuration::from_secs(10);
