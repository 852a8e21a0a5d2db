//! People prove who they are: the doctor with her card, the patient with a one-time code, each at the
//! identity provider of their own country.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use exchange::{Country, PatientId, SystemEntropy};
use ihe::soap::{self, Envelope};
use ihe::trust_exchange::{Ask, ISSUE, Relation, answered};
use serde_json::Value;
use testbed::assertions::Visit;
use testbed::browser::Browser;
use testbed::world::{AGNETE, MONTSERRAT};
use transport::client::Client;
use trust::xml::{Limits, Xml};

use super::counter::{Means, prove};
use super::{Circle, Narrator};

/// Somebody who signed in at a portal of a country.
pub struct Guest {
    /// The session's ticket.
    pub ticket: String,
    /// What the node said of it.
    pub said: Value,
}

impl Guest {
    fn text(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap_or("")
    }
}

/// Both sign in; then the assertions of that login. They are what travels.
pub async fn tell(
    circle: &Circle,
    narrator: &mut Narrator,
    es: Country,
    dk: Country,
) -> anyhow::Result<Visit> {
    let started = Instant::now();
    let doctor = sign_in(circle, es, "professional", es, MONTSERRAT.given, Means::Card).await;
    let doctor = told(narrator, started, "the doctor signs in with her Spanish card", doctor)?;
    let started = Instant::now();
    let patient = sign_in(circle, es, "patient", dk, AGNETE.given, Means::Code).await;
    let what = "the patient signs in with her Danish one-time code";
    let patient = told(narrator, started, what, patient)?;
    let client = circle.portal(es, dk)?.client;

    let started = Instant::now();
    let asked = [("session", doctor.ticket.as_str()), ("purpose", "TREATMENT")];
    let hcp = post(&client, "/eid/hcp", &asked).await;
    let result = hcp.as_ref().map(|xml| format!("{} bytes, sealed by Spain", xml.len()));
    narrator.step(started, "her register entry makes it an HCP assertion", words(result));
    let hcp = hcp?;

    let started = Instant::now();
    let id = patient_id(&patient)?;
    let trc = relation(&client, &hcp, &id).await;
    let result = trc.as_ref().map(|xml| format!("{} bytes, bound to both", xml.len()));
    narrator.step(started, "WS-Trust binds doctor and patient in a TRC assertion", words(result));

    let started = Instant::now();
    let asked = [("session", patient.ticket.as_str()), ("purpose", "TREATMENT")];
    let refused = post(&client, "/eid/hcp", &asked).await.err().map(|error| error.to_string());
    narrator.step(
        started,
        "a patient's login makes no HCP assertion",
        match refused.as_deref() {
            Some("session.subject") => Ok("session.subject".to_owned()),
            other => Err(format!("got {other:?}")),
        },
    );
    Ok(Visit { hcp, trc: Some(trc?) })
}

fn told(
    narrator: &mut Narrator,
    started: Instant,
    what: &str,
    guest: anyhow::Result<Guest>,
) -> anyhow::Result<Guest> {
    let result = guest.as_ref().map(|guest| {
        let hops = guest.said["hops"].as_u64().unwrap_or(0);
        format!("level {}, {} said so; {hops} hops", guest.text("level"), guest.text("country"))
    });
    narrator.step(started, what, words(result));
    guest
}

fn words(result: Result<String, &anyhow::Error>) -> Result<String, String> {
    result.map_err(|error| format!("{error:#}"))
}

/// A person at a counter of `at`, identified by `by`.
pub async fn sign_in(
    circle: &Circle,
    at: Country,
    subject: &str,
    by: Country,
    given: &str,
    means: Means,
) -> anyhow::Result<Guest> {
    let roots = circle.pki.ca_pem();
    let mut browser = Browser::new(&roots)?;
    let level = if means == Means::Card { "high" } else { "substantial" };
    let returns = circle.returns(at);
    let home = circle.front(by);
    let page = browser
        .open(&address(circle, at, &[("for", subject), ("country", by.as_str()), ("level", level)]))
        .await?;
    let first = page.hops.len();
    let page = prove(&mut browser, &page, &home.idp, given, means, &roots).await?;
    let hops = first + page.hops.len();
    let code = page.url.strip_prefix(&format!("{returns}?code="));
    let code = code.and_then(|rest| rest.strip_suffix("&state=demo"));
    let code = code.with_context(|| format!("the login ended at: {}", page.document.text))?;
    let client = circle.portal(at, by)?.client;
    let answer = post(&client, "/eid/session", &[("code", code)]).await?;
    ensure!(
        post(&client, "/eid/session", &[("code", code)]).await.is_err(),
        "a code was redeemed twice"
    );
    let mut said: Value = serde_json::from_str(&answer)?;
    said["hops"] = hops.into();
    let ticket = said["session"].as_str().context("no session")?.to_owned();
    Ok(Guest { ticket, said })
}

/// Where a portal sends a browser that wants to sign in.
fn address(circle: &Circle, at: Country, wants: &[(&str, &str)]) -> String {
    let returns = circle.returns(at);
    let mut query = vec![("via", "eid"), ("return", returns.as_str()), ("state", "demo")];
    query.retain(|pair| wants.iter().all(|wanted| wanted.0 != pair.0));
    query.extend(wants);
    format!("{}/eid/login?{}", circle.front(at).url, form(&query))
}

/// The patient number within the person identifier, as Denmark gives it to Spain.
fn patient_id(patient: &Guest) -> anyhow::Result<PatientId> {
    let identifier = patient.said["person"]["identifier"].as_str().unwrap_or("");
    let number = identifier.splitn(3, '/').nth(2).context("no person identifier")?;
    Ok(PatientId::new(AGNETE.id().root().clone(), number)?)
}

/// A TRC assertion by WS-Trust.
async fn relation(client: &Client, hcp: &str, patient: &PatientId) -> anyhow::Result<String> {
    let relation =
        Relation { patient: patient.clone(), purpose: None, prescription: None, pin: None };
    let body = Ask::Relation(relation).render();
    let message_id = format!("urn:uuid:{}", ihe::uuid(&SystemEntropy));
    let header = soap::Header { action: ISSUE, message_id: &message_id, ..soap::Header::default() };
    let message = soap::render(&header, &[hcp], &body);
    let answer = client.post("/sts", "application/soap+xml; charset=utf-8", message.into()).await?;
    ensure!(answer.status.is_success(), "the token service refused");
    let xml = Xml::parse_bytes(&answer.body, &Limits::MESSAGE)?;
    let payload = Envelope::read(&xml)?.payload.context("an empty answer")?;
    Ok(answered(payload)?.standalone())
}

/// Posts a form; an error is the code of the problem.
async fn post(client: &Client, path: &str, pairs: &[(&str, &str)]) -> anyhow::Result<String> {
    let form = form(pairs).into();
    let answer = client.post(path, "application/x-www-form-urlencoded", form).await?;
    let text = String::from_utf8(answer.body.to_vec())?;
    if answer.status.is_success() {
        return Ok(text);
    }
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    anyhow::bail!("{}", problem["code"].as_str().unwrap_or("no problem document"))
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests;
