//! `konfido verify FILE`.

use std::path::Path;

use anyhow::Context as _;
use ledger::receipt::verify;
use trust::certificate::Anchors;

/// Checks a receipt and prints what was found true.
pub fn run(file: &Path, roots: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let pem = std::fs::read(roots).with_context(|| format!("cannot read {}", roots.display()))?;
    let report = verify(&bytes, &Anchors::from_pem(&pem)?).context("the receipt does not hold")?;
    for (what, finding) in report.findings {
        println!("{what:<14} {finding}");
    }
    println!("the receipt holds");
    Ok(())
}
