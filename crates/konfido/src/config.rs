//! `konfido.toml`: what it may say, and what it means. docs/configuration.md is its reference.
//!
//! Reading tells all faults at once, each with file, line and caret. Whether the files that it
//! names exist and fit is [`crate::check`]'s business.

mod attestation;
mod audit;
mod eid;
mod keys;
mod ledger;
mod light;
mod limits;
mod listen;
mod peers;
mod policy;
mod reader;
mod register;
mod validator;
mod vault;

use std::path::{Path, PathBuf};

use enclave::Use;
use enclave::root::Source;
use enclave::store::Place;
use exchange::{Country, Oid};
use gateway::background::share::Shared;
use miette::NamedSource;
use toml::de::DeTable;
use transport::server::Limits;

pub use attestation::{Attestation, Quoting};
pub use audit::Audit;
pub use eid::{Eid, Party, Wallet};
use identity::Policy;
pub use keys::{Pair, Seal, Tls};
pub use light::{Light, Stamp};
pub use listen::Listen;
pub use peers::Peer;
use reader::Section;
pub use reader::{At, Fault, Faults, Span};
pub use register::{Directory, Register};
pub use validator::{Stamps, Validator};
pub use vault::{Home, Root, VAULT_USER, VaultHome};

/// A configuration that is whole and without contradiction.
#[derive(Debug)]
pub struct Config {
    /// The file's text, for messages.
    pub source: NamedSource<String>,
    /// Its folder.
    pub folder: PathBuf,
    /// Which country.
    pub country: Country,
    /// Its home community.
    pub community: Oid,
    /// Its repository's unique id.
    pub repository: Oid,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// One JSON object a line instead of text.
    pub json_log: bool,
    /// The three listeners.
    pub listen: Listen,
    /// TLS.
    pub tls: Tls,
    /// The seal.
    pub seal: Seal,
    /// Where the private keys are.
    pub vault: VaultHome,
    /// What we ask of other countries' vaults.
    pub attestation: Option<Attestation>,
    /// An OpenNCP behind us; without it the built-in store answers.
    pub openncp: Option<String>,
    /// Where our own audit records go; nowhere when missing.
    pub audit: Option<Audit>,
    /// Logins; none when missing.
    pub eid: Option<Eid>,
    /// What this country decides by itself.
    pub policy: Policy,
    /// Name of the log.
    pub origin: String,
    /// How long evidence waits for its other half.
    pub receipt_deadline: jiff::SignedDuration,
    /// Where our evidence is shared; nowhere when missing.
    pub shared: Option<Shared>,
    /// Documents against receipts.
    pub strict: gateway::strict::Terms,
    /// Countries that we exchange with.
    pub peers: Vec<Peer>,
    /// What a connection or a request may cost.
    pub limits: Limits,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{count} to put right in {file}", count = faults(.related.len()))]
pub struct ConfigError {
    file: String,
    #[source_code]
    source_code: NamedSource<String>,
    #[related]
    related: Vec<Fault>,
}

fn faults(count: usize) -> String {
    if count == 1 { "one fault".to_owned() } else { format!("{count} faults") }
}

impl ConfigError {
    /// Faults of this source.
    pub fn new(source: &NamedSource<String>, faults: Faults) -> Self {
        let related = faults.into_sorted();
        Self { file: source.name().to_owned(), source_code: source.clone(), related }
    }

    /// Codes of the faults that are events.
    pub fn codes(&self) -> impl Iterator<Item = &'static str> {
        self.related.iter().filter_map(|fault| fault.code)
    }

    /// The faults.
    #[cfg(test)]
    pub fn faults(&self) -> &[Fault] {
        &self.related
    }
}

impl Config {
    /// The files of private keys, and what each is for. A seal in a token has none.
    pub fn keys(&self) -> impl Iterator<Item = (Use, &At<PathBuf>)> {
        let seal = self.seal.token.is_none().then_some(&self.seal.pair);
        let eid = self.eid.iter().flat_map(|eid| {
            let wallet = eid.wallet.iter().map(|wallet| &wallet.access);
            [&eid.pages, &eid.signing].into_iter().chain(wallet)
        });
        let signing = [&self.tls.consumer, &self.tls.provider].into_iter().chain(seal).chain(eid);
        let unwrapping = self.eid.iter().map(|eid| (Use::Unwrap, &eid.encryption.key));
        signing.map(|pair| (Use::Sign, &pair.key)).chain(unwrapping)
    }

    /// What the vault may do with the documents that it keeps: a country that is answered in plain IHE
    /// needs them in the clear.
    pub fn keeping(&self) -> Use {
        if self.peers.iter().any(|peer| peer.allow_plain) { Use::HandOut } else { Use::Keep }
    }

