//! AuthnRequest: asking another country to identify a person.

mod rules;

use std::sync::Arc;

use jiff::Timestamp;
use trust::certificate::Certificate;
use trust::seal::SealKey;
use trust::signature::{Profile, sign_enveloped_as};
use trust::xml::{Limits, Writer, Xml};

use super::attributes::{Attribute, NAME_FORMAT, PREFIX};
use super::authentic::Authentic;
use super::binding::{Field, Redirected};
use super::{EIDAS, EidasError, MAX_MESSAGE, SAMLP};
use crate::Assurance;
use crate::assertion::SAML;

pub use rules::{RULES, Rule};

/// Which sector asks (`eidas:SPType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpType {
    /// A public body.
    Public,
    /// A private one; some countries then want to know which.
    Private,
}

impl SpType {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }

    /// The sector with this word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Public, Self::Private].into_iter().find(|kind| kind.word() == word)
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `ID`; the answer repeats it.
    pub id: String,
    /// `IssueInstant`.
    pub issued: Timestamp,
    /// Where it is sent.
    pub destination: String,
    /// The asker's metadata.
    pub issuer: String,
    /// The asker's name for people; may be empty.
    pub provider: String,
    /// Sector.
    pub sector: Option<SpType>,
    /// `eidas:RequesterID` of a private asker.
    pub requester: Option<String>,
    /// The least level of assurance.
    pub assurance: Assurance,
    /// What is asked for, beside the minimum data set.
    pub optional: Vec<&'static Attribute>,
}

/// What somebody wants to know of a person, however it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The least level of assurance.
    pub assurance: Assurance,
    /// Beside the minimum data set.
    pub optional: Vec<&'static Attribute>,
    /// Sector of who asks.
    pub sector: SpType,
    /// Which private asker.
    pub requester: Option<String>,
}

/// What a proxy service holds a request against.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Our own endpoint.
    pub destination: &'a str,
    /// Signing certificates of the issuer's metadata.
    pub signers: &'a [Certificate],
    /// The sector that the metadata names.
    pub sector: Option<SpType>,
    /// A private asker must say who it is.
    pub requester_needed: bool,
    /// Now.
    pub now: Timestamp,
}

impl Request {
    /// The signed message.
    pub fn sign(&self, key: &Arc<SealKey>) -> Result<String, EidasError> {
        Ok(sign_enveloped_as(&self.render(), &self.id, key, Profile::Eidas)?)
    }

    fn render(&self) -> String {
        let mut w = Writer::new();
        let issued = format!("{:.3}", self.issued);
        let mut attributes = vec![
            ("xmlns:saml2p", SAMLP),
            ("xmlns:saml2", SAML),
            ("xmlns:eidas", EIDAS),
            ("ID", &self.id),
            ("Version", "2.0"),
            ("IssueInstant", &issued),
            ("Destination", &self.destination),
            ("ForceAuthn", "true"),
            ("IsPassive", "false"),
        ];
        if !self.provider.is_empty() {
            attributes.push(("ProviderName", &self.provider));
        }
        w.open("saml2p:AuthnRequest", &attributes);
        w.leaf("saml2:Issuer", &[("Format", ENTITY)], &self.issuer);
        w.open("saml2p:Extensions", &[]);
        if let Some(sector) = self.sector {
            w.leaf("eidas:SPType", &[], sector.word());
        }
        w.open("eidas:RequestedAttributes", &[]);
        let mandatory = super::attributes::mandatory().map(|row| (row, "true"));
        for (row, required) in mandatory.chain(self.optional.iter().map(|row| (*row, "false"))) {
            let name = row.uri();
            w.empty(
                "eidas:RequestedAttribute",
                &[("Name", &name), ("NameFormat", NAME_FORMAT), ("isRequired", required)],
            );
        }
        w.close();
        if let Some(requester) = &self.requester {
            w.leaf("eidas:RequesterID", &[], requester);
        }
        w.close();
        w.empty("saml2p:NameIDPolicy", &[("AllowCreate", "true"), ("Format", PERSISTENT)]);
        w.open("saml2p:RequestedAuthnContext", &[("Comparison", "minimum")]);
        w.leaf("saml2:AuthnContextClassRef", &[], self.assurance.uri());
        w.close();
        w.close();
        w.finish()
    }

    /// Verifies a request that was posted to us: signature, then every rule.
    pub fn verify(text: &str, asked: &Asked<'_>) -> Result<Self, EidasError> {
        let xml = Xml::parse(text, &LIMITS)?;
        Self::read(Authentic::enveloped(&xml, asked.signers, asked.now)?, asked)
    }

