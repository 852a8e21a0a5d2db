//! The story's chapter on audit records.

use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::{Country, Transaction};
use jiff::Timestamp;
use siem::{Event, EventStore as _, Kind};
use trust::xml::{Limits, Xml};

use super::{Circle, Narrator, PATIENCE};

/// OpenNCP's record comes in.
pub async fn received(circle: &Circle, narrator: &mut Narrator, es: Country) -> anyhow::Result<()> {
    let started = Instant::now();
    let record = ihe::atna::Record {
        event: ihe::atna::Coded::new("110112", "DCM", "Query"),
        event_type: ihe::atna::Coded::new(
            "ITI-55",
            "IHE Transactions",
            Transaction::PatientDiscovery.title(),
        ),
        action: "E".into(),
        time: Timestamp::now().to_string(),
        outcome: 0,
        participants: Vec::new(),
        source: "ES-1".into(),
        objects: Vec::new(),
        signed: false,
    };
    circle.audit(es, &record.render()).await?;
    let events = Arc::clone(&circle.node(es).events);
    let deadline = Instant::now() + PATIENCE;
    let count = loop {
        let events = Arc::clone(&events);
        let count =
            tokio::task::spawn_blocking(move || events.count(Kind::AuditReceived)).await??;
        if count > 0 || Instant::now() > deadline {
            break count;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    narrator.step(
        started,
        "an ATNA record with OpenNCP's <132> becomes one event",
        match count {
            1 => Ok("audit.received".to_owned()),
            other => Err(format!("{other} events")),
        },
    );
    Ok(())
}

/// Our own go out: one for each event, telling the same.
pub async fn written(
    circle: &Circle,
    narrator: &mut Narrator,
    countries: &[Country],
) -> anyhow::Result<()> {
    let started = Instant::now();
    let deadline = started + PATIENCE;
    let verdict = loop {
        let mut total = 0;
        let mut missing = Vec::new();
        for country in countries {
            let (noted, audited) = (noted(circle, *country).await?, audited(circle, *country)?);
            total += audited.len();
            if noted != audited {
                missing.push(format!("{country}: {} of {}", audited.len(), noted.len()));
            }
        }
        let kept = countries.len() - missing.len();
        narrator.wait("repositories have all records", kept, countries.len());
        if missing.is_empty() {
            break Ok(format!("{total} DICOM records, one an event"));
        }
        if Instant::now() > deadline {
            break Err(missing.join(", "));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for country in countries {
        circle.keep_audited(*country)?;
    }
    narrator.step(started, "our own records reach each country's repository", verdict);
    Ok(())
}

/// What event and record must have in common: time, transaction or step, and whether it was refused.
pub type Essence = (String, String, bool);

/// The `EventTypeCode` that the record of an event has; `None` for events without a record.
fn code(event: &Event) -> Option<&'static str> {
    match (event.kind, event.number) {
        (Kind::LoginDone | Kind::LoginPassedOn | Kind::LoginRefused, _) => Some("110122"),
        (Kind::SessionEnded, _) => Some("110123"),
        (Kind::AssertionIssued | Kind::AssertionRefused, 40) => Some("ITI-40"),
        (Kind::AssertionIssued | Kind::AssertionRefused, 92) => Some("EHDSI-92"),
        (Kind::AssertionIssued | Kind::AssertionRefused, 96) => Some("EHDSI-96"),
        (Kind::AssertionRefused | Kind::SessionRefused, _) => Some("110132"),
        (kind, _) if kind.name().starts_with("exchange.") => {
            Some(event.transaction.map_or("110132", Transaction::iti))
        }
        _ => None,
    }
}

/// What the events say.
pub async fn noted(circle: &Circle, country: Country) -> anyhow::Result<Vec<Essence>> {
    let events = Arc::clone(&circle.node(country).events);
    let all = tokio::task::spawn_blocking(move || events.newest(1000)).await??;
    let mut found: Vec<_> = all
        .into_iter()
        .filter_map(|e| {
            let refused = [Kind::LoginRefused, Kind::SessionRefused].contains(&e.kind);
            Some((format!("{:.3}", e.at), code(&e)?.to_owned(), refused || e.code.is_some()))
        })
        .collect();
    found.sort();
    Ok(found)
}

/// What the records say.
pub fn audited(circle: &Circle, country: Country) -> anyhow::Result<Vec<Essence>> {
    let mut found = Vec::new();
    for text in circle.audited(country) {
        let xml = Xml::parse(&text, &Limits::ASSERTION)?;
        let record = ihe::atna::Record::parse(xml.root())?;
        found.push((record.time, record.event_type.code, record.outcome != 0));
    }
    found.sort();
    Ok(found)
}