    /// A path as the file has it: the name of a key in the sealed store.
    pub fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// Where the vault's sealed store is, or would be.
    pub fn store(&self) -> Place {
        let root = match &self.vault.root {
            Root::File => Source::File(self.data_dir.clone()),
            #[cfg(feature = "tpm")]
            Root::Tpm(tpm) => Source::Tpm(enclave::tpm::Place {
                folder: self.data_dir.clone(),
                tcti: tpm.tcti.clone(),
                pcrs: tpm.pcrs.clone(),
                counter: tpm.counter,
            }),
            #[cfg(not(feature = "tpm"))]
            Root::Tpm(_) => unreachable!("because the configuration refuses it in this build"),
        };
        Place { folder: self.data_dir.clone(), root, origin: self.origin.clone() }
    }

    /// Reads a text; relative paths are relative to the folder of `file`.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        document(file, text, read)
    }
}

/// Reads a document with `read`, which gathers its faults.
fn document<T>(
    file: &Path,
    text: &str,
    read: impl FnOnce(&DeTable<'_>, Span, &Path, &NamedSource<String>, &Faults) -> Option<T>,
) -> Result<T, ConfigError> {
    let source =
        NamedSource::new(file.display().to_string(), text.to_owned()).with_language("toml");
    let found = Faults::default();
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let end = text.len();
        found.add(&error.span().unwrap_or(end..end), error.message(), None);
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let whole = 0..text.find('\n').unwrap_or(text.len());
    let config = errors
        .is_empty()
        .then(|| read(document.get_ref(), whole, folder, &source, &found))
        .flatten();
    match config {
        Some(config) if found.is_empty() => Ok(config),
        _ => Err(ConfigError::new(&source, found)),
    }
}

fn read(
    table: &DeTable<'_>,
    whole: Span,
    folder: &Path,
    source: &NamedSource<String>,
    faults: &Faults,
) -> Option<Config> {
    let empty = DeTable::new();
    let root = Section::new("the file", table, whole, faults);
    let node = root.section("node", "[node]", &empty);
    let country = node.required::<Country>("country");
    let community = node.required::<Oid>("home_community_id");
    let repository = node.optional::<Oid>("repository_id");
    let data_dir = node.required::<PathBuf>("data_dir");
    let log = node.optional::<String>("log");
    let json_log = one_of(log.as_ref(), &["text", "json"], faults) == 1;
    node.end();
    let listen = listen::read(root.section("listen", "[listen]", &empty), faults);
    let tls = keys::tls(root.section("tls", "[tls]", &empty), folder, &empty);
    let seal = keys::seal(root.section("seal", "[seal]", &empty), folder, &empty, faults);
    let vault = vault::read(root.section("vault", "[vault]", &empty), &empty, faults);
    let attestation = root.place("attestation").map(|_| {
        let section = root.section("attestation", "[attestation]", &empty);
        attestation::read(section, folder, faults)
    });
    let openncp = peers::national(root.section("national", "[national]", &empty), faults);
    let peers = root.sections("peer", "[[peer]]");
    let peers = peers.into_iter().map(|row| peers::read(row, faults)).collect::<Vec<_>>();
    peers::unique(&peers, country.as_ref(), faults);
    let audit = audit::read(root.section("audit", "[audit]", &empty), country.as_ref(), faults);
    let eid = root.place("eid").map(|_| {
        let section = root.section("eid", "[eid]", &empty);
        let eid = eid::read(&section, folder, country.as_ref().map(|at| at.value), &empty, faults);
        section.end();
        eid
    });
    let policy = policy::read(root.section("policy", "[policy]", &empty), faults);
    let (limits, request) = limits::read(root.section("limits", "[limits]", &empty));
    let ledger = ledger::read(
        root.section("ledger", "[ledger]", &empty),
        folder,
        (limits.request, request),
        faults,
    );
    peers::strict(&peers, (ledger.shared.is_some(), openncp.is_some()), faults);
    if root.place("validator").is_some() {
        let section = root.section("validator", "[validator]", &empty);
        validator::read(section, folder, &empty, faults);
    }
    root.end();
    let (country, community) = (country?.value, community?.value);
    Some(Config {
        source: source.clone(),
        folder: folder.to_owned(),
        country,
        repository: repository.map_or_else(|| community.clone(), |r| r.value),
        community,
        data_dir: folder.join(data_dir?.value),
        json_log,
        listen: listen?,
        tls: tls?,
        seal: seal?,
        vault,
        attestation: attestation.map_or(Some(None), |found| found.map(Some))?,
        openncp,
        audit,
        eid: eid.map_or(Some(None), |eid| eid.map(Some))?,
        policy,
        origin: ledger.origin.unwrap_or_else(|| format!("konfido.example/{}", country.to_lower())),
        receipt_deadline: ledger.receipt_deadline,
        shared: ledger.shared,
        strict: ledger.strict,
        peers: peers.into_iter().map(|row| row.map(|(peer, _)| peer)).collect::<Option<_>>()?,
        limits,
    })
}

/// Index of a text among the known ones; the first is the default.
fn one_of(found: Option<&At<String>>, known: &[&str], faults: &Faults) -> usize {
    let Some(found) = found else { return 0 };
    known.iter().position(|k| *k == found.value).unwrap_or_else(|| {
        let help = format!("one of: {}", known.join(", "));
        faults.add(&found.span, format!("{} is not known here", found.value), Some(&help));
        0
    })
}

#[cfg(test)]
mod tests;
