//! The seals of this node, also those that were renewed since: evidence that one of them signed is
//! shown with its certificate for as long as the evidence is kept.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use exchange::Digest;
use trust::certificate::Certificate;
use trust::chain::Chain;
use trust::private::PrivateKey;
use trust::seal::SealKey;

/// Reads a seal and keeps its certificates in the data folder.
pub fn open(data: &Path, (key, chain): &(PrivateKey, Vec<u8>)) -> anyhow::Result<SealKey> {
    let seal = SealKey::new(key, chain).context("seal certificate")?;
    let file =
        folder(data).join(format!("{}.pem", hex::encode(seal.certificate().fingerprint().0)));
    if !file.exists() {
        let certificates = std::iter::once(seal.certificate()).chain(seal.intermediates());
        let text: String = certificates.map(Certificate::pem).collect();
        let kept = fs::create_dir_all(folder(data)).and_then(|()| write_whole(&file, &text));
        kept.with_context(|| format!("cannot keep the seal's certificate in {}", file.display()))?;
    }
    Ok(seal)
}

/// The file is there with all of the text, or not at all: also after a crash.
fn write_whole(file: &Path, text: &str) -> std::io::Result<()> {
    let half = file.with_extension("half");
    let mut written = fs::File::create(&half)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&half, file)?;
    fs::File::open(file.parent().unwrap_or(file))?.sync_all()
}

/// The kept chain with this leaf.
pub fn find(data: &Path, leaf: Digest) -> anyhow::Result<Option<Chain>> {
    let file = folder(data).join(format!("{}.pem", hex::encode(leaf.0)));
    if !file.exists() {
        return Ok(None);
    }
    let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let certificates = Certificate::from_pem(&text)?;
    let der: Vec<u8> = certificates.iter().flat_map(|c| c.der().iter().copied()).collect();
    Ok(Some(Chain::from_der(&der)?))
}

fn folder(data: &Path) -> PathBuf {
    data.join("seals")
}

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::Country;
    use jiff::Timestamp;
    use testbed::pki::{Pki, Role, SealKind};

    /// A seal of Denmark as an operator gives it.
    fn pem() -> (PrivateKey, Vec<u8>) {
        let country = Country::parse("DK").unwrap();
        let pki = Pki::new(&[country], SealKind::P256, Timestamp::now());
        let seal = pki.identity(country, Role::Seal);
        (seal.key_pem().as_bytes().to_vec().into(), seal.chain_pem().into_bytes())
    }

    #[test]
    fn a_crash_while_a_seal_was_kept_does_not_lose_it() {
        let data = tempfile::tempdir().unwrap();
        let pem = pem();
        let leaf = SealKey::new(&pem.0, &pem.1).unwrap().certificate().fingerprint();
        fs::create_dir(folder(data.path())).unwrap();
        let half = folder(data.path()).join(format!("{}.half", hex::encode(leaf.0)));
        fs::write(&half, "-----BEGIN CERT").unwrap();
        assert!(find(data.path(), leaf).unwrap().is_none());
        let seal = open(data.path(), &pem).unwrap();
        assert!(find(data.path(), leaf).unwrap() == Some(Chain::of(&seal)));
        assert!(!half.exists());
    }

    #[test]
    fn a_renewed_seal_leaves_its_certificate_behind() {
        let folder = tempfile::tempdir().unwrap();
        let seals: Vec<SealKey> = (0..2).map(|_| open(folder.path(), &pem()).unwrap()).collect();
        for seal in &seals {
            let found = find(folder.path(), seal.certificate().fingerprint()).unwrap().unwrap();
            assert!(found == Chain::of(seal));
        }
        assert!(find(folder.path(), Digest([0; 32])).unwrap().is_none());
    }
}
