//! Problem responses (RFC 9457) for what is not a SOAP exchange.

use exchange::CorrelationId;
use http::{Response, StatusCode, header};
use serde_json::json;

pub use crate::pieces::Body;

/// A problem with a stable code and a correlation id. No personal data: all texts are our own.
pub fn problem(
    status: StatusCode,
    code: &str,
    hint: &str,
    correlation: CorrelationId,
) -> Response<Body> {
    let text = json!({
        "type": format!("urn:konfido:problem:{code}"),
        "title": hint,
        "status": status.as_u16(),
        "instance": format!("urn:uuid:{correlation}"),
        "code": code,
        "correlation": correlation.to_string(),
    });
    respond(status, "application/problem+json", text.to_string())
}

/// A plain response.
pub fn respond(status: StatusCode, mime: &str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    if let Ok(value) = header::HeaderValue::from_str(mime) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_hint_with_quotes_stays_json() {
        let correlation = CorrelationId::random(&exchange::SystemEntropy);
        let response = problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-long",
            "a \"long\"\nbody",
            correlation,
        );
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["status"], 413);
        assert_eq!(value["type"], "urn:konfido:problem:body-too-long");
        assert_eq!(value["title"], "a \"long\"\nbody");
        assert_eq!(value["instance"], format!("urn:uuid:{correlation}"));
    }
}
