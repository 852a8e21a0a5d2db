//! People prove who they are: the doctor with her card, the patient with a one-time code, each at the
//! identity provider of their own country.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use exchange::{Country, PatientId, SystemEntropy};
use ihe::soap::{self, Envelope};
use ihe::trust_exchange::{Ask, ISSUE, Relation, answered};
use serde_json::Value;
use testbed::assertions::Visit;
use testbed::browser::Browser;
use testbed::portal::web::{SignedIn, Who};
use testbed::world::{self, AGNETE, MONTSERRAT, SIGNE};
use transport::client::Client;
use trust::xml::{Limits, Xml};

use super::counter::{Means, prove};
use super::wallet::{self, Format};
use super::{Circle, Narrator};

/// Both sign in; then the assertions of that login. They are what travels.
pub async fn tell(
    circle: &Circle,
    narrator: &mut Narrator,
    es: Country,
    dk: Country,
    by_wallet: bool,
) -> anyhow::Result<Visit> {
    let mut counter = Browser::new(&circle.pki.ca_pem())?;
    let (card, code, [first, second]) = if by_wallet {
        let what =
            ["the doctor signs in with her wallet", "the patient, at the same counter, with hers"];
        (Means::Wallet, Means::Wallet, what)
    } else {
        let what = [
            "the doctor signs in with her Spanish card",
            "the patient, at the same counter, with a Danish code",
        ];
        (Means::Card, Means::Code, what)
    };
    let started = Instant::now();
    let doctor =
        sign_in(circle, &mut counter, es, Who::Professional, es, MONTSERRAT.given, card).await;
    let doctor = told(narrator, started, first, doctor)?;
    let started = Instant::now();
    let patient = sign_in(circle, &mut counter, es, Who::Patient, dk, AGNETE.given, code).await;
    let patient = told(narrator, started, second, patient)?;
    let client = circle.portal(es, dk)?.client;

    let started = Instant::now();
    let asked = [("session", doctor.session.as_str()), ("purpose", "TREATMENT")];
    let hcp = post(&client, "/eid/hcp", &asked).await;
    let result = hcp.as_ref().map(|xml| format!("{} bytes, sealed by Spain", xml.len()));
    narrator.step(started, "her register entry makes it an HCP assertion", words(result));
    let hcp = hcp?;

    let started = Instant::now();
    let id = patient_id(&client, &patient).await?;
    let trc = relation(&client, &hcp, &id).await;
    let result = trc.as_ref().map(|xml| format!("{} bytes, bound to both", xml.len()));
    narrator.step(started, "WS-Trust binds doctor and patient in a TRC assertion", words(result));

    let started = Instant::now();
    let asked = [("session", patient.session.as_str()), ("purpose", "TREATMENT")];
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
    guest: anyhow::Result<(SignedIn, usize)>,
) -> anyhow::Result<SignedIn> {
    let result = guest.as_ref().map(|(guest, hops)| {
        format!("level {}, {} said so; {hops} hops", guest.level.name(), guest.country)
    });
    narrator.step(started, what, words(result));
    guest.map(|(guest, _)| guest)
}

fn words(result: Result<String, &anyhow::Error>) -> Result<String, String> {
    result.map_err(|error| format!("{error:#}"))
}

/// A person at a counter of `at`, identified by `by`; and through how many hops.
async fn sign_in(
    circle: &Circle,
    counter: &mut Browser,
    at: Country,
    who: Who,
    by: Country,
    given: &str,
    means: Means,
) -> anyhow::Result<(SignedIn, usize)> {
    let portal = &circle.front(at).portal;
    let page = counter.open(portal.base_url()).await?;
    let form = if who == Who::Professional { "professional" } else { "patient" };
    let via = if means == Means::Wallet { "wallet" } else { "eid" };
    let page = counter.submit(&page, form, &[("country", by.as_str()), ("via", via)]).await?;
    let first = page.hops.len();
    let home = circle.front(by);
    let page = match means {
        Means::Wallet => {
            let holder = home.holder(given).context("nobody of that name has a wallet")?;
            let done = wallet::show(&circle.pki, &page, &holder, Format::SdJwt).await?;
            counter.open(&done.context("the wallet was sent nowhere")?).await?
        }
        _ => prove(counter, &page, &home.idp, given, means, &circle.pki.ca_pem()).await?,
    };
    let guest = portal.signed_in(who).into_iter().next_back();
    let guest = guest.with_context(|| format!("the login ended at: {}", page.document.text))?;
    Ok((guest, first + page.hops.len()))
}

/// Says how whoever runs the demo signs in with a browser of their own; other programs read
/// `browser.json`.
pub fn invite(circle: &Circle, dir: &Path) -> anyhow::Result<()> {
    let [es, dk] = ["ES", "DK"].map(|code| Country::parse(code).map(|c| circle.front(c)));
    let (es, dk) = (es?, dk?);
    // the story may have spent the code of this half minute of Agnete's
    let patient = dk.idp.resident(&world::login(SIGNE.given)).context("nobody lives there")?;
    let told = es.portal.for_browsers(&dk.idp, patient, &[&es.url, &dk.url]);
    std::fs::write(dir.join("browser.json"), told.to_string())?;
    println!(
        "\nSign in yourself (trust {} first): {}\n  patient of Denmark: user {}, PIN {}, authenticator {}",
        dir.join("pki/ca.pem").display(),
        es.portal.base_url(),
        patient.login,
        patient.pin(),
        patient.authenticator().uri("konfido demo", &patient.login),
    );
    Ok(())
}

/// What to ask Denmark for. Its eID does not say the number of its civil registration, so the patient
/// says it; Denmark's search mask says what a number looks like.
async fn patient_id(client: &Client, patient: &SignedIn) -> anyhow::Result<PatientId> {
    let asked = [("session", patient.session.as_str()), ("number", AGNETE.number)];
    let said: Value = serde_json::from_str(&post(client, "/eid/patient", &asked).await?)?;
    let first = said["patients"][0].as_str().context("no number to ask for")?;
    Ok(PatientId::parse_cx(first)?)
}

/// A TRC assertion by WS-Trust.
async fn relation(client: &Client, hcp: &str, patient: &PatientId) -> anyhow::Result<String> {
    let relation =
        Relation { patient: patient.clone(), purpose: None, prescription: None, pin: None };
    token(client, hcp, Ask::Relation(relation)).await
}

/// Whatever the token service gives.
async fn token(client: &Client, hcp: &str, ask: Ask) -> anyhow::Result<String> {
    let body = ask.render();
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
mod records;
#[cfg(test)]
mod tests;
