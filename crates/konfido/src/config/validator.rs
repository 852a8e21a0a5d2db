//! `[validator]`: a member's part of the shared ledger. It stands in `konfido.toml`, or in a file of
//! its own where a member has no gateway.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::reader::{At, Faults, Section};
use super::{ConfigError, document};

/// `[validator]`.
#[derive(Debug)]
pub struct Validator {
    /// Which member of the genesis we are.
    pub name: At<String>,
    /// What all members began with.
    pub genesis: At<PathBuf>,
    /// Where the ledger is kept.
    pub data_dir: PathBuf,
    /// For the other members.
    pub members: SocketAddr,
    /// The members have private addresses: a closed network of the administrations.
    pub private: bool,
    /// For everybody: tiles, proofs, pages.
    pub http: SocketAddr,
    /// For our own gateway.
    pub socket: PathBuf,
    /// Ed25519: votes.
    pub consensus_key: At<PathBuf>,
    /// Ed25519: cosignatures.
    pub cosigner_key: At<PathBuf>,
    /// ML-DSA-44: cosignatures that outlive today's curves.
    pub cosigner_key_pq: Option<At<PathBuf>>,
    /// A time-stamping authority.
    pub stamps: Option<Stamps>,
}

/// `[validator.timestamp]`.
#[derive(Debug, Clone)]
pub struct Stamps {
    /// Where it is (RFC 3161 over HTTP).
    pub url: String,
    /// Roots of its certificate.
    pub roots: At<PathBuf>,
    /// How often a checkpoint is stamped.
    pub every: Duration,
}

impl Validator {
    /// Reads a text; relative paths are relative to the folder of `file`. Other tables are the node's.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        document(file, text, |table, whole, folder, _, faults| {
            let empty = DeTable::new();
            let root = Section::new("the file", table, whole, faults);
            let section = root.section("validator", "[validator]", &empty);
            // a file of its own holds nothing else; of a node's file the node reads the rest
            if root.place("node").is_none() {
                root.end();
            }
            read(section, folder, &empty, faults)
        })
    }
}

pub(super) fn read<'i>(
    section: Section<'_, 'i>,
    folder: &Path,
    empty: &DeTable<'i>,
    faults: &Faults,
) -> Option<Validator> {
    let path = |at: At<PathBuf>| At { value: folder.join(at.value), span: at.span };
    let name = section.required::<String>("name");
    let genesis = section.required::<PathBuf>("genesis").map(path);
    let data_dir = section.required::<PathBuf>("data_dir").map(path);
    let members = section.required::<SocketAddr>("members");
    let private = section.or("private_network", false);
    let http = section.required::<SocketAddr>("http");
    let socket = section.optional::<PathBuf>("socket").map(path);
    let consensus_key = section.required::<PathBuf>("consensus_key").map(path);
    let cosigner_key = section.required::<PathBuf>("cosigner_key").map(path);
    let cosigner_key_pq = section.optional::<PathBuf>("cosigner_key_ml_dsa_44").map(path);
    let stamps = section.place("timestamp").map(|_| {
        let section = section.section("timestamp", "[validator.timestamp]", empty);
        let url = section.required::<String>("url");
        let roots = section.required::<PathBuf>("roots").map(path);
        let every = Duration::from_secs(section.or("every_seconds", STAMP_SECONDS));
        if let Some(wrong) = url.as_ref().filter(|at| !at.value.starts_with("http://")) {
            let help =
                "RFC 3161 §3.4 over HTTP: a time-stamp is signed, and TLS adds nothing to it";
            faults.add(&wrong.span, "url does not begin with http://", Some(help));
        }
        section.end();
        Some(Stamps { url: url?.value, roots: roots?, every })
    });
    section.end();
    let data_dir = data_dir?.value;
    Some(Validator {
        name: name?,
        genesis: genesis?,
        socket: socket.map_or_else(|| data_dir.join("line.sock"), |at| at.value),
        data_dir,
        members: members?.value,
        private,
        http: http?.value,
        consensus_key: consensus_key?,
        cosigner_key: cosigner_key?,
        cosigner_key_pq,
        stamps: stamps.map_or(Some(None), |stamps| stamps.map(Some))?,
    })
}

/// A checkpoint is stamped at most so often unless the file says otherwise: X-Road's default.
const STAMP_SECONDS: u64 = 60;
