//! `[eid]`: logins by eID and wallet. Without it a node knows only assertions that others issue.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use exchange::{Country, Oid};
use identity::Assurance;
use identity::eidas::request::SpType;
use identity::eidas::response::Levels;
use identity::matching::Way;
use toml::de::DeTable;

use super::keys::{Pair, file, optional_file, pair};
use super::light::{self, Light};
use super::one_of;
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
    /// The other part of an eIDAS node; none when missing.
    pub light: Option<Light>,
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
    /// How it states levels of assurance.
    pub levels: Levels,
}

pub(super) fn read(
    section: &Section<'_, '_>,
    folder: &Path,
    country: Option<Country>,
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
    let parties = parties(section, folder, country, empty, faults);
    let rows = section.sections("application", "[[eid.application]]");
    let applications: Option<_> = rows.into_iter().map(|row| application(row, faults)).collect();
    let wallet = section.place("wallet").map(|_| wallet(section, folder, empty));
    let rows = section.sections("patient", "[[eid.patient]]");
    let matching: Option<_> = rows.into_iter().map(|row| patient(row, folder, faults)).collect();
    let [organisation, page, email] = contact;
    let parties = parties?;
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
        providers: parties.providers,
        connectors: parties.connectors,
        light: parties.light,
        applications: applications?,
    })
}

/// Whom we ask and who asks us.
struct Parties {
    providers: Vec<Party>,
    connectors: Vec<Party>,
    light: Option<Light>,
}

fn parties(
    section: &Section<'_, '_>,
    folder: &Path,
    country: Option<Country>,
    empty: &DeTable<'_>,
    faults: &Faults,
) -> Option<Parties> {
    let rows = section.sections("provider", "[[eid.provider]]");
    let providers: Option<Vec<_>> =
        rows.into_iter().map(|row| provider(row, folder, country, faults)).collect();
    let rows = section.sections("connector", "[[eid.connector]]");
    let connectors: Option<_> = rows.into_iter().map(|row| party(row, folder, faults)).collect();
    let light = section.place("light").map(|_| {
        let providers = providers.as_deref().unwrap_or_default();
        let around = light::Around { folder, country, providers };
        light::read(section.section("light", "[eid.light]", empty), &around, empty, faults)
    });
    Some(Parties {
        providers: providers?,
        connectors: connectors?,
        light: light.map_or(Some(None), |light| light.map(Some))?,
    })
}

fn party(section: Section<'_, '_>, folder: &Path, faults: &Faults) -> Option<Party> {
    let country = section.required::<Country>("country");
    let metadata = address(&section, "metadata", faults);
    let signers = file(&section, "signers", folder);
    section.end();
    let (country, levels) = (country?.value, Levels::Eidas);
    Some(Party { country, metadata: metadata?, signers: signers?, levels })
}

fn provider(
    section: Section<'_, '_>,
    folder: &Path,
    own: Option<Country>,
    faults: &Faults,
) -> Option<Party> {
    let stated = section.optional::<String>("levels");
    let levels =
        [Levels::Eidas, Levels::Stork][one_of(stated.as_ref(), &["eidas", "stork"], faults)];
    let party = party(section, folder, faults)?;
    if let Some(at) = stated.filter(|_| levels == Levels::Stork && own != Some(party.country)) {
        let help = "proxy services of other countries state the levels of eIDAS";
        faults.add(&at.span, "levels of STORK are for our own identity provider", Some(help));
    }
    Some(Party { levels, ..party })
}

fn wallet(section: &Section<'_, '_>, folder: &Path, empty: &DeTable<'_>) -> Option<Wallet> {
    let inner = section.section("wallet", "[eid.wallet]", empty);
    let access = pair(&inner, folder);
    let rows = inner.sections("issuer", "[[eid.wallet.issuer]]");
    let issuers: Option<_> = rows.into_iter().map(|row| issuer(row, folder)).collect();
    inner.end();
    Some(Wallet { access: access?, issuers: issuers? })
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
    let sector = section.optional::<String>("sector");
    let sectors = [SpType::Public, SpType::Private];
    let sector = sectors[one_of(sector.as_ref(), &["public", "private"], faults)];
    let requester = section.optional::<String>("requester");
    match (sector, &requester) {
        (SpType::Private, None) if section.place("requester").is_none() => {
            let help =
                "add requester = \"a URI that names it\"; some countries want to know who asks";
            faults.add(section.span(), "a private application has no requester", Some(help));
        }
        (SpType::Public, Some(at)) => {
            let help = "remove it, or write sector = \"private\"";
            faults.add(&at.span, "a public application states no requester", Some(help));
        }
        (SpType::Private, Some(at)) if !is_uri(&at.value) => {
            faults.add(&at.span, "requester is no URI of at most 1024 characters", None);
        }
        _ => {}
    }
    section.end();
    let (name, client, requester) = (name?.value, client?.value, requester.map(|at| at.value));
    Some(gateway::eid::Application { name, returns: returns?, client, sector, requester })
}

/// `scheme:…` (RFC 3986).
fn is_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let good = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    !scheme.is_empty()
        && scheme.bytes().all(good)
        && text.len() <= 1024
        && text.bytes().all(|b| b.is_ascii_graphic())
}

/// `https://…`, without a slash at its end.
pub(super) fn address(
    section: &Section<'_, '_>,
    key: &'static str,
    faults: &Faults,
) -> Option<String> {
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
