//! What logins through the light interface leave: events and audit records, by the same rules as
//! others.

use std::path::Path;
use std::time::{Duration, Instant};

use gateway::audit::Spool as _;
use identity::eidas::light::{Cache, LightResponse};
use ihe::atna::Record;
use siem::{Event, EventStore as _, Kind};
use testbed::browser::Browser;
use trust::xml::{Limits, Xml};

use crate::light::{identified, request};
use crate::{CLIENT, ISSUERS, Stage};

/// Nobody takes records there: they wait.
const AWAY: &str = "\n[audit]\nrepository = \"localhost:1\"\n";

/// Events of logins and all records, when there are so many of each.
async fn left(dir: &Path, events: usize, records: usize) -> (Vec<Event>, Vec<Record>) {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let (noted, kept) = read(dir);
        if (noted.len(), kept.len()) == (events, records) {
            return (noted, kept);
        }
        let kinds: Vec<_> = noted.iter().map(|event| event.kind).collect();
        assert!(Instant::now() < until, "{kinds:?} and {} records", kept.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn read(dir: &Path) -> (Vec<Event>, Vec<Record>) {
    let data = dir.join("data");
    let events = sqlite::Events::open(&data.join("events.db")).unwrap();
    let mut noted = events.newest(100).unwrap();
    noted.retain(|event| event.kind.name().starts_with("login."));
    noted.reverse();
    let spool = sqlite::Audit::open(&data.join("audit.db"), 1000).unwrap();
    let kept = spool.oldest(100).unwrap().into_iter().map(|(_, text)| {
        let xml = Xml::parse(&text, &Limits::ASSERTION).unwrap();
        Record::parse(xml.root()).unwrap()
    });
    (noted, kept.collect())
}

/// Outcomes of the records, each of a login of the other part or of its portal, in their order.
fn outcomes(records: &[Record]) -> Vec<u8> {
    let each = records.iter().map(|record| {
        assert_eq!((&*record.event.code, &*record.event_type.code), ("110114", "110122"));
        assert!(record.participants.iter().any(|p| p.user == CLIENT), "{}", record.render());
        record.outcome
    });
    each.collect()
}

fn failed(answer: &mut LightResponse) {
    answer.attributes.clear();
    answer.status.failure = true;
    answer.status.sub_code = Some("urn:oasis:names:tc:SAML:2.0:status:AuthnFailed".into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_beside_the_eidas_node_is_recorded_and_what_is_none_is_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::with(folder.path(), "specific", AWAY).await;
    // signed in, not identified, not believed, and in another browser
    stage.answered_with(|_| {}).await;
    stage.answered_with(failed).await;
    stage.answered_with(|answer| answer.level = None).await;
    stage.sign_in("SE", "substantial").await;
    let asked = stage.other.asked("/connector", Cache::ConnectorRequest, ISSUERS[0]).await;
    stage.browser = Browser::new(&stage.pki.ca_pem()).unwrap();
    let answer = identified(&asked, "SE/ES/8005171234").render();
    let (to, cache) = ("/eid/light/connector", Cache::ConnectorResponse);
    stage.send(to, cache, ISSUERS[1], &answer).await;
    // answers to nothing, and no token
    stage.answered_with(|answer| answer.in_response_to = "another".into()).await;
    let url = stage.at("/eid/light/connector");
    stage.browser.open(&url).await.unwrap();

    // the other part looked for each of five requests twice
    let (mut events, records) = left(folder.path(), 4 + 2 + 5, 4).await;
    events.retain(|event| event.kind != Kind::LoginTurnedAway);
    let kinds: Vec<_> = events.iter().map(|event| (event.kind, event.number)).collect();
    let refused = Kind::LoginRefused;
    assert_eq!(kinds, [(Kind::LoginDone, 0), (refused, 4), (refused, 8), (refused, 8)]);
    assert!(events.iter().all(|event| event.peer.is_some_and(|peer| peer.as_str() == "SE")));
    assert_eq!(outcomes(&records), [0, 4, 8, 8]);
    assert!(events[0].patient.is_some(), "who signed in");
    assert!(events[1..].iter().all(|event| event.patient.is_none()), "nobody else is known");
    stage.idp.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_identified_for_the_eidas_node_is_recorded_and_so_is_who_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::with(folder.path(), "specific", AWAY).await;
    let (to, cache) = ("/eid/light/proxy", Cache::ProxyRequest);
    let asked = request(Some("DK"));
    let page = stage.send(to, cache, ISSUERS[2], &asked.render()).await;
    let (roots, resident) = (stage.pki.ca_pem(), &stage.idp.residents()[0]);
    let whom = format!("ES/ES/{}", resident.number);
    stage.browser.insert(resident.card(), &roots).unwrap();
    stage.browser.submit(&page, "card", &[]).await.unwrap();
    let page = stage.send(to, cache, ISSUERS[2], &asked.render()).await;
    stage.browser.submit(&page, "cancel", &[]).await.unwrap();
    // what its connector must not ask, and what is no request
    let mut more = asked.clone();
    more.attributes.push("http://example.com/shoe-size".into());
    stage.send(to, cache, ISSUERS[2], &more.render()).await;
    stage.send(to, cache, ISSUERS[2], "<lightRequest/>").await;

    let (events, records) = left(folder.path(), 4, 3).await;
    let kinds: Vec<_> = events.iter().map(|event| (event.kind, event.number)).collect();
    let (refused, away) = (Kind::LoginRefused, Kind::LoginTurnedAway);
    assert_eq!(kinds, [(Kind::LoginPassedOn, 0), (refused, 4), (refused, 8), (away, 0)]);
    assert_eq!(events[0].peer.unwrap().as_str(), "DK", "for whom");
    assert!(events[0].patient.is_some() && events[1].patient.is_none());
    assert_eq!(outcomes(&records), [0, 4, 8]);
    assert!(
        records[0].participants.iter().any(|p| p.user.contains(&whom)),
        "{}",
        records[0].render()
    );
    stage.idp.stop().await;
}
