//! The story, step by step. Each step says what it proved; one that does not hold is counted.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use exchange::{Country, DocumentClass, Side, Transaction};
use ihe::xca::{PDF_FORMAT, QueryRequest, QueryResponse};
use ihe::xdr::Submission;
use jiff::Timestamp;
use ledger::Field;
use ledger::journal::State;
use testbed::assertions::Visit;
use testbed::documents::{self, Header, medicine};
use testbed::portal::{PortalError, envelope};
use testbed::seed;
use testbed::world::{AGNETE, JORDI, Land, MOGENS, MONTSERRAT, ORNELLA, RAMON, SIGNE};

use super::{Circle, Narrator, PATIENCE, audit, country, logins, origin, pouch, vaults};
use crate::custody::Custody;
use crate::evidence::archive::Archive;

/// Plays it all.
pub async fn tell(circle: &Circle, narrator: &mut Narrator, wallet: bool) -> anyhow::Result<()> {
    let (es, dk, it) = (country("ES"), country("DK"), country("IT"));
    narrator.chapter("Where the keys are");
    vaults::told(circle, narrator, &[es, dk, it]);
    narrator.chapter("A Danish patient with COPD falls ill in Barcelona: who asks, and for whom?");
    let visit = logins::tell(circle, narrator, es, dk, wallet).await?;
    narrator.chapter("Her Patient Summary, with the assertions of these logins");
    summary(circle, narrator, &visit, es, dk).await?;
    pouch::filled(circle, narrator, &visit, es, dk).await?;
    narrator.chapter("A pharmacist dispenses her prescription, by mistake first");
    dispensation(circle, narrator, es, dk).await?;
    narrator.chapter("What must not happen, does not");
    refusals(circle, narrator, es, dk).await?;
    narrator.chapter("A vault dies");
    vaults::killed(circle, narrator, es, dk).await?;
    narrator.chapter("A country without KONFIDO gets plain IHE, because policy allows it");
    plain(circle, narrator, es, it).await?;
    narrator.chapter("Audit records, over syslog-TLS");
    audit::received(circle, narrator, es).await?;
    audit::written(circle, narrator, &[es, dk, it]).await?;
    narrator.chapter("Both countries hold the same proof");
    proofs(circle, narrator, es, dk).await
}

async fn summary(
    circle: &Circle,
    narrator: &mut Narrator,
    visit: &Visit,
    es: Country,
    dk: Country,
) -> anyhow::Result<()> {
    let portal = circle.portal(es, dk)?;
    let patient = AGNETE.id();
    let started = Instant::now();
    let alone = Visit { hcp: visit.hcp.clone(), trc: None };
    let found = portal.discover(&alone, &patient).await;
    narrator.step(
        started,
        "ITI-55 the doctor identifies the patient",
        expect(found, |found| {
            (found.len() == 1 && found[0].id == patient)
                .then(|| "one match; sealed ES -> DK".to_owned())
        }),
    );
    let started = Instant::now();
    let listed = portal.query(visit, &patient, DocumentClass::PatientSummary).await;
    let entries = listed.as_ref().map(|l| l.entries.clone()).unwrap_or_default();
    narrator.step(started, "ITI-38 she lists the Patient Summaries", expect(listed, two_forms));
    let repository = Land::of(dk).context("unknown country")?.repository;
    for entry in &entries {
        let started = Instant::now();
        let got = portal.retrieve(visit, repository, &entry.unique_id).await;
        let form = if entry.format == PDF_FORMAT { "PDF in CDA (L1)" } else { "coded CDA (L3)" };
        narrator.step(
            started,
            &format!("ITI-39 she reads the {form}"),
            expect(got, |got| {
                let document = got.documents.first()?;
                let kind = clinical::cda::kind(&document.bytes).ok()?;
                (document.bytes.len() as u64 == entry.size
                    && kind.class == DocumentClass::PatientSummary)
                    .then(|| format!("{} bytes, as Denmark stored them", document.bytes.len()))
            }),
        );
    }
    pouch::last_hop(circle, narrator, es, dk).await;
    Ok(())
}

