//! A document that only the doctor's own session opens.

use std::time::Instant;

use anyhow::Context as _;
use enclave::pouch::{PouchOpener, Suite};
use exchange::{Country, DocumentClass};
use ledger::{Field, Secrets};
use testbed::assertions::Visit;
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
    for country in countries {
        let rows = circle.node(*country).node.journal.newest(1).await.map_err(|e| e.to_string())?;
        let secrets = rows.first().and_then(|row| Secrets::decode(&row.secrets));
        let said = secrets.as_ref().and_then(|secrets| secrets.disclose(Field::Delivery));
        if said.is_none_or(|(_, said)| said != format!("pouch {digest}")) {
            return Err(format!("{country}'s evidence names no such pouch"));
        }
    }
    Ok(digest[..8].to_owned())
}
