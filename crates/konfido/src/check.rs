//! `konfido check`: whether the files of a configuration exist, fit each other and hold today.
//! `run` does the same first. Each fault points at the line that names the file.

mod attestation;
mod eid;
mod light;
mod register;

use std::fs;
use std::path::{Path, PathBuf};

use enclave::process::StartError;
use enclave::{Acceptance, Use};
use exchange::Country;
use jiff::Timestamp;
use transport::tls::{ClientTls, Identity, ServerTls};
use trust::certificate::{Anchors, Certificate, CertificateError, Usage};
use trust::private::PrivateKey;
use trust::seal::SealKey;

use crate::config::{At, Config, ConfigError, Faults, Pair};
use crate::custody::Custody;
use crate::eid::Setup;

pub use attestation::remember;

/// The contents of the files that a configuration names. No `Debug`: keys.
pub struct Files {
    /// TLS client.
    pub consumer: Identity,
    /// TLS server.
    pub provider: Identity,
    /// Seal key, or the URI of one in a token, and chain in PEM.
    pub seal: (PrivateKey, Vec<u8>),
    /// Roots of seal certificates, with their revocation lists.
    pub seal_anchors: Anchors,
    /// What logins need.
    pub eid: Option<Setup>,
    /// Who holds the keys.
    pub custody: Custody,
    /// What we accept of every peer's vault, where a policy says it.
    pub acceptance: Option<Acceptance>,
}

/// A configuration with its files, for a command: keys in files are read here.
pub fn load(file: &Path, now: Timestamp) -> miette::Result<(Config, Files)> {
    let config = parse(file)?;
    let custody = Custody::look(&config).map_err(|error| located(&config, &error))?;
    let files = files(&config, now, custody)?;
    Ok((config, files))
}

/// A configuration with its files, for a node: its vault reads the keys.
pub fn load_with_vault(file: &Path, now: Timestamp) -> miette::Result<(Config, Files)> {
    let config = parse(file)?;
    let custody = Custody::start(&config).map_err(|error| located(&config, &error))?;
    let files = files(&config, now, custody)?;
    Ok((config, files))
}

/// A configuration with its files, for a command that works beside a node, with a vault of its own.
pub fn load_beside(file: &Path, now: Timestamp) -> miette::Result<(Config, Files)> {
    let config = parse(file)?;
    let custody = Custody::beside(&config).map_err(|error| located(&config, &error))?;
    let files = files(&config, now, custody)?;
    Ok((config, files))
}

/// Why no vault started, at the line that names the key that it is about.
fn located(config: &Config, error: &StartError) -> miette::Report {
    let (faults, said) = (Faults::default(), error.to_string());
    let at = config.keys().find(|(_, at)| said.contains(&*at.value.to_string_lossy()));
    match at {
        Some((_, at)) => faults.add(&at.span, said, None),
        None => return miette::miette!("{said}"),
    }
    ConfigError::new(&config.source, faults).into()
}

/// A configuration alone: for commands that need none of the files that it names.
pub fn parse(file: &Path) -> miette::Result<Config> {
    let text = fs::read_to_string(file)
        .map_err(|e| miette::miette!("cannot read {}: {e}", file.display()))?;
    Ok(Config::parse(file, &text)?)
}

/// Reads and checks the files; all faults at once.
pub fn files(config: &Config, now: Timestamp, custody: Custody) -> Result<Files, ConfigError> {
    let faults = Faults::default();
    let found = inspect(config, now, custody, &faults);
    match found {
        Some(files) if faults.is_empty() => Ok(files),
        _ => Err(ConfigError::new(&config.source, faults)),
    }
}

