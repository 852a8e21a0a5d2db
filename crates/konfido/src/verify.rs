//! `konfido verify FILE` and the export of receipts.

use std::path::Path;

use anyhow::Context as _;
use exchange::Side;
use gateway::Node;
use ledger::journal::Row;
use ledger::log::Log;
use ledger::receipt::{Receipt, verify};
use ledger::{Field, Secrets};
use trust::certificate::{Anchors, Certificate};

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

/// Exports the receipt of a settled record, with the patient and the professional shown.
pub fn export(data: &Path, node: &Node, row: &Row) -> anyhow::Result<Vec<u8>> {
    let log = Log::open(
        &data.join("log"),
        &format!("konfido.example/{}", node.country.to_lower()),
        &data.join("log.key"),
    )?;
    let own = node.seal.certificate().clone();
    let peer = (!row.peer_certificate.is_empty())
        .then(|| Certificate::from_der(&row.peer_certificate))
        .transpose()?;
    // the provider signs first
    let mut certificates = vec![&own];
    if let Some(peer) = &peer {
        if row.side == Side::B { certificates.insert(0, peer) } else { certificates.push(peer) }
    }
    let secrets = Secrets::decode(&row.secrets).context("the salts cannot be read")?;
    let index = row.index.context("the record is not in the log yet; try again in a second")?;
    let fields = [Field::Patient, Field::Professional, Field::Purpose];
    let receipt =
        Receipt::export(&row.statement, row.at, &certificates, index, &log, &secrets, &fields)?;
    Ok(serde_json::to_vec_pretty(&receipt)?)
}
