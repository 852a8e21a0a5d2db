//! `konfido ledger`: a member's validator of the shared ledger, and what it can be asked.

mod accesses;
mod asice;
mod asking;
mod books;
mod erase;
mod export;
mod find;
mod govern;
pub mod keygen;
mod line;
mod member;
mod mirror;
mod pages;
mod publish;
pub mod receipt;
mod run;
mod show;
mod stamp;
mod watermark;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::ConfigArg;

/// What can be done with the shared ledger.
#[derive(Subcommand)]
pub enum Ledger {
    /// Runs this member's validator until SIGTERM
    #[command(after_help = "Example:\n  konfido ledger run --config ledger.toml\n\n\
        The configuration has [validator]: a file of its own, or the node's.")]
    Run {
        #[command(flatten)]
        config: ConfigArg,
        /// Ends when standard input ends, too: with whoever started it, however that one ended
        #[arg(long)]
        with_parent: bool,
    },
    /// Makes a member's keys, and prints its part of the genesis
    #[command(
        after_help = "Example:\n  konfido ledger keygen --name DK --address ledger.example.dk:7950 --seal seal.pem --out /etc/konfido\n\n\
        Keys that are there are kept."
    )]
    Keygen(Keygen),
    /// Checks a genesis file, signs it with our seal where that is given, and prints what it is
    #[command(
        after_help = "Example:\n  konfido ledger genesis genesis.toml --key seal.key --seal seal.pem\n\n\
        Every voting member signs; the digest is what they compare."
    )]
    Genesis {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        signing: Signing,
    },
    /// Where the ledger stands, as this member has it
    #[command(after_help = "Example:\n  konfido ledger status --config ledger.toml\n  \
        konfido ledger status --url http://ledger.example.dk:7951")]
    Status(Asked),
    /// The members, as the genesis and the governance entries made them
    Members(Asked),
    /// Changes the members: drafts a change, signs it, and brings it in when a quorum has signed
    #[command(subcommand, after_help = govern::EXAMPLE)]
    Govern(govern::Govern),
    /// Keeps a copy of the ledger that anybody may serve, and believes what a quorum signed
    #[command(
        after_help = "Example:\n  konfido ledger mirror --url http://ledger.example.dk:7951 --policy ledger.policy --out mirror --every 10\n\n\
        It ends with an error when the members signed two histories."
    )]
    Mirror(mirror::Mirror),
    /// Reads a copy of the ledger from the first entry to the last, without any server
    #[command(after_help = "Example:\n  konfido ledger verify mirror --policy ledger.policy")]
    Verify(mirror::Verify),
    /// Prints the policy under which a checkpoint is agreed: what konfido verify --policy takes
    #[command(
        after_help = "Examples:\n  konfido ledger policy --genesis genesis.toml > ledger.policy\n  \
        konfido ledger policy --lasting --config ledger.toml\n\n\
        A reader takes it from somebody whom he believes: a genesis that he knows, or a member."
    )]
    Policy {
        /// From this genesis, without asking anybody
        #[arg(long, value_name = "FILE")]
        genesis: Option<PathBuf>,
        /// Also a quorum of ML-DSA-44 cosignatures: for proofs that shall outlive today's curves
        #[arg(long)]
        lasting: bool,
        #[command(flatten)]
        asked: Asked,
    },
    /// Writes the proofs of one exchange: its entries, each with a proof under the newest checkpoint
    #[command(
        after_help = "Example:\n  konfido ledger prove 0193e4… --out proofs --config ledger.toml\n\n\
        The files go to stdout, one a line; konfido verify checks them."
    )]
    Prove {
        /// Number of the exchange, 32 hexadecimal digits
        txid: String,
        /// Folder of the files
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
        #[command(flatten)]
        asked: Asked,
    },
    /// Lists the exchanges with this number, or about this patient of our own country
    #[command(
        after_help = "Examples:\n  konfido ledger find --txid 0f3c…\n  konfido ledger find --patient '251248-9996^^^&1.2.208.176.1.2&ISO'\n\n\
        As evidence list prints them. A patient is found through the vault, which alone makes his name\n\
        in the files; a country that treated him does not list him, his own does."
    )]
    Find(find::Find),
    /// Lists who had access to a patient's data, with a proof of each
    #[command(
        after_help = "Example:\n  konfido ledger accesses --patient '251248-9996^^^&1.2.208.176.1.2&ISO' --out accesses/\n\n\
        time, country, professional, transaction, purpose, outcome, number, place in the log, proof;\n\
        separated by tabs. DIR gets a receipt of each, for konfido verify. On the node of the\n\
        patient's own country only."
    )]
    Accesses(accesses::Accesses),
    /// Writes the evidence of one exchange for a court or a supervisor
    #[command(
        after_help = "Examples:\n  konfido ledger export 0f3c… --show patient --show purpose --out evidence.asice\n  \
        konfido ledger export 0f3c… --format cose --out evidence.cose\n\n\
        asice: a signed container (ETSI EN 319 162-1) with the statement of both countries, their\n\
        certificates, the receipt and the shown fields. cose: the statement alone (RFC 9052).\n\
        receipt: with its proof from the shared ledger, for konfido verify --policy."
    )]
    Export(export::Export),
    /// Erases what evidence says of people: of one exchange, or of one patient
    #[command(
        after_help = "Examples:\n  konfido ledger erase --patient '251248-9996^^^&1.2.208.176.1.2&ISO'\n  \
        konfido ledger erase --txid 0f3c… --yes\n\n\
        Without --yes it only says what would be lost. An erasure that was interrupted is completed by\n\
        the same command. The statements stay in the log: they hold salted commitments, whose salts\n\
        nobody has then."
    )]
    Erase(erase::Erase),
}

