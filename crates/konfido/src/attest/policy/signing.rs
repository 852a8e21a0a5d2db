//! Release keys, and signatures gathered in a policy's file.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enclave::attest::{Policy, ReleaseKeys};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::{private_key, release_keys, shown};
use crate::Failure;
use crate::attest::{input, output};

/// Makes a key, and prints its line of the list.
pub fn keygen(name: &str, out: &Path) -> anyhow::Result<()> {
    let pair = Ed25519KeyPair::generate().map_err(|_| anyhow!("no key could be made"))?;
    let public: [u8; 32] = pair.public_key().as_ref().try_into()?;
    if ReleaseKeys::new(1, vec![(name.to_owned(), public)]).is_none() {
        bail!("{name:?} is no name for a signature; take one without spaces and plus signs");
    }
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| anyhow!("the key cannot be written"))?;
    let encoded = Zeroizing::new(STANDARD.encode(der.as_ref()));
    let pem = Zeroizing::new(format!("{BEGIN}\n{}\n{END}\n", encoded.as_str()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(out)
        .with_context(|| format!("cannot make {}", out.display()))?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    output::write(&format!("{name} {}\n", STANDARD.encode(public)));
    eprintln!(
        "{} is private: keep it where no node is; its line belongs on the list of release keys",
        out.display()
    );
    Ok(())
}

/// Reads a private key, PKCS#8 in PEM.
pub fn key(pem: &[u8]) -> Option<Ed25519KeyPair> {
    let der = PrivateKeyDer::from_pem_slice(pem).ok()?;
    Ed25519KeyPair::from_pkcs8(der.secret_der()).ok()
}

/// Adds signatures to the file, and says how many are there now. Nothing is signed that cannot be read.
pub fn sign(file: &Path, list: &Path, own: Option<&Path>, join: &[PathBuf]) -> Result<(), Failure> {
    let keys = release_keys(list)?;
    let mut note = input::text(file)?;
    let refused = |refusal: enclave::attest::Refusal| anyhow!("{}: {refusal}", file.display());
    let before = keys.gathered(&note).map_err(refused)?;
    Policy::draft(before.text).map_err(|fault| shown(file, &note, fault))?;
    if let Some(own) = own {
        let key = private_key(own)?;
        note = keys.signed(&note, &key).map_err(|refusal| {
            anyhow!(
                "{}: {refusal}; put the line of {} on {}",
                file.display(),
                own.display(),
                list.display()
            )
        })?;
    }
    for copy in join {
        note = keys
            .joined(&note, &input::text(copy)?)
            .map_err(|refusal| anyhow!("{} and {}: {refusal}", file.display(), copy.display()))?;
    }
    let signers = keys.gathered(&note).map_err(refused)?.signers;
    replace(file, &note)?;
    let (found, needed) = (signers.len(), keys.threshold());
    eprintln!(
        "{}: signed by {}: {found} of {needed} that are needed",
        file.display(),
        signers.join(", ")
    );
    Ok(())
}

/// All of it or nothing: a file that is half written would lose what others signed.
fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut name = file.file_name().context("no file")?.to_owned();
    name.push(".new");
    let new = file.with_file_name(name);
    let mut out =
        fs::File::create(&new).with_context(|| format!("cannot write {}", new.display()))?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&new, file).with_context(|| format!("cannot replace {}", file.display()))
}

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
