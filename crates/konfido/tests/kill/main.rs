//! `kill -9` at every moment of a request, with real processes: after a restart nothing that was
//! acknowledged is lost and nothing is recorded twice.
//!
//! Two nodes of their own, ES (B) and DK (A), and a stand-in for OpenNCP that does what OpenNCP
//! does: it repeats with a new message. The moments are the rows of [`ledger::crash::POINTS`].
//! [`books`] is what must hold afterwards. [`logins`] does the same to a login, [`erasure`] to an erasure.
#![cfg(debug_assertions)]

mod books;
mod client;
mod erasure;
mod inline;
mod kept;
mod last_hop;
mod logins;
mod node;
mod pouch;
mod recovery;
mod renewal;
mod stage;
mod store;
mod strict;
mod validators;
mod vault;
mod watch;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use exchange::{Code, Side};
use jiff::Timestamp;
use ledger::crash::{CRASH_AT, HOLD_AT, POINTS};
use testbed::pki::{Pki, SealKind};
use testbed::portal::PortalError;
use testbed::seed;
use testbed::site::Site;
use testbed::world::Land;

use client::{Ask, Client};
use node::Node;

/// One kill.
#[derive(Clone, Copy)]
struct Scenario {
    moment: &'static str,
    /// Whose node is at the moment.
    at: Side,
    /// Whose node dies: the same, or the other one, while this one is held still.
    dies: Side,
    ask: Ask,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { moment, at, dies, ask } = self;
        write!(f, "{ask:?}, {at:?} at {moment}, {dies:?} dies")
    }
}

/// Each moment on each side; a request's own moments with a submission, too, which has an effect.
/// While one side is held at a moment of a submission, the other dies: sent, and the answer not in.
/// Last, the answer has come to OpenNCP.
fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (moment, sides) in POINTS {
        for at in sides.iter().copied() {
            all.push(Scenario { moment, at, dies: at, ask: Ask::Retrieve });
            if of_the_request(moment) {
                all.push(Scenario { moment, at, dies: at, ask: Ask::Submit });
                let dies = if at == Side::A { Side::B } else { Side::A };
                all.push(Scenario { moment, at, dies, ask: Ask::Submit });
            }
        }
    }
    for ask in [Ask::Retrieve, Ask::Submit] {
        let moment = ANSWERED;
        all.extend([Side::A, Side::B].map(|at| Scenario { moment, at, dies: at, ask }));
    }
    all
}

fn of_the_request(moment: &str) -> bool {
    moment.starts_with("inbound/") || moment.starts_with("outbound/")
}

