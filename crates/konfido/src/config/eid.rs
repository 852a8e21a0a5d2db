//! `[eid]`: logins by eID and wallet. Without it a node knows only assertions that others issue.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use exchange::{Country, Oid};
use identity::Assurance;
use identity::matching::Way;
use toml::de::DeTable;

use super::keys::{Pair, file, optional_file, pair};
use super::reader::{At, Faults, Section};
use super::register::{self, Register};

/// `[eid]`.
#[derive(Debug)]
pub struct Eid {
    /// Where browsers come.
    pub listen: SocketAddr,
    /// What browsers call it, without a slash at its end.
    pub url: String,
    /// Organisation, page, mail address: for the metadata.
    pub contact: [String; 3],
    /// TLS of the pages.
    pub pages: Pair,
    /// Signs messages and metadata.
    pub signing: Pair,
    /// Opens answers.
    pub encryption: Pair,
    /// Roots of the web servers that metadata is fetched from.
    pub roots: At<PathBuf>,
    /// The highest level of our own people's eID.
    pub certified: Assurance,
    /// Professional register; none when missing.
    pub register: Option<Register>,
    /// Who identifies the people of a country.
    pub providers: Vec<Party>,
    /// Whose connectors may ask who our people are.
    pub connectors: Vec<Party>,
    /// Portals that people sign in to.
    pub applications: Vec<gateway::eid::Application>,
    /// Wallets; none when missing.
    pub wallet: Option<Wallet>,
    /// How citizens become patients.
    pub matching: Vec<Matching>,
}

/// `[eid.wallet]`.
#[derive(Debug)]
pub struct Wallet {
    /// Our access certificate.
    pub access: Pair,
    /// `[[eid.wallet.issuer]]`: roots of a country's PID providers.
    pub issuers: Vec<(Country, At<PathBuf>)>,
}

/// `[[eid.patient]]`: how a citizen of a country becomes a patient there.
#[derive(Debug)]
pub struct Matching {
    /// Whose citizens.
    pub country: Country,
    /// What is tried, in this order.
    pub ways: Vec<Way>,
    /// The country's search mask (ISM).
    pub mask: Option<At<PathBuf>>,
}

/// `[[eid.provider]]` and `[[eid.connector]]`.
#[derive(Debug)]
pub struct Party {
    /// Whose.
    pub country: Country,
    /// Its metadata URL.
    pub metadata: String,
    /// Certificates that sign its metadata.
    pub signers: At<PathBuf>,
}

pub(super) fn read(
    section: &Section<'_, '_>,
    folder: &Path,
    empty: &DeTable<'_>,
    faults: &Faults,
) -> Option<Eid> {
    let listen = section.required::<SocketAddr>("listen");
    let url = address(section, "url", faults);
    let contact = ["organisation", "page", "email"].map(|key| section.required::<String>(key));
    let sub = |key, full| {
        let inner = section.section(key, full, empty);
        let found = pair(&inner, folder);
        inner.end();
        found
    };
    let pages = sub("pages", "[eid.pages]");
    let signing = sub("signing", "[eid.signing]");
    let encryption = sub("encryption", "[eid.encryption]");
    let roots = file(section, "roots", folder);
    let certified = section.optional::<String>("certified");
    let certified = certified.map_or(Some(Assurance::High), |at| {
        Assurance::of_name(&at.value).or_else(|| {
            faults.add(&at.span, "no level of assurance", Some("low, substantial or high"));
            None
        })
    });
    let register = register::read(section, folder, empty, faults);
    let parties = |key, full| -> Option<Vec<Party>> {
        let rows = section.sections(key, full);
        rows.into_iter().map(|row| party(row, folder, faults)).collect()
    };
    let providers = parties("provider", "[[eid.provider]]");
    let connectors = parties("connector", "[[eid.connector]]");
    let rows = section.sections("application", "[[eid.application]]");
    let applications: Option<_> = rows.into_iter().map(|row| application(row, faults)).collect();
    let wallet = section.place("wallet").map(|_| {
        let inner = section.section("wallet", "[eid.wallet]", empty);
        let access = pair(&inner, folder);
        let rows = inner.sections("issuer", "[[eid.wallet.issuer]]");
        let issuers: Option<_> = rows.into_iter().map(|row| issuer(row, folder)).collect();
        inner.end();
        Some(Wallet { access: access?, issuers: issuers? })
    });
    let rows = section.sections("patient", "[[eid.patient]]");
    let matching: Option<_> = rows.into_iter().map(|row| patient(row, folder, faults)).collect();
    let [organisation, page, email] = contact;
    Some(Eid {
        wallet: wallet.map_or(Some(None), |wallet| wallet.map(Some))?,
        matching: matching?,
        listen: listen?.value,
        url: url?,
        contact: [organisation?.value, page?.value, email?.value],
        pages: pages?,
        signing: signing?,
        encryption: encryption?,
        roots: roots?,
        certified: certified?,
        register: register?,
        providers: providers?,
        connectors: connectors?,
        applications: applications?,
    })
}

fn party(section: Section<'_, '_>, folder: &Path, faults: &Faults) -> Option<Party> {
    let country = section.required::<Country>("country");
    let metadata = address(&section, "metadata", faults);
    let signers = file(&section, "signers", folder);
    section.end();
    Some(Party { country: country?.value, metadata: metadata?, signers: signers? })
}

fn issuer(section: Section<'_, '_>, folder: &Path) -> Option<(Country, At<PathBuf>)> {
    let country = section.required::<Country>("country");
    let roots = file(&section, "roots", folder);
    section.end();
    Some((country?.value, roots?))
}

fn patient(section: Section<'_, '_>, folder: &Path, faults: &Faults) -> Option<Matching> {
    let country = section.required::<Country>("country");
    let root = section.optional::<Oid>("number_root").map(|at| at.value);
    let words = section.required::<Vec<String>>("ways");
    let mask = optional_file(&section, "mask", folder);
    section.end();
    let words = words?;
    let way = |word: &String| {
        let way = match (word.as_str(), root.clone()) {
            ("identifier", Some(root)) => Some(Way::Identifier { root }),
            ("stated", Some(root)) => Some(Way::Stated { root }),
            ("demographics", _) => Some(Way::Demographics),
            _ => None,
        };
        if way.is_none() {
            let help = "identifier or stated, with number_root; or demographics";
            faults.add(&words.span, format!("{word} is no way to find a patient"), Some(help));
        }
        way
    };
    let ways = words.value.iter().map(way).collect::<Option<_>>();
    Some(Matching { country: country?.value, ways: ways?, mask })
}

fn application(section: Section<'_, '_>, faults: &Faults) -> Option<gateway::eid::Application> {
    let name = section.required::<String>("name");
    let returns = address(&section, "return", faults);
    let client = section.required::<String>("client");
    section.end();
    let (name, client) = (name?.value, client?.value);
    Some(gateway::eid::Application { name, returns: returns?, client })
}

/// `https://…`, without a slash at its end.
fn address(section: &Section<'_, '_>, key: &'static str, faults: &Faults) -> Option<String> {
    let at = section.required::<String>(key)?;
    let uri = at.value.parse::<http::Uri>().ok();
    let good = uri.is_some_and(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
    // behind a fragment, what we add to an address would never reach its server
    if !good || at.value.ends_with('/') || at.value.contains('#') {
        let message = format!("{key} is not an https address without a slash at its end");
        faults.add(&at.span, message, None);
        return None;
    }
    Some(at.value)
}
