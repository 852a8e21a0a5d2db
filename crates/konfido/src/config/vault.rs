//! `[vault]`: where the private keys are.

use super::one_of;
use super::reader::{Faults, Section};

/// `[vault]`.
#[derive(Debug)]
pub struct VaultHome {
    /// Where it is.
    pub home: Home,
    /// Refuses to start without secret memory.
    pub secret: bool,
    /// Whom it becomes when the node is started as root.
    pub user: u32,
    /// Where the root key of its sealed store is.
    pub root: Root,
}

/// Where the root key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// In `root.key` of the data folder.
    File,
}

/// Where a vault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In a process of its own.
    Process,
    /// In the node: simulated.
    Here,
}

pub(super) fn read(section: Section<'_, '_>, faults: &Faults) -> VaultHome {
    let home = section.optional::<String>("home");
    let memory = section.optional::<String>("memory");
    let root = section.optional::<String>("root");
    let user = section.or("user", u64::from(VAULT_USER));
    let user = u32::try_from(user).ok().filter(|user| *user != 0).unwrap_or_else(|| {
        faults.add(section.span(), "user is not the number of a user other than root", None);
        VAULT_USER
    });
    section.end();
    let home = [Home::Process, Home::Here][one_of(home.as_ref(), &["process", "here"], faults)];
    let secret = one_of(memory.as_ref(), &["any", "secret"], faults) == 1;
    one_of(root.as_ref(), &["file"], faults);
    VaultHome { home, secret, user, root: Root::File }
}

/// A user whom nothing belongs to.
pub const VAULT_USER: u32 = 64_999;
