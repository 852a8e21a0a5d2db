//! `konfido.toml`: what it may say, and what it means. docs/configuration.md is its reference.
//!
//! Reading tells all faults at once, each with file, line and caret. Whether the files that it
//! names exist and fit is [`crate::check`]'s business.

mod reader;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use exchange::{Country, Oid};
use miette::NamedSource;
use toml::de::DeTable;
use transport::server::Limits;

use reader::Section;
pub use reader::{At, Fault, Faults, Span};

/// A configuration that is whole and without contradiction.
#[derive(Debug)]
pub struct Config {
    /// The file's text, for messages.
    pub source: NamedSource<String>,
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
    pub seal: Pair,
    /// Roots of seal certificates.
    pub seal_roots: At<PathBuf>,
    /// An OpenNCP behind us; without it the built-in store answers.
    pub openncp: Option<String>,
    /// Name of the log.
    pub origin: String,
    /// How long evidence waits for its other half.
    pub receipt_deadline: jiff::SignedDuration,
    /// Countries that we exchange with.
    pub peers: Vec<Peer>,
    /// What a connection or a request may cost.
    pub limits: Limits,
}

/// Where the node listens.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// For our own country.
    pub national: SocketAddr,
    /// For other countries.
    pub border: SocketAddr,
    /// For the operator.
    pub admin: SocketAddr,
    /// For our own OpenNCP's audit records (syslog-TLS, usually port 2862).
    pub audit: Option<SocketAddr>,
}

/// A certificate chain with its key.
#[derive(Debug, Clone)]
pub struct Pair {
    /// PEM, leaf first.
    pub certificate: At<PathBuf>,
    /// PEM.
    pub key: At<PathBuf>,
}

/// TLS files.
#[derive(Debug)]
pub struct Tls {
    /// Roots of the other ends.
    pub roots: At<PathBuf>,
    /// Revocation lists.
    pub crls: Option<At<PathBuf>>,
    /// Client towards other countries.
    pub consumer: Pair,
    /// Server towards everybody.
    pub provider: Pair,
}

/// A `[[peer]]`.
#[derive(Debug)]
pub struct Peer {
    /// Which country.
    pub country: Country,
    /// Its border listener.
    pub url: String,
    /// Speaks sealed.
    pub konfido: bool,
    /// May be spoken to plainly.
    pub allow_plain: bool,
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

    /// The faults.
    #[cfg(test)]
    pub fn faults(&self) -> &[Fault] {
        &self.related
    }
}

impl Config {
    /// Reads a text; relative paths are relative to the folder of `file`.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
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
    let listen = listen(root.section("listen", "[listen]", &empty), faults);
    let tls = tls(root.section("tls", "[tls]", &empty), folder, &empty);
    let seal = root.section("seal", "[seal]", &empty);
    let (pair, seal_roots) = (pair(&seal, folder), file(&seal, "roots", folder));
    seal.end();
    let openncp = national(root.section("national", "[national]", &empty), faults);
    let peers = root.sections("peer", "[[peer]]");
    let peers = peers.into_iter().map(|row| peer(row, faults)).collect::<Vec<_>>();
    unique(&peers, country.as_ref(), faults);
    let limits = limits(root.section("limits", "[limits]", &empty));
    let ledger = root.section("ledger", "[ledger]", &empty);
    let origin = ledger.optional::<String>("origin");
    if let Some(origin) =
        origin.as_ref().filter(|o| o.value.is_empty() || o.value.contains([' ', '+', '\n']))
    {
        faults.add(
            &origin.span,
            "origin is empty, or has a space or a plus",
            Some("as in \"ncp.example.dk/konfido\" (C2SP tlog-checkpoint)"),
        );
    }
    let receipt_deadline = receipt_deadline(&ledger, limits.request, faults);
    ledger.end();
    root.end();
    let (country, community) = (country?.value, community?.value);
    Some(Config {
        source: source.clone(),
        country,
        repository: repository.map_or_else(|| community.clone(), |r| r.value),
        community,
        data_dir: folder.join(data_dir?.value),
        json_log,
        listen: listen?,
        tls: tls?,
        seal: pair?,
        seal_roots: seal_roots?,
        openncp,
        origin: origin
            .map_or_else(|| format!("konfido.example/{}", country.to_lower()), |o| o.value),
        receipt_deadline,
        peers: peers.into_iter().map(|row| row.map(|(peer, _)| peer)).collect::<Option<_>>()?,
        limits,
    })
}

