//! Why there is no quote, and what the operator can do.

use std::io;

/// Why there is no quote. Mostly the machine's setup; the hint says what to try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TsmError {
    /// The tree is not there.
    #[error("the kernel offers no configfs-tsm")]
    NotMounted,
    /// Not inside of an enclave that Gramine made.
    #[error("no Gramine is around this process")]
    NotGramine,
    /// The tree is there, and nothing stands behind it.
    #[error("no provider of quotes is registered with the kernel")]
    NoProvider,
    /// Only root may ask, by default.
    #[error("not permitted to ask the kernel for quotes")]
    Denied,
    /// The host still works on an earlier request.
    #[error("the provider is busy with an earlier request")]
    Busy,
    /// The provider does not take what we asked.
    #[error("the provider refuses the request at {0}")]
    Refused(&'static str),
    /// Larger than the kernel's or our own limit.
    #[error("the provider's answer at {0} is too long")]
    TooLong(&'static str),
    /// The host did not answer in time.
    #[error("the host does not answer the request for a quote")]
    Silent,
    /// Not 0 to 3.
    #[error("privilege level is not 0 to 3")]
    Privilege,
    /// Others wrote into our entry each time.
    #[error("the entry was written to by others, or our writes were not taken")]
    Contended,
    /// The quote carries other bytes than those asked for.
    #[error("the quote does not carry the data that was asked for")]
    OtherData,
    /// A provider that we know no format of.
    #[error("unknown provider of quotes: {0}")]
    UnknownProvider(String),
    /// The entry does not look like one that a kernel made.
    #[error("what is mounted there is not the kernel's configfs-tsm")]
    NotAKernel,
    /// Anything else.
    #[error("attribute {attribute} of configfs-tsm fails")]
    Io {
        /// Which one.
        attribute: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl TsmError {
    /// What the operator can do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotMounted => {
                "needs Linux 6.7 or later with CONFIG_TSM_REPORTS; mount -t configfs none \
                 /sys/kernel/config, then modprobe tdx_guest or sev-guest"
            }
            Self::NotGramine => {
                "start the program with gramine-sgx, sgx.remote_attestation = \"dcap\" in its manifest"
            }
            Self::NoProvider => {
                "is this a confidential VM? look for /dev/tdx_guest or /dev/sev-guest and \
                 modprobe tdx_guest or sev-guest"
            }
            Self::Denied => "start the vault as root; it gives root up after the first quote",
            Self::Busy | Self::Silent => {
                "ask the host's operator: TDX needs the quote generation service (qgsd) and its \
                 vsock port, SEV-SNP limits the rate of requests; then try again"
            }
            Self::Refused("privlevel" | "outblob") => {
                "privilege level: TDX takes none, SEV-SNP none below privlevel_floor"
            }
            Self::Refused(_) => "the provider takes exactly 64 bytes; update the kernel",
            Self::TooLong(_) => "update kernel and firmware to a pair that fits",
            Self::Privilege => "leave the privilege level out, or 0 for SEV-SNP",
            Self::Contended | Self::OtherData => {
                "something else writes to our entry, or the kernel does not take what we write: see \
                 its log, and who else runs as root in this VM"
            }
            Self::UnknownProvider(_) => {
                "only tdx_guest, sev_guest and, under Gramine, dcap are spoken"
            }
            Self::NotAKernel => "correct the path of the tree, or leave it out",
            Self::Io { .. } => "see the kernel's log",
        }
    }

    pub(super) fn from_create(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(ENXIO) => Self::NoProvider,
            _ if error.kind() == io::ErrorKind::NotFound => Self::NotMounted,
            _ if error.kind() == io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Io { attribute: "(entry)", source: error },
        }
    }

    pub(super) fn from_read(attribute: &'static str, error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(EBUSY) => Self::Busy,
            Some(EINVAL) => Self::Refused(attribute),
            Some(EFBIG) => Self::TooLong(attribute),
            Some(EINTR | ETIMEDOUT) => Self::Silent,
            // the provider was unloaded meanwhile
            Some(ENOTTY | ENXIO) => Self::NoProvider,
            _ => Self::from_access(attribute, error),
        }
    }

    pub(super) fn from_write(attribute: &'static str, error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(EBUSY) => Self::Busy,
            Some(EINVAL | EFBIG) => Self::Refused(attribute),
            // only SEV-SNP shows the attribute
            _ if attribute == "privlevel" && error.kind() == io::ErrorKind::NotFound => {
                Self::Refused(attribute)
            }
            _ => Self::from_access(attribute, error),
        }
    }

    fn from_access(attribute: &'static str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::NotFound => Self::NotAKernel,
            io::ErrorKind::FileTooLarge => Self::TooLong(attribute),
            _ => Self::Io { attribute, source: error },
        }
    }
}

// errno(3) on Linux; no crate of ours has them by name
const EINTR: i32 = 4;
const ENXIO: i32 = 6;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;
const ENOTTY: i32 = 25;
const EFBIG: i32 = 27;
const ETIMEDOUT: i32 = 110;
