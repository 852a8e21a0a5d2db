//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use exchange::Side;

/// Cross-border health data exchange between countries that prove what they did.
#[derive(Parser)]
#[command(name = "konfido", version, arg_required_else_help = true, after_help = TOP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const TOP: &str = "Examples:
  konfido demo                            three countries on this machine, and a story
  konfido check --config konfido.toml     is everything there, and does it fit?
  konfido run --config konfido.toml       serve one country";

/// What the program can do.
#[derive(Subcommand)]
pub enum Command {
    /// Serves one country until SIGTERM; SIGHUP reads TLS certificates, roots and revocation lists again
    #[command(after_help = "Example:\n  konfido run --config /etc/konfido/konfido.toml")]
    Run(ConfigArg),
    /// Plays Denmark, Spain and Italy on loopback, then keeps running
    #[command(
        after_help = "Examples:\n  konfido demo\n  konfido demo --once --dir /tmp/circle\n  konfido demo --once --wallet"
    )]
    Demo {
        /// Ends after the story: 0 only if every step held
        #[arg(long)]
        once: bool,
        /// Keeps certificates, databases and logs here instead of in a temporary folder
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// People sign in with wallets (OpenID4VP) instead of card and one-time code
        #[arg(long)]
        wallet: bool,
    },
    /// Checks a configuration and the files that it names
    #[command(after_help = "Example:\n  konfido check --config konfido.toml")]
    Check(ConfigArg),
    /// Checks an exported receipt or a proof of the shared ledger, without any server
    #[command(after_help = "Examples:\n  konfido verify receipt.json --roots ca.pem\n  \
        konfido verify receipt.json --roots ca.pem --crls revoked.pem --log-key logs.txt\n  \
        konfido verify receipt.json --roots ca.pem --policy members.policy --tsa-roots tsa.pem\n  \
        konfido verify entry.tlog-proof --entry entry.bin --policy members.policy --json")]
    Verify(Verify),
    /// The built-in national store
    #[command(subcommand)]
    Documents(Documents),
    /// Events of this node
    #[command(subcommand)]
    Events(Events),
    /// Evidence of this node's exchanges
    #[command(subcommand)]
    Evidence(Evidence),
    /// Logins by eID: metadata, peers, messages
    #[command(subcommand)]
    Eid(Eid),
    /// What hardware says about a vault: verified and explained
    #[command(subcommand)]
    Attest(crate::attest::Attest),
    /// The vault's sealed store: private keys under one root key
    #[command(subcommand)]
    Vault(crate::vault::Vault),
    /// The shared ledger: a member's validator, its keys and proofs; evidence found, exported, erased
    #[command(subcommand)]
    Ledger(crate::ledger::Ledger),
    /// Measurements
    #[command(subcommand)]
    Bench(Bench),
}

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub struct ConfigArg {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "konfido.toml")]
    pub config: PathBuf,
}

/// `konfido verify`.
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// The receipt, or a .tlog-proof
    pub file: PathBuf,
    /// Roots of seal certificates that you trust, PEM; a .tlog-proof needs none
    #[arg(long, value_name = "PEM", required_unless_present = "entry")]
    pub roots: Option<PathBuf>,
    /// Revocation lists of seal certificates, PEM or one as DER: a signer on one of them is refused
    #[arg(long, value_name = "FILE")]
    pub crls: Option<PathBuf>,
    /// Key of a country's log that you expect, base64 as verify prints it, or a file with one a line;
    /// may be repeated. Without it the log's key is printed and compared with nothing
    #[arg(long = "log-key", value_name = "KEY|FILE")]
    pub log_keys: Vec<String>,
    /// Whom you believe about the shared ledger ("3 of 4"), a file of c2sp.org/tlog-policy
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// The shared ledger's name; needed when the policy names no log
    #[arg(long, value_name = "NAME")]
    pub origin: Option<String>,
    /// The entry's bytes that a .tlog-proof is about
    #[arg(long, value_name = "FILE", requires = "policy")]
    pub entry: Option<PathBuf>,
    /// Roots of time-stamping authorities that you trust, PEM: there must be a time-stamp that holds
    #[arg(long, value_name = "PEM")]
    pub tsa_roots: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// `konfido documents`.
#[derive(Subcommand)]
pub enum Documents {
    /// Adds or replaces patients and documents, all or nothing
    #[command(
        after_help = "Example:\n  konfido documents import ./import --config konfido.toml\n\n\
        DIR/patients.toml has one [[patient]] each, DIR/documents/*.xml are CDA documents."
    )]
    Import {
        /// Folder with patients.toml and documents/
        dir: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
}

/// `konfido events`.
#[derive(Subcommand)]
pub enum Events {
    /// Lists the newest events, newest first, separated by tabs
    #[command(after_help = "Example:\n  konfido events list --limit 5 --kind exchange.refused\n\n\
        time, kind, side, transaction, country, code, exchange, correlation, patient,\n\
        professional, point of care, milliseconds, number; what is not known is a hyphen.")]
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Only of this kind
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        #[command(flatten)]
        config: ConfigArg,
    },
}

