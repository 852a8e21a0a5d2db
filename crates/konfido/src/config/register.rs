//! `[eid] register` and `[eid.ldap]`: where professionals are looked up.

use std::path::{Path, PathBuf};

use identity::register::roll::COLUMNS;
use toml::de::DeTable;

use super::keys::{file, optional_file};
use super::reader::{At, Faults, Section, Span};
use crate::register::Attributes;
use crate::register::attributes::DEFAULTS;

/// The professional register.
#[derive(Debug)]
pub enum Register {
    /// `register = "….csv"`.
    File(At<PathBuf>),
    /// `register = "….db"`.
    Database(At<PathBuf>),
    /// `[eid.ldap]`.
    Directory(Box<Directory>),
}

/// `[eid.ldap]`.
#[derive(Debug)]
pub struct Directory {
    /// Where the table stands.
    pub span: Span,
    /// `ldaps://host:port`, or `ldap://host:port` with `StartTLS`.
    pub url: String,
    /// Roots of its server.
    pub roots: At<PathBuf>,
    /// As whom we ask.
    pub bind: String,
    /// The file of the password.
    pub password: At<PathBuf>,
    /// Below which entry.
    pub base: String,
    /// The person attribute begins with the country.
    pub with_country: bool,
    /// Names of its attributes.
    pub attributes: Attributes,
}

/// Neither is no fault: such a node has no professionals of its own.
#[expect(clippy::option_option, reason = "outer: faults were told; inner: there is none")]
pub(super) fn read(
    section: &Section<'_, '_>,
    folder: &Path,
    empty: &DeTable<'_>,
    faults: &Faults,
) -> Option<Option<Register>> {
    let path = optional_file(section, "register", folder);
    let Some(span) = section.place("ldap") else {
        return path.map_or(Some(None), |path| by_extension(path, faults).map(Some));
    };
    if path.is_some() {
        let help = "keep the one that knows the professionals";
        faults.add(&span, "[eid] has a register and an ldap", Some(help));
    }
    let inner = section.section("ldap", "[eid.ldap]", empty);
    let found = directory(&inner, span, folder, empty, faults);
    inner.end();
    found.map(|found| Some(Register::Directory(Box::new(found))))
}

fn by_extension(path: At<PathBuf>, faults: &Faults) -> Option<Register> {
    match path.value.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Some(Register::File(path)),
        Some("db") => Some(Register::Database(path)),
        _ => {
            let help = "a register ends in .csv, or in .db (konfido eid register import makes it)";
            faults.add(&path.span, "register is neither .csv nor .db", Some(help));
            None
        }
    }
}

fn directory(
    section: &Section<'_, '_>,
    span: Span,
    folder: &Path,
    empty: &DeTable<'_>,
    faults: &Faults,
) -> Option<Directory> {
    let url = section.required::<String>("url").and_then(|url| address(&url, faults));
    let roots = file(section, "roots", folder);
    let bind = filled(section, "bind", faults);
    let password = file(section, "password_file", folder);
    let base = filled(section, "base", faults);
    let with_country = section.or("person_with_country", false);
    let names = section.section("attributes", "[eid.ldap.attributes]", empty);
    let attributes = attributes(&names, faults);
    names.end();
    Some(Directory {
        span,
        url: url?,
        roots: roots?,
        bind: bind?,
        password: password?,
        base: base?,
        with_country,
        attributes: attributes?,
    })
}

/// A distinguished name. An empty one binds anonymously, or searches everything.
fn filled(section: &Section<'_, '_>, key: &'static str, faults: &Faults) -> Option<String> {
    let at = section.required::<String>(key)?;
    if at.value.is_empty() {
        faults.add(&at.span, format!("{key} is empty"), Some("a distinguished name"));
    }
    Some(at.value)
}

/// Scheme, host and perhaps a port; what else an LDAP URL may say (RFC 4516) is said by the table.
fn address(at: &At<String>, faults: &Faults) -> Option<String> {
    let uri = at.value.parse::<http::Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("ldap" | "ldaps"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.path_and_query().is_none_or(|path| path == "/")
    });
    if uri.is_none() {
        let help = "ldaps://host:636, or ldap://host:389 for StartTLS";
        faults.add(&at.span, "url is no address of a directory", Some(help));
    }
    uri.map(|_| at.value.trim_end_matches('/').to_owned())
}

/// Names by column. Who is suspended has no usual name, and nobody may be admitted because it was
/// forgotten: the table must say it, or say with `""` that the directory drops them.
fn attributes(section: &Section<'_, '_>, faults: &Faults) -> Option<Attributes> {
    let mut names = DEFAULTS.map(|name| name.map(str::to_owned));
    let mut good = true;
    for (place, column) in COLUMNS.into_iter().enumerate() {
        let must = column == "suspended";
        let at = if must { section.required::<String>(column) } else { section.optional(column) };
        let Some(at) = at else {
            good &= !must;
            continue;
        };
        let none = at.value.is_empty() && place > 7;
        if !none && !Attributes::is_name(&at.value) {
            faults.add(&at.span, format!("{column} names no attribute"), None);
            good = false;
        }
        names[place] = Some(at.value).filter(|name| !name.is_empty());
    }
    good.then_some(Attributes(names))
}
