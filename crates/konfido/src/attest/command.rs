//! Which command, and the explanation of evidence.

use anyhow::anyhow;
use enclave::attest::preview;
use serde_json::json;

use super::output::{claims, print};
use super::{Attest, Explain, policy, show, verify, words};
use crate::{Failure, check};

/// `konfido attest ...`.
pub fn run(command: &Attest) -> Result<(), Failure> {
    Ok(match command {
        Attest::Policy(command) => return policy::run(command),
        Attest::Verify(args) => verify::verify_file(args),
        Attest::Explain(args) => explain(args),
        Attest::Show(args) => {
            let config = check::parse(&args.config.config)?;
            show(&config, args.json)
        }
    }?)
}

fn explain(args: &Explain) -> anyhow::Result<()> {
    let evidence = args.evidence.read()?;
    let words = words::of(evidence.kind);
    let said = preview(&evidence).map_err(|refusal| anyhow!("{refusal}"))?;
    let out = json!({
        "kind": evidence.kind.name(),
        "bytes": evidence.blob.len(),
        "verified": "NO: this only says what the bytes claim",
        "class": format!("{}, if it verifies", evidence.kind.class().name()),
        "vouched for by": words.vendor,
        "keeps away": words.keeps,
        "does not keep away": words.leaves,
        "to verify it": words.needs,
        "claims": claims(&said, false),
    });
    print(args.json, &out);
    Ok(())
}