async fn dispensation(
    circle: &Circle,
    narrator: &mut Narrator,
    es: Country,
    dk: Country,
) -> anyhow::Result<()> {
    let portal = circle.portal(es, dk)?;
    let patient = AGNETE.id();
    let visit = circle.visit(&JORDI, Some(&AGNETE));
    let started = Instant::now();
    let listed = portal.query(&visit, &patient, DocumentClass::EPrescription).await;
    narrator.step(
        started,
        "ITI-38 the pharmacist lists the ePrescriptions",
        expect(listed, |l| {
            let open = l.entries.iter().filter(|e| e.status.as_deref() == Some("open")).count();
            (open == l.entries.len() && open >= 2).then(|| format!("{open} entries, all open"))
        }),
    );
    let repository = Land::of(dk).context("unknown country")?.repository;
    let number = seed::prescription_number(&AGNETE, 1);
    let [medicine_code, _] = seed::prescribed();
    let header = Header {
        patient: &AGNETE,
        author: &JORDI,
        id: (Land::of(es).context("unknown country")?.repository, "ED-ES-1"),
        source: None,
        created: Timestamp::now(),
    };
    let document =
        documents::dispensation(&header, (repository, &number), medicine(medicine_code.atc));
    let dispensed = Submission {
        patient: patient.clone(),
        class: DocumentClass::EDispensation,
        unique_id: header.unique_id(),
        mime: "text/xml".into(),
        bytes: document.into(),
    };
    let discarded = Submission { class: DocumentClass::Discard, ..dispensed.clone() };
    circle.write_submissions(&portal, &dispensed, &discarded)?;
    for (submission, what, status) in [
        (&dispensed, "ITI-41 he reports the dispensation", "closed"),
        (&discarded, "ITI-41 he discards it", "open"),
    ] {
        let started = Instant::now();
        let done = portal.submit(&visit, submission).await;
        let after = portal.query(&visit, &patient, DocumentClass::EPrescription).await;
        let found = after.map(|l| status_of(&l, &number));
        narrator.step(
            started,
            what,
            match (done, found) {
                (Ok(()), Ok(Some(found))) if found == status => {
                    Ok(format!("the prescription is {status} in Denmark"))
                }
                (Err(e), _) | (_, Err(e)) => Err(e.to_string()),
                (Ok(()), Ok(other)) => Err(format!("the prescription is {other:?}")),
            },
        );
    }
    Ok(())
}

async fn refusals(
    circle: &Circle,
    narrator: &mut Narrator,
    es: Country,
    dk: Country,
) -> anyhow::Result<()> {
    let portal = circle.portal(es, dk)?;
    let started = Instant::now();
    let verdict = portal.discover(&circle.visit(&MONTSERRAT, None), &MOGENS.id()).await;
    narrator.step(
        started,
        "a patient who withheld consent is not found",
        refused(verdict, "WARNING_PI_NO_CONSENT"),
    );
    let started = Instant::now();
    let nosy = circle.visit(&RAMON, Some(&AGNETE));
    let verdict = portal.query(&nosy, &AGNETE.id(), DocumentClass::PatientSummary).await;
    narrator.step(started, "a nosy clerk gets no Patient Summary", refused(verdict, "4703"));
    let started = Instant::now();
    let visit = circle.visit(&MONTSERRAT, Some(&AGNETE));
    let verdict = portal.query(&visit, &SIGNE.id(), DocumentClass::PatientSummary).await;
    narrator.step(
        started,
        "a patient other than the TRC's is not listed",
        refused(verdict, "4206"),
    );
    let started = Instant::now();
    let body = QueryRequest { patient: AGNETE.id(), classes: vec![DocumentClass::PatientSummary] }
        .render();
    let message = envelope(Transaction::Query, &visit, &body, Vec::new());
    portal.send(Transaction::Query, &message).await?;
    let again = portal.send(Transaction::Query, &message).await?;
    let code = gateway::message::read_answer(&again)?.1;
    narrator.step(
        started,
        "the same message a second time is a replay",
        match code.as_deref() {
            Some("ERROR_SEC_GENERIC") => Ok("ERROR_SEC_GENERIC".to_owned()),
            other => Err(format!("got {other:?}")),
        },
    );
    let started = Instant::now();
    let mut tampered = visit;
    tampered.hcp = tampered.hcp.replace("code=\"221\"", "code=\"2262\"");
    let verdict = portal.query(&tampered, &AGNETE.id(), DocumentClass::PatientSummary).await;
    narrator.step(
        started,
        "an assertion changed after signing is refused",
        refused(verdict, "1001"),
    );
    Ok(())
}

