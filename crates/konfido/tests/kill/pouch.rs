//! A thousand documents pass the asking country's node in pouches, and none is in its memory.

use anyhow::ensure;
use enclave::pouch::{PouchOpener, Suite};

use crate::client::{Ask, Client};
use crate::install;
use crate::node::Node;
use crate::watch::{Watch, windows};

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
    let watch = Watch::start(nodes[0].id(), windows(&document));
    let ask = async || {
        for suite in Suite::ALL.into_iter().cycle().take(DOCUMENTS / CLIENTS) {
            let doctor = PouchOpener::generate(suite)?;
            ensure!(client.retrieve_by_pouch(&doctor).await? == document);
        }
        anyhow::Ok(())
    };
    tokio::try_join!(ask(), ask(), ask(), ask())?;
    let seen = watch.end().await?;
    ensure!(seen.found == 0, "a document is in the node's memory: {seen:?}");

    // the search finds what is there: without a pouch the node does see it
    let watch = Watch::start(nodes[0].id(), windows(&document));
    for _ in 0..PLAIN {
        client.ask(Ask::Retrieve).await?;
    }
    ensure!(watch.end().await?.found > 0, "the search finds nothing");
    for node in nodes {
        node.stop().await?;
    }
    Ok(())
}

const DOCUMENTS: usize = 1000;
const CLIENTS: usize = 4;
/// Without a pouch.
const PLAIN: usize = 200;
