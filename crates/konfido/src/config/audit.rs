//! `[audit]`: where our own audit records go.

use exchange::Country;

use super::reader::{At, Faults, Section};

/// `[audit]`; only there when a repository is named.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Host of the repository (syslog over TLS).
    pub host: String,
    /// Its port.
    pub port: u16,
    /// `AuditSourceID`.
    pub source: String,
    /// Records that may wait on disk.
    pub most_waiting: u64,
}

pub(super) fn read(
    section: Section<'_, '_>,
    country: Option<&At<Country>>,
    faults: &Faults,
) -> Option<Audit> {
    let repository = section.optional::<String>("repository");
    let source = section.optional::<String>("source_id");
    let most_waiting = section.or("spool_records", MOST_WAITING);
    section.end();
    let repository = repository?;
    let address = repository.value.rsplit_once(':');
    let address = address.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    let Some((host, port)) = address.filter(|(host, _)| !host.is_empty()) else {
        faults.add(
            &repository.span,
            "repository is not of the form host:port",
            Some("as in \"audit.example.dk:6514\""),
        );
        return None;
    };
    let source = source
        .map_or_else(|| format!("{}-1", country.map_or("", |c| c.value.as_str())), |at| at.value);
    Some(Audit { host: host.to_owned(), port, source, most_waiting })
}

/// Some days of a busy country: about 4 GB.
const MOST_WAITING: u64 = 200_000;
