//! The vault processes of nodes that serve: they are killed, and their nodes' memory is searched.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use testbed::memory::{finds, markers, memory};
use testbed::pki::Role;

use crate::client::{Ask, Client};
use crate::node::{Node, pause};
use crate::{PATIENCE, books, install};

#[test]
fn vaults_that_are_killed_cost_what_is_under_way_and_nothing_else() {
    run(killed());
}

#[test]
fn a_node_has_no_private_key_in_its_memory() {
    run(searched());
}

fn run(test: impl Future<Output = anyhow::Result<()>>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test).unwrap();
}

async fn killed() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (es, dk, pki) = install(folder.path()).await?;
    let client = Client::new(&pki, &es, &dk)?;
    let nodes = [Node::start(&es, None).await?, Node::start(&dk, None).await?];
    client.ask(Ask::Retrieve).await.context("before any kill")?;
    let (done, acknowledged) = (AtomicBool::new(false), AtomicU64::new(1));
    let ask = async || {
        while !done.load(Ordering::Relaxed) {
            // one whose vault dies under it is told so; the next is answered
            if client.ask(Ask::Retrieve).await.is_ok() {
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let kill = async {
        for round in 0..KILLS {
            tokio::time::sleep(Duration::from_millis(150)).await;
            // however busy the machine: not before somebody was answered since the one before
            let until = Instant::now() + PATIENCE;
            while acknowledged.load(Ordering::Relaxed) <= round as u64 {
                ensure!(Instant::now() < until, "nobody is answered after {round} kills");
                pause().await;
            }
            let vault = vault_of(&nodes[round % 2]).context("a node without a vault")?;
            kill_process(vault, Signal::KILL)?;
        }
        done.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    let (killed, ..) = tokio::join!(kill, ask(), ask(), ask());
    killed?;
    client.ask(Ask::Retrieve).await.context("after the last kill")?;
    let acknowledged = acknowledged.into_inner() + 1;
    ensure!(acknowledged > KILLS as u64, "only {acknowledged} were answered");
    // each that was acknowledged is in both logs
    books::grown(&[&es, &dk], acknowledged).await?;
    for node in nodes {
        node.stop().await?;
    }
    Ok(())
}

async fn searched() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (es, dk, pki) = install(folder.path()).await?;
    let client = Client::new(&pki, &es, &dk)?;
    let nodes = [Node::start(&es, None).await?, Node::start(&dk, None).await?];
    for _ in 0..20 {
        client.ask(Ask::Retrieve).await?;
    }
    for (site, node) in [&es, &dk].into_iter().zip(&nodes) {
        let keys = [Role::Seal, Role::ServiceConsumer, Role::ServiceProvider];
        let pem = keys.map(|role| pki.identity(site.land.country(), role).key_pem().to_owned());
        let known: Vec<Vec<u8>> = pem.iter().flat_map(|pem| markers(pem)).collect();
        ensure!(known.len() == 9, "three markers of each key");
        let read = memory(node.id()).context("/proc/PID/mem of our own child")?;
        ensure!(read.len() > 10, "its memory is read");
        for (mapping, bytes) in read {
            ensure!(!finds(&bytes, &known), "a key is in {} {:x}", mapping.name, mapping.start);
        }
        // the search finds what is there: these keys are in ours
        let own = memory(std::process::id())?;
        ensure!(own.iter().any(|(_, bytes)| finds(bytes, &known)), "the search finds nothing");
    }
    for node in nodes {
        node.stop().await?;
    }
    Ok(())
}

/// The vault process of a node: its one child.
fn vault_of(node: &Node) -> Option<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", node.id())).ok()?;
    let children = tasks.flatten().filter_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    });
    children.into_iter().find_map(Pid::from_raw)
}

const KILLS: usize = 12;
