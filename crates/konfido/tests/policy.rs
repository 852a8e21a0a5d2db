//! `konfido attest policy`, as those run it who write and sign policies.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn konfido(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_konfido"));
    command.current_dir(folder).args(["attest", "policy"]).args(args);
    command.output().expect("konfido runs")
}

fn said(output: &Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// What a process without hardware says, as `enclave::attest::Evidence::software` writes it.
fn software(folder: &Path) -> PathBuf {
    let blob = [&[0x83, 0x01, 0x58, 32][..], &[9; 32], &[0x58, 64], &[5; 64]].concat();
    let file = folder.join("software.bin");
    std::fs::write(&file, blob).unwrap();
    file
}

/// Three release keys, of which two must sign.
fn release_keys(folder: &Path) {
    let mut list = "# ours\nthreshold 2\n".to_owned();
    for number in 1..=3 {
        let (name, file) = (format!("release-{number}"), format!("release-{number}.key"));
        let (made, line, told) = said(&konfido(folder, &["keygen", &name, "--out", &file]));
        assert!(made, "{told}");
        assert!(line.starts_with(&format!("{name} ")), "{line}");
        list += &line;
    }
    std::fs::write(folder.join("release-keys.txt"), list).unwrap();
}

fn policy(folder: &Path) -> String {
    software(folder);
    let new =
        ["new", "--evidence", "software.bin", "--country", "ES", "--at", "2026-11-21T00:00:00Z"];
    let (made, text, told) = said(&konfido(folder, &new));
    assert!(made, "{told}");
    std::fs::write(folder.join("policy.txt"), &text).unwrap();
    text
}

const AT: [&str; 2] = ["--at", "2026-11-22T00:00:00Z"];
const KEYS: [&str; 2] = ["--release-keys", "release-keys.txt"];

fn check(folder: &Path, file: &str) -> (bool, String, String) {
    said(&konfido(folder, &[&["check", file], &KEYS[..], &AT[..]].concat()))
}

fn sign(folder: &Path, file: &str, more: &[&str]) -> (bool, String, String) {
    said(&konfido(folder, &[&["sign", file], &KEYS[..], more].concat()))
}

#[test]
fn a_policy_is_written_from_evidence_checked_signed_by_two_people_and_taken() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    release_keys(folder);
    let text = policy(folder);
    assert!(text.contains(&"09".repeat(32)), "the measurement is filled in: {text}");

    let (taken, words, told) = check(folder, "policy.txt");
    assert!(!taken, "nobody signed it");
    assert!(told.contains("2 more must sign (of release-1, release-2, release-3)"), "{told}");
    for expected in [
        "programs:",
        "software with binary 0909",
        "ES: any machine at all",
        "Patient Summary needs",
        "look again: ES: any machine will do",
        "signed by nobody: 0 of 2",
    ] {
        assert!(words.contains(expected), "{expected} is missing in {words}");
    }

    // one signs here, another a copy of the unsigned text; both end up in one file
    std::fs::copy(folder.join("policy.txt"), folder.join("copy.txt")).unwrap();
    let (signed, _, told) = sign(folder, "policy.txt", &["--key", "release-1.key"]);
    assert!(signed && told.contains("release-1: 1 of 2"), "{told}");
    assert!(check(folder, "policy.txt").2.contains("1 more must sign (of release-2, release-3)"));
    assert!(sign(folder, "copy.txt", &["--key", "release-3.key"]).0);
    let (joined, _, told) = sign(folder, "policy.txt", &["--join", "copy.txt"]);
    assert!(joined && told.contains("release-1, release-3: 2 of 2"), "{told}");
    // a second time changes nothing
    let before = std::fs::read(folder.join("policy.txt")).unwrap();
    assert!(sign(folder, "policy.txt", &["--join", "copy.txt", "--key", "release-1.key"]).0);
    assert_eq!(std::fs::read(folder.join("policy.txt")).unwrap(), before);
    let (in_force, words, told) = check(folder, "policy.txt");
    assert!(in_force && words.contains("2 of 2"), "{words} {told}");
    // its first line and everything above the signatures is what was written
    assert!(before.starts_with(text.as_bytes()));

    let verify = Command::new(env!("CARGO_BIN_EXE_konfido"))
        .current_dir(folder)
        .args(["attest", "verify", "software.bin", "--policy", "policy.txt", "--country", "ES"])
        .args(KEYS)
        .args(AT)
        .output()
        .unwrap();
    let (verified, words, told) = said(&verify);
    assert!(verified, "{told}");
    assert!(words.contains("takes it") && words.contains("release-1, release-3"), "{words}");

    let late = [&["check", "policy.txt"], &KEYS[..], &["--at", "2027-11-22T00:00:00Z"]].concat();
    let (in_force, _, told) = said(&konfido(folder, &late));
    assert!(!in_force && told.contains("raise version and times"), "{told}");
}

