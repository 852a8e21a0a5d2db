//! The attester: quotes of TDX and SEV-SNP through Linux' configfs-tsm, of SGX through Gramine.
//!
//! One interface for both vendors since Linux 6.7 (kernel: Documentation/ABI/testing/
//! configfs-tsm-report): make an entry, write what the quote shall say, read the quote. The kernel
//! takes what is written to `inblob` when the file is *closed* and tells nobody when it did not;
//! that is what `generation` is for, and why [`report`] also looks for its own bytes in the quote.
//!
//! Start reading at [`report`]. The kernel stands behind [`Tree`]: [`Configfs`] is the real one,
//! and `testbed::vendors::kernel` one that behaves the same and lets tests break it. A report
//! of anything but the kernel's own tree calls itself simulated.

mod configfs;
mod error;
mod gramine;

use std::fmt;
use std::io;

use exchange::Entropy;

use crate::attest::{self, Evidence, Kind};

pub use configfs::Configfs;
pub use error::TsmError;
pub use gramine::enclave_report;

/// What the kernel's tree can do. Every call opens, acts and closes.
pub trait Tree {
    /// Makes an entry; its attributes are there at once.
    fn create(&self, entry: &str) -> io::Result<()>;
    /// Removes an entry, with its attributes.
    fn remove(&self, entry: &str) -> io::Result<()>;
    /// Writes an attribute. That it was taken is not certain before `generation` moved.
    fn write(&self, entry: &str, attribute: &str, value: &[u8]) -> io::Result<()>;
    /// Reads an attribute to its end, at most [`MAX_BLOB`] bytes.
    fn read(&self, entry: &str, attribute: &str) -> io::Result<Vec<u8>>;
    /// What the firmware logged while it measured (ACPI table CCEL), the whole area; empty where
    /// there is none.
    fn event_log(&self) -> Vec<u8> {
        Vec::new()
    }
    /// Not the kernel of this machine.
    fn simulated(&self) -> bool;
}

/// The longest blob that is read: TDX quotes have 5 to 8 KiB, certificate tables some 4 KiB.
pub const MAX_BLOB: u64 = 64 * 1024;
/// How often a quote is asked for when somebody else writes into our entry.
pub const ATTEMPTS: usize = 4;
/// TSM_REPORT_PRIVLEVEL_MAX (linux/tsm.h).
const MAX_PRIVILEGE: u8 = 3;

/// Whose quote it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Intel TDX: `outblob` is a quote.
    Tdx,
    /// AMD SEV-SNP: `outblob` is a report, `auxblob` a table of certificates.
    SevSnp,
    /// Intel SGX, from Gramine and not from the kernel: see [`enclave_report`].
    Sgx,
}

impl Provider {
    /// Those that the kernel has.
    const ALL: [Self; 2] = [Self::Tdx, Self::SevSnp];

    /// As the kernel calls it, or what is in its place.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tdx => "tdx_guest",
            Self::SevSnp => "sev_guest",
            Self::Sgx => "gramine",
        }
    }

    fn named(name: &[u8]) -> Result<Self, TsmError> {
        let name = name.trim_ascii();
        let found = Self::ALL.into_iter().find(|provider| provider.name().as_bytes() == name);
        found.ok_or_else(|| {
            TsmError::UnknownProvider(String::from_utf8_lossy(name).chars().take(40).collect())
        })
    }

    /// The 64 bytes of ours in a quote: SGX version 3, TDX 4 and 5, SNP reports of every version.
    fn report_data(self, quote: &[u8]) -> Option<&[u8]> {
        const HEADER: usize = 48;
        const TD_REPORT_DATA: usize = 520;
        const ENCLAVE_REPORT_DATA: usize = 320;
        // version 5 names type and length of its body, in 2 and 4 bytes
        const BODY_DESCRIPTOR: usize = 6;
        let at = match (self, quote.first()?) {
            (Self::Tdx, 4) => HEADER + TD_REPORT_DATA,
            (Self::Tdx, 5) => HEADER + BODY_DESCRIPTOR + TD_REPORT_DATA,
            (Self::Sgx, 3) => HEADER + ENCLAVE_REPORT_DATA,
            (Self::Tdx | Self::Sgx, _) => return None,
            (Self::SevSnp, _) => 0x50,
        };
        quote.get(at..at + 64)
    }
}

/// What the kernel gave.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// Whose quote it is.
    pub provider: Provider,
    /// The quote or report.
    pub quote: Vec<u8>,
    /// SEV-SNP: the host's table of certificates (GHCB 56421 §4.1.8.1), if it gave one; else empty.
    pub auxiliary: Vec<u8>,
    /// TDX: the firmware's event log, if it gives the quote's registers; else empty. It does not
    /// where something was measured after the boot, which no firmware logs.
    pub event_log: Vec<u8>,
    /// It did not come from the kernel of this machine, and proves nothing.
    pub simulated: bool,
}

