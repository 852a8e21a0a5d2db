//! Logins by wallet (OpenID4VP 1.0, HAIP 1.0): a page with a link for this device and a picture for
//! another, what the wallet gets and posts, and how the browser goes on.
//!
//! One login has two tickets: the one in the picture, which any device may hold against a camera,
//! and the one in the link, whose answer leads back to this browser with a code of its own.

use bytes::Bytes;
use exchange::{CorrelationId, Country};
use http::{Response, StatusCode};
use identity::session::{Drawer, SignedIn, Ticket};
use identity::wallet::{Addresses, MEDIA_TYPE, Scheme, Session, Verifier, wallet_nonce};
use jiff::Timestamp;
use ledger::crash;
use transport::client::{Client, ClientLimits};
use transport::problem::{Body, problem, respond};
use transport::tls::ClientTls;

use super::asking::expired;
use super::login::{Visit, digest};
use super::pending::Portal;
use super::shown::Shown;
use super::status::StatusLists;
use super::{Eid, pages};

/// What logins by wallet need.
pub struct Wallet {
    /// Our access certificate, and whom we believe.
    pub verifier: Verifier,
    /// How status lists are fetched.
    pub tls: ClientTls,
    /// Status lists that were fetched.
    pub lists: StatusLists,
}

impl Eid {
    /// Begins a login by wallet: the browser gets the page with both ways.
    pub(super) async fn begin_wallet(
        &self,
        wallet: &Wallet,
        country: Country,
        portal: Portal,
        cookie: Option<Ticket>,
    ) -> Response<Body> {
        let browser = cookie.unwrap_or_else(|| Ticket::random(self.entropy.as_ref()));
        let (picture, link) =
            (Ticket::random(self.entropy.as_ref()), Ticket::random(self.entropy.as_ref()));
        let mut rows = Vec::new();
        for (ticket, here) in [(&link, true), (&picture, false)] {
            let at = |what: &str| format!("{}{WALLET}/{}/{what}", self.url, ticket.text());
            let addresses = Addresses {
                request: at("request"),
                response: at("response"),
                done: here.then(|| at("done")),
            };
            let session = wallet.verifier.begin(addresses, self.now(), self.entropy.as_ref());
            let Portal { subject, returns, state } = &portal;
            let (returns, state) = (returns.clone(), state.clone());
            rows.push(Shown {
                browser: digest(&browser),
                country,
                portal: Portal { subject: *subject, returns, state },
                session: session.to_bytes(),
                other: if here { String::new() } else { link.text().to_owned() },
                answered: None,
                outcome: None,
            });
        }
        for (ticket, row) in [&link, &picture].into_iter().zip(&rows) {
            let until = self.now() + Session::LIFE;
            if self.keeper.keep_at(Drawer::Wallet, ticket, &row.encode(), until).await != Ok(true) {
                let correlation = self.refused(Some(country), "login.begin");
                let next = "Too many people sign in at the same time. Try again.";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                return pages::trouble(status, "Try again", next, correlation);
            }
        }
        let mut response = pages::redirect(&format!("{}{WALLET}/{}", self.url, picture.text()));
        super::login::set_cookie(&mut response, &browser);
        response
    }

    /// `GET …/{picture}`: the page; it looks again by itself until the wallet has answered.
    pub(super) async fn wallet_page(&self, ticket: &str, visit: &Visit) -> Response<Body> {
        let Some(wallet) = &self.wallet else { return self.over() };
        let ticket = Ticket::of(ticket);
        let Some(row) = self.look(&ticket).await.filter(|row| row.is_of(visit)) else {
            return self.over();
        };
        if row.outcome.is_some() {
            return self.go_on(&ticket, visit, None).await;
        }
        let link = self.look(&Ticket::of(&row.other)).await;
        let now = self.now();
        if row.is_lost(now) || link.as_ref().is_some_and(|link| link.is_lost(now)) {
            return self.lost(&ticket, &row).await;
        }
        let link = link.and_then(|row| Session::from_bytes(&row.session).ok());
        let (Ok(picture), Some(link)) = (Session::from_bytes(&row.session), link) else {
            return self.over();
        };
        let svg = wallet.verifier.picture(&picture, Scheme::OpenId4Vp).unwrap_or_default();
        pages::wallet(&svg, &wallet.verifier.link(&link, Scheme::OpenId4Vp))
    }

