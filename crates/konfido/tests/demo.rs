//! The main job, as a user runs it: every step holds, and nothing personal is printed or logged.

use std::process::Command;

use testbed::world::CITIZENS;

#[test]
fn the_demo_holds_and_logs_no_patient() {
    holds_and_logs_nobody(&[]);
}

#[test]
fn the_demo_by_wallet_holds_and_logs_no_patient() {
    holds_and_logs_nobody(&["--wallet"]);
}

fn holds_and_logs_nobody(more: &[&str]) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_konfido"))
        .args(["demo", "--once", "--dir"])
        .arg(dir.path())
        .args(more)
        .env("KONFIDO_LOG", "trace")
        .output()
        .expect("konfido runs");
    let (printed, logged) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}\n{logged}");
    assert!(printed.contains("steps held, 0 did not"), "{printed}");
    assert!(logged.contains("refused"), "the log is on, so that the search below means something");
    let mut left = Vec::new();
    for country in ["dk", "es", "it"] {
        let files = std::fs::read_dir(dir.path().join(country)).expect("the node's folder");
        let names = files.map(|file| file.expect("a file").file_name().into_string());
        left.extend(names.flatten().filter(|name| name.ends_with("-wal")));
    }
    assert!(left.is_empty(), "a database was not closed: {left:?}");
    for secret in SECRETS {
        assert!(!printed.contains(secret), "{secret} was printed");
        assert!(!logged.contains(secret), "{secret} was logged");
    }
    for citizen in CITIZENS {
        for personal in [citizen.given, citizen.family, citizen.number] {
            assert!(!names(&printed, personal), "{personal} was printed");
            assert!(!names(&logged, personal), "{personal} was logged");
        }
    }
}

/// Whether a word stands in a text; rustls' `DigitallySignedStruct` names no Signe.
fn names(text: &str, word: &str) -> bool {
    let inner = |found: Option<char>| found.is_some_and(char::is_alphanumeric);
    text.match_indices(word).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + word.len()..]);
        !inner(before.chars().next_back()) || !inner(behind.chars().next())
    })
}

/// Around what lets somebody in, or says who they are: codes and tickets in addresses and forms, SAML
/// messages (`<saml2` and `<?xml` in base64, too).
const SECRETS: [&str; 13] = [
    "?code=",
    "_code=",
    "session=",
    "state=",
    "RelayState",
    "SAMLRe",
    "saml2:",
    "PHNhbWwy",
    "PD94bWwg",
    "/eid/wallet/",
    "__Host-",
    "vp_token",
    "eyJ",
];