#[test]
fn a_fault_is_shown_with_its_line_and_what_to_write_instead() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    release_keys(folder);
    let good = policy(folder);
    let line =
        |text: &str, words: &str| text.lines().position(|line| line.contains(words)).unwrap() + 1;
    for (from, to, what, next) in [
        (
            "kind = \"software\"\nregisters",
            "kind = \"magic\"\nregisters",
            "no kind of evidence",
            "write one of",
        ),
        (
            "floor = \"software\"",
            "floor = \"best\"",
            "no class of assurance",
            "write software, tpm",
        ),
        ("country = \"ES\"", "country = \"Spain\"", "no country", "two letters"),
        ("0909", "09", "no value of this register", "64 hexadecimal digits"),
        ("version = 1", "version = one", "", "konfido attest policy new"),
        (
            "danger_any_platform = true",
            "danger_any_machine = true",
            "danger_any_machine",
            "policy new",
        ),
        ("# konfido attestation policy v1", "# policy", "first line", "begin with"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        std::fs::write(folder.join("wrong.txt"), &text).unwrap();
        let (taken, _, told) = check(folder, "wrong.txt");
        assert!(!taken, "{to}");
        let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(what) && flat.contains(next), "{what}, {next}: {told}");
        let last = to.lines().next().unwrap();
        let number = line(&text, last);
        assert!(told.contains(&format!("wrong.txt:{number}:")), "{number}: {told}");
        let (signed, _, _) = sign(folder, "wrong.txt", &["--key", "release-1.key"]);
        assert!(!signed, "nobody signs what cannot be read");
        assert_eq!(std::fs::read_to_string(folder.join("wrong.txt")).unwrap(), text);
    }
    let list = std::fs::read_to_string(folder.join("release-keys.txt")).unwrap();
    for (text, what) in [
        (list.replace("threshold 2", "threshold 4"), "4 of 3 keys cannot sign"),
        (list.replace("threshold 2\n", ""), "no threshold"),
        (list.replace("release-2", "release-1"), "comes twice"),
        (list.replace("release-3 ", "release-3 x"), "no name and Ed25519 key"),
    ] {
        std::fs::write(folder.join("release-keys.txt"), text).unwrap();
        let (_, _, told) = check(folder, "policy.txt");
        assert!(told.contains(what), "{what}: {told}");
    }
}

#[test]
fn what_was_changed_after_it_was_signed_is_not_signed_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    release_keys(folder);
    policy(folder);
    assert!(sign(folder, "policy.txt", &["--key", "release-1.key"]).0);
    let signed = std::fs::read_to_string(folder.join("policy.txt")).unwrap();
    let changed = signed.replacen("version = 1 ", "version = 2 ", 1);
    assert_ne!(changed, signed);
    std::fs::write(folder.join("changed.txt"), &changed).unwrap();
    for (done, _, told) in [
        check(folder, "changed.txt"),
        sign(folder, "changed.txt", &["--key", "release-2.key"]),
        sign(folder, "policy.txt", &["--join", "changed.txt"]),
    ] {
        assert!(!done && told.contains("policy.quorum"), "{told}");
    }
    assert_eq!(std::fs::read_to_string(folder.join("policy.txt")).unwrap(), signed);
    // two different texts are never put together
    let text =
        signed.split("\n\n\u{2014} ").next().unwrap().replacen("version = 1 ", "version = 2 ", 1);
    std::fs::write(folder.join("next.txt"), text + "\n").unwrap();
    assert!(sign(folder, "next.txt", &["--key", "release-2.key"]).0);
    let (joined, _, told) = sign(folder, "policy.txt", &["--join", "next.txt"]);
    assert!(!joined && told.contains("do not say the same"), "{told}");
}

