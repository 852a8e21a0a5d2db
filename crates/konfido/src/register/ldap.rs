//! A register in an LDAP directory (RFC 4511), behind the feature `ldap`.
//!
//! Each question has a connection of its own: logins are rare, and a connection that has been idle
//! behind a firewall is the usual reason why a directory seems away. What the directory says is
//! held to the same rules as a line of a CSV register. When it cannot be asked, nobody is admitted.

mod answer;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use identity::register::{Entry, PersonKey, Register, RegisterError};
use ldap3::{
    DerefAliases, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, SearchOptions,
    ldap_escape,
};
use rustls::ClientConfig;
use tokio::time::timeout;
use transport::tls::ClientTls;

use super::Directory;

/// Name, TCP, `StartTLS` and TLS.
const CONNECT: Duration = Duration::from_secs(2);
/// Bind and search together.
const SEARCH: Duration = Duration::from_secs(3);
/// One entry is the answer; a second one tells that there is no one answer.
const MOST_ENTRIES: i32 = 2;
/// `noSuchObject` and `sizeLimitExceeded` (RFC 4511 §4.1.9).
const NO_SUCH_OBJECT: u32 = 32;
const TOO_MANY: u32 = 4;

/// The register.
pub struct Ldap {
    directory: Arc<Directory>,
    tls: Arc<ClientConfig>,
}

impl Ldap {
    /// Sees that it can be asked in principle; connects to nobody.
    pub fn new(directory: Directory) -> anyhow::Result<Self> {
        // an empty password is an anonymous bind that succeeds (RFC 4513 §5.1.2)
        ensure!(!directory.password.is_empty(), "the password is empty");
        let tls = ClientTls::anonymous(&directory.roots).context("no roots")?.current();
        Ok(Self { directory: Arc::new(directory), tls })
    }
}

impl Register for Ldap {
    fn find(&self, who: &PersonKey) -> Result<Option<Entry>, RegisterError> {
        if !self.directory.with_country && who.country != self.directory.country {
            return Ok(None);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| away(&e))?;
        let (directory, tls) = (Arc::clone(&self.directory), Arc::clone(&self.tls));
        let who = who.clone();
        // a task of its own: the library panics over some answers that are not LDAP
        let asked = runtime.spawn(async move { ask(&directory, tls, &who).await });
        let found = runtime.block_on(asked);
        // a name server that does not answer must not hold us
        runtime.shutdown_background();
        found.unwrap_or_else(|_| Err(unreadable("the directory's answer is not LDAP")))
    }
}

async fn ask(
    directory: &Directory,
    tls: Arc<ClientConfig>,
    who: &PersonKey,
) -> Result<Option<Entry>, RegisterError> {
    let settings = LdapConnSettings::new()
        .set_conn_timeout(CONNECT)
        .set_config(tls)
        .set_starttls(directory.url.starts_with("ldap:"));
    let connected = LdapConnAsync::with_settings(settings, &directory.url).await;
    let (connection, mut ldap) = connected.map_err(|e| told(&e))?;
    // what goes wrong there ends the question below
    let driver = tokio::spawn(connection.drive());
    let entries = timeout(SEARCH, search(&mut ldap, directory, who)).await;
    driver.abort();
    let entries = entries.map_err(|_| unreadable("the directory does not answer in time"))??;
    answer::read(entries, directory, who)
}

async fn search(
    ldap: &mut ldap3::Ldap,
    directory: &Directory,
    who: &PersonKey,
) -> Result<Vec<SearchEntry>, RegisterError> {
    let bound = ldap.simple_bind(&directory.bind, &directory.password).await;
    bound.and_then(ldap3::LdapResult::success).map_err(|e| told(&e))?;
    let options = SearchOptions::new()
        .deref(DerefAliases::Never)
        .timelimit(i32::try_from(SEARCH.as_secs()).unwrap_or(1))
        .sizelimit(MOST_ENTRIES);
    let names: Vec<&str> = directory.attributes.0.iter().flatten().map(String::as_str).collect();
    let filter = filter(directory, who);
    let found = ldap
        .with_search_options(options)
        .search(&directory.base, Scope::Subtree, &filter, names)
        .await
        .map_err(|e| told(&e))?;
    match found.1.rc {
        // more than we asked for is told by their number
        0 | TOO_MANY => Ok(found.0.into_iter().map(SearchEntry::construct).collect()),
        NO_SUCH_OBJECT => Err(unreadable("the directory does not know the base")),
        code => Err(unreadable(&format!("the directory answers with result {code}"))),
    }
}

/// Equality on the person attribute, the value escaped (RFC 4515 §3).
fn filter(directory: &Directory, who: &PersonKey) -> String {
    let attribute = directory.attributes.0[0].as_deref().unwrap_or_default();
    format!("({attribute}={})", ldap_escape(directory.value(who)))
}

impl Directory {
    /// What the person attribute holds of somebody.
    fn value(&self, who: &PersonKey) -> String {
        if self.with_country { who.text() } else { who.value.clone() }
    }
}

fn unreadable(what: &str) -> RegisterError {
    RegisterError::Unreadable(what.to_owned())
}

fn away(error: &std::io::Error) -> RegisterError {
    RegisterError::Unreadable(format!("the directory cannot be asked: {error}"))
}

/// In words that hold no entry: a directory's diagnostic message may quote what it was asked.
fn told(error: &LdapError) -> RegisterError {
    match error {
        LdapError::Io { source } => away(source),
        LdapError::Timeout { .. } => unreadable("the directory cannot be reached in time"),
        LdapError::LdapResult { result } => {
            unreadable(&format!("the directory answers with result {}", result.rc))
        }
        _ => unreadable("the directory cannot be asked"),
    }
}

#[cfg(test)]
mod tests;
