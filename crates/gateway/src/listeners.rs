//! What the listeners of a node answer. Paths are a table's worth: our own OpenNCP, other
//! countries, the operator.

use std::sync::Arc;

use bytes::Bytes;
use exchange::{CorrelationId, Country, TransactionId};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use ihe::mtom::Package;
use transport::Peer;
use transport::problem::{Body, problem, respond};
use transport::server::{BodyError, Limits, content_length, read_body};

use crate::inbound::receipts::RECEIPTS_PATH;
use crate::inbound::{self, Reply, receipts};
use crate::message::Message;
use crate::node::Node;
use crate::outbound::{self, SEALED_PATH, VAULT_KEY_PATH};

/// For our own OpenNCP: `/{cc}/openncp-ws-server/services/…`, `cc` the country that is asked.
pub async fn national(
    node: Arc<Node>,
    limits: Limits,
    peer: Option<Peer>,
    request: Request<Incoming>,
) -> Response<Body> {
    let Some(peer) = peer else {
        return node_problem(&node, StatusCode::FORBIDDEN, "no-certificate", "use mutual TLS");
    };
    let path = request.uri().path();
    let target = path.get(1..3).filter(|_| path.as_bytes().get(3) == Some(&b'/'));
    let target = target.and_then(|cc| Country::parse(cc).ok()).filter(|_| is_service(&path[3..]));
    let Some(target) = target else {
        return node_problem(
            &node,
            StatusCode::NOT_FOUND,
            "no-such-service",
            "post to /{country}/openncp-ws-server/services/…",
        );
    };
    match package(&node, limits, request).await {
        Err(response) => response,
        Ok(package) => {
            let (answer, in_words, _) =
                outbound::handle(&node, &peer, target, Message { package }).await;
            soap(&answer, in_words)
        }
    }
}

/// For other countries: plain IHE, sealed IHE, our vault key, their receipts.
pub async fn border(
    node: Arc<Node>,
    limits: Limits,
    peer: Option<Peer>,
    request: Request<Incoming>,
) -> Response<Body> {
    let Some(peer) = peer else {
        return node_problem(&node, StatusCode::FORBIDDEN, "no-certificate", "use mutual TLS");
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    match (method, path.as_str()) {
        (Method::GET, VAULT_KEY_PATH) => match node.vault.publish(&node.seal, node.clock.now()) {
            Ok(statement) => {
                respond(StatusCode::OK, "application/octet-stream", statement.encode())
            }
            Err(_) => node_problem(&node, StatusCode::INTERNAL_SERVER_ERROR, "vault", "try again"),
        },
        (Method::POST, RECEIPTS_PATH) => match body(&node, limits, request).await {
            Err(response) => response,
            Ok((_, bytes)) => taken(&node, receipts::take(&node, &peer, bytes).await),
        },
        (Method::POST, SEALED_PATH) => match package(&node, limits, request).await {
            Err(response) => response,
            Ok(package) => reply(&inbound::handle_sealed(&node, &peer, package).await),
        },
        (Method::POST, path) if is_service(path) => match package(&node, limits, request).await {
            Err(response) => response,
            Ok(package) => reply(&inbound::handle_plain(&node, &peer, Message { package }).await),
        },
        _ => node_problem(
            &node,
            StatusCode::NOT_FOUND,
            "no-such-service",
            "post to /openncp-ws-server/services/…",
        ),
    }
}

/// What a country hears of its receipts.
fn taken(node: &Node, outcome: Result<Vec<TransactionId>, receipts::BatchError>) -> Response<Body> {
    match outcome {
        Ok(refused) if refused.is_empty() => {
            respond(StatusCode::NO_CONTENT, "text/plain", Bytes::new())
        }
        Ok(refused) => {
            let body = receipts::encode_refused(&refused);
            respond(StatusCode::OK, "application/octet-stream", body)
        }
        Err(receipts::BatchError::Malformed(_)) => {
            node_problem(node, StatusCode::BAD_REQUEST, "receipts", "this is not a batch")
        }
        Err(error) => {
            tracing::warn!(%error, "receipts not taken");
            node_problem(node, StatusCode::SERVICE_UNAVAILABLE, "receipts", "send them again")
        }
    }
}

/// For the operator, on loopback.
pub fn admin(node: &Node, request: &Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/livez" => respond(StatusCode::OK, "text/plain", "alive\n"),
        "/readyz" if node.stop.is_cancelled() => {
            respond(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "stopping\n")
        }
        "/readyz" => {
            let peers: Vec<String> = node
                .peers
                .values()
                .map(|peer| {
                    let attested = peer.known_recipient(node.clock.now()).is_some();
                    let state = match (peer.konfido, attested) {
                        (false, _) => "plain",
                        (true, true) => "attested",
                        (true, false) => "not asked yet",
                    };
                    format!("peer {} {state}\n", peer.country)
                })
                .collect();
            let vault = enclave::Attestation::SimulatedInProcess.name();
            respond(
                StatusCode::OK,
                "text/plain",
                format!("ready\nvault attestation {vault}\n{}", peers.concat()),
            )
        }
        "/metrics" => respond(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            node.metrics.text(),
        ),
        _ => node_problem(
            node,
            StatusCode::NOT_FOUND,
            "no-such-page",
            "see /livez, /readyz and /metrics",
        ),
    }
}

fn is_service(path: &str) -> bool {
    exchange::Transaction::ALL.iter().any(|transaction| transaction.service_path() == path)
}

async fn package(
    node: &Node,
    limits: Limits,
    request: Request<Incoming>,
) -> Result<Package, Response<Body>> {
    let (content_type, bytes) = body(node, limits, request).await?;
    Package::parse(&content_type, bytes).map_err(|error| {
        tracing::info!(%error, "message refused");
        node_problem(
            node,
            StatusCode::BAD_REQUEST,
            "mime",
            "send SOAP 1.2, alone or in a multipart/related package",
        )
    })
}

async fn body(
    node: &Node,
    limits: Limits,
    request: Request<Incoming>,
) -> Result<(String, Bytes), Response<Body>> {
    let content_type = request.headers().get(http::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
    let length = content_length(request.headers());
    match read_body(request.into_body(), length, limits.body, limits.body_time).await {
        Ok(bytes) => Ok((content_type, bytes)),
        Err(error) => {
            let (status, code) = match error {
                BodyError::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-long"),
                BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "body-too-slow"),
                BodyError::Broken => (StatusCode::BAD_REQUEST, "body-broken"),
            };
            Err(node_problem(node, status, code, "send the whole message again"))
        }
    }
}

fn reply(reply: &Reply) -> Response<Body> {
    let mut response = soap(&reply.package, reply.in_words);
    if reply.unknown_key {
        *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    }
    response
}

fn soap(package: &Package, in_words: bool) -> Response<Body> {
    let (content_type, body) = package.write("");
    let status = if in_words { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    respond(status, &content_type, body)
}

/// A problem gets an id and one line in the log, like every refusal.
fn node_problem(node: &Node, status: StatusCode, code: &str, hint: &str) -> Response<Body> {
    let correlation = CorrelationId::random(node.entropy.as_ref());
    tracing::info!(%correlation, code, status = status.as_u16(), "problem");
    problem(status, code, hint, correlation)
}
