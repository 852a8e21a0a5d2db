//! The validator's end of the line to its own gateway ([`ledger::line`]), over a Unix socket.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use ledger::line::{
    Answer, CHANGES_PATH, ENTRIES_PATH, LAPSES_PATH, LOOK_PATH, Looked, asked, take,
};
use ledger::order::{Order, Taken};
use transport::problem::{Body, respond};
use transport::server::{Limits, content_length, read_body};

use super::member::Member;
use super::pages;

/// Answers one request of our gateway, or of an operator's command.
pub async fn answer(
    member: Arc<Member>,
    order: Arc<dyn Order>,
    limits: Limits,
    request: Request<Incoming>,
) -> Response<Body> {
    if request.method() == Method::GET {
        return blocking(move || pages::answer(&member, &request)).await;
    }
    let path = request.uri().path().to_owned();
    let length = content_length(request.headers());
    let body = read_body(&mut request.into_body(), length, MOST_BYTES, limits.body_time).await;
    let Ok(body) = body else {
        return wrong("the body is too long or too slow");
    };
    match path.as_str() {
        ENTRIES_PATH => blocking(move || entries(&member, order.as_ref(), &body)).await,
        LOOK_PATH => blocking(move || look(&member, &body)).await,
        LAPSES_PATH => blocking(move || since(&body, |height| member.lapses(height))).await,
        CHANGES_PATH => blocking(move || since(&body, |height| member.changes(height))).await,
        _ => respond(StatusCode::NOT_FOUND, "text/plain", "no such path\n"),
    }
}

/// Signatures are verified and files are read: not on the async threads.
pub async fn blocking(work: impl FnOnce() -> Response<Body> + Send + 'static) -> Response<Body> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| respond(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "failed\n"))
}

fn entries(member: &Member, order: &dyn Order, body: &[u8]) -> Response<Body> {
    let Some(entries) = take(body) else { return wrong("not a line of entries") };
    let admitted = member.chain.admit(&entries);
    let (mut answers, mut fit, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (entry, admitted) in entries.into_iter().zip(admitted) {
        match admitted {
            Ok(()) => {
                places.push(answers.len());
                answers.push(Answer::Waits);
                fit.push(entry);
            }
            Err(refusal) => answers.push(Answer::Refused(refusal.to_string())),
        }
    }
    for (place, taken) in places.into_iter().zip(order.submit(fit)) {
        answers[place] = match taken {
            Taken::Waits => Answer::Waits,
            Taken::Refused => Answer::Refused("not an entry".to_owned()),
            _ => Answer::Busy,
        };
    }
    json(&answers)
}

fn look(member: &Member, body: &[u8]) -> Response<Body> {
    let Some(txids) = asked(body) else { return wrong("not a list of exchange numbers") };
    let standings = txids.iter().map(|txid| member.standing(*txid)).collect::<Result<_, _>>();
    match standings {
        Ok(standings) => json(&Looked { height: member.chain.tip().height, standings }),
        Err(error) => {
            tracing::error!("the ledger cannot be read: {error:#}");
            respond(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "failed\n")
        }
    }
}

/// What the blocks after a height tell.
fn since<T: serde::Serialize>(
    body: &[u8],
    told: impl FnOnce(u64) -> anyhow::Result<T>,
) -> Response<Body> {
    let Ok(after) = body.try_into().map(u64::from_be_bytes) else { return wrong("not a height") };
    match told(after) {
        Ok(told) => json(&told),
        Err(error) => {
            tracing::error!("the ledger cannot be read: {error:#}");
            respond(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "failed\n")
        }
    }
}

fn json(value: &impl serde::Serialize) -> Response<Body> {
    let text = serde_json::to_vec(value).expect("because these values have a form");
    respond(StatusCode::OK, "application/json", text)
}

fn wrong(why: &str) -> Response<Body> {
    respond(StatusCode::BAD_REQUEST, "text/plain", format!("{why}\n"))
}

/// Of a whole line of the longest entries.
const MOST_BYTES: usize = ledger::line::MOST * (ledger::block::MAX_ENTRY + 4);
