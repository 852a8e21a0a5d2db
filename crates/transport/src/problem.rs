//! Problem responses (RFC 9457) for what is not a SOAP exchange.

use bytes::Bytes;
use exchange::CorrelationId;
use http::{Response, StatusCode, header};
use http_body_util::Full;

/// Body of every response of ours.
pub type Body = Full<Bytes>;

/// A problem with a stable code and a correlation id. No personal data: all texts are our own.
pub fn problem(status: StatusCode, code: &str, hint: &str, correlation: CorrelationId) -> Response<Body> {
    let text = format!(
        "{{\"type\":\"urn:konfido:problem:{code}\",\"title\":\"{hint}\",\"status\":{},\"instance\":\"urn:uuid:{correlation}\"}}",
        status.as_u16()
    );
    respond(status, "application/problem+json", text)
}

/// A plain response.
pub fn respond(status: StatusCode, mime: &str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    if let Ok(value) = header::HeaderValue::from_str(mime) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}
