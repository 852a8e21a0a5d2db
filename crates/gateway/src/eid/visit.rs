//! What a browser brings, and the cookie that binds a login to it.

use base64::Engine as _;
use http::{HeaderMap, HeaderValue, Response, header};
use identity::session::Ticket;
use transport::problem::Body;

/// Parameters of the query or form, and the browser's cookie.
pub(super) struct Visit {
    pub pairs: Vec<(String, String)>,
    pub cookie: Option<Ticket>,
}

impl Visit {
    /// Of a query or a form, with the headers that came with it.
    pub(super) fn new(text: &[u8], headers: &HeaderMap) -> Self {
        let pairs = form_urlencoded::parse(text).into_owned().take(MAX_PAIRS).collect();
        Self { pairs, cookie: cookie(headers) }
    }

    /// The one value with this name; a name that comes twice is none.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let mut all = self.pairs.iter().filter(|pair| pair.0 == name);
        let first = all.next()?;
        all.next().is_none().then_some(first.1.as_str())
    }
}

/// The one cookie of ours.
fn cookie(headers: &HeaderMap) -> Option<Ticket> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut ours = all
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    let first = ours.next()?;
    // a value that we never gave could be one that somebody else chose
    ours.next().is_none().then(|| Ticket::of(first)).filter(Ticket::is_whole)
}

/// What is kept of a cookie.
pub(super) fn digest(cookie: &Ticket) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, cookie.text().as_bytes());
    base64::engine::general_purpose::STANDARD.encode(digest)
}

/// Binds the login to this browser. `SameSite=None`, because the answer is posted by another
/// country's page.
pub(super) fn set_cookie(response: &mut Response<Body>, cookie: &Ticket) {
    let text = format!(
        "{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=3600",
        cookie.text()
    );
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(header::SET_COOKIE, text);
    }
}

/// `__Host-`: from this host, over TLS, for all paths (RFC 6265bis §4.1.3.2).
const COOKIE: &str = "__Host-konfido-eid";
const MAX_PAIRS: usize = 32;
