//! The vault processes of nodes that serve: they are killed, and their nodes' memory is searched.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enclave::attest::ReleaseKeys;
use exchange::Code;
use rustix::process::{Pid, Signal, kill_process};
use testbed::memory::{finds, markers, memory};
use testbed::pki::Role;
use testbed::site::Site;

use crate::client::{Ask, Client};
use crate::node::Node;
use crate::store::{konfido, run};
use crate::{PATIENCE, books, install};

#[test]
fn vaults_that_are_killed_cost_what_is_under_way_and_nothing_else() {
    run(killed());
}

#[test]
fn a_node_has_no_private_key_in_its_memory() {
    run(searched());
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
            // each kill after at least one more answer: they come back every time
            let (before, until) = (acknowledged.load(Ordering::Relaxed), Instant::now() + PATIENCE);
            while acknowledged.load(Ordering::Relaxed) == before {
                ensure!(Instant::now() < until, "nothing is answered after {round} kills");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let vault = vault_of(&nodes[round % 2]).context("a node without a vault")?;
            kill_process(vault, Signal::KILL)?;
        }
        anyhow::Ok(())
    };
    let kill = async {
        let killed = kill.await;
        done.store(true, Ordering::Relaxed);
        killed
    };
    let (killed, ..) = tokio::join!(kill, ask(), ask(), ask());
    killed?;
    client.ask(Ask::Retrieve).await.context("after the last kill")?;
    let acknowledged = acknowledged.into_inner() + 1;
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

#[test]
fn a_signed_policy_decides_whose_vault_is_sealed_for() {
    run(appraised());
}

async fn appraised() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (es, dk, pki) = install(folder.path()).await?;
    let client = Client::new(&pki, &es, &dk)?;
    let program = std::fs::read(env!("CARGO_BIN_EXE_konfido"))?;
    let own = hex::encode(digest(&SHA256, &program).as_ref());
    write_policy(&es, 1, &own)?;
    let toml = std::fs::read_to_string(es.config())?;
    let more = "\n[attestation]\npolicy = \"policy.txt\"\nrelease_keys = \"release-keys.txt\"\n";
    std::fs::write(es.config(), toml + more)?;
    let nodes = [Node::start(&es, None).await?, Node::start(&dk, None).await?];
    client.ask(Ask::Retrieve).await.context("the program that the policy names")?;

    let shown = konfido(&["attest", "show", "--json"], &dk)?;
    let shown: serde_json::Value = serde_json::from_str(&shown)?;
    ensure!(shown["class"] == "software" && shown["starts"] == 1, "{shown}");

    // another program, by the next policy: nothing is sealed any more, and an event says why
    write_policy(&es, 2, &"00".repeat(32))?;
    nodes[0].hang_up()?;
    // a connection that the reload closed under a request is an error, too, and none of these
    let of_the_policy = Code::ErrorSecGeneric.wire();
    let until = Instant::now() + PATIENCE;
    while client.ask(Ask::Retrieve).await.err().is_none_or(|told| told.code() != of_the_policy) {
        ensure!(Instant::now() < until, "a vault that the policy does not name gets requests");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // the vault of before the reload is gone: nobody holds on to it
    let until = Instant::now() + PATIENCE;
    while vaults_of(&nodes[0]).len() != 1 {
        ensure!(Instant::now() < until, "two vaults after a reload");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let events = konfido(&["events", "list"], &es)?;
        if events.contains("vault.refused") && events.contains("policy.measurement") {
            break;
        }
        ensure!(Instant::now() < until, "{events}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // and an older policy does not come back
    write_policy(&es, 1, &own)?;
    let check = konfido(&["check"], &es);
    let said = check.err().context("an older policy is taken")?.to_string();
    ensure!(said.contains("policy.rollback"), "{said}");
    // nor one that too few signed, while the node runs: each is an event
    nodes[0].hang_up()?;
    eventually("policy.rollback", &es).await?;
    write_policy(&es, 3, &own)?;
    let text = std::fs::read_to_string(es.dir.join("policy.txt"))?;
    let (one, _) = text.trim_end().rsplit_once('\n').context("two signatures")?;
    std::fs::write(es.dir.join("policy.txt"), format!("{one}\n"))?;
    nodes[0].hang_up()?;
    eventually("policy.quorum", &es).await?;
    for node in nodes {
        node.stop().await?;
    }
    Ok(())
}

/// A policy is refused for this reason, and an event says so.
async fn eventually(reason: &str, site: &Site) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let events = konfido(&["events", "list", "--kind", "policy.refused"], site)?;
        if events.contains(reason) {
            return Ok(());
        }
        ensure!(Instant::now() < until, "no {reason} in {events}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Signed by two of three release keys.
fn write_policy(site: &Site, version: u32, binary: &str) -> anyhow::Result<()> {
    let text = format!(
        "# konfido attestation policy v1\nversion = {version}\nvalid_from = \"2020-01-01T00:00:00Z\"\n\
         valid_until = \"2100-01-01T00:00:00Z\"\n\
         [[program]]\nname = \"vault\"\nkind = \"software\"\nregisters = {{ binary = \"{binary}\" }}\n\
         [[firmware]]\nkind = \"software\"\n\
         [[partner]]\ncountry = \"DK\"\ndanger_any_platform = true\n"
    );
    let mut keys = "threshold 2\n".to_owned();
    let mut signed = format!("{text}\n");
    for seed in 1..=3_u8 {
        let key = Ed25519KeyPair::from_seed_unchecked(&[seed; 32])?;
        let name = format!("release-{seed}");
        keys += &format!("{name} {}\n", STANDARD.encode(key.public_key()));
        if seed < 3 {
            signed += &ReleaseKeys::signature_line(&text, &name, &key);
        }
    }
    std::fs::write(site.dir.join("policy.txt"), signed)?;
    std::fs::write(site.dir.join("release-keys.txt"), keys)?;
    Ok(())
}

/// The vault process of a node: its one child.
fn vault_of(node: &Node) -> Option<Pid> {
    vaults_of(node).into_iter().next()
}

pub fn vaults_of(node: &Node) -> Vec<Pid> {
    children(node.id())
}

pub fn children(of: u32) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{of}/task"));
    let children = tasks.into_iter().flatten().flatten().flat_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()
    });
    children.filter_map(Pid::from_raw).collect()
}

const KILLS: usize = 12;
