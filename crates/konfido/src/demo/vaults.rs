//! Where the keys are, and what happens when a vault dies.

use std::time::Instant;

use exchange::{Country, DocumentClass};
use gateway::background::gauges;
use rustix::process::{Pid, Signal, kill_process};
use testbed::world::{AGNETE, MONTSERRAT};

use super::{Circle, Narrator};

/// One step for each country: what stands behind its keys.
pub fn told(circle: &Circle, narrator: &mut Narrator, countries: &[Country]) {
    for country in countries {
        let started = Instant::now();
        let sealing = circle.node(*country).node.sealing();
        let class = sealing.vault.attestation().name();
        let place = sealing.vault.process().map_or_else(
            || "the node's own".to_owned(),
            |process| format!("number {}, without files, network or root", process.id()),
        );
        let what = format!("{country}: who holds the private keys");
        narrator.step(started, &what, Ok(format!("assurance {class}; {place}")));
    }
}

/// A vault is killed, and the next request starts it again.
pub async fn killed(
    circle: &Circle,
    narrator: &mut Narrator,
    es: Country,
    dk: Country,
) -> anyhow::Result<()> {
    let sealing = circle.node(dk).node.sealing();
    let Some(process) = sealing.vault.process() else { return Ok(()) };
    let (started, starts, before) = (Instant::now(), process.starts(), process.id());
    let pid = i32::try_from(before).ok().and_then(Pid::from_raw);
    pid.map(|pid| kill_process(pid, Signal::KILL)).transpose()?;
    let visit = circle.visit(&MONTSERRAT, Some(&AGNETE));
    let listed =
        circle.portal(es, dk)?.query(&visit, &AGNETE.id(), DocumentClass::PatientSummary).await;
    // the node looks every few seconds; now it is part of the story
    gauges::look(&circle.node(dk).node).await;
    let held = match listed {
        Ok(_) if process.starts() == starts + 1 => {
            Ok(format!("{before} died, {} serves; sealed again for its new key", process.id()))
        }
        Ok(_) => Err("it was not started again".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    narrator.step(started, "Denmark's vault is killed; the next request is answered", held);
    Ok(())
}
