//! `[tls]` and `[seal]`: certificates, keys, roots, revocation lists.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::reader::{At, Section};

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

/// `[seal]`.
#[derive(Debug)]
pub struct Seal {
    /// Our own seal.
    pub pair: Pair,
    /// Roots of all countries' seals.
    pub roots: At<PathBuf>,
    /// Revocation lists.
    pub crls: Option<At<PathBuf>>,
}

pub(super) fn tls(section: Section<'_, '_>, folder: &Path, empty: &DeTable<'_>) -> Option<Tls> {
    let roots = file(&section, "roots", folder);
    let crls = optional_file(&section, "crls", folder);
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

pub(super) fn pair(section: &Section<'_, '_>, folder: &Path) -> Option<Pair> {
    let (certificate, key) = (file(section, "certificate", folder), file(section, "key", folder));
    Some(Pair { certificate: certificate?, key: key? })
}

pub(super) fn file(
    section: &Section<'_, '_>,
    key: &'static str,
    folder: &Path,
) -> Option<At<PathBuf>> {
    section.required::<PathBuf>(key).map(|at| At { value: folder.join(at.value), span: at.span })
}

pub(super) fn seal(section: Section<'_, '_>, folder: &Path) -> Option<Seal> {
    let (pair, roots) = (pair(&section, folder), file(&section, "roots", folder));
    let crls = optional_file(&section, "crls", folder);
    section.end();
    Some(Seal { pair: pair?, roots: roots?, crls })
}

pub(super) fn optional_file(
    section: &Section<'_, '_>,
    key: &'static str,
    folder: &Path,
) -> Option<At<PathBuf>> {
    let at = section.optional::<PathBuf>(key)?;
    Some(At { value: folder.join(at.value), span: at.span })
}