    /// `GET|POST …/{ticket}/request`: the signed request object.
    pub(super) async fn wallet_request(&self, ticket: &str, form: &[u8]) -> Response<Body> {
        let row = self.look(&Ticket::of(ticket)).await.filter(|row| row.outcome.is_none());
        let session = row.and_then(|row| Session::from_bytes(&row.session).ok());
        let (Some(wallet), Some(session)) = (&self.wallet, session) else {
            return self.no(StatusCode::NOT_FOUND, "wallet.unknown", "begin again");
        };
        let nonce = wallet_nonce(form);
        match wallet.verifier.request(&session, nonce.as_deref(), self.now()) {
            Ok(jar) => respond(StatusCode::OK, MEDIA_TYPE, jar),
            Err(error) => {
                tracing::error!(%error, "no request object");
                self.no(StatusCode::INTERNAL_SERVER_ERROR, "fault", "try again")
            }
        }
    }

    /// `POST …/{ticket}/response`: the wallet's answer, taken once.
    pub(super) async fn wallet_response(&self, ticket: &str, form: &[u8]) -> Response<Body> {
        let (ticket, now) = (Ticket::of(ticket), self.now());
        let row = self.look(&ticket).await.filter(|row| row.outcome.is_none());
        let (Some(wallet), Some(mut row)) = (&self.wallet, row) else {
            return self.no(StatusCode::BAD_REQUEST, "wallet.unknown", "begin again");
        };
        // the row stays while a status list is fetched: the page would find its login gone
        let mark = format!("wallet answer {}", ticket.text());
        if self.keeper.first_seen(&mark, now, Session::LIFE).await != Ok(true) {
            return self.no(StatusCode::BAD_REQUEST, "wallet.unknown", "begin again");
        }
        let until = now + self.lives.login;
        row.answered = Some(now);
        if self.keeper.replace(Drawer::Wallet, &ticket, &row.encode(), until).await != Ok(true) {
            return self.no(StatusCode::SERVICE_UNAVAILABLE, "login.store", "begin again");
        }
        crash::point("login/shown");
        let shown = self.shown(wallet, &row, form, now).await;
        let answer = match &shown {
            Ok((_, answer)) => respond(StatusCode::OK, "application/json", answer.clone()),
            Err(why) => {
                let correlation = self.failed_at(&row.portal.returns, row.country, why);
                problem(StatusCode::BAD_REQUEST, why, "begin again", correlation)
            }
        };
        row.outcome = Some(shown.map(|(signed, _)| signed.encode()));
        match self.keeper.replace(Drawer::Wallet, &ticket, &row.encode(), until).await {
            Ok(true) => answer,
            _ => self.no(StatusCode::SERVICE_UNAVAILABLE, "login.store", "begin again"),
        }
    }

    /// Opens and checks the answer; the status list is fetched on the way.
    async fn shown(
        &self,
        wallet: &Wallet,
        row: &Shown,
        form: &[u8],
        now: Timestamp,
    ) -> Result<(SignedIn, String), String> {
        let session = Session::from_bytes(&row.session).map_err(|why| why.name().to_owned())?;
        let opened = session.open(&wallet.verifier, form, now);
        let opened = opened.map_err(|why| why.name().to_owned())?;
        let list = match opened.status_list() {
            Some(uri) => wallet.list(uri, now).await,
            None => None,
        };
        let presented = opened.accept(&wallet.verifier, list.as_deref(), now);
        let presented = presented.map_err(|why| why.name().to_owned())?;
        if presented.country() != row.country {
            return Err("wallet.country".to_owned());
        }
        let signed = SignedIn {
            subject: row.portal.subject,
            person: presented.person().clone(),
            country: presented.country(),
            assurance: presented.assurance(),
            authenticated: now,
            used: now,
            application: String::new(),
            login: CorrelationId::random(self.entropy.as_ref()).to_string(),
        };
        Ok((signed, presented.answer()))
    }