async fn plain(
    circle: &Circle,
    narrator: &mut Narrator,
    es: Country,
    it: Country,
) -> anyhow::Result<()> {
    let portal = circle.portal(es, it)?;
    let visit = circle.visit(&MONTSERRAT, Some(&ORNELLA));
    let started = Instant::now();
    let listed = portal.query(&visit, &ORNELLA.id(), DocumentClass::PatientSummary).await;
    narrator.step(
        started,
        "ITI-38 an Italian patient's summaries, in plain IHE",
        expect(listed, two_forms),
    );
    Ok(())
}

async fn proofs(
    circle: &Circle,
    narrator: &mut Narrator,
    es: Country,
    dk: Country,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let (b, a) = (circle.node(es), circle.node(dk));
    let deadline = Instant::now() + PATIENCE;
    let (settled, agreed) = loop {
        let rows = b.node.journal.newest(1000).await?;
        let settled: Vec<_> = rows
            .into_iter()
            .filter(|r| r.side == Side::B && r.provider == dk && r.state == State::Settled)
            .collect();
        let mut same = 0;
        for row in &settled {
            let theirs = a.node.journal.row(row.txid, Side::A).await?;
            same += usize::from(
                theirs.is_some_and(|t| t.statement == row.statement && t.index.is_some()),
            );
        }
        if same == settled.len() && settled.iter().all(|r| r.index.is_some()) && same > 0 {
            break (settled, Ok(format!("{same} records, byte for byte the same, in both logs")));
        }
        narrator.wait("records are in both logs", same, settled.len());
        if Instant::now() > deadline {
            let found = Err(format!("{same} of {} agree", settled.len()));
            break (settled, found);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    narrator.step(started, "every exchange is one double-signed record", agreed);
    let started = Instant::now();
    let row = settled
        .iter()
        .find(|r| r.transaction == Transaction::Retrieve)
        .context("no ITI-39 was settled")?;
    // a place in the log is durable a moment before the checkpoint that covers it
    let anchors = circle.pki.anchors();
    let archive = Archive {
        data: &circle.data(es),
        origin: &origin(es),
        seal: &b.node.sealing().seal,
        anchors: &anchors,
        custody: &Custody::Here,
    };
    let fields = [Field::Patient, Field::Professional, Field::Purpose];
    let receipt = loop {
        let secrets = b.node.secrets(row).await?.context("nothing was erased")?;
        match archive.record(row, secrets).and_then(|record| record.receipt(&fields)) {
            Ok(receipt) => break receipt,
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let report = ledger::receipt::verify(&receipt, &anchors);
    let path = circle.data(es).join("receipt.json");
    std::fs::write(&path, &receipt)?;
    narrator.step(
        started,
        "a receipt verifies offline",
        report
            .map(|r| format!("{} facts; {} bytes", r.findings.len(), receipt.len()))
            .map_err(|e| e.to_string()),
    );
    let started = Instant::now();
    let text = String::from_utf8_lossy(&receipt).into_owned();
    let at = text.find("\"statement\"").context("receipt without statement")? + 40;
    let mut forged = receipt.clone();
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    let verdict = ledger::receipt::verify(&forged, &anchors);
    narrator.step(
        started,
        "a receipt with one byte changed does not",
        match verdict {
            Err(e) => Ok(e.to_string().chars().take(60).collect()),
            Ok(_) => Err("it was accepted".to_owned()),
        },
    );
    Ok(())
}

fn two_forms(listed: QueryResponse) -> Option<String> {
    let pdf = listed.entries.iter().find(|e| e.format == PDF_FORMAT)?;
    let coded = listed.entries.iter().find(|e| e.format != PDF_FORMAT)?;
    (pdf.transformed_to.as_ref() == Some(&coded.unique_id))
        .then(|| "coded and PDF, linked by XFRM".to_owned())
}

fn status_of(listed: &QueryResponse, _number: &str) -> Option<String> {
    // the first prescription's documents carry EP-…-1
    let entry = listed.entries.iter().find(|e| e.unique_id.ends_with("-1"))?;
    entry.status.clone()
}

fn expect<T>(
    got: Result<T, PortalError>,
    holds: impl FnOnce(T) -> Option<String>,
) -> Result<String, String> {
    match got {
        Ok(value) => holds(value).ok_or_else(|| "the answer is not what was expected".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn refused<T>(got: Result<T, PortalError>, code: &str) -> Result<String, String> {
    match got {
        Err(error) if error.code() == code => Ok(code.to_owned()),
        Err(error) => Err(error.to_string()),
        Ok(_) => Err("it was answered".to_owned()),
    }
}
