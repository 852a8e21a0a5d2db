//! The few pages that a node shows by itself, and the headers of all.

use exchange::CorrelationId;
use http::{HeaderValue, Response, StatusCode, header};
use transport::problem::{Body, respond};

/// A page that sends the browser on by a form; `script` allows its one script.
pub(super) fn onward(html: String, script: &str) -> Response<Body> {
    // form-action would have to name the other country's address; the form is ours and has one action
    let policy =
        format!("default-src 'none'; script-src {script}; base-uri 'none'; frame-ancestors 'none'");
    page(StatusCode::OK, html, &policy)
}

/// What went wrong, in words that say no more than a person needs.
pub(super) fn trouble(
    status: StatusCode,
    title: &str,
    next: &str,
    correlation: CorrelationId,
) -> Response<Body> {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\
         <body><main><h1>{title}</h1><p>{next}</p><p>Number to quote: <code>{correlation}</code></p></main></body></html>"
    );
    page(status, html, QUIET)
}

/// The ways to a wallet; the page looks again by itself.
pub(super) fn wallet(svg: &str, link: &str) -> Response<Body> {
    let link = trust::xml::escape(link);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"2\">\
         <title>Sign in with your wallet</title></head><body><main><h1>Sign in with your wallet</h1>\
         <p><a href=\"{link}\">Open the wallet on this device</a></p>\
         <p>Or scan this with the wallet on your phone:</p><div>{svg}</div>\
         <p>This page goes on by itself. It asks for your name, birth, place of birth, nationality and\
         personal number, and for nothing else.</p></main></body></html>"
    );
    page(StatusCode::OK, html, QUIET)
}

fn page(status: StatusCode, html: String, policy: &str) -> Response<Body> {
    let mut response = respond(status, "text/html; charset=utf-8", html);
    let headers = response.headers_mut();
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// 303, so that the browser asks with GET.
pub(super) fn redirect(to: &str) -> Response<Body> {
    let mut response = respond(StatusCode::SEE_OTHER, "text/plain", "");
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `address?name=value&…`; the address may have a query already.
pub(super) fn with_query(address: &str, pairs: &[(&str, &str)]) -> String {
    let mark = if address.contains('?') { '&' } else { '?' };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    format!("{address}{mark}{}", query.finish())
}

/// Pages without script, form or anything from elsewhere.
const QUIET: &str =
    "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