/// As it travels. What the host gave along goes with it: it is not trusted for that, and it holds
/// certificates without revocation lists.
impl From<Report> for Evidence {
    fn from(report: Report) -> Self {
        let kind = match report.provider {
            Provider::Tdx => Kind::Tdx,
            Provider::SevSnp => Kind::Snp,
            Provider::Sgx => Kind::Sgx,
        };
        let (collateral, event_log) = (report.auxiliary, report.event_log);
        Self { kind, blob: report.quote, collateral, event_log }
    }
}

/// Evidence about this machine from the kernel's tree, for [`crate::Vault::attested`].
#[derive(Debug)]
pub struct Tsm<T>(pub T);

impl<T: Tree + Send + Sync> crate::Attester for Tsm<T> {
    fn attest(&self, report_data: &[u8; 64]) -> Result<Evidence, String> {
        let made = report(&self.0, &exchange::SystemEntropy, report_data, None);
        made.map(Evidence::from).map_err(|error| error.to_string())
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Report({self})")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let simulated = if self.simulated { ", simulated" } else { "" };
        write!(f, "{}, {} bytes{simulated}", self.provider.name(), self.quote.len())
    }
}

/// Asks for a quote that carries these 64 bytes: exactly 64, since both providers refuse less.
///
/// `privilege` is the VMPL (SEV-SNP only); verifiers want 0. The entry has a name of its own and
/// is gone afterwards, whatever happened.
pub fn report(
    tree: &impl Tree,
    entropy: &dyn Entropy,
    data: &[u8; 64],
    privilege: Option<u8>,
) -> Result<Report, TsmError> {
    if privilege.is_some_and(|level| level > MAX_PRIVILEGE) {
        return Err(TsmError::Privilege);
    }
    let entry = Entry::new(tree, entropy)?;
    for _ in 0..ATTEMPTS {
        if let Some(report) = attempt(&entry, data, privilege)? {
            return Ok(report);
        }
    }
    Err(TsmError::Contended)
}

/// `None`: somebody else wrote, or our own write was not taken.
fn attempt(
    entry: &Entry<'_, impl Tree>,
    data: &[u8; 64],
    privilege: Option<u8>,
) -> Result<Option<Report>, TsmError> {
    let provider = Provider::named(&entry.read("provider")?)?;
    let before = entry.generation()?;
    let mut writes = 1;
    if let Some(level) = privilege {
        entry.write("privlevel", level.to_string().as_bytes())?;
        writes += 1;
    }
    entry.write("inblob", data)?;
    let quote = entry.read("outblob")?;
    let auxiliary = match entry.tree.read(&entry.name, "auxblob") {
        // a provider without auxiliary data does not show the attribute
        Err(error) if error.kind() == io::ErrorKind::NotFound => vec![],
        other => other.map_err(|error| TsmError::from_read("auxblob", error))?,
    };
    if entry.generation()? != before.wrapping_add(writes) {
        return Ok(None);
    }
    if provider.report_data(&quote) != Some(data) {
        return Err(TsmError::OtherData);
    }
    let event_log = match provider {
        Provider::Tdx => attest::fitting_log(&quote, &entry.tree.event_log()),
        Provider::SevSnp | Provider::Sgx => Vec::new(),
    };
    let simulated = entry.tree.simulated();
    Ok(Some(Report { provider, quote, auxiliary, event_log, simulated }))
}

/// An entry that is removed when it is dropped.
struct Entry<'t, T: Tree> {
    tree: &'t T,
    name: String,
}

impl<'t, T: Tree> Entry<'t, T> {
    fn new(tree: &'t T, entropy: &dyn Entropy) -> Result<Self, TsmError> {
        let mut id = [0; 8];
        entropy.fill(&mut id);
        let name = format!("konfido-{}", hex::encode(id));
        tree.create(&name).map_err(TsmError::from_create)?;
        Ok(Self { tree, name })
    }

    fn read(&self, attribute: &'static str) -> Result<Vec<u8>, TsmError> {
        let value = self.tree.read(&self.name, attribute);
        value.map_err(|error| TsmError::from_read(attribute, error))
    }

    fn write(&self, attribute: &'static str, value: &[u8]) -> Result<(), TsmError> {
        let done = self.tree.write(&self.name, attribute, value);
        done.map_err(|error| TsmError::from_write(attribute, error))
    }

    fn generation(&self) -> Result<u64, TsmError> {
        let text = self.read("generation")?;
        let number = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        number.ok_or(TsmError::NotAKernel)
    }
}

impl<T: Tree> Drop for Entry<'_, T> {
    fn drop(&mut self) {
        // an entry that stays costs the kernel some KiB and us nothing: the next has another name
        let _ = self.tree.remove(&self.name);
    }
}
