//! Questions to a validator, answered on stdout.

use std::path::Path;

use miette::{IntoDiagnostic as _, WrapErr as _};
use serde_json::Value;

use super::Asked;
use super::asking::Asking;

/// `konfido ledger status`.
pub async fn status(asked: &Asked) -> miette::Result<()> {
    let status = Asking::of(asked)?.json("/v1/status").await?;
    let table = ["ledger", "member", "height", "time", "size", "root", "published"];
    for name in table {
        println!("{name:<10} {}", text(&status[name]));
    }
    let online = status["online"].as_array().map(Vec::as_slice).unwrap_or_default();
    println!("{:<10} {}", "connected", online.iter().map(text).collect::<Vec<_>>().join(", "));
    Ok(())
}

/// `konfido ledger members`.
pub async fn members(asked: &Asked) -> miette::Result<()> {
    let members = Asking::of(asked)?.json("/v1/members").await?;
    for member in members.as_array().map(Vec::as_slice).unwrap_or_default() {
        let role = if member["votes"] == Value::Bool(true) { "votes" } else { "observes" };
        println!("{}\t{role}\t{}", text(&member["name"]), text(&member["cosigner"]));
    }
    Ok(())
}

/// `konfido ledger policy`.
pub async fn policy(lasting: bool, asked: &Asked) -> miette::Result<()> {
    let path = if lasting { "/policy?lasting" } else { "/policy" };
    let text = Asking::of(asked)?.bytes(path).await?;
    print!("{}", String::from_utf8_lossy(&text));
    Ok(())
}

/// `konfido ledger prove`.
pub async fn prove(txid: &str, out: &Path, asked: &Asked) -> miette::Result<()> {
    let asking = Asking::of(asked)?;
    let exchange = asking.json(&format!("/v1/exchanges/{txid}")).await?;
    std::fs::create_dir_all(out).into_diagnostic().wrap_err_with(|| out.display().to_string())?;
    let indices = exchange["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    for index in indices.iter().filter_map(Value::as_u64) {
        for (kind, path) in [("entry", ""), ("tlog-proof", "/proof")] {
            let bytes = asking.bytes(&format!("/v1/entries/{index}{path}")).await?;
            let file = out.join(format!("{txid}-{index}.{kind}"));
            std::fs::write(&file, bytes).into_diagnostic()?;
            println!("{}", file.display());
        }
    }
    Ok(())
}

/// A value for people.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
