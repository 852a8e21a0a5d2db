//! A thousand documents pass the asking country's node in pouches, and none is in its memory.

use anyhow::{Context as _, ensure};
use enclave::pouch::{PouchOpener, Suite};
use testbed::memory::{finds, memory};

use crate::client::{Ask, Client};
use crate::install;
use crate::node::Node;

#[test]
fn the_asking_node_sees_no_document_that_goes_into_a_pouch() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(unseen()).unwrap();
}

async fn unseen() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (es, dk, pki) = install(folder.path()).await?;
    let client = Client::new(&pki, &es, &dk)?;
    let nodes = [Node::start(&es, None).await?, Node::start(&dk, None).await?];
    let doctor = PouchOpener::generate(Suite::P256)?;
    let document = client.retrieve_by_pouch(&doctor).await?;
    ensure!(document.len() > 2000, "a document of {} bytes", document.len());
    // three windows of it, which no other message has
    let known: Vec<Vec<u8>> =
        (1..4).map(|at| document[at * document.len() / 5..][..80].to_vec()).collect();
    let seen = || -> anyhow::Result<bool> {
        let read = memory(nodes[0].id()).context("/proc/PID/mem of our own child")?;
        ensure!(read.len() > 10, "its memory is read");
        Ok(read.iter().any(|(_, bytes)| finds(bytes, &known)))
    };
    let passed = std::sync::atomic::AtomicUsize::new(1);
    let ask = async || {
        for suite in Suite::ALL.into_iter().cycle().take(DOCUMENTS / CLIENTS) {
            let doctor = PouchOpener::generate(suite)?;
            ensure!(client.retrieve_by_pouch(&doctor).await? == document);
            passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        anyhow::Ok(())
    };
    let look = async {
        while passed.load(std::sync::atomic::Ordering::Relaxed) < DOCUMENTS * 9 / 10 {
            ensure!(!seen()?, "a document is in the node's memory while it passes");
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        anyhow::Ok(())
    };
    let (a, b, c, d, looked) = tokio::join!(ask(), ask(), ask(), ask(), look);
    for done in [a, b, c, d, looked] {
        done?;
    }
    ensure!(passed.into_inner() > DOCUMENTS, "a thousand have passed");
    ensure!(!seen()?, "a document is left in the node's memory");
    // the search finds what is there: without a pouch the node does see it
    for _ in 0..50 {
        client.ask(Ask::Retrieve).await?;
        if seen()? {
            for node in nodes {
                node.stop().await?;
            }
            return Ok(());
        }
    }
    anyhow::bail!("the search finds nothing")
}

const DOCUMENTS: usize = 1000;
const CLIENTS: usize = 4;
