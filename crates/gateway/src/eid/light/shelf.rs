//! The shelf, for the other part: over mutual TLS it puts what it writes and takes what we write.

use http::{Method, Response, StatusCode};
use identity::eidas::MAX_MESSAGE;
use identity::eidas::light::Cache;
use transport::Peer;
use transport::problem::{Body, respond};

use super::Light;
use crate::eid::Eid;

/// Whether the path is the shelf's.
pub fn is_shelf_path(path: &str) -> bool {
    path.starts_with(SHELF)
}

/// What may be done with a cache, seen from the other part.
#[derive(PartialEq, Eq)]
enum Right {
    Put,
    Take,
}

impl Light {
    fn right(&self, cache: Cache) -> Option<Right> {
        self.ends.iter().find_map(|end| match cache {
            cache if cache == end.theirs().0 => Some(Right::Put),
            cache if cache == end.ours().0 => Some(Right::Take),
            _ => None,
        })
    }
}

impl Eid {
    /// `PUT` and `DELETE` of `/eid/light/cache/{cache}/{id}`: JCache's `put` and `getAndRemove`.
    pub async fn shelf(
        &self,
        method: &Method,
        path: &str,
        peer: &Peer,
        body: &[u8],
    ) -> Response<Body> {
        let Some(light) = &self.light else {
            return self.no(StatusCode::NOT_FOUND, "light.off", "this node has no [eid.light]");
        };
        if !peer.certificate().is_named(&light.client) {
            let hint = "the shelf is for the client of [eid.light]";
            return self.no(StatusCode::FORBIDDEN, "light.client", hint);
        }
        let Some((cache, id)) = row(path) else {
            return self.no(StatusCode::NOT_FOUND, "light.cache", "name a cache and an id");
        };
        match (method, light.right(cache)) {
            (&Method::PUT, Some(Right::Put)) => self.shelve(light, cache, id, body).await,
            (&Method::DELETE, Some(Right::Take)) => self.hand_out(light, cache, id).await,
            (&Method::PUT | &Method::DELETE, _) => {
                let hint = "this cache is not shared, or not in this direction";
                self.no(StatusCode::FORBIDDEN, "light.direction", hint)
            }
            _ => self.no(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "PUT or DELETE"),
        }
    }

    async fn shelve(&self, light: &Light, cache: Cache, id: &str, body: &[u8]) -> Response<Body> {
        let Some(message) = std::str::from_utf8(body).ok().filter(|text| !text.is_empty()) else {
            return self.no(StatusCode::BAD_REQUEST, "light.message", "send XML in UTF-8");
        };
        if message.len() > MAX_MESSAGE {
            return self.no(StatusCode::PAYLOAD_TOO_LARGE, "light.size", "at most 131072 bytes");
        }
        match light.shelf.put(cache, id, message, self.now() + light.life).await {
            Ok(true) => respond(StatusCode::NO_CONTENT, "text/plain", ""),
            Ok(false) => self.no(StatusCode::CONFLICT, "light.taken-id", "use a new id"),
            Err(_) => self.no(StatusCode::SERVICE_UNAVAILABLE, "light.store", "try again"),
        }
    }

    async fn hand_out(&self, light: &Light, cache: Cache, id: &str) -> Response<Body> {
        match light.shelf.take(cache, id, self.now()).await {
            Ok(Some(message)) => respond(StatusCode::OK, "application/xml", message.to_vec()),
            Ok(None) => self.no(StatusCode::NOT_FOUND, "light.unknown", "it was taken, or expired"),
            Err(_) => self.no(StatusCode::SERVICE_UNAVAILABLE, "light.store", "try again"),
        }
    }
}

/// Cache and id.
fn row(path: &str) -> Option<(Cache, &str)> {
    let (cache, id) = path.strip_prefix(SHELF)?.split_once('/')?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let fits = (1..=64).contains(&id.len()) && id.bytes().all(plain);
    Cache::of(cache).filter(|_| fits).map(|cache| (cache, id))
}

/// `{cache}/{id}` follows.
const SHELF: &str = "/eid/light/cache/";