/// Longer than a request may take: else evidence would be closed over requests that still run.
fn receipt_deadline(
    section: &Section<'_, '_>,
    request: Duration,
    faults: &Faults,
) -> jiff::SignedDuration {
    let default = gateway::node::NodeLimits::default().receipt_deadline;
    let Some(found) = section.optional::<u64>("receipt_deadline_seconds") else { return default };
    if found.value <= request.as_secs() {
        faults.add(
            &found.span,
            "the deadline of receipts is not above request_seconds",
            Some("usually 900: how long evidence waits for its other half"),
        );
    }
    jiff::SignedDuration::from_secs(i64::try_from(found.value).unwrap_or(i64::MAX))
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

fn listen(section: Section<'_, '_>, faults: &Faults) -> Option<Listen> {
    let national = section.required::<SocketAddr>("national");
    let border = section.required::<SocketAddr>("border");
    let admin = section.required::<SocketAddr>("admin");
    let audit = section.optional::<SocketAddr>("audit");
    let open = section.or("danger_admin_not_on_loopback", false);
    section.end();
    let (national, border, admin) = (national?, border?, admin?);
    if !admin.value.ip().is_loopback() && !open {
        faults.add(
            &admin.span,
            "admin is plain HTTP and would be open to the network",
            Some("use 127.0.0.1, or say danger_admin_not_on_loopback = true"),
        );
    }
    let all: Vec<_> = [&national, &border, &admin].into_iter().chain(&audit).collect();
    for (n, at) in all.iter().enumerate() {
        if at.value.port() != 0 && all[..n].iter().any(|before| before.value == at.value) {
            faults.add(&at.span, "two listeners have the same address", None);
        }
    }
    Some(Listen {
        national: national.value,
        border: border.value,
        admin: admin.value,
        audit: audit.map(|at| at.value),
    })
}

fn tls(section: Section<'_, '_>, folder: &Path, empty: &DeTable<'_>) -> Option<Tls> {
    let roots = file(&section, "roots", folder);
    let crls = section
        .optional::<PathBuf>("crls")
        .map(|at| At { value: folder.join(at.value), span: at.span });
    let consumer = sub_pair(&section, "service_consumer", "[tls.service_consumer]", folder, empty);
    let provider = sub_pair(&section, "service_provider", "[tls.service_provider]", folder, empty);
    section.end();
    Some(Tls { roots: roots?, crls, consumer: consumer?, provider: provider? })
}

fn sub_pair<'i>(
    section: &Section<'_, 'i>,
    key: &'static str,
    full: &str,
    folder: &Path,
    empty: &DeTable<'i>,
) -> Option<Pair> {
    let inner = section.section(key, full, empty);
    let pair = pair(&inner, folder);
    inner.end();
    pair
}

fn pair(section: &Section<'_, '_>, folder: &Path) -> Option<Pair> {
    let (certificate, key) = (file(section, "certificate", folder), file(section, "key", folder));
    Some(Pair { certificate: certificate?, key: key? })
}

fn file(section: &Section<'_, '_>, key: &'static str, folder: &Path) -> Option<At<PathBuf>> {
    section.required::<PathBuf>(key).map(|at| At { value: folder.join(at.value), span: at.span })
}

fn national(section: Section<'_, '_>, faults: &Faults) -> Option<String> {
    let connector = section.optional::<String>("connector");
    let openncp = one_of(connector.as_ref(), &["store", "openncp"], faults) == 1;
    let url = if openncp { section.required::<String>("url") } else { section.optional("url") };
    if let (Some(url), false) = (&url, openncp) {
        faults.add(&url.span, "the built-in store has no url", Some("say connector = \"openncp\""));
    }
    let url = url.inspect(|at| check_url(at, faults));
    section.end();
    url.map(|at| at.value)
}

fn peer(section: Section<'_, '_>, faults: &Faults) -> Option<(Peer, Span)> {
    let country = section.required::<Country>("country");
    let url = section.required::<String>("url").inspect(|at| check_url(at, faults));
    let konfido = section.or("konfido", true);
    let allow_plain = section.optional::<bool>("allow_plain");
    if !konfido && allow_plain.as_ref().is_none_or(|at| !at.value) {
        let span = allow_plain.as_ref().map_or(section.span(), |at| &at.span);
        faults.add(
            span,
            "a peer without KONFIDO can only be spoken to plainly",
            Some("say allow_plain = true, or remove the peer"),
        );
    }
    section.end();
    let (country, url) = (country?, url?.value);
    let allow_plain = allow_plain.is_some_and(|at| at.value);
    Some((Peer { country: country.value, url, konfido, allow_plain }, country.span))
}

fn unique(peers: &[Option<(Peer, Span)>], own: Option<&At<Country>>, faults: &Faults) {
    let known: Vec<_> = peers.iter().flatten().collect();
    for (n, (peer, span)) in known.iter().enumerate() {
        if own.is_some_and(|own| own.value == peer.country) {
            faults.add(span, "a node is not its own peer", None);
        }
        if known[..n].iter().any(|(before, _)| before.country == peer.country) {
            faults.add(span, format!("{} is a peer already", peer.country), None);
        }
    }
}

/// `https://host:port`, nothing behind it.
fn check_url(at: &At<String>, faults: &Faults) {
    let uri = at.value.parse::<http::Uri>().ok();
    let good = uri.as_ref().is_some_and(|uri| {
        uri.scheme_str() == Some("https")
            && uri.port_u16().is_some()
            && uri.path_and_query().is_none_or(|path| path.as_str() == "/")
            && !at.value.ends_with('/')
    });
    if !good {
        faults.add(&at.span, "url is not of the form https://host:port", None);
    }
}

fn limits(section: Section<'_, '_>) -> Limits {
    let base = Limits::default();
    let count = |key, default: usize| {
        let default = u64::try_from(default).unwrap_or(u64::MAX);
        usize::try_from(section.or(key, default)).unwrap_or(usize::MAX)
    };
    let seconds = |key, default: Duration| Duration::from_secs(section.or(key, default.as_secs()));
    let limits = Limits {
        connections: count("connections", base.connections),
        body: count("body_bytes", base.body),
        header_bytes: count("header_bytes", base.header_bytes),
        handshake: seconds("handshake_seconds", base.handshake),
        headers: seconds("headers_seconds", base.headers),
        body_time: seconds("body_seconds", base.body_time),
        request: seconds("request_seconds", base.request),
        writes: seconds("write_seconds", base.writes),
        drain: seconds("drain_seconds", base.drain),
        ..base
    };
    section.end();
    limits
}

#[cfg(test)]
mod tests;
