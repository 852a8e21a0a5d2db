//! `konfido attest`, as an operator runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn konfido(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_konfido")).args(args).output().expect("konfido runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a process without hardware says, as `enclave::attest::Evidence::software` writes it.
fn software(folder: &Path) -> PathBuf {
    let blob = [&[0x83, 0x01, 0x58, 32][..], &[9; 32], &[0x58, 64], &[5; 64]].concat();
    let file = folder.join("software.bin");
    std::fs::write(&file, blob).unwrap();
    file
}

#[test]
fn software_evidence_is_explained_without_a_promise_and_held_to_a_policy() {
    let folder = tempfile::tempdir().unwrap();
    let file = software(folder.path());
    let file = file.to_str().unwrap();
    let explained = konfido(&["attest", "explain", file]);
    let said = text(&explained.stdout);
    assert!(explained.status.success(), "{}", text(&explained.stderr));
    for words in ["NO: this only says", "nobody: the program says it of itself", "hypervisor"] {
        assert!(said.contains(words), "{words} is missing in {said}");
    }

    let binary = hex::encode([9; 32]);
    let policy = folder.path().join("policy.txt");
    let write = |kind: &str| {
        let text = format!(
            "# konfido attestation policy v1\nversion = 3\nvalid_from = \"2026-01-01T00:00:00Z\"\n\
             valid_until = \"2027-01-01T00:00:00Z\"\n[[program]]\nname = 'vault'\nkind = 'software'\n\
             registers = {{ binary = '{binary}' }}\n[[firmware]]\nkind = '{kind}'\n\
             [[partner]]\ncountry = 'ES'\ndanger_any_platform = true\n"
        );
        std::fs::write(&policy, text).unwrap();
    };
    let path = policy.to_str().unwrap();
    let at = "2026-11-21T00:00:00Z";
    let ask = |country: &str| {
        konfido(&[
            "attest",
            "verify",
            file,
            "--policy",
            path,
            "--country",
            country,
            "--at",
            at,
            "--json",
        ])
    };
    write("software");
    let taken = ask("ES");
    let json: serde_json::Value = serde_json::from_slice(&taken.stdout).unwrap();
    assert!(taken.status.success(), "{}", text(&taken.stderr));
    assert_eq!(json["class"], "software");
    assert_eq!(json["report_data"], "not compared");
    assert_eq!(json["policy"]["verdict"], "takes it");
    assert!(json["policy"]["signatures"].as_str().unwrap().starts_with("NOT LOOKED AT"));
    let other = ask("IT");
    assert!(!other.status.success());
    assert!(text(&other.stderr).contains("policy.country"), "{}", text(&other.stderr));
    write("nitro");
    let refused = ask("ES");
    let json: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(json["policy"]["reasons"][0]["code"], "policy.kind");
    assert!(!refused.status.success());

    let bound =
        |data: &str| konfido(&["attest", "verify", file, "--report-data", data]).status.success();
    assert!(bound(&hex::encode([5; 64])));
    assert!(!bound(&hex::encode([6; 64])), "about another key");
}

#[test]
fn a_genuine_quote_is_genuine_in_its_time_and_refused_with_a_code_out_of_it() {
    let root = std::env::var_os("KONFIDO_SAMPLES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"),
        PathBuf::from,
    );
    let folder = root.join("attestation/intel/dcap-qvl");
    if !folder.is_dir() {
        println!("skipped: no samples at {}", folder.display());
        return;
    }
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (quote, collateral) = (path("tdx_quote"), path("tdx_quote_collateral.json"));
    let verify =
        |at: &str| konfido(&["attest", "verify", &quote, "--collateral", &collateral, "--at", at]);
    let genuine = verify("2025-07-01T00:00:00Z");
    let said = text(&genuine.stdout);
    assert!(genuine.status.success(), "{}", text(&genuine.stderr));
    for words in ["genuine", "cvm", "UpToDate", "claims.measurements.mrtd", "claims.platform "] {
        assert!(said.contains(words), "{words} is missing in {said}");
    }
    let late = verify("2025-08-01T00:00:00Z");
    assert!(!late.status.success());
    assert!(text(&late.stderr).contains("collateral.expired"), "{}", text(&late.stderr));
    let alone = konfido(&["attest", "verify", &quote]);
    assert!(text(&alone.stderr).contains("collateral.missing"), "{}", text(&alone.stderr));
    let explained = konfido(&["attest", "explain", &quote]);
    assert!(text(&explained.stdout).contains("TEE.fail"), "{}", text(&explained.stderr));
}
