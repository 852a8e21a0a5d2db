//! Where a node's professional register is: a file, a database or a directory.

pub mod attributes;
pub mod command;
#[cfg(feature = "ldap")]
mod ldap;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use exchange::Country;
use identity::register::Register;
use identity::register::file::RegisterFile;
use zeroize::Zeroizing;

pub use attributes::Attributes;

/// Where it is. No `Debug`: a directory has a password.
#[derive(Clone)]
pub enum Place {
    /// CSV.
    File(PathBuf),
    /// SQLite, as `konfido eid register import` fills it.
    Database(PathBuf),
    /// LDAP.
    Directory(Box<Directory>),
}

/// An LDAP directory and how it is asked. No `Debug`: a password.
#[derive(Clone)]
#[cfg_attr(not(feature = "ldap"), expect(dead_code, reason = "only the adapter reads it"))]
pub struct Directory {
    /// `ldaps://host:port`, or `ldap://host:port`, which begins with `StartTLS`; nothing is said in
    /// the clear.
    pub url: String,
    /// Roots of its server, PEM.
    pub roots: Vec<u8>,
    /// As whom we ask (RFC 4513 §5.1.3).
    pub bind: String,
    /// With which password.
    pub password: Zeroizing<String>,
    /// Below which entry professionals are.
    pub base: String,
    /// The person attribute holds `ES/02635542Y` instead of `02635542Y`; then the directory may
    /// know people whom other countries identify.
    pub with_country: bool,
    /// What its attributes are called.
    pub attributes: Attributes,
    /// Whose people it knows by bare number.
    pub country: Country,
}

impl Place {
    /// Opens it. A directory is not asked yet: a node starts while it is away.
    pub fn open(self) -> anyhow::Result<Arc<dyn Register>> {
        Ok(match self {
            Self::File(path) => Arc::new(RegisterFile::open(&path)?),
            Self::Database(path) if !path.exists() => {
                bail!("there is no {}; konfido eid register import makes it", path.display())
            }
            Self::Database(path) => {
                Arc::new(sqlite::Professionals::open(&path).context("no database")?)
            }
            Self::Directory(directory) => open(*directory)?,
        })
    }
}

#[cfg(feature = "ldap")]
fn open(directory: Directory) -> anyhow::Result<Arc<dyn Register>> {
    Ok(Arc::new(ldap::Ldap::new(directory)?))
}

#[cfg(not(feature = "ldap"))]
fn open(directory: Directory) -> anyhow::Result<Arc<dyn Register>> {
    let Directory { url, .. } = directory;
    bail!("{url} cannot be asked: this konfido was built without the feature ldap")
}
