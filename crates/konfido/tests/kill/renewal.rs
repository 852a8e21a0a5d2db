//! SIGHUP: all certificates of a country are renewed while its node serves.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use exchange::{Country, Digest};
use testbed::pki::{Pki, Role};
use testbed::site::Site;
use transport::stream::{Target, dial};
use transport::tls::ClientTls;

use crate::client::{Ask, Client};
use crate::node::{Node, pause};
use crate::{PATIENCE, books, install};

#[test]
fn renewed_certificates_are_used_and_earlier_evidence_is_still_shown() {
    let folder = tempfile::tempdir().unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(renew(folder.path())).unwrap();
}

async fn renew(folder: &std::path::Path) -> anyhow::Result<()> {
    let (es, dk, mut pki) = install(folder).await?;
    let client = Client::new(&pki, &es, &dk)?;
    let (b, a) = (Node::start(&es, None).await?, Node::start(&dk, None).await?);
    client.ask(Ask::Retrieve).await?;
    let denmark = dk.land.country();
    pki.renew(denmark);
    pki.write(&dk.dir.join("pki"))?;
    a.hang_up()?;
    let renewed = pki.identity(denmark, Role::ServiceProvider).certificate().fingerprint();
    let until = Instant::now() + PATIENCE;
    while shown(&pki, &es, &dk).await? != renewed {
        ensure!(Instant::now() < until, "Denmark does not show its new certificate");
        pause().await;
    }
    client.ask(Ask::Retrieve).await?;
    books::grown(&[&es, &dk], 2).await?;
    b.stop().await?;
    a.stop().await?;
    for site in [&es, &dk] {
        let listed = konfido(&["evidence", "list", "--config"], site)?;
        ensure!(listed.lines().count() == 2, "{listed}");
        let mut denmark_signed_with = BTreeSet::new();
        for line in listed.lines() {
            let txid = line.split('\t').next().unwrap_or_default();
            let receipt = konfido(&["evidence", "export", txid, "--config"], site)?;
            let anchors = pki.anchors();
            let report = ledger::receipt::verify(receipt.as_bytes(), &anchors)?;
            ensure!(report.findings.iter().filter(|(what, _)| *what == "signed by").count() == 2);
            let receipt: serde_json::Value = serde_json::from_str(&receipt)?;
            denmark_signed_with.insert(receipt["certificates"][0].to_string());
        }
        ensure!(denmark_signed_with.len() == 2, "the seal was not renewed");
    }
    Ok(())
}

/// The certificate that Denmark's border shows to Spain.
async fn shown(pki: &Pki, es: &Site, dk: &Site) -> anyhow::Result<Digest> {
    let (spain, denmark): (Country, Country) = (es.land.country(), dk.land.country());
    let tls = ClientTls::new(&pki.tls(spain, Role::ServiceConsumer))?;
    let host = dk.border.ip().to_string();
    let target = Target { host, port: dk.border.port(), country: Some(denmark), pin: None };
    let (_, peer) = dial(&target, &tls, Duration::from_secs(5)).await?;
    Ok(peer.certificate().fingerprint())
}

fn konfido(arguments: &[&str], site: &Site) -> anyhow::Result<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_konfido"));
    let output = command.args(arguments).arg(site.config()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
