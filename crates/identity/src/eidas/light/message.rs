//! `LightRequest` and `LightResponse` 1.2.

use exchange::Country;
use trust::xml::{Element, Limits, Writer, Xml};

use crate::eidas::{EidasError, MAX_MESSAGE};

/// What the specific connector asks the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LightRequest {
    /// Of which country the citizen is.
    pub citizen: Country,
    /// The answer repeats it.
    pub id: String,
    /// Who asks.
    pub issuer: String,
    /// Levels of assurance, with whether each is notified.
    pub levels: Vec<(String, bool)>,
    /// `nameIdFormat`.
    pub name_id_format: Option<String>,
    /// The asker's name for people.
    pub provider: Option<String>,
    /// `public` or `private`.
    pub sector: Option<String>,
    /// `spCountryCode`: of which country the asker is.
    pub asker: Option<Country>,
    /// Of a private asker.
    pub requester: Option<String>,
    /// Comes back as it went.
    pub relay_state: Option<String>,
    /// URIs of the attributes.
    pub attributes: Vec<String>,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LightStatus {
    /// Not identified.
    pub failure: bool,
    /// SAML status code.
    pub code: Option<String>,
    /// Second-level code.
    pub sub_code: Option<String>,
    /// For people.
    pub message: Option<String>,
}

/// What the node answers. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct LightResponse {
    /// Its own id.
    pub id: String,
    /// The request's.
    pub in_response_to: String,
    /// Who answers.
    pub issuer: String,
    /// The browser's address.
    pub address: Option<String>,
    /// As it went.
    pub relay_state: Option<String>,
    /// The person.
    pub subject: Option<String>,
    /// `subjectNameIdFormat`.
    pub subject_format: Option<String>,
    /// How sure.
    pub level: Option<String>,
    /// How it went.
    pub status: LightStatus,
    /// URIs with their values, the Latin one first.
    pub attributes: Vec<(String, Vec<String>)>,
}

impl LightRequest {
    /// Reads a message of the cache.
    pub fn parse(text: &str) -> Result<Self, EidasError> {
        let xml = open(text)?;
        let root = xml.root();
        if !root.is(REQUEST, "lightRequest") {
            return Err(EidasError::Malformed("light request"));
        }
        let citizen = one(root, REQUEST, "citizenCountryCode")?;
        let asker = maybe(root, REQUEST, "spCountryCode")?.map(|code| Country::parse(&code));
        let levels = root.children_named(REQUEST, "levelOfAssurance").map(|level| {
            let notified = level.attribute("type").unwrap_or("notified") == "notified";
            Ok((level.demand_text("levelOfAssurance")?.to_owned(), notified))
        });
        Ok(Self {
            citizen: Country::parse(&citizen).map_err(|_| EidasError::Malformed("country"))?,
            id: one(root, REQUEST, "id")?,
            issuer: one(root, REQUEST, "issuer")?,
            levels: levels.collect::<Result<_, EidasError>>()?,
            name_id_format: maybe(root, REQUEST, "nameIdFormat")?,
            provider: maybe(root, REQUEST, "providerName")?,
            sector: maybe(root, REQUEST, "spType")?,
            asker: asker.transpose().map_err(|_| EidasError::Malformed("country"))?,
            requester: maybe(root, REQUEST, "requesterId")?,
            relay_state: maybe(root, REQUEST, "relayState")?,
            attributes: attributes(root, REQUEST, "requestedAttributes")?
                .into_iter()
                .map(|(definition, _)| definition)
                .collect(),
        })
    }

    /// Writes it.
    pub fn render(&self) -> String {
        let mut w = Writer::new();
        w.open("lightRequest", &[("xmlns", REQUEST)]);
        w.leaf("citizenCountryCode", &[], self.citizen.as_str());
        w.leaf("id", &[], &self.id);
        w.leaf("issuer", &[], &self.issuer);
        for (level, notified) in &self.levels {
            let kind = if *notified { "notified" } else { "nonNotified" };
            w.leaf("levelOfAssurance", &[("type", kind)], level);
        }
        let asker = self.asker.map(|country| country.as_str().to_owned());
        for (name, value) in [
            ("nameIdFormat", &self.name_id_format),
            ("providerName", &self.provider),
            ("spType", &self.sector),
            ("spCountryCode", &asker),
            ("requesterId", &self.requester),
            ("relayState", &self.relay_state),
        ] {
            value.iter().for_each(|value| w.leaf(name, &[], value));
        }
        w.open("requestedAttributes", &[]);
        for definition in &self.attributes {
            w.open("attribute", &[]);
            w.leaf("definition", &[], definition);
            w.close();
        }
        w.close();
        w.close();
        w.finish()
    }
}

