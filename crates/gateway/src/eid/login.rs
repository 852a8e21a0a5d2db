//! A login of ours: begun by a portal, and handed over to it.

use exchange::{CorrelationId, Country};
use http::{Response, StatusCode};
use identity::Assurance;
use identity::eidas::attributes::Attribute;
use identity::eidas::request::{SpType, Wanted};
use identity::eidas::response::Identified;
use identity::session::{Drawer, SignedIn, Subject};
use ledger::crash;
use transport::problem::Body;

use super::pending::{Portal, Then};
use super::wallet::Wallet;
use super::{Application, Eid, pages};

pub(super) use super::visit::{Visit, digest, set_cookie};

impl Eid {
    /// `GET /eid/login`: checks what the portal wants and sends the browser to be identified.
    pub(super) async fn begin(&self, visit: &Visit) -> Response<Body> {
        let returns = visit.one("return");
        let application = self.applications.iter().find(|a| Some(a.returns.as_str()) == returns);
        let state = visit.one("state").filter(|state| state.len() <= 512);
        let (Some(application), Some(state)) = (application, state) else {
            // not to an address that nobody configured
            let correlation = self.refused(None, "login.return");
            let next = "The page that sent you here is not known to this service.";
            return pages::trouble(
                StatusCode::BAD_REQUEST,
                "Login not possible",
                next,
                correlation,
            );
        };
        match self.wish(visit, application, state) {
            Ok(wish) => self.carry_out(wish, visit).await,
            Err((why, country)) => {
                self.refused(country, why);
                let pairs = [("error", "invalid_request"), ("state", state)];
                pages::redirect(&pages::with_query(&application.returns, &pairs))
            }
        }
    }

    /// What the portal wants, when it may want it.
    fn wish(
        &self,
        visit: &Visit,
        application: &Application,
        state: &str,
    ) -> Result<Wish<'_>, (&'static str, Option<Country>)> {
        let one = |name| visit.one(name);
        let subject = one("for").and_then(Subject::of).ok_or(("login.for", None))?;
        let level = one("level").map_or(Some(least(subject)), Assurance::of_name);
        let level = level.filter(|level| *level >= least(subject));
        let assurance = level.ok_or(("login.level", None))?;
        let country = one("country").and_then(|cc| Country::parse(cc).ok());
        let country = country.ok_or(("login.country", None))?;
        let wallet = if one("via") == Some("wallet") {
            let believed = |wallet: &&Wallet| {
                wallet.verifier.issuers().countries().any(|known| known == country)
            };
            let wallet = self.wallet.as_ref().filter(believed);
            Some(wallet.ok_or(("login.wallet", Some(country)))?)
        } else if self.source(country).is_some() {
            None
        } else {
            return Err(("login.provider", Some(country)));
        };
        // some countries look for a patient by name, birth and sex
        let gender = Attribute::of("Gender").filter(|_| subject == Subject::Patient);
        let (sector, requester) = (application.sector, application.requester.clone());
        let wanted = Wanted {
            assurance,
            optional: gender.into_iter().collect(),
            sector,
            requester: requester.filter(|_| sector == SpType::Private),
        };
        let returns = application.returns.clone();
        let portal = Portal { subject, returns, state: state.to_owned() };
        Ok(Wish { country, wallet, wanted, portal })
    }

    async fn carry_out(&self, wish: Wish<'_>, visit: &Visit) -> Response<Body> {
        let (country, cookie) = (wish.country, visit.cookie.clone());
        match wish.wallet {
            Some(wallet) => self.begin_wallet(wallet, country, wish.portal, cookie).await,
            None => self.ask(country, wish.wanted, Then::Portal(wish.portal), cookie).await,
        }
    }

    /// Signs the person in and sends the browser back with a code.
    pub(super) async fn deliver(
        &self,
        portal: &Portal,
        country: Country,
        who: &Identified,
    ) -> Response<Body> {
        let now = self.now();
        let session = SignedIn {
            subject: portal.subject,
            person: who.person().clone(),
            country,
            assurance: who.assurance(),
            authenticated: who.authenticated(),
            used: now,
            application: String::new(),
            login: CorrelationId::random(self.entropy.as_ref()).to_string(),
        };
        self.hand_over(&session, &portal.returns, &portal.state).await
    }

    /// A code for a session that the portal at `returns` redeems.
    pub(super) async fn hand_over(
        &self,
        session: &SignedIn,
        returns: &str,
        state: &str,
    ) -> Response<Body> {
        let until = self.now() + self.lives.code;
        let mut value = zeroize::Zeroizing::new(returns.as_bytes().to_vec());
        value.push(b'\n');
        value.extend(session.encode().iter());
        match self.keeper.keep(Drawer::Code, &value, until).await {
            Ok(code) => {
                crash::point("login/coded");
                self.signed_in(session, returns);
                let pairs = [("code", code.text()), ("state", state)];
                pages::redirect(&pages::with_query(returns, &pairs))
            }
            Err(error) => {
                tracing::error!(%error, "a session could not be kept");
                self.failed_at(returns, session.country, "login.store");
                let pairs = [("error", "temporarily_unavailable"), ("state", state)];
                pages::redirect(&pages::with_query(returns, &pairs))
            }
        }
    }
}

/// A login that may begin.
struct Wish<'a> {
    country: Country,
    wallet: Option<&'a Wallet>,
    wanted: Wanted,
    portal: Portal,
}

/// Professionals need two factors; of patients any notified eID is taken, unless a portal wants more.
fn least(subject: Subject) -> Assurance {
    match subject {
        Subject::Professional => Assurance::Substantial,
        Subject::Patient => Assurance::Low,
    }
}
