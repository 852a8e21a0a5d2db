//! A thousand documents pass the asking country's node on the way to its own OpenNCP, over a TLS connection
//! that the vault ends, and none is in the node's memory.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::ensure;
use bytes::Bytes;
use exchange::Transaction;
use ledger::journal::Journal as _;
use testbed::memory::finds;
use testbed::pki::Role;
use testbed::site::Site;

use crate::client::Client;
use crate::install;
use crate::node::Node;
use crate::watch::{Watch, windows};

#[test]
fn the_asking_node_sees_no_document_that_its_vault_hands_to_its_own_openncp() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(unseen()).unwrap();
}

#[test]
fn curl_reads_a_document_over_both_versions_of_tls() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(by_curl()).unwrap();
}

async fn by_curl() -> anyhow::Result<()> {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: no curl");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (es, dk, pki) = install(folder.path()).await?;
    let node_ends = std::fs::read_to_string(es.config())?;
    std::fs::write(es.config(), format!("{node_ends}\n[vault]\nlast_hop = \"vault\"\n"))?;
    let client = Client::new(&pki, &es, &dk)?;
    let (b, a) = (Node::start(&es, None).await?, Node::start(&dk, None).await?);
    let document = client.retrieve().await?;
    let file = |name: &str| es.dir.join("pki").join(name);
    let stem = format!("es/{}", Role::OpenncpClient.stem());
    let service = Transaction::Retrieve.service_path();
    for version in [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3", "--tls-max", "1.3"]] {
        let (content_type, body) = client.message();
        std::fs::write(folder.path().join("message"), body)?;
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--http1.1", "--max-time", "20"]).args(version);
        curl.arg("--cacert").arg(file("ca.pem")).arg("--cert").arg(file(&format!("{stem}.pem")));
        curl.arg("--key").arg(file(&format!("{stem}.key")));
        curl.args(["--header", &format!("Content-Type: {content_type}"), "--data-binary"]);
        curl.arg(format!("@{}", folder.path().join("message").display()));
        curl.arg(format!("https://{}/dk{service}", es.national));
        let said = tokio::task::spawn_blocking(move || curl.output()).await??;
        let told = String::from_utf8_lossy(&said.stderr);
        ensure!(said.status.success() && told.is_empty(), "{version:?}: {told}");
        ensure!(finds(&said.stdout, &[document.to_vec()]), "{version:?}: no document");
    }
    b.stop().await?;
    a.stop().await?;
    let said = deliveries(&es).await?;
    ensure!(said.len() == 3 && said.iter().all(|said| said.starts_with("vault-tls ")), "{said:?}");
    Ok(())
}

async fn unseen() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (es, dk, pki) = install(folder.path()).await?;
    let node_ends = std::fs::read_to_string(es.config())?;
    std::fs::write(es.config(), format!("{node_ends}\n[vault]\nlast_hop = \"vault\"\n"))?;
    let client = Client::new(&pki, &es, &dk)?;
    let a = Node::start(&dk, None).await?;
    let b = Node::start(&es, None).await?;
    let document = client.retrieve().await?;
    ensure!(document.len() > 2000, "a document of {} bytes", document.len());
    let seen = passed(&b, &client, &document, DOCUMENTS).await?;
    ensure!(seen == 0, "a document was in the node's memory in {seen} dumps");
    b.stop().await?;
    let openncp = pki.identity(es.land.country(), Role::OpenncpClient);
    let certificate = hex::encode(openncp.certificate().fingerprint().0);
    let said = deliveries(&es).await?;
    ensure!(said.iter().all(|said| *said == format!("vault-tls {certificate}")), "{said:?}");

    // the same search, where the node ends the connection: it finds them
    std::fs::write(es.config(), node_ends)?;
    let b = Node::start(&es, None).await?;
    ensure!(client.retrieve().await? == document, "another document");
    let seen = passed(&b, &client, &document, PLAIN).await?;
    ensure!(seen > 0, "the search finds nothing where there is something");
    b.stop().await?;
    ensure!(deliveries(&es).await?.contains(&"node".to_owned()), "evidence says it");
    a.stop().await
}

/// Asks so many times; gives how many dumps of the node's memory had a piece of the document.
async fn passed(
    node: &Node,
    client: &Client,
    document: &Bytes,
    times: usize,
) -> anyhow::Result<usize> {
    let watch = Watch::start(node.id(), windows(document));
    let count = AtomicUsize::new(0);
    let ask = async || {
        while count.fetch_add(1, Ordering::Relaxed) < times {
            ensure!(client.retrieve().await? == *document, "another document");
        }
        anyhow::Ok(())
    };
    tokio::try_join!(ask(), ask(), ask(), ask())?;
    Ok(watch.end().await?.found)
}

/// What a country's evidence says of the delivery, the newest first; of the newest few.
pub async fn deliveries(site: &Site) -> anyhow::Result<Vec<String>> {
    let journal = sqlite::Journal::open(&site.data().join("journal.db"))?;
    let rows = journal.newest(FEW).await?;
    journal.close();
    let mut said = Vec::new();
    for row in &rows {
        // salts and values are sealed: the vault opens them for the command
        let receipt = Command::new(env!("CARGO_BIN_EXE_konfido"))
            .args(["evidence", "export", &row.txid.to_string(), "--show", "delivery", "--config"])
            .arg(site.config())
            .output()?;
        let told = String::from_utf8_lossy(&receipt.stderr);
        ensure!(receipt.status.success(), "{told}");
        let receipt: serde_json::Value = serde_json::from_slice(&receipt.stdout)?;
        said.extend(receipt["disclosed"][0]["value"].as_str().map(str::to_owned));
    }
    Ok(said)
}

/// Records that are looked at.
const FEW: usize = 5;
const DOCUMENTS: usize = 1000;
const PLAIN: usize = 200;