/// Whom a question goes to.
#[derive(Debug, Clone, Args)]
pub struct Asked {
    /// The validator's public pages, instead of our own validator's socket
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Our own validator's socket, instead of the one that the configuration names
    #[arg(long, value_name = "SOCKET", conflicts_with = "url")]
    pub validator: Option<PathBuf>,
    #[command(flatten)]
    pub config: ConfigArg,
}

/// `konfido ledger keygen`.
#[derive(Debug, Clone, Args)]
pub struct Keygen {
    /// The member's name: a country's code, or 2 to 16 capital letters, digits and hyphens
    #[arg(long)]
    pub name: String,
    /// Where the other members reach it
    #[arg(long, value_name = "HOST:PORT")]
    pub address: String,
    /// Certificate of its seal, PEM
    #[arg(long, value_name = "PEM")]
    pub seal: PathBuf,
    /// Folder of the keys
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
}

/// Who signs a genesis.
#[derive(Debug, Clone, Args)]
pub struct Signing {
    /// Private key of our seal, PEM
    #[arg(long, value_name = "PEM", requires = "seal")]
    pub key: Option<PathBuf>,
    /// Its certificate, PEM
    #[arg(long, value_name = "PEM", requires = "key")]
    pub seal: Option<PathBuf>,
}

/// Runs one of them.
pub async fn run(command: Ledger) -> anyhow::Result<()> {
    let done = match command {
        Ledger::Run { config, with_parent } => run::run(&config.config, with_parent).await,
        Ledger::Keygen(args) => keygen::run(&args),
        Ledger::Genesis { file, signing } => keygen::genesis(&file, &signing),
        Ledger::Status(asked) => show::status(&asked).await,
        Ledger::Members(asked) => show::members(&asked).await,
        Ledger::Govern(command) => return govern::run(command).await,
        Ledger::Mirror(args) => return mirror::run(args).await,
        Ledger::Verify(args) => return mirror::verify(&args),
        Ledger::Policy { genesis: Some(file), lasting, .. } => keygen::policy(&file, lasting),
        Ledger::Policy { lasting, asked, .. } => show::policy(lasting, &asked).await,
        Ledger::Find(args) => return find::run(&args).await,
        Ledger::Accesses(args) => return accesses::run(&args).await,
        Ledger::Export(args) => return export::run(&args).await,
        Ledger::Erase(args) => return erase::run(&args).await,
        Ledger::Prove { txid, out, asked } => show::prove(&txid, &out, &asked).await,
    };
    done.map_err(|report| anyhow::anyhow!("{report:?}"))
}
