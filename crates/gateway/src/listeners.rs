//! What the listeners of a node answer. Paths are a table's worth: our own OpenNCP, other
//! countries, the operator.

use std::sync::Arc;

use bytes::Bytes;
use exchange::{CorrelationId, Country, Side};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use ihe::mtom::Package;
use siem::Kind;
use transport::Peer;
use transport::problem::{Body, problem, respond};
use transport::server::{Limits, content_length, read_body};

use crate::eid::{is_back_path, is_shelf_path};
use crate::inbound::receipts::RECEIPTS_PATH;
use crate::inbound::{self, Reply, receipts};
use crate::last_hop::VaultLine;
use crate::message::Message;
use crate::metrics::WaitsFor;
use crate::node::Node;
use crate::outbound::{self, SEALED_PATH};
use crate::recipient::VAULT_KEY_PATH;
use crate::sts::{self, STS_PATH};

/// For our own OpenNCP: `/{cc}/openncp-ws-server/services/…`, `cc` the country that is asked.
pub async fn national(
    node: Arc<Node>,
    limits: Limits,
    peer: Option<Peer>,
    request: Request<Incoming>,
) -> Response<Body> {
    let desk = Desk { node: &node, limits, side: Side::B, peer: peer.as_ref() };
    let Some(peer) = &peer else { return desk.uncertified() };
    let path = request.uri().path();
    if path == STS_PATH || is_back_path(path) || is_shelf_path(path) {
        // the roots may vouch for others, too: people and assertions are for our own portals
        if peer.country() != Some(node.country) {
            return desk.foreign();
        }
        let (method, path) = (request.method().clone(), path.to_owned());
        if path == STS_PATH && method != Method::POST {
            return desk.wrong_method("POST");
        }
        return match (desk.body(request).await, node.eid()) {
            (Err(response), _) => response,
            (Ok((_, body)), _) if path == STS_PATH => desk.token(peer, body).await,
            (Ok((_, body)), Some(eid)) if is_shelf_path(&path) => {
                eid.shelf(&method, &path, peer, &body).await
            }
            (Ok((_, form)), Some(eid)) => {
                eid.back(&node.sealing().seal, &method, &path, peer, &form).await
            }
            (Ok(_), None) => desk.unknown("this node has no [eid]"),
        };
    }
    let target = path.get(1..3).filter(|_| path.as_bytes().get(3) == Some(&b'/'));
    let target = target.and_then(|cc| Country::parse(cc).ok()).filter(|_| is_service(&path[3..]));
    let Some(target) = target else {
        return desk.unknown("post to /{country}/openncp-ws-server/services/…");
    };
    if request.method() != Method::POST {
        return desk.wrong_method("POST");
    }
    let line = VaultLine::of(&request);
    match desk.package(request).await {
        Err(response) => response,
        Ok(package) => {
            let (message, line) = (Message { package }, line.as_deref());
            let (answer, in_words, _) = outbound::handle(&node, peer, target, message, line).await;
            answer.response(status(in_words), node.entropy.as_ref())
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
    let desk = Desk { node: &node, limits, side: Side::A, peer: peer.as_ref() };
    let Some(peer) = &peer else { return desk.uncertified() };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    match (method, path.as_str()) {
        (Method::GET, VAULT_KEY_PATH) => {
            let sealing = node.sealing();
            match sealing.vault.publish(&sealing.seal, node.clock.now()) {
                Ok(statement) => {
                    respond(StatusCode::OK, "application/octet-stream", statement.encode())
                }
                Err(_) => desk.problem(StatusCode::INTERNAL_SERVER_ERROR, "vault", "try again"),
            }
        }
        (Method::POST, RECEIPTS_PATH) => desk.receipts(peer, request).await,
        (Method::POST, SEALED_PATH) => match desk.package(request).await {
            Err(response) => response,
            Ok(package) => reply(&inbound::handle_sealed(&node, peer, package).await),
        },
        (Method::POST, path) if is_service(path) => match desk.package(request).await {
            Err(response) => response,
            Ok(package) => reply(&inbound::handle_plain(&node, peer, Message { package }).await),
        },
        (_, VAULT_KEY_PATH) => desk.wrong_method("GET"),
        (_, path) if [RECEIPTS_PATH, SEALED_PATH].contains(&path) || is_service(path) => {
            desk.wrong_method("POST")
        }
        _ => desk.unknown("post to /openncp-ws-server/services/…"),
    }
}

/// For browsers, and for whoever fetches our metadata.
pub async fn public(node: Arc<Node>, request: Request<Incoming>) -> Response<Body> {
    let mut response = match node.eid() {
        Some(eid) => crate::eid::answer(eid, request).await,
        None => respond(StatusCode::NOT_FOUND, "text/plain", "not configured\n"),
    };
    // RFC 6797 §7.1: on each answer, redirects and problems, too
    let year = HeaderValue::from_static("max-age=31536000");
    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    response
}

/// For the operator, on loopback.
pub fn admin(node: &Node, request: &Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/livez" => respond(StatusCode::OK, "text/plain", "alive\n"),
        "/readyz" if node.stop.is_cancelled() => {
            respond(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "stopping\n")
        }
        "/readyz" => respond(StatusCode::OK, "text/plain", ready(node)),
        "/vault" => vault(node),
        "/metrics" => respond(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            node.metrics.text(),
        ),
        _ => {
            let correlation = CorrelationId::random(node.entropy.as_ref());
            let hint = "see /livez, /readyz and /metrics";
            problem(StatusCode::NOT_FOUND, "no-such-page", hint, correlation)
        }
    }
}

/// What our vault says of itself to other countries.
fn vault(node: &Node) -> Response<Body> {
    let sealing = node.sealing();
    let vault = &sealing.vault;
    let Ok(statement) = vault.publish(&sealing.seal, node.clock.now()) else {
        let hint = "the vault gives no statement: see the log\n";
        return respond(StatusCode::SERVICE_UNAVAILABLE, "text/plain", hint);
    };
    let said = statement.said();
    let process = vault.process();
    let text = serde_json::json!({
        "country": node.country.as_str(),
        "class": statement.evidence.kind.class().name(),
        "evidence": statement.evidence.kind.name(),
        "home": vault.attestation().name(),
        "key": said.as_ref().map(|said| said.key_id().iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        "not_before": said.as_ref().map(|said| said.not_before.to_string()),
        "not_after": said.as_ref().map(|said| said.not_after.to_string()),
        "release": said.as_ref().map(|said| said.release.clone()),
        "process": process.map(enclave::Process::id),
        "starts": process.map(enclave::Process::starts),
        "seal": sealing.seal.certificate().common_name(),
    });
    respond(StatusCode::OK, "application/json", text.to_string())
}

/// What is ready, and what waits: a line each. What waits was counted a few seconds ago.
fn ready(node: &Node) -> String {
    let vault = node.sealing().vault.attestation().name();
    let mut text = format!("ready\nvault attestation {vault}\n");
    for peer in node.peers.values() {
        let attested = peer.known_recipient(node.clock.now()).is_some();
        let state = match (peer.konfido, attested) {
            (false, _) => "plain",
            (true, true) => "attested",
            (true, false) => "not asked yet",
        };
        text += &format!("peer {} {state}\n", peer.country);
    }
    let state = node.trail.as_ref().map(|trail| match trail.reached() {
        None => "not tried yet",
        Some(true) => "reachable",
        Some(false) => "away",
    });
    text += &match state {
        None => "audit repository not configured\n".to_owned(),
        Some(state) => {
            format!("audit repository {state}, {} records wait\n", node.metrics.audit_waiting.get())
        }
    };
    let [half, log] = [WaitsFor::OtherHalf, WaitsFor::Log].map(|what| node.metrics.waiting(what));
    text + &format!("evidence waiting {half} for the other half, {log} for the log\n")
}

fn is_service(path: &str) -> bool {
    exchange::Transaction::ALL.iter().any(|transaction| transaction.service_path() == path)
}

/// Where one request is received: every problem that it meets here is one event, one line in the
/// log and one answer, all with the same id.
struct Desk<'a> {
    node: &'a Arc<Node>,
    limits: Limits,
    side: Side,
    peer: Option<&'a Peer>,
}

impl Desk<'_> {
    async fn package(&self, request: Request<Incoming>) -> Result<Package, Response<Body>> {
        let (content_type, bytes) = self.body(request).await?;
        Package::parse(&content_type, bytes).map_err(|error| {
            tracing::info!(%error, "message refused");
            let hint = "send SOAP 1.2, alone or in a multipart/related package";
            self.problem(StatusCode::BAD_REQUEST, "mime", hint)
        })
    }

    async fn body(&self, request: Request<Incoming>) -> Result<(String, Bytes), Response<Body>> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
        let length = content_length(request.headers());
        let Limits { body, body_time, .. } = self.limits;
        let mut unread = Unread(Some(self));
        let read = read_body(request.into_body(), length, body, body_time).await;
        unread.0 = None;
        match read {
            Ok(bytes) => Ok((content_type, bytes)),
            Err(error) => {
                Err(self.problem(error.status(), error.code(), "send the whole message again"))
            }
        }
    }

    /// WS-Trust: verifying and signing take a while, beside the async threads.
    async fn token(&self, peer: &Peer, body: Bytes) -> Response<Body> {
        let node = Arc::clone(self.node);
        let answered = tokio::task::spawn_blocking(move || sts::answer(&body, &node)).await;
        let Ok(answered) = answered else {
            return self.problem(StatusCode::INTERNAL_SERVER_ERROR, "fault", "try again");
        };
        let (node, issued) = (self.node, answered.outcome.is_ok());
        answered.tell(&node.witness(), peer, node.clock.now());
        let status = if issued { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        respond(status, "application/soap+xml; charset=utf-8", answered.message)
    }

    async fn receipts(&self, peer: &Peer, request: Request<Incoming>) -> Response<Body> {
        let bytes = match self.body(request).await {
            Ok((_, bytes)) => bytes,
            Err(response) => return response,
        };
        match receipts::take(self.node, peer, bytes).await {
            Ok(refused) if refused.is_empty() => {
                respond(StatusCode::NO_CONTENT, "text/plain", Bytes::new())
            }
            Ok(refused) => {
                let body = receipts::encode_refused(&refused);
                respond(StatusCode::OK, "application/octet-stream", body)
            }
            Err(receipts::BatchError::Malformed(_)) => {
                self.problem(StatusCode::BAD_REQUEST, "receipts", "this is not a batch")
            }
            Err(error) => {
                tracing::warn!(%error, "receipts not taken");
                self.problem(StatusCode::SERVICE_UNAVAILABLE, "receipts", "send them again")
            }
        }
    }

    fn uncertified(&self) -> Response<Body> {
        self.problem(StatusCode::FORBIDDEN, "no-certificate", "use mutual TLS")
    }

    fn foreign(&self) -> Response<Body> {
        let hint = "use a certificate of this country";
        self.problem(StatusCode::FORBIDDEN, "other-country", hint)
    }

    fn unknown(&self, hint: &str) -> Response<Body> {
        self.problem(StatusCode::NOT_FOUND, "no-such-service", hint)
    }

    /// RFC 9110 §15.5.6 wants the right method named.
    fn wrong_method(&self, right: &'static str) -> Response<Body> {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let mut response = self.problem(status, "wrong-method", "use the method in Allow");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(right));
        response
    }

    fn problem(&self, status: StatusCode, code: &str, hint: &str) -> Response<Body> {
        let peer = self.peer.and_then(Peer::country);
        let number = u64::from(status.as_u16());
        let side = Some(self.side);
        let correlation = self.node.turned_away(Kind::MessageUnreadable, side, peer, number);
        tracing::info!(%correlation, code, status = status.as_u16(), "problem");
        problem(status, code, hint, correlation)
    }
}

/// A request that is given up while its body is read leaves an event, too.
struct Unread<'a, 'd>(Option<&'a Desk<'d>>);

impl Drop for Unread<'_, '_> {
    fn drop(&mut self) {
        if let Some(desk) = self.0 {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            desk.problem(status, "abandoned", "send the whole message again");
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
    let (content_type, body) = package.pieces("");
    respond(status(in_words), &content_type, body)
}

fn status(in_words: bool) -> StatusCode {
    if in_words { StatusCode::OK } else { StatusCode::BAD_REQUEST }
}
