//! The front door of people: logins by eID or wallet, in the browser; and the back door by which
//! our own portals ask who was there.
//!
//! A node stands in three places. As *requester* it asks whoever identifies the people of a country:
//! that country's proxy service, or the identity provider of our own. As *responder* it is the proxy
//! service of its country for the connectors of others. As *issuer* it gives our own portals sessions
//! and HCP assertions. Docs: docs/identity.md.

mod asking;
mod back;
mod light;
mod login;
mod noted;
mod pages;
mod party;
mod pending;
mod proxy;
mod routes;
mod shown;
mod status;
mod throttle;
mod visit;
mod wallet;

use std::collections::BTreeMap;
use std::sync::Arc;

use exchange::{Clock, Country, Entropy};
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::attributes::{Attribute, NATURAL_PERSON};
use identity::eidas::metadata::{Binding, Contact, Metadata, Role};
use identity::eidas::request::SpType;
use identity::matching::Table;
use identity::professional::Terms;
use identity::register::Register;
use identity::replay::Spent;
use identity::session::{Keeper, Lives};
use jiff::{SignedDuration, Timestamp};
use trust::certificate::Certificate;
use trust::encryption::DecryptionKey;
use trust::seal::SealKey;

use crate::witness::Witness;

pub use back::is_back_path;
pub use light::{End, Light, Part, Stamp, is_shelf_path};
pub use party::{Party, renew};
pub use routes::answer;
pub use status::StatusLists;
pub use throttle::Throttle;
pub use wallet::Wallet;

/// Everything that a login needs.
pub struct Eid {
    /// Whose node.
    pub country: Country,
    /// Address of the pages, without a slash at its end.
    pub url: String,
    /// Who runs it: organisation, page, mail address.
    pub contact: [String; 3],
    /// Signs messages and metadata.
    pub signing: Arc<SealKey>,
    /// Opens answers.
    pub decryption: DecryptionKey,
    /// What answers are sealed for.
    pub encryption: Certificate,
    /// Who identifies the people of a country.
    pub providers: BTreeMap<Country, Party>,
    /// Whose connectors we identify our people for.
    pub connectors: Vec<Party>,
    /// The other part of an eIDAS node; `None` when not configured.
    pub light: Option<Light>,
    /// Wallets; `None` when not configured.
    pub wallet: Option<Wallet>,
    /// The highest level of our own people's eID.
    pub certified: Assurance,
    /// The portals that people sign in to.
    pub applications: Vec<Application>,
    /// Who is a professional; without it nobody gets an HCP assertion here.
    pub register: Option<Arc<dyn Register>>,
    /// On what terms.
    pub terms: Terms,
    /// How citizens become patients of their countries.
    pub matching: Table,
    /// Logins on their way, codes, sessions.
    pub keeper: Keeper,
    /// Answers that were used.
    pub spent: Arc<Spent>,
    /// How many logins were begun.
    pub throttle: Throttle,
    /// How long logins and sessions live.
    pub lives: Lives,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Events and audit records.
    pub witness: Witness,
}

/// A portal of ours.
#[derive(Debug, Clone)]
pub struct Application {
    /// For people.
    pub name: String,
    /// Where its people come back to: the whole address.
    pub returns: String,
    /// Name of the TLS certificate with which it redeems codes: the whole subject, or the common name.
    /// Not its key or fingerprint, which a renewal in the night would change.
    pub client: String,
    /// Whose it is.
    pub sector: SpType,
    /// `eidas:RequesterID` of a private one.
    pub requester: Option<String>,
}

impl Eid {
    /// Our metadata URL as connector, which is our name when we ask.
    pub fn connector_entity(&self) -> String {
        format!("{}{CONNECTOR_METADATA}", self.url)
    }

    /// Our metadata URL as proxy service, which is our name when we answer.
    pub fn proxy_entity(&self) -> String {
        format!("{}{PROXY_METADATA}", self.url)
    }

    fn acs(&self) -> String {
        format!("{}{ACS}", self.url)
    }

    fn sso(&self) -> String {
        format!("{}{SSO}", self.url)
    }

    /// Our signed metadata in one role, fresh.
    pub fn metadata(&self, role: Role) -> Result<String, EidasError> {
        let connector = role == Role::Connector;
        let acs = vec![(Binding::Post, self.acs())];
        let sso = [Binding::Post, Binding::Redirect].map(|binding| (binding, self.sso())).to_vec();
        let attributes = NATURAL_PERSON.iter().map(Attribute::uri);
        let metadata = Metadata {
            entity: if connector { self.connector_entity() } else { self.proxy_entity() },
            role,
            valid_until: self.now() + METADATA_LIFE,
            country: Some(self.country),
            certified: (!connector).then_some(self.certified),
            versions: vec!["1.2".to_owned()],
            sector: self.sector_of_all().filter(|_| connector),
            requester_needed: !connector,
            wants_signed: true,
            signing: vec![self.signing.certificate().clone()],
            encryption: if connector { vec![self.encryption.clone()] } else { Vec::new() },
            endpoints: if connector { acs } else { sso },
            methods: Vec::new(),
            attributes: if connector { Vec::new() } else { attributes.collect() },
        };
        let [organisation, url, email] = &self.contact;
        let contact = Contact { organisation, url, email };
        metadata.sign(&contact, &self.signing, self.entropy.as_ref())
    }

    /// The sector of everybody we ask for, which then stands in our metadata and not in each request. Who
    /// asks for others cannot promise one.
    fn sector_of_all(&self) -> Option<SpType> {
        let others = !self.connectors.is_empty()
            || self.light.iter().flat_map(|light| &light.ends).any(|end| !end.asks());
        let public = |application: &Application| application.sector == SpType::Public;
        (!others && self.applications.iter().all(public)).then_some(SpType::Public)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

const CONNECTOR_METADATA: &str = "/eid/connector/metadata";
const ACS: &str = "/eid/connector/acs";
const PROXY_METADATA: &str = "/eid/proxy/metadata";
const SSO: &str = "/eid/proxy/sso";
const LOGIN: &str = "/eid/login";
/// Peers fetch it again each day.
const METADATA_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
