//! What a validator tells everybody over HTTP: tiles and checkpoint as the files that they are, and a
//! lookup by exchange number. `assets/ledger-openapi.json` describes it; a test compares the two.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use exchange::{CorrelationId, Entropy, SystemEntropy};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use transport::problem::{Body, problem, respond};

use super::member::{Member, Under};

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Page,
    Script,
    Verifier,
    OpenApi,
    Checkpoint,
    Policy,
    Tile,
    Status,
    Members,
    Registry,
    Exchange,
    Entry,
    Proof,
}

/// Paths, with `{}` for what varies; the first that fits.
const ROUTES: [(&str, Route); 13] = [
    ("/", Route::Page),
    ("/ledger.js", Route::Script),
    ("/proof.js", Route::Verifier),
    ("/openapi.json", Route::OpenApi),
    ("/checkpoint", Route::Checkpoint),
    ("/policy", Route::Policy),
    ("/v1/status", Route::Status),
    ("/v1/members", Route::Members),
    ("/v1/registry", Route::Registry),
    ("/v1/exchanges/{}", Route::Exchange),
    ("/v1/entries/{}/proof", Route::Proof),
    ("/v1/entries/{}", Route::Entry),
    ("/tile/{}", Route::Tile),
];

/// Answers one request. Reads files: not for the async threads.
pub fn answer<B>(member: &Arc<Member>, request: &Request<B>) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refused(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            "everything here is read with GET",
        );
    }
    let path = request.uri().path();
    let under = match request.uri().query() {
        Some("lasting") => Under::Lasting,
        Some("stamped") => Under::Stamped,
        _ => Under::Newest,
    };
    let Some((route, rest)) =
        ROUTES.iter().find_map(|(form, route)| Some((*route, fits(form, path)?)))
    else {
        return refused(StatusCode::NOT_FOUND, "no-such-page", "see /openapi.json");
    };
    match route {
        Route::Page => page("text/html; charset=utf-8", PAGE),
        Route::Script => page("text/javascript; charset=utf-8", SCRIPT),
        Route::Verifier => page("text/javascript; charset=utf-8", VERIFIER),
        Route::OpenApi => page("application/json", OPENAPI),
        Route::Checkpoint => {
            file(&member.tiles.join("checkpoint"), "text/plain; charset=utf-8", BRIEF)
        }
        Route::Policy => respond(
            StatusCode::OK,
            "text/plain; charset=utf-8",
            member.policy(under == Under::Lasting),
        ),
        Route::Tile => tile(&member.tiles, path),
        Route::Status => json(&member.status()),
        Route::Members => json(&member.members()),
        Route::Registry => respond(StatusCode::OK, "application/cbor", member.registry()),
        Route::Exchange => exchange(member, rest),
        Route::Entry => entry(member, rest, |member, index| {
            let there = index < member.chain.tip().size;
            let bytes = there.then(|| member.reader.entry(index)).transpose()?;
            Ok(bytes.map(|bytes| ("application/octet-stream", bytes)))
        }),
        Route::Proof => entry(member, rest, |member, index| {
            Ok(member
                .prove(index, under)?
                .map(|proof| ("text/plain; charset=utf-8", proof.into_bytes())))
        }),
    }
}

/// What stands for `{}`, or an empty text where the form has none.
fn fits<'p>(form: &str, path: &'p str) -> Option<&'p str> {
    match form.split_once("{}") {
        None => (form == path).then_some(""),
        Some((front, back)) => {
            let varies = path.strip_prefix(front)?.strip_suffix(back)?;
            (!varies.is_empty()).then_some(varies)
        }
    }
}

fn exchange(member: &Member, txid: &str) -> Response<Body> {
    let mut number = [0; 16];
    if txid.len() != 32 || hex::decode_to_slice(txid, &mut number).is_err() {
        return refused(StatusCode::BAD_REQUEST, "exchange-number", "32 hexadecimal digits");
    }
    match member.exchange(number) {
        Ok(Some(found)) => json(&found),
        Ok(None) => {
            refused(StatusCode::NOT_FOUND, "no-such-exchange", "not in the ledger, or not yet")
        }
        Err(error) => failed(&error),
    }
}