    /// Verifies a request that came in a URL, signed there or inside.
    pub fn verify_redirected(came: &Redirected, asked: &Asked<'_>) -> Result<Self, EidasError> {
        if came.field != Field::Request {
            return Err(EidasError::Rule("request.element"));
        }
        let xml = Xml::parse(&came.message, &LIMITS)?;
        Self::read(Authentic::redirected(&xml, came, asked.signers, asked.now)?, asked)
    }

    fn read(message: Authentic<'_, '_>, asked: &Asked<'_>) -> Result<Self, EidasError> {
        let said = Said::read(message)?;
        match RULES.iter().find(|rule| !rule.holds(&said, asked)) {
            Some(rule) => Err(EidasError::Rule(rule.name)),
            None => said.request(asked),
        }
    }
}

/// What a request says, before it is believed.
pub(super) struct Said<'d> {
    root: &'d str,
    id: &'d str,
    version: &'d str,
    issued: Option<Timestamp>,
    destination: &'d str,
    force: &'d str,
    passive: &'d str,
    binding: Option<&'d str>,
    provider: &'d str,
    issuer: &'d str,
    issuer_format: Option<&'d str>,
    sector: Option<&'d str>,
    requester: Option<&'d str>,
    /// (name, format, required)
    attributes: Vec<(&'d str, &'d str, bool)>,
    name_format: Option<&'d str>,
    comparison: &'d str,
    levels: Vec<&'d str>,
}

impl<'d> Said<'d> {
    fn read(message: Authentic<'d, '_>) -> Result<Self, EidasError> {
        let root = message.element();
        let attribute = |name| root.attribute(name).unwrap_or("");
        let issuer = root.only_child(SAML, "Issuer")?;
        let extensions = root.only_child(SAMLP, "Extensions")?;
        let text = |name: &'static str| {
            extensions.child(EIDAS, name).map(|e| e.demand_text(name)).transpose()
        };
        let attributes = extensions
            .only_child(EIDAS, "RequestedAttributes")?
            .children_named(EIDAS, "RequestedAttribute")
            .map(|a| {
                let value = |name| a.attribute(name).unwrap_or("");
                (value("Name"), value("NameFormat"), value("isRequired") == "true")
            })
            .collect();
        let context = root.only_child(SAMLP, "RequestedAuthnContext")?;
        let levels = context
            .children_named(SAML, "AuthnContextClassRef")
            .map(|e| e.demand_text("AuthnContextClassRef"))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            root: if root.namespace() == SAMLP { root.name() } else { "" },
            id: attribute("ID"),
            version: attribute("Version"),
            issued: attribute("IssueInstant").parse().ok(),
            destination: attribute("Destination"),
            force: attribute("ForceAuthn"),
            passive: attribute("IsPassive"),
            binding: root.attribute("ProtocolBinding"),
            provider: attribute("ProviderName"),
            issuer: issuer.demand_text("Issuer")?,
            issuer_format: issuer.attribute("Format"),
            sector: text("SPType")?,
            requester: text("RequesterID")?,
            attributes,
            name_format: root.child(SAMLP, "NameIDPolicy").and_then(|p| p.attribute("Format")),
            comparison: context.attribute("Comparison").unwrap_or("exact"),
            levels,
        })
    }

    /// A public asker needs no name; where it gives one it goes no further (as in the reference node).
    fn request(&self, asked: &Asked<'_>) -> Result<Request, EidasError> {
        let sector = self.sector.and_then(SpType::of).or(asked.sector);
        let requester = self.requester.filter(|_| sector == Some(SpType::Private));
        let optional = self
            .attributes
            .iter()
            .filter_map(|(name, _, _)| Attribute::of(name.strip_prefix(PREFIX)?))
            .filter(|row| !row.mandatory)
            .collect();
        let level = self.levels.iter().filter_map(|uri| Assurance::of_uri(uri)).min();
        Ok(Request {
            id: self.id.to_owned(),
            issued: self.issued.ok_or(EidasError::Malformed("issue instant"))?,
            destination: self.destination.to_owned(),
            issuer: self.issuer.to_owned(),
            provider: self.provider.to_owned(),
            sector,
            requester: requester.map(str::to_owned),
            assurance: level.ok_or(EidasError::Malformed("level of assurance"))?,
            optional,
        })
    }
}

/// `Format` of an issuer that is a metadata URL.
pub(super) const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
/// `Format` of a name that stays.
pub(super) const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
const LIMITS: Limits = Limits { bytes: MAX_MESSAGE, ..Limits::ASSERTION };