#[test]
fn a_kill_at_any_moment_loses_nothing_and_repeats_nothing() {
    let scenarios = scenarios();
    assert!(scenarios.len() > POINTS.len());
    let left = Mutex::new(scenarios.into_iter().collect::<VecDeque<_>>());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PAIRS {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(scenario) = next else { return };
                    if let Err(error) = play(scenario) {
                        failed.lock().unwrap().push(format!("{scenario}: {error:#}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn play(scenario: Scenario) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let played = runtime.block_on(kill(scenario, folder.path()));
    played.inspect_err(|_| {
        for land in ["es", "dk"] {
            let log = std::fs::read_to_string(folder.path().join(land).join("node.log"));
            eprintln!("--- {scenario}: {land}\n{}", log.unwrap_or_default());
        }
    })
}

async fn kill(scenario: Scenario, folder: &std::path::Path) -> anyhow::Result<()> {
    let (es, dk, pki) = install(folder).await?;
    let client = Client::new(&pki, &es, &dk)?;
    let variable = if scenario.at == scenario.dies { CRASH_AT } else { HOLD_AT };
    // the first passage is that of a request before, which nothing may happen to
    let armed = format!("{}:2", scenario.moment);
    let arm = |side| (side == scenario.at).then_some((variable, armed.as_str()));
    let (mut b, mut a) =
        (Node::start(&es, arm(Side::B)).await?, Node::start(&dk, arm(Side::A)).await?);
    client.ask(Ask::Retrieve).await.context("the request before")?;
    books::grown(&[&es, &dk], 1).await?;
    let before = [books::checkpoint(&es)?, books::checkpoint(&dk)?];

    let (held, victim) = match scenario.dies {
        Side::A => (&b, &mut a),
        Side::B => (&a, &mut b),
    };
    let told = if scenario.moment == ANSWERED {
        let told = client.ask(scenario.ask).await;
        victim.kill()?;
        told
    } else if scenario.at == scenario.dies {
        let told = client.ask(scenario.ask).await;
        victim.died().await?;
        told
    } else {
        let other = client.clone();
        let asking = tokio::spawn(async move { other.ask(scenario.ask).await });
        held.halted().await?;
        victim.kill()?;
        held.resume()?;
        asking.await?
    };
    told_the_truth(scenario, told.as_ref().err())?;
    let site = if scenario.dies == Side::A { &dk } else { &es };
    if RECURRING.contains(&scenario.moment) {
        let again = Node::start(site, Some((CRASH_AT, scenario.moment))).await?;
        let _ = std::mem::replace(victim, again);
        victim.died().await.context("while it recovers")?;
    }
    let _ = std::mem::replace(victim, Node::start(site, None).await?);

    client.ask(scenario.ask).await.context("the repetition")?;
    let after = match scenario.ask {
        Ask::Retrieve => {
            client.ask(Ask::Retrieve).await.context("the request after").map(|()| 1)?
        }
        Ask::Submit => client.finds_it_dispensed().await?,
    };
    // the request before, the killed one if it was answered, the repetition, those after
    let acknowledged = 2 + u64::from(told.is_ok()) + after;
    // nothing but the nodes themselves brings the evidence into both logs
    books::grown(&[&es, &dk], acknowledged).await?;
    b.stop().await?;
    a.stop().await?;
    books::balance(&pki, [&es, &dk], &before, acknowledged).await?;
    if scenario.ask == Ask::Submit {
        books::dispensed_once(&es, &dk).await?;
    }
    Ok(())
}

/// Nobody is told of a success or a failure that is none.
fn told_the_truth(scenario: Scenario, refused: Option<&PortalError>) -> anyhow::Result<()> {
    let Scenario { moment, at, dies, .. } = scenario;
    match (dies, refused) {
        (_, None) if moment == ANSWERED || at != dies => Ok(()),
        // evidence goes its way beside the answer: the kill may have been faster
        (_, None) | (Side::B, Some(PortalError::Client(_))) if !of_the_request(moment) => Ok(()),
        (Side::B, Some(PortalError::Client(_))) if moment != ANSWERED => Ok(()),
        (Side::A, Some(error)) if of_the_request(moment) => {
            let unknown = Code::ErrorGenericConnectionNotPossible.wire();
            ensure!(error.code() == unknown, "OpenNCP was told {error}");
            Ok(())
        }
        (_, told) => bail!("OpenNCP was told {told:?}"),
    }
}

/// Spain and Denmark, installed and not yet started; Denmark's store is filled.
async fn install(folder: &std::path::Path) -> anyhow::Result<(Site, Site, Pki)> {
    let land = |code| testbed::world::LANDS.iter().find(|land: &&Land| land.code == code);
    let (es, dk) = land("ES").zip(land("DK")).context("countries of the world")?;
    let pki = Pki::new(&[es.country(), dk.country()], SealKind::P256, Timestamp::now());
    let (es, dk) = (Site::new(es, &folder.join("es"))?, Site::new(dk, &folder.join("dk"))?);
    es.write(&pki, &[&dk])?;
    dk.write(&pki, &[&es])?;
    dk.import(seed::content(dk.land.country())).await.map_err(|e| anyhow::anyhow!(e))?;
    Ok((es, dk, pki))
}

/// Moments that a restarted node comes to again before anybody asks it anything: it is killed there
/// a second time.
const RECURRING: [&str; 5] =
    ["receipts/unsent", "receipts/unmarked", "receipts/verified", "log/sequenced", "log/tiles"];
/// Not a moment of a node: OpenNCP has its answer.
const ANSWERED: &str = "answered";
/// Pairs of nodes at the same time; most of their time is the log's second.
const PAIRS: usize = 4;
/// More than any step takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