fn entry(
    member: &Member,
    index: &str,
    find: impl FnOnce(&Member, u64) -> anyhow::Result<Option<(&'static str, Vec<u8>)>>,
) -> Response<Body> {
    let Ok(index) = index.parse() else {
        return refused(StatusCode::BAD_REQUEST, "index", "the entry's place in the log, from 0");
    };
    match find(member, index) {
        Ok(Some((mime, bytes))) => respond(StatusCode::OK, mime, bytes),
        Ok(None) => refused(
            StatusCode::NOT_FOUND,
            "no-such-entry",
            "no entry there, or none yet under the newest checkpoint",
        ),
        Err(error) => failed(&error),
    }
}

/// A tile's file. Its path is checked, not cleaned: what C2SP does not write is not there.
fn tile(tiles: &Path, path: &str) -> Response<Body> {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'x')
            || part.strip_suffix(".p").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
            || part == "entries"
    };
    let relative = path.trim_start_matches("/tile/");
    if path.len() > LONGEST || !relative.split('/').all(part) {
        return refused(StatusCode::NOT_FOUND, "no-such-tile", "see c2sp.org/tlog-tiles");
    }
    // also a partial one never changes: the next is under another name
    file(&tiles.join(path.trim_start_matches('/')), "application/octet-stream", FOREVER)
}

fn file(path: &PathBuf, mime: &str, keep: &'static str) -> Response<Body> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let mut response = respond(StatusCode::OK, mime, bytes);
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
            // whoever verifies in a browser may come from any page
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            response
        }
        Err(_) => refused(StatusCode::NOT_FOUND, "no-such-file", "nothing is published there yet"),
    }
}

fn page(mime: &str, text: &'static str) -> Response<Body> {
    let mut response = respond(StatusCode::OK, mime, text);
    let policy = HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'",
    );
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

fn json(value: &serde_json::Value) -> Response<Body> {
    respond(StatusCode::OK, "application/json", value.to_string())
}

fn refused(status: StatusCode, code: &str, hint: &str) -> Response<Body> {
    let entropy: &dyn Entropy = &SystemEntropy;
    problem(status, code, hint, CorrelationId::random(entropy))
}

fn failed(error: &anyhow::Error) -> Response<Body> {
    tracing::error!("the ledger cannot be read: {error:#}");
    refused(StatusCode::INTERNAL_SERVER_ERROR, "ledger", "the ledger cannot be read; see the log")
}

const PAGE: &str = include_str!("../../assets/ledger.html");
const SCRIPT: &str = include_str!("../../assets/ledger.js");
const VERIFIER: &str = include_str!("../../assets/proof.js");
const OPENAPI: &str = include_str!("../../assets/ledger-openapi.json");
/// C2SP: a checkpoint changes, a tile does not.
const BRIEF: &str = "no-cache";
const FOREVER: &str = "public, max-age=31536000, immutable";
/// No path of a tile is longer.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_has_every_path_and_no_other() {
        let described: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let mut described: Vec<String> =
            described["paths"].as_object().unwrap().keys().cloned().collect();
        let mut routed: Vec<String> = ROUTES
            .iter()
            .filter(|(_, route)| {
                ![Route::Page, Route::Script, Route::Verifier, Route::OpenApi].contains(route)
            })
            .map(|(path, _)| (*path).to_owned())
            .collect();
        for path in &mut described {
            let from = path.find('{');
            if let Some((from, to)) = from.zip(path.find('}')) {
                path.replace_range(from..=to, "{}");
            }
        }
        described.sort();
        routed.sort();
        assert_eq!(described, routed);
    }

    #[test]
    fn no_path_leads_out_of_the_tiles() {
        let folder = tempfile::tempdir().unwrap();
        let tiles = folder.path().join("tiles");
        std::fs::create_dir_all(tiles.join("tile/0/x001")).unwrap();
        std::fs::write(tiles.join("tile/0/000"), "tile").unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        let status = |path| tile(&tiles, path).status();
        assert_eq!(status("/tile/0/000"), StatusCode::OK);
        for path in
            ["/tile/../../secret", "/tile/0/../0/000", "/tile//000", "/tile/0/x001", "/tile/0/000/"]
        {
            assert_eq!(status(path), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn paths_fit_their_forms() {
        assert_eq!(fits("/v1/entries/{}/proof", "/v1/entries/7/proof"), Some("7"));
        assert_eq!(fits("/v1/entries/{}", "/v1/entries/"), None);
        assert_eq!(fits("/", "/"), Some(""));
        assert_eq!(fits("/v1/status", "/v1/status/"), None);
    }
}