#[test]
fn a_release_key_is_private_and_never_written_over() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    release_keys(folder);
    policy(folder);
    let key = folder.join("release-1.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let (again, _, told) = said(&konfido(folder, &["keygen", "x", "--out", "release-1.key"]));
    assert!(!again && told.contains("cannot make"), "{told}");
    let (spaced, _, told) = said(&konfido(folder, &["keygen", "a b", "--out", "other.key"]));
    assert!(!spaced && told.contains("no name for a signature"), "{told}");
    assert!(!folder.join("other.key").exists());

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (open, _, told) = sign(folder, "policy.txt", &["--key", "release-1.key"]);
    assert!(!open && told.contains("chmod 600"), "{told}");
    // somebody who is not on the list
    assert!(said(&konfido(folder, &["keygen", "stranger", "--out", "stranger.key"])).0);
    let (signed, _, told) = sign(folder, "policy.txt", &["--key", "stranger.key"]);
    assert!(!signed && told.contains("put the line of stranger.key on release-keys.txt"), "{told}");
    let (nothing, _, _) = sign(folder, "policy.txt", &[]);
    assert!(!nothing, "neither a key nor a copy");
}

#[test]
fn the_template_alone_can_be_read_and_takes_nothing_yet() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (made, text, told) = said(&konfido(folder, &["new"]));
    assert!(made, "{told}");
    std::fs::write(folder.join("policy.txt"), &text).unwrap();
    let (read, words, told) = said(&konfido(folder, &["check", "policy.txt"]));
    assert!(read && words.contains("signatures: not looked at"), "{words} {told}");
    assert!(words.contains("mrtd all zero"), "{words}");
}

#[test]
fn a_policy_written_from_a_real_guests_evidence_takes_that_guest_and_names_its_kernel() {
    let root = std::env::var_os("KONFIDO_SAMPLES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"),
        PathBuf::from,
    );
    let samples = root.join("attestation");
    if !samples.is_dir() {
        println!("skipped: no samples at {}", samples.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let path = |name: &str| samples.join(name).to_str().unwrap().to_owned();
    let (quote, log, collateral) = (
        path("intel/go-tdx-guest/ccel-cos-113-tdx-quote.dat"),
        path("intel/go-tdx-guest/ccel-ccel_data.dat"),
        path("derived/dcap-rs-tdx-2025-02_collateral.json"),
    );
    let at = ["--at", "2025-02-15T06:13:20Z"];
    let new = ["new", "--evidence", &quote, "--event-log", &log, "--country", "DK"];
    let (made, text, told) = said(&konfido(folder, &[&new[..], &at].concat()));
    assert!(made, "{told}");
    assert!(text.contains("# EV_IPL kernel_cmdline: /syslinux/vmlinuz.A"), "{text}");
    let verify = |event_log: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_konfido"))
            .current_dir(folder)
            .args(["attest", "verify", &quote, "--collateral", &collateral, "--json"])
            .args(["--policy", "policy.txt", "--country", "DK"])
            .args(at)
            .args(event_log)
            .output()
            .unwrap();
        said(&done)
    };
    // the machine, and that its cloud may exchange processors, stand in its certificate
    assert!(
        text.contains("dynamic_platform = true") && !text.contains("intel-ppid:000000"),
        "{text}"
    );
    std::fs::write(folder.join("policy.txt"), &text).unwrap();
    let (taken, out, told) = verify(&["--event-log", &log]);
    assert!(taken, "{told}");
    let claims: serde_json::Value = serde_json::from_str(&out).unwrap();
    let machine = claims["claims"]["platform"].as_str().unwrap();
    assert!(text.contains(machine), "{machine} is not in {text}");
    let other = text.replace(machine, "intel-ppid:00");
    std::fs::write(folder.join("policy.txt"), other).unwrap();
    let (taken, _, told) = verify(&["--event-log", &log]);
    assert!(!taken && told.contains("policy.platform"), "{told}");
    std::fs::write(folder.join("policy.txt"), &text).unwrap();
    let (taken, _, told) = verify(&[]);
    assert!(!taken && told.contains("policy.event-log"), "{told}");
}
