//! A browser without a window, for tests and the demo: it follows redirects, posts forms that post
//! themselves, keeps cookies, and obeys what a page's content security policy says of scripts and
//! forms, as a person's browser would. It trusts the test root only and reads our own pages only.

mod cookies;
mod html;
mod policy;
mod step;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use transport::stream::{Target, dial};
use transport::tls::{ClientTls, Identity, TlsError};

pub use html::{Document, Field, FormTag};

use crate::web::{FORM, encode, origin};
use cookies::{Going, Jar};
use policy::Policy;
use step::{Step, filled, resolve, without_values};

/// Why the browser came no further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// Not an address that it can open.
    #[error("not an https address")]
    Address,
    /// No connection, or TLS refused on either side.
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    /// The connection broke.
    #[error("connection broke: {0}")]
    Http(#[from] hyper::Error),
    /// The answer is too long or broke off.
    #[error("the answer cannot be read")]
    Answer,
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// More steps than a login has.
    #[error("more than {MAX_HOPS} steps")]
    TooManyHops,
    /// The page has no such form.
    #[error("no form {0}")]
    NoForm(String),
    /// The form has no such field.
    #[error("no field {0}")]
    NoField(String),
    /// The page's content security policy forbids it.
    #[error("the page's policy forbids to send its form to {0}")]
    Forbidden(String),
}

/// One step of the way.
#[derive(Clone, PartialEq, Eq)]
pub struct Hop {
    /// `GET` or `POST`.
    pub method: Method,
    /// Where to; query values are left out, they may be secrets.
    pub url: String,
    /// What came back.
    pub status: StatusCode,
    /// Whether the server wants to be asked over TLS only (RFC 6797).
    pub strict: bool,
}

impl fmt::Debug for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.method, self.url, self.status.as_u16())
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Where the browser ended up.
pub struct Page {
    /// Its address, with query values.
    pub url: String,
    /// Status.
    pub status: StatusCode,
    /// `Content-Type`.
    pub content_type: String,
    /// The body.
    pub html: String,
    /// The body, read.
    pub document: Document,
    /// The steps since the person acted.
    pub hops: Vec<Hop>,
    policy: Policy,
}

impl Page {
    /// The form with this id or this action.
    pub fn form(&self, which: &str) -> Option<&FormTag> {
        self.document.forms.iter().find(|form| form.id == which || form.action == which)
    }

    /// A form that the page posts by itself, if its policy lets the script run.
    fn own_form(&self) -> Option<&FormTag> {
        let posts = |script: &String| {
            script.contains("document.forms[0].submit()") && self.policy.runs(script)
        };
        self.document.scripts.iter().any(posts).then(|| self.document.forms.first()).flatten()
    }
}

/// A browser.
pub struct Browser {
    tls: ClientTls,
    jar: Jar,
    /// Forms post themselves.
    scripts: bool,
}

impl Browser {
    /// A browser that trusts these roots.
    pub fn new(roots_pem: &str) -> Result<Self, TlsError> {
        let tls = ClientTls::anonymous(roots_pem.as_bytes())?;
        Ok(Self { tls, jar: Jar::default(), scripts: true })
    }

    /// Puts a card into the reader: servers that want a certificate get it.
    pub fn insert(&mut self, card: &crate::pki::Identity, roots_pem: &str) -> Result<(), TlsError> {
        self.tls = ClientTls::new(&Identity {
            chain: card.chain_pem().into_bytes(),
            key: card.key_pem().as_bytes().to_vec().into(),
            roots: roots_pem.as_bytes().to_vec(),
        })?;
        Ok(())
    }

    /// Runs no script from now on: the person presses the button of each form.
    pub fn without_scripts(&mut self) {
        self.scripts = false;
    }

    /// Opens an address that a person typed.
    pub async fn open(&mut self, url: &str) -> Result<Page, BrowserError> {
        let (url, body, from) = (url.to_owned(), String::new(), String::new());
        self.walk(Step { method: Method::GET, url, body, from, policy: None }).await
    }

    /// Posts a form to an address, as a program at the counter does that shares the browser's cookies.
    pub async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Result<Page, BrowserError> {
        let (url, body, from) = (url.to_owned(), encode(form), String::new());
        self.walk(Step { method: Method::POST, url, body, from, policy: None }).await
    }

