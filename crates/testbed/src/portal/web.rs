//! The portal's pages: who signs in, from which country, by eID or wallet; then the browser goes to
//! the node, and comes back with a code that the portal redeems over mutual TLS.
//!
//! A professional and a patient are signed in side by side in one browser: the doctor first, then the
//! patient at the same counter.

mod back;
mod outside;
mod pages;
mod visitors;

use std::net::SocketAddr;
use std::sync::Arc;

use exchange::{Clock, Country, Entropy, SystemClock, SystemEntropy};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use identity::Assurance;
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use transport::client::{Client, ClientLimits};
use transport::problem::Body;
use transport::server::{Bound, Limits};
use transport::tls::{ClientTls, ServerTls, TlsError};

pub use back::{BackError, SignedIn};
pub use visitors::Who;

use crate::idp::logins::token;
use crate::pki::{Pki, Role};
use crate::web::{Form, cookie, encode, see_other, set_cookie, style};
use crate::world::{LANDS, Land};
use back::Back;
use visitors::{COOKIE_LIFE, Visitors};

/// Why a portal does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// A port cannot be had.
    #[error(transparent)]
    Listen(#[from] std::io::Error),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The world has no such country.
    #[error("no such country in the world")]
    Country,
}

/// What a portal is started with.
pub struct Setup<'a> {
    /// In which country of treatment.
    pub country: Country,
    /// The world's certificates.
    pub pki: &'a Pki,
    /// Where the node serves browsers: `https://host:port`.
    pub node: String,
    /// Where the node serves its own country's applications: `https://host:port`.
    pub national: String,
    /// Which countries people may come from.
    pub countries: Vec<Country>,
    /// The least level that the portal asks for.
    pub level: Assurance,
    /// Where it listens; port 0 for a free one.
    pub listen: SocketAddr,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl<'a> Setup<'a> {
    /// For all countries of the world, at level substantial, on a free loopback port.
    pub fn new(country: Country, pki: &'a Pki, node: &str, national: &str) -> Self {
        Self {
            country,
            pki,
            node: node.to_owned(),
            national: national.to_owned(),
            countries: LANDS.iter().map(Land::country).collect(),
            level: Assurance::Substantial,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }
}

/// A running portal.
pub struct WebPortal {
    desk: Arc<Desk>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl WebPortal {
    /// Binds, then serves.
    pub async fn start(setup: Setup<'_>) -> Result<Self, WebError> {
        let server = setup.pki.server(setup.country, "portal");
        let tls = ServerTls::public(&transport::tls::Identity {
            chain: server.chain_pem().into_bytes(),
            key: server.key_pem().as_bytes().to_vec().into(),
            roots: setup.pki.ca_pem().into_bytes(),
        })?;
        let client = ClientTls::new(&setup.pki.tls(setup.country, Role::OpenncpClient))?;
        let limits = ClientLimits::default();
        let back = Client::new(&setup.national, Some(setup.country), client, limits);
        let bound = Bound::tls(setup.listen, tls).await?;
        let desk = Arc::new(Desk {
            land: Land::of(setup.country).ok_or(WebError::Country)?,
            base: format!("https://localhost:{}", bound.address()?.port()),
            node: setup.node,
            countries: setup.countries,
            level: setup.level,
            back: Back(back),
            visitors: Visitors::default(),
            clock: setup.clock,
            entropy: setup.entropy,
        });
        let (stop, served) = (CancellationToken::new(), Arc::clone(&desk));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let handler = move |_, request| Arc::clone(&served).serve(request);
            bound.serve(Limits::default(), stopped, handler).await;
        });
        Ok(Self { desk, stop, task })
    }

    /// `https://localhost:port`.
    pub fn base_url(&self) -> &str {
        &self.desk.base
    }

    /// Where the node sends browsers back to; its configuration must name it.
    pub fn return_url(&self) -> String {
        self.desk.return_url()
    }

    /// Everybody who is signed in, in a part.
    pub fn signed_in(&self, who: Who) -> Vec<SignedIn> {
        self.desk.visitors.signed_in(who, self.desk.clock.now())
    }

    /// Lets running requests end and closes the listener.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

/// What the routes use.
struct Desk {
    land: &'static Land,
    base: String,
    node: String,
    countries: Vec<Country>,
    level: Assurance,
    back: Back,
    visitors: Visitors,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Desk {
    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let name = self.cookie();
        let browser = cookie(request.headers(), &name).unwrap_or("").to_owned();
        match (request.method().clone(), request.uri().path()) {
            (Method::GET, "/") => self.counter(&browser),
            (Method::GET, "/style.css") => style(),
            (Method::POST, "/begin") => self.begin(&browser, request).await,
            (Method::GET, "/return") => {
                let query = request.uri().query().unwrap_or("");
                let form = Form::parse(query.as_bytes()).unwrap_or_default();
                self.came_back(&browser, &form).await
            }
            (Method::POST, "/logout") => self.logout(&browser, request).await,
            _ => pages::refused(StatusCode::NOT_FOUND),
        }
    }

    fn counter(&self, browser: &str) -> Response<Body> {
        let now = self.clock.now();
        if let Some(mut page) = self.page(browser, now) {
            set_cookie(&mut page, &self.cookie(), browser, COOKIE_LIFE);
            return page;
        }
        let welcome = self.visitors.welcome(now, self.entropy.as_ref());
        let page = welcome.and_then(|browser| Some((self.page(&browser, now)?, browser)));
        let Some((mut page, browser)) = page else {
            return pages::refused(StatusCode::SERVICE_UNAVAILABLE);
        };
        set_cookie(&mut page, &self.cookie(), &browser, COOKIE_LIFE);
        page
    }

    fn page(&self, browser: &str, now: Timestamp) -> Option<Response<Body>> {
        let countries = &self.countries;
        self.visitors.with(browser, now, |v| pages::counter(v, self.land, countries, now))
    }

    /// Sends the browser to the node.
    async fn begin(&self, browser: &str, request: Request<Incoming>) -> Response<Body> {
        let form = Form::of(request).await.unwrap_or_default();
        let text = |name| form.only(name).unwrap_or("");
        let (who, country, via) = (Who::of(text("for")), text("country"), text("via"));
        let offered = self.countries.iter().any(|offered| offered.as_str() == country);
        let Some(who) = who.filter(|_| offered && ["eid", "wallet"].contains(&via)) else {
            return pages::refused(StatusCode::BAD_REQUEST);
        };
        let (state, now) = (token(self.entropy.as_ref()), self.clock.now());
        let begun = self.visitors.with(browser, now, |visitor| {
            visitor.sent(text("token")).then(|| visitor.begin(&state, who, country, now))
        });
        if begun.flatten().is_none() {
            return pages::refused(StatusCode::FORBIDDEN);
        }
        let query = encode(&[
            ("for", who.word()),
            ("country", country),
            ("via", via),
            ("level", self.level.name()),
            ("return", &self.return_url()),
            ("state", &state),
        ]);
        see_other(&format!("{}/eid/login?{query}", self.node))
    }

    /// The browser comes back from the node, with a code or an error.
    async fn came_back(&self, browser: &str, form: &Form) -> Response<Body> {
        let text = |name| form.only(name).unwrap_or("");
        let now = self.clock.now();
        let begun = self.visitors.with(browser, now, |v| v.came_back(text("state"), now));
        let Some(begun) = begun.flatten() else {
            return self.home(browser, pages::NOT_BEGUN);
        };
        if text("code").is_empty() {
            return self.home(browser, pages::notice(text("error")));
        }
        let signed_in = match self.back.redeem(text("code"), begun.who, &begun.country).await {
            Ok(signed_in) => signed_in,
            Err(error) => {
                tracing::warn!(%error, "a code gave no session");
                return self.home(browser, pages::FAILED);
            }
        };
        let entropy = self.entropy.as_ref();
        let Some(renewed) = self.visitors.renew(browser, entropy) else {
            return pages::refused(StatusCode::FORBIDDEN);
        };
        let before = self.visitors.with(&renewed, now, |v| v.sign_in(begun.who, signed_in));
        self.end(before.flatten()).await;
        let mut response = see_other("/");
        set_cookie(&mut response, &self.cookie(), &renewed, COOKIE_LIFE);
        response
    }

    async fn logout(&self, browser: &str, request: Request<Incoming>) -> Response<Body> {
        let form = Form::of(request).await.unwrap_or_default();
        let text = |name| form.only(name).unwrap_or("");
        let Some(who) = Who::of(text("for")) else {
            return pages::refused(StatusCode::BAD_REQUEST);
        };
        let gone = self.visitors.with(browser, self.clock.now(), |visitor| {
            visitor.sent(text("token")).then(|| visitor.sign_out(who))
        });
        let Some(Some(gone)) = gone else { return pages::refused(StatusCode::FORBIDDEN) };
        self.end(gone).await;
        see_other("/")
    }

    /// Tells the node; whether it hears or not, they are signed out here.
    async fn end(&self, gone: impl IntoIterator<Item = SignedIn>) {
        for signed_in in gone {
            if let Err(error) = self.back.logout(&signed_in.session).await {
                tracing::warn!(%error, "the node did not end a session");
            }
        }
    }

    /// To the start page, which tells this once.
    fn home(&self, browser: &str, notice: &'static str) -> Response<Body> {
        let told = self.visitors.with(browser, self.clock.now(), |v| v.notice = Some(notice));
        if told.is_none() {
            return pages::refused(StatusCode::FORBIDDEN);
        }
        see_other("/")
    }

    fn return_url(&self) -> String {
        format!("{}/return", self.base)
    }

    fn cookie(&self) -> String {
        format!("__Host-portal-{}", self.land.country().to_lower())
    }
}