    /// `GET …/{link}/done?response_code=…`: the browser on the wallet's device comes back.
    pub(super) async fn wallet_done(&self, ticket: &str, visit: &Visit) -> Response<Body> {
        let code = visit.one("response_code").unwrap_or("").to_owned();
        self.go_on(&Ticket::of(ticket), visit, Some(&code)).await
    }

    /// Hands over to the portal, once. On the same device only with the wallet's code.
    async fn go_on(&self, ticket: &Ticket, visit: &Visit, code: Option<&str>) -> Response<Body> {
        // who only saw the address, in a picture or on a screen, does not end the login
        let Some(row) = self.look(ticket).await.filter(|row| row.is_of(visit)) else {
            return self.over();
        };
        let Ok(session) = Session::from_bytes(&row.session) else { return self.over() };
        if session.is_same_device() != code.is_some()
            || code.is_some_and(|code| !session.is_response_code(code))
        {
            return self.over();
        }
        if row.outcome.is_none() || !self.taken(ticket).await {
            return self.over();
        }
        let Portal { returns, state, .. } = &row.portal;
        match row.outcome {
            Some(Ok(bytes)) => match SignedIn::decode(&bytes) {
                Some(signed) => self.hand_over(&signed, returns, state).await,
                None => self.over(),
            },
            Some(Err(_)) => {
                let pairs = [("error", "access_denied"), ("state", state.as_str())];
                pages::redirect(&pages::with_query(returns, &pairs))
            }
            None => self.over(),
        }
    }

    /// The node died while it checked the answer, which is taken once: the portal is told.
    async fn lost(&self, ticket: &Ticket, row: &Shown) -> Response<Body> {
        if !self.taken(ticket).await {
            return self.over();
        }
        let Portal { returns, state, .. } = &row.portal;
        self.failed_at(returns, row.country, "login.interrupted");
        let pairs = [("error", "temporarily_unavailable"), ("state", state.as_str())];
        pages::redirect(&pages::with_query(returns, &pairs))
    }

    /// Of two that take the login at the same time, one has it.
    async fn taken(&self, ticket: &Ticket) -> bool {
        let taken = self.keeper.take(Drawer::Wallet, ticket, self.now()).await;
        taken.is_ok_and(|row| row.is_some())
    }

    async fn look(&self, ticket: &Ticket) -> Option<Shown> {
        let found = self.keeper.find(Drawer::Wallet, ticket, self.now()).await.ok().flatten();
        found.and_then(|bytes| Shown::decode(&bytes))
    }

    fn over(&self) -> Response<Body> {
        expired(self.refused(None, "login.unknown"))
    }
}

impl Wallet {
    /// The status list behind an address that a country's issuer signed; `None` when it cannot be had.
    async fn list(&self, uri: &str, now: Timestamp) -> Option<Bytes> {
        self.lists.find(uri, now, || self.fetch(uri)).await
    }

    async fn fetch(&self, uri: &str) -> Option<Bytes> {
        let host = uri.strip_prefix("https://")?;
        let path = host.find('/').map_or(uri.len(), |at| at + "https://".len());
        let limits = ClientLimits {
            request: std::time::Duration::from_secs(5),
            body: MAX_LIST,
            idle: 0,
            ..ClientLimits::default()
        };
        let client = Client::new(&uri[..path], None, self.tls.clone(), limits);
        let answer = client.get(&uri[path..]).await.ok()?;
        answer.status.is_success().then_some(answer.body)
    }
}

/// Pages and ends of logins by wallet stand below.
pub(super) const WALLET: &str = "/eid/wallet";
/// Longest status list, in bytes, compressed.
const MAX_LIST: usize = 1 << 20;
