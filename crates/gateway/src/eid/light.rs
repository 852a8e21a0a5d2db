//! The light interface: the generic and the specific part of an eIDAS node, one of which is ours
//! (`identity::eidas::light`).
//!
//! A message lies on the shelf; its token goes through the browser. As specific connector or generic
//! proxy service we ask ([`asking`]); as specific proxy service or generic connector we are asked
//! ([`answering`]). The other part reaches the shelf over mutual TLS ([`shelf`]).

mod answering;
mod asking;
mod shelf;

use std::sync::Arc;

use exchange::{CorrelationId, Country};
use http::{Response, StatusCode};
use identity::eidas::light::{Cache, LightToken, Place, Shelf};
use identity::eidas::{EidasError, binding};
use jiff::{SignedDuration, Timestamp};
use transport::problem::Body;
use zeroize::Zeroizing;

pub use shelf::is_shelf_path;

use super::visit::Visit;
use super::{Eid, pages};

/// What we share with the other part.
pub struct Light {
    /// Common name of the TLS certificate with which it comes to the shelf.
    pub client: String,
    /// How old a token may be.
    pub life: SignedDuration,
    /// At most one for each place.
    pub ends: Vec<End>,
    /// Where messages lie.
    pub shelf: Arc<dyn Shelf>,
}

/// One end of the border.
pub struct End {
    /// Which.
    pub place: Place,
    /// Which part we are.
    pub part: Part,
    /// Where browsers take our tokens.
    pub url: String,
    /// Whose people are asked for here, where we ask.
    pub countries: Vec<Country>,
    /// Of tokens for requests.
    pub request: Stamp,
    /// Of tokens for responses.
    pub response: Stamp,
}

/// A part of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What every country has of its own.
    Specific,
    /// What speaks SAML across the border.
    Generic,
}

/// How tokens of one direction are made. A secret: no `Debug`.
#[derive(Clone)]
pub struct Stamp {
    /// Who writes them.
    pub issuer: String,
    /// Goes into their digest.
    pub secret: Zeroizing<String>,
}

impl Light {
    /// The end through which people of this country are asked for.
    pub(super) fn asked_for(&self, country: Country) -> Option<&End> {
        self.ends.iter().find(|end| end.asks() && end.countries.contains(&country))
    }

    fn at(&self, place: Place) -> Option<&End> {
        self.ends.iter().find(|end| end.place == place)
    }

    /// The message behind a token that is believed: once.
    async fn taken(
        &self,
        end: &End,
        visit: &Visit,
        now: Timestamp,
    ) -> Result<Zeroizing<String>, &'static str> {
        let (cache, stamp) = end.theirs();
        let token = visit.one("token").ok_or("light.token")?;
        let token = LightToken::verify(token, &stamp.issuer, &stamp.secret, self.life, now);
        let token = token.map_err(|error| match error {
            EidasError::Rule(row) => row,
            _ => "light.token",
        })?;
        match self.shelf.first(cache, &token.id, now).await {
            Ok(true) => {}
            Ok(false) => return Err("light.replay"),
            Err(_) => return Err("light.store"),
        }
        let taken = self.shelf.take(cache, &token.id, now).await.map_err(|_| "light.store")?;
        let mut bytes = taken.ok_or("light.unknown")?;
        let text = String::from_utf8(std::mem::take(&mut *bytes));
        text.map(Zeroizing::new).map_err(|_| "light.message")
    }
}

impl End {
    /// We ask here; otherwise we are asked.
    pub fn asks(&self) -> bool {
        (self.place == Place::Connector) == (self.part == Part::Specific)
    }

    /// What we write: cache and stamp.
    fn ours(&self) -> (Cache, &Stamp) {
        if self.asks() { self.requests() } else { self.responses() }
    }

    /// What the other part writes.
    fn theirs(&self) -> (Cache, &Stamp) {
        if self.asks() { self.responses() } else { self.requests() }
    }

    fn requests(&self) -> (Cache, &Stamp) {
        (self.place.requests(), &self.request)
    }

    fn responses(&self) -> (Cache, &Stamp) {
        (self.place.responses(), &self.response)
    }
}

/// The place whose tokens come to this path of ours.
pub(super) fn place(path: &str) -> Option<Place> {
    Place::of(path.strip_prefix(LIGHT)?)
}

impl Eid {
    /// Whether a token at this path begins a login here.
    pub(super) fn light_begins(&self, path: &str) -> bool {
        let end = place(path).and_then(|place| self.light.as_ref()?.at(place));
        end.is_some_and(|end| !end.asks())
    }

    /// `/eid/light/connector`, `/eid/light/proxy`: a token of the other part, by form or query.
    pub(super) async fn light(&self, place: Place, visit: &Visit) -> Response<Body> {
        let found = self.light.as_ref().and_then(|light| Some((light, light.at(place)?)));
        let Some((light, end)) = found else {
            return self.no(StatusCode::NOT_FOUND, "no-such-page", "begin at your portal");
        };
        match light.taken(end, visit, self.now()).await {
            Ok(message) if end.asks() => self.light_answered(end, &message, visit).await,
            Ok(message) => self.light_asked(end, &message, visit).await,
            Err(why) => self.untaken(why),
        }
    }

    /// Of a token that is not believed nobody is told but the person who brought it.
    fn untaken(&self, why: &'static str) -> Response<Body> {
        let correlation = self.refused(None, why);
        let next = "This step took too long, was used before, or did not come from a service that this one knows. Begin again.";
        pages::trouble(StatusCode::BAD_REQUEST, "Login not possible", next, correlation)
    }

    /// Puts a message on the shelf; the page takes its token to the other part.
    async fn send(&self, end: &End, message: &str) -> Option<Response<Body>> {
        let (cache, stamp) = end.ours();
        let light = self.light.as_ref()?;
        let id = CorrelationId::random(self.entropy.as_ref()).to_string();
        let put = light.shelf.put(cache, &id, message, self.now() + light.life).await;
        if put != Ok(true) {
            tracing::error!(?put, "a light message could not be kept");
            return None;
        }
        let token = LightToken { issuer: stamp.issuer.clone(), id, created: self.now() };
        let page = binding::token_page(&end.url, &token.encode(&stamp.secret));
        Some(pages::onward(page, binding::SCRIPT_HASH))
    }
}

/// Paths where browsers bring tokens begin with this.
const LIGHT: &str = "/eid/light/";
