//! `[tls]` and `[seal]`: certificates, keys, roots, revocation lists.

use std::path::{Path, PathBuf};

use toml::de::DeTable;
use trust::seal::Place;

use super::reader::{At, Faults, Section};

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
    /// Our own seal; of a key in a token, the file of its PIN stands for the key.
    pub pair: Pair,
    /// Where the key is that never leaves its token.
    pub token: Option<Place>,
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

pub(super) fn seal(
    section: Section<'_, '_>,
    folder: &Path,
    empty: &DeTable<'_>,
    faults: &Faults,
) -> Option<Seal> {
    let key = match (section.place("pkcs11"), section.place("key")) {
        (None, _) => file(&section, "key", folder).map(|key| (key, None)),
        (Some(_), None) => token(section.section("pkcs11", "[seal.pkcs11]", empty), folder)
            .map(|(pin, place)| (pin, Some(place))),
        (Some(_), Some(span)) => {
            let help = "keep the one that holds the key";
            faults.add(&span, "[seal] has a key and a pkcs11", Some(help));
            None
        }
    };
    let (certificate, roots) =
        (file(&section, "certificate", folder), file(&section, "roots", folder));
    let crls = optional_file(&section, "crls", folder);
    section.end();
    let (key, token) = key?;
    let pair = Pair { certificate: certificate?, key };
    Some(Seal { pair, token, roots: roots?, crls })
}

/// `[seal.pkcs11]`: the file of the PIN, and the place of the key.
fn token(section: Section<'_, '_>, folder: &Path) -> Option<(At<PathBuf>, Place)> {
    let (module, pin) = (file(&section, "module", folder), file(&section, "pin_file", folder));
    let token = section.required::<String>("token");
    let label = section.required::<String>("label");
    section.end();
    let (pin_file, module) = (pin?, module?.value);
    let (token, label) = (token?.value, label?.value);
    let place = Place { module, token, label, pin_file: pin_file.value.clone() };
    Some((pin_file, place))
}

pub(super) fn optional_file(
    section: &Section<'_, '_>,
    key: &'static str,
    folder: &Path,
) -> Option<At<PathBuf>> {
    let at = section.optional::<PathBuf>(key)?;
    Some(At { value: folder.join(at.value), span: at.span })
}
