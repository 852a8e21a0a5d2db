//! The arrows of ARCHITECTURE.md: who may use whom. A crate or an arrow that is not drawn fails.

use std::collections::BTreeMap;
use std::process::Command;

/// (crate, what it may use). `exchange` may be used by all and is not repeated.
static ARROWS: &[(&str, &[&str])] = &[
    ("exchange", &[]),
    ("wide25519", &[]),
    ("trust", &["wide25519"]),
    ("clinical", &["trust"]),
    ("ihe", &["clinical", "trust"]),
    ("identity", &["trust"]),
    ("enclave", &["trust"]),
    ("ledger", &["trust"]),
    ("ledger-consensus", &["ledger"]),
    ("siem", &[]),
    ("transport", &["trust"]),
    (
        "gateway",
        &["clinical", "enclave", "identity", "ihe", "ledger", "siem", "transport", "trust"],
    ),
    ("sqlite", &["gateway", "identity", "ledger", "siem"]),
    (
        "testbed",
        &[
            "clinical",
            "enclave",
            "gateway",
            "identity",
            "ihe",
            "ledger",
            "siem",
            "sqlite",
            "transport",
            "trust",
        ],
    ),
    (
        "konfido",
        &[
            "clinical",
            "enclave",
            "gateway",
            "identity",
            "ihe",
            "ledger",
            "ledger-consensus",
            "siem",
            "sqlite",
            "testbed",
            "transport",
            "trust",
        ],
    ),
];

#[test]
fn dependencies_point_one_way() {
    let drawn: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("name");
        let Some(allowed) = drawn.get(name) else {
            faults.push(format!("crate {name} is not drawn"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("name");
            let ours = drawn.contains_key(used);
            if ours && used != "exchange" && !allowed.contains(&used) && dependency["kind"] != "dev"
            {
                faults.push(format!("{name} -> {used}"));
            }
        }
    }
    assert!(faults.is_empty(), "arrows that are not drawn: {faults:?}");
    assert_eq!(packages.len(), drawn.len(), "a drawn crate is missing");
}
