//! What we say to signed files, one line for each signature: file, number, what the engine says of
//! digest and value with the key that the file itself brings, and what our rules say (eHDSI's, eIDAS').
//! Names of files come on standard input. `interop/differential.py` compares with libxmlsec.

use std::io::BufRead as _;

use bergshamra::{DsigContext, KeysManager, VerifyResult, verify_all};
use trust::signature::{Profile, verify_enveloped, verify_key_value_signature};
use trust::xml::{Limits, Xml};

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

fn main() -> std::io::Result<()> {
    for name in std::io::stdin().lock().lines() {
        let name = name?;
        let bytes = std::fs::read(&name)?;
        let text = String::from_utf8_lossy(&bytes);
        let engine = engine(&text);
        let rules = [rules(&text, Profile::Ehdsi), rules(&text, Profile::Eidas)];
        let count = engine.len().max(rules[0].len());
        for number in 0..count {
            // a text that cannot be read has one verdict, for all its signatures
            let of = |all: &[String]| all.get(number).or(all.first()).cloned().unwrap_or_default();
            let [ehdsi, eidas] = &rules;
            println!("{name}\t{number}\t{}\t{}\t{}", of(&engine), of(ehdsi), of(eidas));
        }
    }
    Ok(())
}

/// Digest and value alone, no rules: `valid`, or why not.
fn engine(text: &str) -> Vec<String> {
    let context = DsigContext::new_permissive(KeysManager::new());
    match verify_all(&context, text) {
        Ok(all) => all.iter().map(verdict).collect(),
        Err(error) => vec![line(&error.to_string())],
    }
}

fn verdict(result: &VerifyResult) -> String {
    match result {
        VerifyResult::Valid { .. } => "valid".to_owned(),
        VerifyResult::Invalid { reason } => line(reason),
    }
}

/// The element around each signature, as our readers take it: a document of its own.
fn rules(text: &str, profile: Profile) -> Vec<String> {
    let xml = match Xml::parse_bytes(text.as_bytes(), &Limits::MESSAGE) {
        Ok(xml) => xml,
        Err(error) => return vec![line(&error.to_string())],
    };
    let root = xml.root();
    let all = std::iter::once(root).chain(root.descendants());
    let signatures = all.filter(|element| element.is(DS, "Signature"));
    let judged = signatures.map(|signature| {
        let Some(signed) = signature.parent() else { return "no element around it".to_owned() };
        let alone = signed.standalone();
        let alone = match Xml::parse(&alone, &Limits::MESSAGE) {
            Ok(alone) => alone,
            Err(error) => return line(&error.to_string()),
        };
        let root = alone.root();
        // OpenNCP's audit records are signed in a way of their own
        let said = if profile == Profile::Ehdsi && root.name() == "AuditMessage" {
            verify_key_value_signature(root)
        } else {
            verify_enveloped(root, profile).map(|_| ())
        };
        said.map_or_else(|error| line(&error.to_string()), |()| "accepted".to_owned())
    });
    judged.collect()
}

fn line(text: &str) -> String {
    text.replace(['\t', '\n', '\r'], " ")
}
