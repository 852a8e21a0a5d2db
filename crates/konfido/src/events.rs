//! `konfido events`: what this node noted, without any person's name.

use std::fmt::Display;

use anyhow::{Context as _, ensure};
use exchange::{Code, Side};
use siem::{Event, EventStore as _, Kind};

use crate::config::Config;

/// Prints the newest events, newest first; of one kind, if told.
pub fn list(config: &Config, limit: usize, kind: Option<&str>) -> anyhow::Result<()> {
    let kind = kind.map(parse).transpose()?;
    let path = config.data_dir.join("events.db");
    ensure!(path.exists(), "{} is not there: has this node run?", path.display());
    let store = sqlite::Events::open(&path).context("events.db")?;
    let found = match kind {
        Some(kind) => store.newest_of(kind, limit),
        None => store.newest(limit),
    };
    store.close();
    found?.iter().for_each(|event| println!("{}", line(event)));
    Ok(())
}

fn parse(name: &str) -> anyhow::Result<Kind> {
    Kind::of(name).with_context(|| {
        let all: Vec<&str> = Kind::all().map(Kind::name).collect();
        format!("there is no kind {name}; there are {}", all.join(", "))
    })
}

/// One event, separated by tabs.
fn line(event: &Event) -> String {
    let side = event.side.map(|side| if side == Side::A { "A" } else { "B" });
    let person = |pseudonym: Option<siem::Pseudonym>| pseudonym.map(|p| format!("{p:?}"));
    let millis = event.micros.div_ceil(1000);
    [
        event.at.to_string(),
        event.kind.name().to_owned(),
        or_hyphen(side),
        or_hyphen(event.transaction.map(exchange::Transaction::iti)),
        or_hyphen(event.peer),
        or_hyphen(event.code.map(Code::wire)),
        or_hyphen(event.txid),
        or_hyphen(Some(&event.correlation).filter(|text| !text.is_empty())),
        or_hyphen(person(event.patient)),
        or_hyphen(person(event.professional)),
        or_hyphen(person(event.point_of_care)),
        or_hyphen(Some(millis).filter(|millis| *millis > 0)),
        or_hyphen(Some(event.number).filter(|number| *number > 0)),
    ]
    .join("\t")
}

fn or_hyphen(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
