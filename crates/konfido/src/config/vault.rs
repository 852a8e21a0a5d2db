//! `[vault]`: where the private keys are.

use toml::de::DeTable;

use super::one_of;
use super::reader::{Faults, Section, Span};

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
    /// It ends the TLS connections of our own OpenNCP.
    pub last_hop: bool,
}

/// Where the root key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// In `root.key` of the data folder.
    File,
    /// Sealed by a TPM.
    Tpm(Tpm),
}

/// `[vault.tpm]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tpm {
    /// How libtss2 finds it.
    pub tcti: String,
    /// Registers that must be as they were.
    pub pcrs: Vec<u8>,
    /// NV index of its counter.
    pub counter: Option<u32>,
}

/// Where a vault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In a process of its own.
    Process,
    /// In the node: simulated.
    Here,
}

pub(super) fn read<'i>(
    section: Section<'_, 'i>,
    empty: &DeTable<'i>,
    faults: &Faults,
) -> VaultHome {
    let home = section.optional::<String>("home");
    let memory = section.optional::<String>("memory");
    let root = section.optional::<String>("root");
    let user = section.or("user", u64::from(VAULT_USER));
    let user = u32::try_from(user).ok().filter(|user| *user != 0).unwrap_or_else(|| {
        faults.add(section.span(), "user is not the number of a user other than root", None);
        VAULT_USER
    });
    let last_hop = section.optional::<String>("last_hop");
    let place = section.place("tpm");
    let chip = tpm(section.section("tpm", "[vault.tpm]", empty), faults);
    section.end();
    let sealed = one_of(root.as_ref(), &["file", "tpm"], faults) == 1;
    if let Some(span) = place.filter(|_| !sealed) {
        faults.add(&span, "[vault.tpm] goes with root = \"tpm\"", None);
    }
    if let Some(at) = root.as_ref().filter(|_| sealed) {
        tpm_is_built_in(&at.span, faults);
    }
    let home = [Home::Process, Home::Here][one_of(home.as_ref(), &["process", "here"], faults)];
    let secret = one_of(memory.as_ref(), &["any", "secret"], faults) == 1;
    let vault = one_of(last_hop.as_ref(), &["node", "vault"], faults) == 1;
    if let Some(at) = last_hop.as_ref().filter(|_| vault && home == Home::Here) {
        let help = "a vault in the node ends its connections there";
        faults.add(&at.span, "last_hop = \"vault\" does not go with home = \"here\"", Some(help));
    }
    let root = if sealed { Root::Tpm(chip) } else { Root::File };
    VaultHome { home, secret, user, root, last_hop: vault && home == Home::Process }
}

fn tpm(section: Section<'_, '_>, faults: &Faults) -> Tpm {
    let tcti = section.or("tcti", TCTI.to_owned());
    let pcrs = section.or("pcrs", Vec::new());
    let counter = section.optional::<u64>("counter");
    let index = counter.map(|at| {
        let index = u32::try_from(at.value).ok().filter(|index| NV_INDEXES.contains(index));
        if index.is_none() {
            let help = "as in 0x01500020: one that nobody else uses (tpm2_getcap handles-nv-index)";
            faults.add(&at.span, "counter is not an NV index of the owner", Some(help));
        }
        index.unwrap_or_default()
    });
    section.end();
    Tpm { tcti, pcrs, counter: index }
}

/// A fault where it is not.
pub(super) fn tpm_is_built_in(span: &Span, faults: &Faults) {
    if !cfg!(feature = "tpm") {
        let help = "build with --features tpm (it links libtss2)";
        faults.add(span, "this program is built without TPMs", Some(help));
    }
}

/// Where the kernel's resource manager of the TPM is.
pub(super) const TCTI: &str = "device:/dev/tpmrm0";
/// A user whom nothing belongs to.
pub const VAULT_USER: u32 = 64_999;
/// Of NV indexes: those that the owner gives away (TCG registry of reserved handles).
const NV_INDEXES: std::ops::RangeInclusive<u32> = 0x0100_0000..=0x01bf_ffff;
