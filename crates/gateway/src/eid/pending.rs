//! A login on its way: what we asked, for whom, and where it goes on. Kept under the ticket that
//! travels as `RelayState`, and taken once.

use exchange::Country;
use identity::Assurance;
use identity::eidas::attributes::Attribute;
use identity::eidas::request::Request;
use identity::session::Subject;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A login that waits for an answer.
pub(super) struct Pending {
    /// Hash of the browser's cookie: the answer comes from the browser that asked.
    pub browser: String,
    /// `ID` of our request.
    pub request: String,
    /// Who is asked.
    pub asked: Country,
    /// The least level that we asked for.
    pub level: Assurance,
    /// Where it goes on.
    pub then: Then,
}

/// Where a login goes on after the answer.
pub(super) enum Then {
    /// Back to a portal of ours.
    Portal(Portal),
    /// To the connector of another country, which asked us.
    Connector(Connector),
}

/// A portal that waits.
pub(super) struct Portal {
    pub subject: Subject,
    pub returns: String,
    pub state: String,
}

/// A connector that waits.
pub(super) struct Connector {
    /// Which country's.
    pub country: Country,
    /// Its request.
    pub request: Request,
    /// Its `RelayState`.
    pub relay: String,
}

impl Pending {
    pub(super) fn encode(&self) -> Vec<u8> {
        let then = match &self.then {
            Then::Portal(Portal { subject, returns, state }) => {
                json!({ "subject": subject.word(), "returns": returns, "state": state })
            }
            Then::Connector(Connector { country, request, relay }) => json!({
                "country": country.as_str(),
                "id": request.id,
                "issuer": request.issuer,
                "level": request.assurance.name(),
                "optional": request.optional.iter().map(|row| row.name).collect::<Vec<_>>(),
                "relay": relay,
            }),
        };
        let value = json!({
            "browser": self.browser,
            "request": self.request,
            "asked": self.asked.as_str(),
            "level": self.level.name(),
            "then": then,
        });
        value.to_string().into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let then = value.get("then")?;
        let of = |name| text(then, name);
        let then = match of("returns") {
            Some(returns) => Then::Portal(Portal {
                subject: Subject::of(&of("subject")?)?,
                returns,
                state: of("state")?,
            }),
            None => Then::Connector(Connector {
                country: Country::parse(&of("country")?).ok()?,
                request: Request {
                    id: of("id")?,
                    issued: Timestamp::UNIX_EPOCH,
                    destination: String::new(),
                    issuer: of("issuer")?,
                    provider: String::new(),
                    sector: None,
                    requester: None,
                    assurance: Assurance::of_name(&of("level")?)?,
                    optional: then
                        .get("optional")?
                        .as_array()?
                        .iter()
                        .filter_map(|name| Attribute::of(name.as_str()?))
                        .collect(),
                },
                relay: of("relay")?,
            }),
        };
        Some(Self {
            browser: text(&value, "browser")?,
            request: text(&value, "request")?,
            asked: Country::parse(&text(&value, "asked")?).ok()?,
            level: Assurance::of_name(&text(&value, "level")?)?,
            then,
        })
    }
}