fn inspect(config: &Config, now: Timestamp, custody: Custody, faults: &Faults) -> Option<Files> {
    let tls_anchors = anchors(&config.tls.roots, faults);
    let crls = config.tls.crls.as_ref().map(|at| bytes(at, faults));
    let seal_anchors = anchors(&config.seal.roots, faults);
    let asked = |usage, anchors: &Option<(Vec<u8>, Anchors)>, pair: &Pair| {
        let anchors = anchors.as_ref().map(|(_, a)| a);
        leaf(pair, usage, anchors, config.country, now, faults)
    };
    let held = |pair: &Pair| key(Use::Sign, &pair.key, &custody, faults);
    let consumer = asked(Usage::TlsClient, &tls_anchors, &config.tls.consumer);
    let provider = asked(Usage::TlsServer, &tls_anchors, &config.tls.provider);
    let seal = asked(Usage::Seal, &seal_anchors, &config.seal.pair);
    let seal_key = match &config.seal.token {
        Some(place) => {
            bytes(&config.seal.pair.key, faults).map(|_pin| place.uri().into_bytes().into())
        }
        None => held(&config.seal.pair),
    };
    let seal = seal_key.zip(seal);
    if let Some((key, chain)) = &seal {
        fits(&config.seal.pair, SealKey::new(key, chain), faults);
    }
    let mut roots = tls_anchors?.0;
    for list in crls.into_iter().flatten() {
        roots.push(b'\n');
        roots.extend(list);
    }
    let identity = |(key, chain)| Identity { chain, key, roots: roots.clone() };
    let (consumer, provider) =
        (held(&config.tls.consumer).zip(consumer), held(&config.tls.provider).zip(provider));
    let consumer =
        consumer.map(identity).inspect(|id| fits(&config.tls.consumer, ClientTls::new(id), faults));
    let provider =
        provider.map(identity).inspect(|id| fits(&config.tls.provider, ServerTls::new(id), faults));
    let seal_anchors = seal_anchors?.1;
    let seal_anchors = match &config.seal.crls {
        None => seal_anchors,
        Some(at) => seal_anchors
            .with_crls(&bytes(at, faults)?)
            .map_err(|e| faults.add(&at.span, format!("no revocation list: {e}"), None))
            .ok()?,
    };
    let eid = config.eid.as_ref().map_or(Some(None), |found| {
        eid::eid(found, config.country, now, &custody, faults).map(Some)
    });
    let acceptance = config.attestation.as_ref().map_or(Some(None), |found| {
        attestation::attestation(found, &config.data_dir, now, faults).map(Some)
    });
    let (consumer, provider, seal, eid) = (consumer?, provider?, seal?, eid?);
    let acceptance = acceptance?;
    Some(Files { consumer, provider, seal, seal_anchors, eid, custody, acceptance })
}

fn fits<T, E: std::fmt::Display>(pair: &Pair, made: Result<T, E>, faults: &Faults) {
    if let Err(error) = made {
        faults.add(&pair.key.span, format!("key and certificate cannot be used: {error}"), None);
    }
}

fn bytes(at: &At<PathBuf>, faults: &Faults) -> Option<Vec<u8>> {
    fs::read(&at.value)
        .map_err(|e| faults.add(&at.span, format!("cannot read {}: {e}", at.value.display()), None))
        .ok()
}

fn anchors(at: &At<PathBuf>, faults: &Faults) -> Option<(Vec<u8>, Anchors)> {
    let pem = bytes(at, faults)?;
    match Anchors::from_pem(&pem) {
        Ok(anchors) => Some((pem, anchors)),
        Err(error) => {
            faults.add(
                &at.span,
                format!("no roots: {error}"),
                Some("PEM, one CERTIFICATE block a root"),
            );
            None
        }
    }
}

/// The key in a file, wherever it is held.
fn key(purpose: Use, at: &At<PathBuf>, custody: &Custody, faults: &Faults) -> Option<PrivateKey> {
    custody
        .key(purpose, &at.value)
        .map_err(|e| faults.add(&at.span, format!("cannot read {}: {e}", at.value.display()), None))
        .ok()
}

/// The chain, after the leaf was looked at.
fn leaf(
    pair: &Pair,
    usage: Usage,
    anchors: Option<&Anchors>,
    country: Country,
    now: Timestamp,
    faults: &Faults,
) -> Option<Vec<u8>> {
    let chain = bytes(&pair.certificate, faults)?;
    let span = &pair.certificate.span;
    let parsed = Certificate::from_pem(&chain)
        .and_then(|all| if all.is_empty() { Err(CertificateError::Empty) } else { Ok(all) });
    let parsed = parsed.map_err(|e| faults.add(span, format!("no certificate: {e}"), None)).ok()?;
    let first = &parsed[0];
    if now < first.not_before() {
        faults.add(span, format!("certificate is valid only from {}", first.not_before()), None);
    } else if now > first.not_after() {
        faults.add(
            span,
            format!("certificate expired at {}", first.not_after()),
            Some("renew it; peers refuse it"),
        );
    } else if let Some(Err(error)) =
        anchors.map(|anchors| anchors.verify(first, &parsed[1..], usage, now))
    {
        faults.add(span, format!("certificate does not lead to the roots: {error}"), None);
    }
    if first.country() != Some(country) {
        let found = first.country().map_or_else(|| "none".to_owned(), |c| c.to_string());
        faults.add(
            span,
            format!("certificate is of country {found}, the node of {country}"),
            Some("the subject's C must be the node's country"),
        );
    }
    Some(chain)
}

#[cfg(test)]
mod tests;
