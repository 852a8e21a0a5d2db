//! A document that only the doctor's own session opens.

use std::time::Instant;

use anyhow::Context as _;
use enclave::Delivery;
use enclave::pouch::{PouchOpener, Suite};
use exchange::{Country, DocumentClass};
use ledger::Field;
use testbed::assertions::Visit;
use testbed::pki::Role;
use testbed::world::{AGNETE, Land};

use super::{Circle, Narrator};

/// She asks with a key of her own; both countries' evidence says so.
pub async fn filled(
    circle: &Circle,
    narrator: &mut Narrator,
    visit: &Visit,
    es: Country,
    dk: Country,
) -> anyhow::Result<()> {
    let (portal, started) = (circle.portal(es, dk)?, Instant::now());
    let repository = Land::of(dk).context("unknown country")?.repository;
    let listed = portal.query(visit, &AGNETE.id(), DocumentClass::PatientSummary).await;
    let opener = PouchOpener::generate(Suite::XWing)?;
    let held = match listed.as_ref().map(|listed| listed.entries.first()) {
        Ok(Some(entry)) => {
            let wanted = (repository, entry.unique_id.as_str());
            match portal.retrieve_by_pouch(visit, wanted, (dk, es), &opener).await {
                Ok(got) => {
                    let length = got.documents.first().map_or(0, |document| document.bytes.len());
                    told(circle, &opener, &[es, dk]).await.and_then(|pouch| {
                        let said = format!(
                            "{length} bytes; Spain's node carried ciphertext; both say pouch {pouch}"
                        );
                        (length as u64 == entry.size).then_some(said).ok_or("another size".into())
                    })
                }
                Err(error) => Err(error.to_string()),
            }
        }
        Ok(None) => Err("no entry".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    narrator.step(started, "ITI-39 into a pouch that only her session opens", held);
    Ok(())
}

/// What the evidence of the newest exchange says of the delivery, when all of them say the same.
async fn told(
    circle: &Circle,
    opener: &PouchOpener,
    countries: &[Country],
) -> Result<String, String> {
    let digest = hex::encode(opener.public().digest());
    let said = deliveries(circle, countries).await?;
    if said.iter().any(|said| *said != format!("pouch {digest}")) {
        return Err("the evidence names no such pouch".to_owned());
    }
    Ok(digest[..8].to_owned())
}

/// Her OpenNCP's connection ended in the vault; both countries' evidence names its certificate.
pub async fn last_hop(circle: &Circle, narrator: &mut Narrator, es: Country, dk: Country) {
    let started = Instant::now();
    let certificate = circle.pki.identity(es, Role::OpenncpClient).certificate().fingerprint();
    let expected = match circle.node(es).node.sealing().vault.process() {
        Some(_) => Delivery::Tls(certificate.0),
        None => Delivery::Node,
    };
    let said = deliveries(circle, &[es, dk]).await.and_then(|said| {
        let agreed = said.iter().all(|said| *said == expected.in_words());
        let short = expected.in_words().chars().take(18).collect::<String>();
        if agreed { Ok(format!("both say {short}")) } else { Err(said.join(", ")) }
    });
    narrator.step(started, "delivered over TLS that Spain's vault ends", said);
}

/// What the newest evidence of each country says.
async fn deliveries(circle: &Circle, countries: &[Country]) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for country in countries {
        let node = &circle.node(*country).node;
        let rows = node.journal.newest(1).await.map_err(|e| e.to_string())?;
        let row = rows.first().ok_or("no evidence")?;
        let secrets = node.secrets(row).await.map_err(|e| e.to_string())?;
        let said = secrets.as_ref().and_then(|secrets| secrets.disclose(Field::Delivery));
        all.push(said.map_or_else(String::new, |(_, said)| said.to_owned()));
    }
    Ok(all)
}
