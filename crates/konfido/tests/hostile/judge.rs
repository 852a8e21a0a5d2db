//! Whether an answer and its event are right.

use gateway::message::read_answer;
use ihe::mtom::Package;
use ihe::soap::{Envelope, SOAP12};
use siem::{Event, Kind};
use testbed::world::{CITIZENS, CLINICIANS};
use trust::xml::{Limits, Xml};

use crate::case::{Case, Want};
use crate::wire::Answer;

/// The answer, in the words of [`Want`].
fn found(answer: &Answer) -> Result<(Want, String), String> {
    let Some(status) = answer.status else { return Ok((Want::End, String::new())) };
    if answer.content_type.starts_with("application/problem+json") {
        let problem: serde_json::Value =
            serde_json::from_slice(&answer.body).map_err(|e| e.to_string())?;
        let code = problem["code"].as_str().unwrap_or("").to_owned();
        if problem["status"] != status {
            return Err("the problem's status is another than HTTP's".into());
        }
        return Ok((Want::Problem(status, ""), code));
    }
    if answer.body.is_empty() || answer.content_type == "application/octet-stream" {
        return Ok((Want::Status(status), String::new()));
    }
    let body = answer.body.clone().into();
    let package = Package::parse(&answer.content_type, body).map_err(|e| e.to_string())?;
    let (_, code) = read_answer(&package).map_err(|e| e.to_string())?;
    match code {
        None => Err(format!("it was answered with HTTP {status}")),
        Some(code) if code == "fault" => Ok((Want::Fault(status, ""), fault_code(&package))),
        Some(code) if status == 200 => Ok((Want::Refusal(""), code)),
        Some(code) => Err(format!("{code} with HTTP {status}")),
    }
}

fn fault_code(package: &Package) -> String {
    let xml = Xml::parse_bytes(&package.root, &Limits::MESSAGE).unwrap();
    let payload = Envelope::read(&xml).unwrap().payload.unwrap();
    let text = payload.path(SOAP12, &["Reason", "Text"]).unwrap().deep_text();
    text.split(':').next().unwrap_or("").to_owned()
}

/// One line for people.
pub fn seen(answer: &Answer) -> String {
    match found(answer) {
        Ok((Want::Refusal(_), code)) => format!("refusal {code}"),
        Ok((Want::Fault(status, _), code)) => format!("fault {status} {code}"),
        Ok((Want::Problem(status, _), code)) => format!("problem {status} {code}"),
        Ok((Want::Status(status), _)) => format!("http {status}"),
        Ok((Want::End, _)) => "connection ended".to_owned(),
        Err(error) => error,
    }
}

/// Everything that must be true of one case.
pub fn judge(case: &Case, sent: &[u8], answer: &Answer, event: &Event) -> Result<(), String> {
    // its sender hung up later than the node answered
    if (case.want, case.kind, event.kind)
        == (Want::End, Kind::ExchangeAnswered, Kind::ExchangeAnswered)
        && answered(answer).is_ok()
    {
        return Ok(());
    }
    let (got, code) = found(answer)?;
    let (shape, wanted) = match case.want {
        Want::Refusal(code) => (Want::Refusal(""), code),
        Want::Fault(status, code) => (Want::Fault(status, ""), code),
        Want::Problem(status, code) => (Want::Problem(status, ""), code),
        other => (other, ""),
    };
    if (got, code.as_str()) != (shape, wanted) {
        return Err(format!("got {got:?} {code}, wanted {:?}", case.want));
    }
    if event.kind != case.kind && event.kind != case.or {
        return Err(format!("the event is {}, not {}", event.kind.name(), case.kind.name()));
    }
    let says = event.code.map_or("", exchange::Code::wire);
    match case.want {
        Want::Refusal(_) | Want::Fault(..) if says != code => {
            return Err(format!("the event says {says}"));
        }
        Want::Problem(status, _) if event.number != u64::from(status) => {
            return Err(format!("the event says {}", event.number));
        }
        _ => {}
    }
    quotable(answer, event)?;
    released(answer)?;
    impersonal(&answer.text(), sent)
}

/// The peer can quote what our event says.
fn quotable(answer: &Answer, event: &Event) -> Result<(), String> {
    if event.correlation.len() != 36 {
        return Err("the event has no correlation id".into());
    }
    // an answer to receipts names the exchanges that it refuses instead
    let named = answer.content_type == "application/octet-stream";
    if !answer.body.is_empty() && !named && !answer.text().contains(&event.correlation) {
        return Err("the answer does not carry the event's correlation id".into());
    }
    Ok(())
}

fn released(answer: &Answer) -> Result<(), String> {
    let text = answer.text();
    let data = ["ExtrinsicObject", "<xds:DocumentResponse", "SealedBody", "registrationEvent"];
    match data.iter().find(|word| text.contains(**word)) {
        Some(word) => Err(format!("{word} was released")),
        None => Ok(()),
    }
}

/// Nothing personal but what was sent.
pub fn impersonal(text: &str, sent: &[u8]) -> Result<(), String> {
    let sent = String::from_utf8_lossy(sent);
    let citizens = CITIZENS.iter().flat_map(|c| [c.given, c.family, c.number, c.address[0]]);
    let clinicians = CLINICIANS.iter().flat_map(|c| [c.given, c.family, c.number]);
    match citizens.chain(clinicians).find(|word| text.contains(word) && !sent.contains(word)) {
        Some(word) => Err(format!("it says {word}")),
        None => Ok(()),
    }
}

/// A good request's answer: HTTP 200, and it holds what was asked for.
pub fn answered(answer: &Answer) -> Result<(), String> {
    let package = Package::parse(&answer.content_type, answer.body.clone().into());
    let code = package.and_then(|package| read_answer(&package));
    let text = answer.text();
    let full = ["ExtrinsicObject", "SealedBody"].iter().any(|word| text.contains(word));
    match (answer.status, code) {
        (Some(200), Ok((_, None))) if full => Ok(()),
        (status, Ok((_, code))) => Err(format!("{status:?} {code:?} to a good request")),
        (status, Err(error)) => Err(format!("{status:?} {error} to a good request")),
    }
}
