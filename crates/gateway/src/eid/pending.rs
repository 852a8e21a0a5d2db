//! A login on its way: what we asked, for whom, and where it goes on. Kept under the ticket that
//! travels as `RelayState` or as id of a light request, and taken once.

use exchange::Country;
use identity::Assurance;
use identity::eidas::attributes::Attribute;
use identity::eidas::light::Place;
use identity::eidas::request::{Request, SpType, Wanted};
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
    /// What we asked for.
    pub wanted: Wanted,
    /// Where it goes on.
    pub then: Then,
}

/// Where a login goes on after the answer.
pub(super) enum Then {
    /// Back to a portal of ours.
    Portal(Portal),
    /// To the connector of another country, which asked us.
    Connector(Connector),
    /// To the other part of a node, which asked us through the light interface.
    Light(Asker),
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

/// The other part of a node that waits.
pub(super) struct Asker {
    /// Of which end of the border.
    pub place: Place,
    /// `id` of its light request.
    pub id: String,
    /// Whose services ask, where it says so.
    pub country: Option<Country>,
    /// What it asked for beside the minimum data set.
    pub optional: Vec<&'static Attribute>,
    /// Its `relayState`.
    pub relay: Option<String>,
    /// Its `nameIdFormat`.
    pub format: Option<String>,
}

impl Pending {
    pub(super) fn encode(&self) -> Vec<u8> {
        let wanted = &self.wanted;
        let value = json!({
            "browser": self.browser,
            "request": self.request,
            "asked": self.asked.as_str(),
            "level": wanted.assurance.name(),
            "optional": wanted.optional.iter().map(|row| row.name).collect::<Vec<_>>(),
            "sector": wanted.sector.word(),
            "requester": wanted.requester,
            "then": self.then.encode(),
        });
        value.to_string().into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let optional = value.get("optional")?.as_array()?;
        let wanted = Wanted {
            assurance: Assurance::of_name(&text(&value, "level")?)?,
            optional: optional.iter().filter_map(|name| Attribute::of(name.as_str()?)).collect(),
            sector: SpType::of(&text(&value, "sector")?)?,
            requester: text(&value, "requester"),
        };
        Some(Self {
            browser: text(&value, "browser")?,
            request: text(&value, "request")?,
            asked: Country::parse(&text(&value, "asked")?).ok()?,
            then: Then::decode(value.get("then")?, &wanted)?,
            wanted,
        })
    }
}

impl Then {
    fn encode(&self) -> Value {
        match self {
            Self::Portal(Portal { subject, returns, state }) => {
                json!({ "subject": subject.word(), "returns": returns, "state": state })
            }
            Self::Connector(Connector { country, request, relay }) => json!({
                "country": country.as_str(),
                "id": request.id,
                "issuer": request.issuer,
                "relay": relay,
            }),
            Self::Light(asker) => json!({
                "light": asker.place.word(),
                "id": asker.id,
                "country": asker.country.map(|country| country.as_str().to_owned()),
                "relay": asker.relay,
                "format": asker.format,
            }),
        }
    }

    /// What is passed on to others is what they wanted.
    fn decode(value: &Value, wanted: &Wanted) -> Option<Self> {
        let of = |name| text(value, name);
        let country = || of("country").map(|code| Country::parse(&code));
        if let Some(returns) = of("returns") {
            let subject = Subject::of(&of("subject")?)?;
            return Some(Self::Portal(Portal { subject, returns, state: of("state")? }));
        }
        if let Some(place) = of("light") {
            return Some(Self::Light(Asker {
                place: Place::of(&place)?,
                id: of("id")?,
                country: country().transpose().ok()?,
                optional: wanted.optional.clone(),
                relay: of("relay"),
                format: of("format"),
            }));
        }
        let request = Request {
            id: of("id")?,
            issued: Timestamp::UNIX_EPOCH,
            destination: String::new(),
            issuer: of("issuer")?,
            provider: String::new(),
            sector: Some(wanted.sector),
            requester: wanted.requester.clone(),
            assurance: wanted.assurance,
            optional: wanted.optional.clone(),
        };
        Some(Self::Connector(Connector { country: country()?.ok()?, request, relay: of("relay")? }))
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    Some(value.get(name)?.as_str()?.to_owned())
}
