//! Evidence by the TPM about a key statement, as peers verify it.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use enclave::Attester as _;
use enclave::attest::{AssuranceClass, Collateral, Kind, Reason, ReleaseKeys, Roots, verify};
use enclave::tpm::Quotes;
use jiff::Timestamp;
use testbed::pki::{Pki, SealKind};
use testbed::site::Site;

use super::Stand;

#[test]
fn a_quote_about_a_key_statement_verifies_under_the_registered_key_only() {
    let stand = Stand::new(&[]);
    let quotes = Quotes { tcti: stand.tpm.tcti(), pcrs: vec![0, 7, 16] };
    let report_data: [u8; 64] = std::array::from_fn(|at| at as u8);
    let evidence = quotes.attest(&report_data).unwrap();
    let key = quotes.key().unwrap();
    assert_eq!((key.len(), quotes.key().unwrap()), (65, key.clone()), "the same each time");
    let roots = |key: &[u8]| Roots { tpm: vec![key.to_vec()], ..Roots::pinned() };
    let now = Timestamp::now();
    let verified = verify(&evidence, &Collateral::None, &roots(&key), now).unwrap();
    let claims = verified.claims();
    assert_eq!((claims.kind, claims.kind.class()), (Kind::Tpm, AssuranceClass::Tpm));
    assert_eq!(claims.report_data, report_data[..32], "what a TPM has room for");
    let before = claims.measurements["pcrdigest"].clone();

    let mut other = key.clone();
    other[40] ^= 1;
    let refused = verify(&evidence, &Collateral::None, &roots(&other), now).err().unwrap();
    assert_eq!(refused.reason, Reason::Chain, "nobody registered it");
    stand.tpm.extend(16);
    let evidence = quotes.attest(&report_data).unwrap();
    let verified = verify(&evidence, &Collateral::None, &roots(&key), now).unwrap();
    assert_ne!(verified.claims().measurements["pcrdigest"], before, "something else was measured");
}

/// A node says it itself: what its peers' policies look at is evidence of the TPM.
#[test]
fn a_node_with_a_tpm_publishes_its_quote() {
    let tpm = Stand::new(&[]);
    let land = testbed::world::LANDS.iter().find(|land| land.code == "DK").unwrap();
    let pki = Pki::new(&[land.country()], SealKind::P256, Timestamp::now());
    let site = Site::new(land, &tpm.folder.path().join("dk")).unwrap();
    site.write(&pki, &[]).unwrap();
    policy(&site);
    let toml = fs::read_to_string(site.config()).unwrap();
    let tcti = tpm.tpm.tcti();
    let more = format!(
        "\n[attestation]\npolicy = \"policy.txt\"\nrelease_keys = \"release-keys.txt\"\n\
         attester = \"tpm\"\ntcti = \"{tcti}\"\npcrs = [0, 7]\n\
         [vault]\nroot = \"tpm\"\n[vault.tpm]\ntcti = \"{tcti}\"\ncounter = 0x01500020\n"
    );
    fs::write(site.config(), toml + &more).unwrap();
    let konfido = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_konfido"));
        let done = command.args(arguments).arg("--config").arg(site.config()).output().unwrap();
        (done.status.success(), String::from_utf8(done.stdout).unwrap(), done.stderr)
    };
    let (done, files, said) = konfido(&["vault", "import"]);
    assert!(done, "{}", String::from_utf8_lossy(&said));
    files.lines().for_each(|file| fs::remove_file(file).unwrap());
    let mut node = Command::new(env!("CARGO_BIN_EXE_konfido"));
    let mut node = node.args(["run", "--config"]).arg(site.config()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(120);
    let shown = loop {
        let (done, shown, _) = konfido(&["attest", "show", "--json"]);
        if done {
            break shown;
        }
        assert!(Instant::now() < until && node.try_wait().unwrap().is_none(), "it does not start");
        std::thread::sleep(Duration::from_millis(50));
    };
    let _ = node.kill();
    let _ = node.wait();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["evidence"], &shown["class"]), (&"tpm".into(), &"tpm".into()), "{shown}");
    let key = Quotes { tcti, pcrs: vec![0] }.key().unwrap();
    let name = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &key));
    let (_, listed, _) = konfido(&["vault", "show"]);
    assert!(listed.contains(&format!("attester\ttpm-key:{name}")), "{listed}");
    assert!(listed.contains("simulated tpm swtpm:"), "{listed}");
}

/// Nothing that matters here, and signed.
fn policy(site: &Site) {
    let text = "# konfido attestation policy v1\nversion = 1\nvalid_from = \"2020-01-01T00:00:00Z\"\n\
                valid_until = \"2100-01-01T00:00:00Z\"\n[[firmware]]\nkind = \"software\"\n";
    let key = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let public = base64::engine::general_purpose::STANDARD.encode(key.public_key());
    let signed = format!("{text}\n{}", ReleaseKeys::signature_line(text, "release", &key));
    fs::write(site.dir.join("policy.txt"), signed).unwrap();
    fs::write(site.dir.join("release-keys.txt"), format!("threshold 1\nrelease {public}\n"))
        .unwrap();
}