    /// Fills in fields, by name, and sends the form with this id or action. A button is a field: name it
    /// to press it.
    pub async fn submit(
        &mut self,
        page: &Page,
        form: &str,
        values: &[(&str, &str)],
    ) -> Result<Page, BrowserError> {
        let form = page.form(form).ok_or_else(|| BrowserError::NoForm(form.to_owned()))?;
        let step = filled(page, form, values)?;
        self.walk(step).await
    }

    /// Goes as far as it goes without a person.
    async fn walk(&mut self, mut step: Step) -> Result<Page, BrowserError> {
        let mut hops = Vec::new();
        while hops.len() < MAX_HOPS {
            if step.policy.as_ref().is_some_and(|policy| !policy.sends_to(&step.from, &step.url)) {
                return Err(BrowserError::Forbidden(origin(&step.url).to_owned()));
            }
            let answer = tokio::time::timeout(TIME, self.request(&step));
            let (mut page, location, strict) =
                answer.await.map_err(|_| BrowserError::Timeout)??;
            let (method, url) = (step.method.clone(), without_values(&step.url));
            hops.push(Hop { method, url, status: page.status, strict });
            if let Some(location) = location {
                // browsers hold a form's policy against redirects, too; so does `from` stay
                step.url = resolve(&step.url, &location)?;
                (step.method, step.body) = (Method::GET, String::new());
                continue;
            }
            match page.own_form().filter(|_| self.scripts) {
                Some(form) => step = filled(&page, form, &[])?,
                None => {
                    page.hops = hops;
                    return Ok(page);
                }
            }
        }
        Err(BrowserError::TooManyHops)
    }

    /// One request; the second value is where a redirect leads, the third is HSTS.
    async fn request(&mut self, step: &Step) -> Result<(Page, Option<String>, bool), BrowserError> {
        let uri: Uri = step.url.parse().map_err(|_| BrowserError::Address)?;
        let host = uri.host().filter(|_| uri.scheme_str() == Some("https"));
        let host = host.ok_or(BrowserError::Address)?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(443);
        let target = Target { host: host.clone(), port, country: None, pin: None };
        let (stream, _) = dial(&target, &self.tls, TIME).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(self.message(step, &uri, &host)?).await;
        let (head, body) = answer?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        connection.abort();
        let body = body.map_err(|_| BrowserError::Answer)?.to_bytes();
        for line in head.headers.get_all(header::SET_COOKIE) {
            self.jar.set(&host, line.to_str().unwrap_or(""));
        }
        let text = |name| {
            head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned()
        };
        let location = head.status.is_redirection().then(|| text(header::LOCATION));
        let (content_type, html) = (text(header::CONTENT_TYPE), String::from_utf8_lossy(&body));
        let is_html = content_type.starts_with("text/html");
        let document = if is_html { Document::read(&html) } else { Document::default() };
        let page = Page {
            url: step.url.clone(),
            status: head.status,
            content_type,
            html: html.into_owned(),
            document,
            hops: Vec::new(),
            policy: Policy::read(&text(header::CONTENT_SECURITY_POLICY)),
        };
        let strict = text(header::STRICT_TRANSPORT_SECURITY).starts_with("max-age=");
        Ok((page, location.filter(|location| !location.is_empty()), strict))
    }

    fn message(
        &self,
        step: &Step,
        uri: &Uri,
        host: &str,
    ) -> Result<Request<Full<Bytes>>, BrowserError> {
        let authority = uri.authority().ok_or(BrowserError::Address)?.as_str();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let same_origin = step.from.is_empty() || step.from == origin(&step.url);
        let safe = step.method == Method::GET;
        let cookies = self.jar.line(Going { host, path: uri.path(), same_origin, safe });
        let mut request = Request::builder()
            .method(step.method.clone())
            .uri(path)
            .header(header::HOST, authority)
            .header(header::ACCEPT, "text/html");
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies);
        }
        if !safe {
            request = request.header(header::CONTENT_TYPE, FORM).header(header::ORIGIN, "null");
        }
        let body = Full::new(Bytes::from(step.body.clone()));
        request.body(body).map_err(|_| BrowserError::Address)
    }
}

/// Steps without a person: eight servers at most stand between portal and citizen, and back.
const MAX_HOPS: usize = 24;
const MAX_BODY: usize = 1 << 20;
/// For one step.
const TIME: Duration = Duration::from_secs(20);
