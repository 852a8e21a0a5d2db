//! Paths of the pages, one row each.

use std::sync::Arc;
use std::time::Duration;

use exchange::CorrelationId;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use identity::eidas::metadata::Role;
use transport::problem::{Body, problem, respond};
use transport::server::{Origin, content_length, read_body};

use super::throttle::{Admitted, WINDOW};
use super::visit::Visit;
use super::wallet::WALLET;
use super::{ACS, CONNECTOR_METADATA, Eid, LOGIN, PROXY_METADATA, SSO, light, pages};

/// Answers a browser, or whoever fetches metadata.
pub async fn answer(eid: Arc<Eid>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or("").to_owned();
    let visit = |text: &[u8]| Visit::new(text, &head.headers);
    if ([LOGIN, SSO].contains(&head.uri.path()) || eid.light_begins(head.uri.path()))
        && let Some(Origin(from)) = head.extensions.get::<Origin>()
        && let Admitted::No { first } = eid.throttle.admit(from.ip(), eid.now())
    {
        return crowded(&eid, first);
    }
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/eid/livez") => respond(StatusCode::OK, "text/plain", "alive\n"),
        (&Method::GET, CONNECTOR_METADATA) => metadata(&eid, Role::Connector),
        (&Method::GET, PROXY_METADATA) => metadata(&eid, Role::ProxyService),
        (&Method::GET, LOGIN) => eid.begin(&visit(query.as_bytes())).await,
        (&Method::GET, SSO) => eid.asked(&visit(query.as_bytes()), Some(&query)).await,
        (&Method::GET, path) if let Some(place) = light::place(path) => {
            eid.light(place, &visit(query.as_bytes())).await
        }
        (&Method::POST, path) if [ACS, SSO].contains(&path) || light::place(path).is_some() => {
            let length = content_length(&head.headers);
            match (read_body(body, length, MAX_FORM, FORM_TIME).await, light::place(path)) {
                (Ok(form), Some(place)) => eid.light(place, &visit(&form)).await,
                (Ok(form), None) if path == ACS => eid.answered(&visit(&form)).await,
                (Ok(form), None) => eid.asked(&visit(&form), None).await,
                (Err(error), _) => {
                    let correlation = eid.refused(None, "login.body");
                    problem(error.status(), error.code(), "begin again", correlation)
                }
            }
        }
        (method, path) if path.starts_with(WALLET) => {
            let (method, path) = (method.clone(), path.to_owned());
            let form = read_body(body, content_length(&head.headers), MAX_FORM, FORM_TIME).await;
            let parts: Vec<&str> = path[WALLET.len()..].split('/').skip(1).collect();
            match (method, parts.as_slice(), form) {
                (Method::GET, [ticket], _) => {
                    eid.wallet_page(ticket, &visit(query.as_bytes())).await
                }
                (Method::GET | Method::POST, [ticket, "request"], Ok(form)) => {
                    eid.wallet_request(ticket, &form).await
                }
                (Method::POST, [ticket, "response"], Ok(form)) => {
                    eid.wallet_response(ticket, &form).await
                }
                (Method::GET, [ticket, "done"], _) => {
                    eid.wallet_done(ticket, &visit(query.as_bytes())).await
                }
                _ => eid.no(StatusCode::NOT_FOUND, "no-such-page", "begin at your portal"),
            }
        }
        (_, path) => elsewhere(&eid, path),
    }
}

/// A path that is not ours, or not with this method.
fn elsewhere(eid: &Eid, path: &str) -> Response<Body> {
    let correlation = CorrelationId::random(eid.entropy.as_ref());
    let token = light::place(path).is_some();
    let known = token || [CONNECTOR_METADATA, PROXY_METADATA, LOGIN, ACS, SSO].contains(&path);
    let (status, code) = if known {
        (StatusCode::METHOD_NOT_ALLOWED, "wrong-method")
    } else {
        (StatusCode::NOT_FOUND, "no-such-page")
    };
    let mut response = problem(status, code, "begin at your portal", correlation);
    if known {
        let allow = match path {
            ACS => "POST",
            SSO => "GET, POST",
            _ if token => "GET, POST",
            _ => "GET",
        };
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    response
}

/// RFC 6585 §4.
fn crowded(eid: &Eid, first: bool) -> Response<Body> {
    let correlation = if first {
        eid.refused(None, "login.crowded")
    } else {
        CorrelationId::random(eid.entropy.as_ref())
    };
    let next = "Too many people sign in at the same time. Try again in ten minutes.";
    let status = StatusCode::TOO_MANY_REQUESTS;
    let mut response = pages::trouble(status, "Try again later", next, correlation);
    let seconds = HeaderValue::from(WINDOW.as_secs());
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

fn metadata(eid: &Eid, role: Role) -> Response<Body> {
    match eid.metadata(role) {
        Ok(text) => respond(StatusCode::OK, "application/samlmetadata+xml", text),
        Err(error) => {
            tracing::error!(%error, "our metadata could not be signed");
            let correlation = eid.refused(None, "metadata");
            pages::trouble(StatusCode::INTERNAL_SERVER_ERROR, "Fault", "Try again.", correlation)
        }
    }
}

/// A SAML message in base64 and in a form, with its RelayState.
const MAX_FORM: usize = 512 << 10;
const FORM_TIME: Duration = Duration::from_secs(20);