impl LightResponse {
    /// Reads a message of the cache.
    pub fn parse(text: &str) -> Result<Self, EidasError> {
        let xml = open(text)?;
        let root = xml.root();
        if !root.is(RESPONSE, "lightResponse") {
            return Err(EidasError::Malformed("light response"));
        }
        let status = root.only_child(RESPONSE, "status")?;
        Ok(Self {
            id: one(root, RESPONSE, "id")?,
            in_response_to: one(root, RESPONSE, "inResponseToId")?,
            issuer: one(root, RESPONSE, "issuer")?,
            address: maybe(root, RESPONSE, "ipAddress")?,
            relay_state: maybe(root, RESPONSE, "relayState")?,
            subject: maybe(root, RESPONSE, "subject")?,
            subject_format: maybe(root, RESPONSE, "subjectNameIdFormat")?,
            level: maybe(root, RESPONSE, "levelOfAssurance")?,
            status: LightStatus {
                failure: maybe(status, RESPONSE, "failure")?.as_deref() == Some("true"),
                code: maybe(status, RESPONSE, "statusCode")?,
                sub_code: maybe(status, RESPONSE, "subStatusCode")?,
                message: maybe(status, RESPONSE, "statusMessage")?,
            },
            attributes: attributes(root, RESPONSE, "attributes")?,
        })
    }

    /// Writes it.
    pub fn render(&self) -> String {
        let mut w = Writer::new();
        w.open("lightResponse", &[("xmlns", RESPONSE)]);
        w.leaf("id", &[], &self.id);
        w.leaf("inResponseToId", &[], &self.in_response_to);
        w.leaf("issuer", &[], &self.issuer);
        for (name, value) in [
            ("ipAddress", &self.address),
            ("relayState", &self.relay_state),
            ("subject", &self.subject),
            ("subjectNameIdFormat", &self.subject_format),
            ("levelOfAssurance", &self.level),
        ] {
            value.iter().for_each(|value| w.leaf(name, &[], value));
        }
        w.open("status", &[]);
        w.leaf("failure", &[], if self.status.failure { "true" } else { "false" });
        for (name, value) in [
            ("statusCode", &self.status.code),
            ("subStatusCode", &self.status.sub_code),
            ("statusMessage", &self.status.message),
        ] {
            value.iter().for_each(|value| w.leaf(name, &[], value));
        }
        w.close();
        w.open("attributes", &[]);
        for (definition, values) in &self.attributes {
            w.open("attribute", &[]);
            w.leaf("definition", &[], definition);
            values.iter().for_each(|value| w.leaf("value", &[], value));
            w.close();
        }
        w.close();
        w.close();
        w.finish()
    }
}

fn open(text: &str) -> Result<Xml<'_>, EidasError> {
    Ok(Xml::parse(text, &Limits { bytes: MAX_MESSAGE, ..Limits::ASSERTION })?)
}

fn one(parent: Element<'_, '_>, ns: &str, name: &'static str) -> Result<String, EidasError> {
    Ok(parent.only_child(ns, name)?.demand_text(name)?.to_owned())
}

fn maybe(
    parent: Element<'_, '_>,
    ns: &str,
    name: &'static str,
) -> Result<Option<String>, EidasError> {
    let mut all = parent.children_named(ns, name);
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(only), None) => Ok(Some(only.demand_text(name)?.to_owned())),
        _ => Err(EidasError::Malformed("light message: an element comes twice")),
    }
}

fn attributes(
    root: Element<'_, '_>,
    ns: &str,
    list: &'static str,
) -> Result<Vec<(String, Vec<String>)>, EidasError> {
    let all = root.only_child(ns, list)?.children_named(ns, "attribute").map(|attribute| {
        let values = attribute.children_named(ns, "value");
        let values = values.map(|v| Ok(v.demand_text("value")?.to_owned()));
        Ok((one(attribute, ns, "definition")?, values.collect::<Result<_, EidasError>>()?))
    });
    all.collect()
}

const REQUEST: &str = "http://cef.eidas.eu/LightRequest";
const RESPONSE: &str = "http://cef.eidas.eu/LightResponse";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_reference_node_are_read_and_written_back() {
        let root = std::env::var_os("KONFIDO_SAMPLES").map_or_else(
            || std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"),
            std::path::PathBuf::from,
        );
        let folder = root.join("identity/eidas-node-2.9.0/light");
        if !folder.exists() {
            println!("skipped: no samples at {}", folder.display());
            return;
        }
        let mut seen = 0;
        for flow in ["HappyFlow", "FailureFlow"] {
            for file in std::fs::read_dir(folder.join(flow)).unwrap().flatten() {
                let text = std::fs::read_to_string(file.path()).unwrap();
                if file.file_name().to_string_lossy().ends_with("Request.xml") {
                    let read = LightRequest::parse(&text).unwrap();
                    assert!(LightRequest::parse(&read.render()).unwrap() == read);
                    // for natural and legal persons at once; what we do not know is left out
                    let wanted = read.wanted().unwrap();
                    assert_eq!((wanted.optional.len(), wanted.requester), (4, None));
                } else {
                    let read = LightResponse::parse(&text).unwrap();
                    assert_eq!(read.status.failure, flow == "FailureFlow");
                    assert!(LightResponse::parse(&read.render()).unwrap() == read);
                }
                seen += 1;
            }
        }
        assert_eq!(seen, 7);
    }
}
