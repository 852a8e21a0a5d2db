//! What logins leave: one event with pseudonyms and one audit record each, which tell the same.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ihe::atna::Record;
use ihe::trust_exchange::Kin;
use siem::{Event, EventStore as _, Kind};

use super::super::PATIENCE;
use super::super::audit::{audited, noted};
use super::tests::*;
use super::*;

/// Signs in, is refused, asks for assertions, signs out: each kind of end, once or more.
async fn play(circle: &Circle, es: Country) -> anyhow::Result<PatientId> {
    let client = circle.portal(es, country("DK"))?.client;
    let doctor = session(circle, MONTSERRAT.given).await;
    let of_doctor = [("session", doctor.as_str()), ("purpose", "TREATMENT")];
    let hcp = post(&client, "/eid/hcp", &of_doctor).await?;
    relation(&client, &hcp, &AGNETE.id()).await?;
    let kin = Kin {
        id: "310576-1234".into(),
        given: "Erik".into(),
        family: "Holm".into(),
        ..Kin::default()
    };
    token(&client, &hcp, Ask::Kin(kin)).await?;
    ensure!(relation(&client, "<nothing/>", &AGNETE.id()).await.is_err());
    post(&client, "/eid/logout", &of_doctor[..1]).await?;
    ensure!(post(&client, "/eid/hcp", &of_doctor).await.is_err(), "a session that has ended");
    let clerk = session(circle, world::BARTOMEU.given).await;
    let of_clerk = [("session", clerk.as_str()), ("purpose", "TREATMENT")];
    ensure!(post(&client, "/eid/hcp", &of_clerk).await.is_err(), "no professional");

    let mut patient = browser(circle);
    let page = patient.open(&address(circle, es, &PATIENT)).await?;
    let (roots, idp) = (circle.pki.ca_pem(), &circle.front(country("DK")).idp);
    let page = prove(&mut patient, &page, idp, AGNETE.given, Means::Card, &roots).await?;
    ensure!(ended(&page, "code").is_some());
    let page = patient.open(&address(circle, es, &PATIENT)).await?;
    let page = patient.submit(&page, "cancel", &[]).await?;
    ensure!(ended(&page, "error").as_deref() == Some("access_denied"));
    let page = wallet_page(circle, &mut patient).await;
    let stranger = circle.front(country("IT")).holder(world::ORNELLA.given).context("no wallet")?;
    let shown = wallet::answer(&circle.pki, &scanned(circle, &page), &stranger, Format::Mdoc).await;
    ensure!(shown.is_err(), "another country's wallet");
    Ok(AGNETE.id())
}

/// Waits until the records are those of the events; both.
async fn settled(circle: &Circle, of: Country, least: usize) -> (Vec<Event>, Vec<String>) {
    let until = Instant::now() + PATIENCE;
    loop {
        let (events, records) = (noted(circle, of).await.unwrap(), audited(circle, of).unwrap());
        if events == records && events.len() >= least {
            return (circle.node(of).events.newest(1000).unwrap(), circle.audited(of));
        }
        assert!(Instant::now() < until, "{of}: events {events:#?}, records {records:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn read(text: &str) -> Record {
    let xml = Xml::parse(text, &Limits::ASSERTION).unwrap();
    Record::parse(xml.root()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_end_of_a_login_is_one_event_and_one_record_that_tell_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    let (es, dk) = (country("ES"), country("DK"));
    let patient = play(&circle, es).await.unwrap();
    // doctor, clerk, patient; HCP, TRC, next of kin; their refusals; cancelled, stranger; logout;
    // each code twice, and the session that had ended
    let (events, records) = settled(&circle, es, 14).await;
    let said = records.iter().map(|text| read(text));
    let said = said.map(|r| format!("{} {} {}", r.event.code, r.event_type.code, r.outcome));
    let said: BTreeSet<_> = said.collect();
    for expected in [
        "110114 110122 0",
        "110114 110122 4",
        "110114 110122 8",
        "110114 110123 0",
        "110114 ITI-40 0",
        "110114 ITI-40 12",
        "110100 EHDSI-92 0",
        "110100 EHDSI-92 12",
        "110100 EHDSI-96 0",
        "110113 110132 8",
    ] {
        assert!(said.contains(expected), "{expected} is missing: {said:?}");
    }
    // Denmark identified the patient twice for Spain: once she cancelled
    let (danish, theirs) = settled(&circle, dk, 2).await;
    let outcomes: Vec<_> = theirs.iter().map(|text| read(text).outcome).collect();
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.contains(&0) && outcomes.contains(&4), "{outcomes:?}");
    pseudonymous(&circle, es, &events, &patient);
    let passed = danish.iter().find(|e| e.kind == Kind::LoginPassedOn).unwrap();
    assert!(passed.patient.is_some(), "who was identified for Spain");
    no_more_than_the_profile_wants(&records);
    circle.stop().await;
}

/// The same pseudonyms as of requests; and all steps of one login have its number.
fn pseudonymous(circle: &Circle, es: Country, events: &[Event], patient: &PatientId) {
    let key = &circle.node(es).node.pseudonyms;
    let number = MONTSERRAT.number;
    let doctor = key.of("professional", &format!("{number}@urn:idp:ES:countryB"));
    let of = |kind, number| {
        let found = events.iter().find(|e: &&Event| e.kind == kind && e.number == number);
        found.unwrap_or_else(|| panic!("no {kind:?} {number}"))
    };
    for number in [40, 92, 96] {
        assert_eq!(of(Kind::AssertionIssued, number).professional, Some(doctor), "{number}");
    }
    let related = of(Kind::AssertionIssued, 92);
    assert_eq!(related.patient, Some(key.of("patient", &patient.cx())));
    assert_eq!(related.point_of_care, Some(key.of("point of care", MONTSERRAT.locality)));
    let hcp = of(Kind::AssertionIssued, 40);
    let login =
        events.iter().find(|e| e.kind == Kind::LoginDone && e.correlation == hcp.correlation);
    let by_card = key.of("professional", &format!("ES/{}", MONTSERRAT.identity));
    assert_eq!(login.unwrap().professional, Some(by_card), "the login that it came from");
    let ended = of(Kind::SessionEnded, 0);
    assert_eq!((ended.professional, &ended.correlation), (Some(by_card), &hcp.correlation));
    let signed_in = events.iter().filter(|e| e.kind == Kind::LoginDone);
    assert!(signed_in.clone().any(|e| e.patient.is_some() && e.professional.is_none()));
    assert!(signed_in.clone().all(|e| e.patient.is_some() != e.professional.is_some()));
    assert_eq!(of(Kind::LoginRefused, 4).patient, None, "who cancels is nobody");
}

/// The professional's name, as eHDSI has it; of the patient the number and nothing else.
fn no_more_than_the_profile_wants(records: &[String]) {
    let all = records.concat();
    assert!(all.contains(MONTSERRAT.family), "AlternativeUserID of the professional");
    for personal in [AGNETE.family, AGNETE.given, AGNETE.birth, MONTSERRAT.birth, "Erik", "Holm"] {
        assert!(!all.contains(personal), "{personal}");
    }
}
