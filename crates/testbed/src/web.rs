//! What the testbed's web servers have in common: forms, cookies, pages.

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use identity::eidas::binding::SCRIPT_HASH;
use transport::problem::{Body, respond};
use transport::server::{content_length, read_body};

pub use trust::xml::escape;

/// A form as browsers send it (`application/x-www-form-urlencoded`, WHATWG URL §5).
#[derive(Clone, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body or a query string.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(MAX_FIELDS);
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name)?, decode(value)?))
            })
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Reads the form that a request brings in its body.
    pub async fn of(request: Request<Incoming>) -> Option<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
        if kind.split(';').next()?.trim() != FORM {
            return None;
        }
        let length = content_length(request.headers());
        let body = read_body(request.into_body(), length, MAX_BODY, BODY_TIME).await.ok()?;
        Self::parse(&body)
    }

    /// The only value of this name; `None` when there is none or there are two.
    pub fn only(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter().filter(|(has, _)| has == name);
        let first = all.next()?;
        all.next().is_none().then_some(first.1.as_str())
    }
}

/// Writes a form or a query string.
pub fn encode(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", quote(name), quote(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                quoted.push(char::from(byte));
            }
            _ => quoted.push_str(&format!("%{byte:02X}")),
        }
    }
    quoted
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// A page of ours: no script, styles of its own server, forms only to its own server and `targets`.
pub fn page(status: StatusCode, title: &str, main: &str, targets: &[&str]) -> Response<Body> {
    scripted(status, title, main, targets, None)
}

/// The same with a script, at a path of its own server; the page must be usable without it.
pub fn scripted(
    status: StatusCode,
    title: &str,
    main: &str,
    targets: &[&str],
    script: Option<&str>,
) -> Response<Body> {
    let title = escape(title);
    let source = script.map(|path| format!("<script src=\"{path}\" defer></script>\n"));
    let source = source.unwrap_or_default();
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n{source}</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{main}</main>\n</body>\n</html>\n"
    );
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src {}; form-action 'self'{}; frame-ancestors 'none'; base-uri 'none'",
        if script.is_some() { "'self'" } else { "'none'" },
        targets.iter().map(|target| format!(" {target}")).collect::<String>()
    );
    guarded(respond(status, "text/html; charset=utf-8", html), &policy)
}

/// A page that posts itself (SAML HTTP-POST binding): its one script runs, and nothing else. Forms
/// may go anywhere over TLS: browsers hold `form-action` against each redirect that follows, and the
/// next server's ways are not ours to know.
pub fn posting(html: String) -> Response<Body> {
    let policy = format!(
        "default-src 'none'; script-src {SCRIPT_HASH}; form-action https:; frame-ancestors 'none'; base-uri 'none'"
    );
    guarded(respond(StatusCode::OK, "text/html; charset=utf-8", html), &policy)
}

/// The headers that every answer to a browser bears.
pub fn guarded(mut response: Response<Body>, policy: &str) -> Response<Body> {
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    for (name, value) in fixed {
        put(&mut response, name, value);
    }
    response
}

/// The style of all pages: dark on light, at least 7:1 (WCAG 2.2 §1.4.6), and focus that shows.
pub fn style() -> Response<Body> {
    respond(StatusCode::OK, "text/css", STYLE)
}

/// Sends the browser on, with a GET (RFC 9110 §15.4.4).
pub fn see_other(location: &str) -> Response<Body> {
    let mut response = respond(StatusCode::SEE_OTHER, "text/plain", "");
    put(&mut response, header::LOCATION, location);
    guarded(response, "default-src 'none'")
}

/// The origin of a URL: scheme, host and port.
pub fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find(['/', '?', '#']).map_or(url, |end| &url[..start + end])
}

/// The value of a cookie.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| {
        let (has, value) = pair.trim().split_once('=')?;
        (has == name).then_some(value)
    })
}

/// Sets a cookie that only its own server reads. Cookies know no ports (RFC 6265 §8.5): every
/// service of the testbed has names of its own. `life` of nothing removes it.
pub fn set_cookie(response: &mut Response<Body>, name: &str, value: &str, life: Duration) {
    let life = life.as_secs();
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={life}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

fn put(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Media type of forms.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// Longest form: a message of 128 KiB, in base64, in percent signs.
const MAX_BODY: usize = 512 << 10;
const MAX_FIELDS: usize = 32;
const BODY_TIME: Duration = Duration::from_secs(10);
const STYLE: &str = "\
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #1a1a1a; font: 1.125rem/1.5 system-ui, sans-serif; }
main { max-width: 34rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.25rem; margin: 2rem 0 0; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input, select, button { font: inherit; padding: .5rem; border: 2px solid #4a4a4a; border-radius: .25rem; }
input[type=text], input[type=password], select { width: 100%; box-sizing: border-box; background: #fff; color: #1a1a1a; }
input[type=radio] { width: 1.25rem; height: 1.25rem; }
button { margin: 1.25rem .75rem 0 0; min-height: 2.75rem; background: #003b73; color: #fff; border-color: #003b73; cursor: pointer; }
button.second { background: #fff; color: #003b73; }
fieldset { margin: 1rem 0 0; border: 1px solid #767676; }
fieldset label { font-weight: 400; margin-top: .5rem; }
:focus-visible { outline: 3px solid #b35900; outline-offset: 2px; }
[role=alert] { border-left: .4rem solid #a30000; padding: .5rem 1rem; background: #fdf1f1; }
dt { font-weight: 600; }
dd { margin: 0 0 .75rem; }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_travel_unchanged() {
        let pairs = [("name", "Åse & Bjørn +1=%"), ("empty", ""), ("twice", "1"), ("twice", "2")];
        let form = Form::parse(encode(&pairs).as_bytes()).unwrap();
        assert_eq!(form.only("name"), Some("Åse & Bjørn +1=%"));
        assert_eq!(form.only("empty"), Some(""));
        assert_eq!((form.only("twice"), form.only("none")), (None, None));
        for broken in ["a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert!(Form::parse(broken.as_bytes()).is_none(), "{broken}");
        }
    }

    #[test]
    fn an_origin_ends_before_the_path() {
        assert_eq!(origin("https://localhost:8443/a?b"), "https://localhost:8443");
        assert_eq!(origin("https://localhost"), "https://localhost");
        assert_eq!(origin("https://localhost?x"), "https://localhost");
    }
}
