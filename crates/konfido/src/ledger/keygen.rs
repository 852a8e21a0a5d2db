//! A member's keys, and the genesis that the members put together and sign.

use std::fs;
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use enclave::keyfile;
use exchange::SystemEntropy;
use ledger::cosign::MlDsaKey;
use ledger::member::{Address, EvidenceKey, Genesis, Member, Name, Terms};
use miette::{IntoDiagnostic as _, WrapErr as _, miette};
use trust::certificate::Certificate;
use trust::seal::{SealKey, SigningKey};
use zeroize::Zeroizing;

use super::{Keygen, Signing, member};

/// Makes the keys of a voting member where there are none, and gives its part of a genesis.
pub fn make(
    folder: &Path,
    name: &str,
    address: &str,
    seal: &Certificate,
) -> miette::Result<Member> {
    fs::create_dir_all(folder).into_diagnostic().wrap_err_with(|| folder.display().to_string())?;
    let made = |file: &str| keyfile::key(folder, file, "have another key", &SystemEntropy);
    let consensus = public(&*made(CONSENSUS).into_diagnostic()?)?;
    let cosigner = cosigner(folder)?;
    let pq = MlDsaKey::from_seed(made(COSIGNER_PQ).into_diagnostic()?.as_slice());
    let pq = pq.ok_or_else(|| miette!("{COSIGNER_PQ} is no ML-DSA-44 seed"))?;
    let name = Name::parse(name).into_diagnostic()?;
    let address = Address::parse(address).into_diagnostic()?;
    let evidence = EvidenceKey::of(seal, 0).into_diagnostic()?;
    let member = Member::voter(name, address, consensus, cosigner, vec![evidence]);
    Ok(member.with_ml_dsa_44(pq.public().to_vec()))
}

/// `konfido ledger keygen`.
pub fn run(args: &Keygen) -> miette::Result<()> {
    let pem =
        fs::read(&args.seal).into_diagnostic().wrap_err_with(|| args.seal.display().to_string())?;
    let seal = Certificate::from_pem(&pem).into_diagnostic()?;
    let seal = seal.first().ok_or_else(|| miette!("no certificate in {}", args.seal.display()))?;
    let member = make(&args.out, &args.name, &args.address, seal)?;
    // one member makes no ledger, but its part of the file is the same
    let genesis = Genesis::new(LEDGER, EPOCH, TERMS, vec![member]).into_diagnostic()?;
    print!("{}", genesis.to_toml());
    eprintln!(
        "keys are in {}; put the [[member]] parts of all members into one file, then: konfido ledger genesis FILE",
        args.out.display()
    );
    Ok(())
}

/// `konfido ledger genesis`: checks the file, signs it where a seal is given, and says what it is.
pub fn genesis(file: &Path, signing: &Signing) -> miette::Result<()> {
    let mut genesis = read(file)?;
    if let (Some(key), Some(seal)) = (&signing.key, &signing.seal) {
        let pem = |path: &Path| {
            fs::read(path).into_diagnostic().wrap_err_with(|| path.display().to_string())
        };
        let seal = SealKey::from_pem(&pem(key)?, &pem(seal)?).into_diagnostic()?;
        genesis = genesis.signed(&seal).into_diagnostic()?;
        fs::write(file, genesis.to_toml()).into_diagnostic()?;
    }
    println!("ledger   {}", genesis.ledger());
    println!("digest   {}", hex::encode(genesis.digest()));
    let quorum = (genesis.roll().quorum(), genesis.roll().voting().count());
    println!("quorum   {} of {}", quorum.0, quorum.1);
    let signers = genesis.signers();
    for member in genesis.roll().members() {
        let role = if member.is_voting() { "votes" } else { "observes" };
        let signed = if signers.contains(&member.name()) { "signed" } else { "not signed" };
        println!("member   {}\t{role}\t{}\t{signed}", member.name(), member.address().as_str());
    }
    Ok(())
}

/// `konfido ledger policy --genesis`.
pub fn policy(file: &Path, lasting: bool) -> miette::Result<()> {
    let genesis = read(file)?;
    print!("{}", member::policy(genesis.ledger(), genesis.roll(), lasting));
    Ok(())
}

/// A key of 32 bytes that [`make`] left in this file.
pub fn seed(file: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    anyhow::ensure!(file.exists(), "{} is missing: konfido ledger keygen makes it", file.display());
    let folder = file.parent().unwrap_or(Path::new("."));
    Ok(keyfile::key(folder, &name, "have another key", &SystemEntropy)?)
}

/// Reads a genesis file.
pub fn read(file: &Path) -> miette::Result<Genesis> {
    let text =
        fs::read_to_string(file).into_diagnostic().wrap_err_with(|| file.display().to_string())?;
    Genesis::parse(&text).into_diagnostic().wrap_err_with(|| file.display().to_string())
}

/// The public half of a cosigner's key in a file of PKCS#8, made where it is missing.
fn cosigner(folder: &Path) -> miette::Result<[u8; 32]> {
    let path = folder.join(COSIGNER);
    let broken = || miette!("{} is no Ed25519 key", path.display());
    if !path.exists() {
        let document = SigningKey::new_ed25519().ok_or_else(broken)?;
        keyfile::make(folder, COSIGNER, &document).into_diagnostic()?;
    }
    let bytes = Zeroizing::new(fs::read(&path).into_diagnostic()?);
    let key = SigningKey::from_ed25519(&bytes).map_err(|_| broken())?;
    key.public().try_into().map_err(|_| broken())
}

/// The public half of an Ed25519 seed (RFC 8032 §5.1.5).
pub fn public(seed: &[u8; 32]) -> miette::Result<[u8; 32]> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed);
    let pair = pair.map_err(|_| miette!("{CONSENSUS} is no Ed25519 seed"))?;
    pair.public_key().as_ref().try_into().into_diagnostic()
}

/// Names of the key files.
pub const CONSENSUS: &str = "consensus.key";
/// Ed25519, PKCS#8.
pub const COSIGNER: &str = "cosigner.key";
/// ML-DSA-44, a seed of 32 bytes (FIPS 204 §5.1).
pub const COSIGNER_PQ: &str = "cosigner-ml-dsa-44.key";

/// What a genesis says unless its members agree on something else.
const LEDGER: &str = "ledger.konfido.example";
/// Blocks: an hour of an idle ledger.
pub const EPOCH: u64 = 4096;
/// Deadlines, in blocks.
pub const TERMS: Terms = Terms {
    half_min: 10,
    half_max: 1_000_000,
    offer_min: 10,
    offer_max: 1_000_000,
    key_blocks: 10_000,
};
