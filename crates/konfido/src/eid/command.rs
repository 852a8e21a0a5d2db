//! `konfido eid`: what an integrator needs while two countries are being connected.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use exchange::{SystemClock, SystemEntropy};
use gateway::eid::{Eid, Party};
use gateway::witness::Witness;
use identity::eidas::binding::claimed_issuer;
use identity::eidas::metadata::Role;
use identity::register::PersonKey;
use identity::session::{Keeper, Memory, OwnSecret};
use jiff::Timestamp;
use siem::{Notes, PseudonymKey};
use trust::certificate::Certificate;
use trust::signature::{Profile, verify_enveloped};
use trust::xml::{Limits, Xml};

use super::{Lent, assemble};
use crate::check::Files;
use crate::config::Config;

/// The `[eid]` part of a configuration, without a node around it: nothing is kept.
fn alone(config: &Config, files: Files) -> anyhow::Result<Eid> {
    let setup = files.eid.context("the configuration has no [eid]")?;
    let entropy: Arc<dyn exchange::Entropy> = Arc::new(SystemEntropy);
    let clock: Arc<dyn exchange::Clock> = Arc::new(SystemClock);
    let lent = Lent {
        country: config.country,
        community: config.community.clone(),
        witness: Witness {
            notes: Arc::new(Notes::start(Arc::new(Nowhere), Arc::clone(&clock))),
            trail: None,
            pseudonyms: Arc::new(PseudonymKey::new([0; 32])),
        },
        keeper: Keeper::new(
            Arc::new(Memory::default()),
            Arc::new(OwnSecret::new(&[0; 32])),
            Arc::clone(&entropy),
        ),
        clock,
        entropy,
        spent: Arc::default(),
    };
    assemble(setup, lent)
}

/// Events of a command are nobody's.
struct Nowhere;

impl siem::EventStore for Nowhere {
    fn append(&self, _: &[siem::Event]) -> Result<(), siem::StoreError> {
        Ok(())
    }

    fn count(&self, _: siem::Kind) -> Result<u64, siem::StoreError> {
        Ok(0)
    }

    fn newest(&self, _: usize) -> Result<Vec<siem::Event>, siem::StoreError> {
        Ok(Vec::new())
    }

    fn newest_of(&self, _: siem::Kind, _: usize) -> Result<Vec<siem::Event>, siem::StoreError> {
        Ok(Vec::new())
    }
}

/// `konfido eid metadata`: our own, signed now.
pub fn metadata(config: &Config, files: Files, role: Role) -> anyhow::Result<()> {
    print!("{}", alone(config, files)?.metadata(role)?);
    Ok(())
}

/// `konfido eid check`: fetches the metadata of every party and says whether it is believed.
pub async fn check(config: &Config, files: Files) -> anyhow::Result<()> {
    let eid = alone(config, files)?;
    let register = answers(&eid).await;
    let mut refused = 0;
    for (what, party) in eid
        .providers
        .values()
        .map(|party| ("provider", party))
        .chain(eid.connectors.iter().map(|party| ("connector", party)))
    {
        refused += usize::from(!look(what, party).await);
    }
    ensure!(refused == 0, "{refused} of the parties cannot be believed; logins with them fail");
    ensure!(register, "the register does not answer; no professional is admitted");
    Ok(())
}

/// Asks the register for somebody whom it does not know.
async fn answers(eid: &Eid) -> bool {
    let Some(register) = eid.register.clone() else { return true };
    let nobody = PersonKey { country: eid.country, value: "konfido-eid-check".to_owned() };
    let asked = tokio::task::spawn_blocking(move || register.find(&nobody).map(|_| ()));
    let verdict = match asked.await {
        Ok(Ok(())) => "answers".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "fails".to_owned(),
    };
    println!("register\t{}\t-\t{verdict}", eid.country);
    verdict == "answers"
}

async fn look(what: &str, party: &Party) -> bool {
    let name = format!("{what}\t{}\t{}", party.country, party.entity);
    match party.metadata(Timestamp::now()).await {
        Ok(found) => {
            let level = found.certified.map_or("-", identity::Assurance::name);
            let until = found.valid_until.strftime("%Y-%m-%d");
            println!("{name}\tbelieved until {until}\tlevel {level}");
            true
        }
        Err(error) => {
            println!("{name}\t{error}");
            false
        }
    }
}

/// `konfido eid verify`: the signature of a message in a file, offline.
pub fn verify(file: &Path, signers: &Path, ehdsi: bool) -> anyhow::Result<()> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let pem = fs::read(signers).with_context(|| format!("cannot read {}", signers.display()))?;
    let known = Certificate::from_pem(&pem).context("no certificates to verify with")?;
    let xml = Xml::parse(&text, &Limits::MESSAGE).context("the file is no message")?;
    let profile = if ehdsi { Profile::Ehdsi } else { Profile::Eidas };
    let signed = verify_enveloped(xml.root(), profile).context("not believed")?;
    let by = signed.certificate();
    if !known.contains(by) {
        bail!("signed by {}, which is not among the certificates given", by.subject());
    }
    println!("{}\tverifies", signed.element().name());
    println!("issuer\t{}", claimed_issuer(&text).unwrap_or_default());
    println!("signed by\t{}\tuntil {}", by.subject(), by.not_after().strftime("%Y-%m-%d"));
    Ok(())
}