/// `konfido eid`.
#[derive(Subcommand)]
pub enum Eid {
    /// Prints our signed metadata, to be given to a country that takes it by hand
    #[command(after_help = "Example:\n  konfido eid metadata --role connector > connector.xml")]
    Metadata {
        /// As which we are known
        #[arg(long, value_enum, default_value = "connector")]
        role: EidRole,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Asks every party for its metadata and the professional register whether it answers
    #[command(after_help = "Example:\n  konfido eid check --config konfido.toml\n\n\
        kind, country, metadata URL, verdict; separated by tabs. Ends with 1 when one is refused.")]
    Check(ConfigArg),
    /// Verifies the signature of a SAML message or metadata in a file, offline
    #[command(after_help = "Example:\n  konfido eid verify response.xml --signers peer.pem")]
    Verify {
        /// The message, XML (not base64)
        file: PathBuf,
        /// Certificates that may have signed it, PEM
        #[arg(long, value_name = "PEM")]
        signers: PathBuf,
        /// Allows what eHDSI assertions may use (RSA PKCS#1 v1.5, 2048 bits)
        #[arg(long)]
        ehdsi: bool,
    },
    /// The professional register
    #[command(subcommand)]
    Register(EidRegister),
}

/// `konfido eid register`.
#[derive(Subcommand)]
pub enum EidRegister {
    /// Replaces the professionals of the register's database by those of a CSV file, all or nothing
    #[command(after_help = "Example:\n  konfido eid register import professionals.csv")]
    Import {
        /// CSV file
        file: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
}

/// As which a node is known to eIDAS peers.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum EidRole {
    /// Asks.
    Connector,
    /// Answers.
    Proxy,
}

/// `konfido evidence`.
#[derive(Subcommand)]
pub enum Evidence {
    /// Lists the newest exchanges, newest first, separated by tabs
    #[command(after_help = "Example:\n  konfido evidence list --limit 5")]
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Writes the receipt of one exchange to stdout, or ETSI REM documents about it
    #[command(
        after_help = "Examples:\n  konfido evidence export 0f3c… --show patient > receipt.json\n  \
        konfido evidence export 0f3c… --format rem --out rem/\n\n\
        REM documents are signed by this node alone: its word about what the receipt proves."
    )]
    Export(Export),
}

/// `konfido evidence export`.
#[derive(Debug, Args)]
pub struct Export {
    /// Exchange number
    pub txid: String,
    /// Our side of it; needed only when we were both
    #[arg(long)]
    pub side: Option<SideArg>,
    /// Field to show in clear; may be repeated. Nothing is shown unless asked for
    #[arg(long, value_name = "FIELD")]
    pub show: Vec<String>,
    /// What to write
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Folder for REM documents, a file each; without it one a line to stdout
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Which node.
    #[command(flatten)]
    pub config: ConfigArg,
}

/// The form of exported evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// A receipt that verifies offline
    #[default]
    Json,
    /// ETSI REM (TS 102 640-2): NRO and NRR of request and answer, signed by this node
    Rem,
}

/// Which end of an exchange.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SideArg {
    /// Country of affiliation: answered
    A,
    /// Country of treatment: asked
    B,
}

impl From<SideArg> for Side {
    fn from(side: SideArg) -> Self {
        match side {
            SideArg::A => Self::A,
            SideArg::B => Self::B,
        }
    }
}

/// `konfido bench`.
#[derive(Subcommand)]
pub enum Bench {
    /// Retrieves documents through two nodes, through a pair of nginx, and directly
    #[command(after_help = "Examples:\n  konfido bench exchange --clients 300 --seconds 20\n  \
        konfido bench exchange --soak 100000")]
    Exchange(crate::bench::Options),
    /// Opens documents and signs in a vault process and in this one
    Vault,
    /// Stands for the OpenNCP behind node A
    #[command(hide = true)]
    Stub(crate::bench::StubOptions),
    /// Stands for a country's audit repository
    #[command(hide = true)]
    Repository(crate::bench::Listener),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_its_examples_parse() {
        Cli::command().debug_assert();
        for line in [
            "konfido demo --once --dir /tmp/circle",
            "konfido demo --once --wallet",
            "konfido eid metadata --role connector",
            "konfido eid check --config konfido.toml",
            "konfido eid verify response.xml --signers peer.pem",
            "konfido check --config konfido.toml",
            "konfido verify receipt.json --roots ca.pem",
            "konfido verify receipt.json --roots ca.pem --crls revoked.pem --log-key logs.txt",
            "konfido verify receipt.json --roots ca.pem --policy members.policy --tsa-roots tsa.pem",
            "konfido verify entry.tlog-proof --entry entry.bin --policy members.policy --json",
            "konfido events list --limit 5 --kind exchange.refused",
            "konfido documents import ./import --config konfido.toml",
            "konfido eid register import professionals.csv",
            "konfido evidence list --limit 5",
            "konfido evidence export 0f3c --show patient --side b",
            "konfido evidence export 0f3c --format rem --out rem/",
            "konfido ledger find --txid 0f3c",
            "konfido ledger find --patient 2512489996^^^&1.2.208.176.1.2&ISO",
            "konfido ledger accesses --patient 2512489996^^^&1.2.208.176.1.2&ISO --out accesses/",
            "konfido ledger export 0f3c --show patient --show purpose --out evidence.asice",
            "konfido ledger export 0f3c --format cose --out evidence.cose",
            "konfido ledger erase --txid 0f3c --side a",
            "konfido ledger erase --patient 2512489996^^^&1.2.208.176.1.2&ISO --yes",
            "konfido attest verify quote.bin --collateral collateral.json",
            "konfido attest explain quote.bin",
            "konfido vault import --config konfido.toml",
            "konfido vault show",
            "konfido vault shares --of 3 --need 2 --out /media/usb",
            "konfido vault recover share-1.txt share-3.txt --config konfido.toml",
            "konfido bench exchange --clients 300 --seconds 20",
            "konfido bench exchange --soak 100000",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        let rootless = Cli::try_parse_from(["konfido", "verify", "receipt.json"]);
        assert!(rootless.is_err(), "roots are never assumed");
        let line = ["konfido", "verify", "e.tlog-proof", "--entry", "e.bin"];
        assert!(Cli::try_parse_from(line).is_err(), "nor is a policy");
    }
}
