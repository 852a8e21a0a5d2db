//! What people see at the counter.

use std::fmt::Write as _;

use exchange::Country;
use http::{Response, StatusCode};
use jiff::Timestamp;
use transport::problem::Body;

use super::Who;
use super::back::SignedIn;
use super::visitors::Visitor;
use crate::web::{escape, page};
use crate::world::Land;

/// The one page: both parts side by side, each with who is signed in or how to sign in.
pub(super) fn counter(
    visitor: &mut Visitor,
    own: &Land,
    countries: &[Country],
    now: Timestamp,
) -> Response<Body> {
    let mut main = String::new();
    if let Some(notice) = visitor.notice.take() {
        let _ = writeln!(main, "<p role=\"alert\">{}</p>", escape(notice));
    }
    for who in Who::ALL {
        let (word, title) = (who.word(), heading(who));
        let _ = writeln!(main, "<section aria-labelledby=\"{word}-title\">");
        let _ = writeln!(main, "<h2 id=\"{word}-title\">{title}</h2>");
        let part = match visitor.signed_in(who, now) {
            Some(signed_in) => present(who, signed_in, &visitor.token),
            None => sign_in(who, own, countries, &visitor.token),
        };
        let _ = writeln!(main, "{part}</section>");
    }
    // browsers hold `form-action` against every redirect of a login, and those lead through servers
    // that are not ours to know
    page(StatusCode::OK, &format!("Health portal, {}", own.name), &main, &["https:"])
}

fn heading(who: Who) -> &'static str {
    match who {
        Who::Professional => "Professional",
        Who::Patient => "Patient at the counter",
    }
}

fn present(who: Who, signed_in: &SignedIn, token: &str) -> String {
    let country = name_of(&signed_in.country);
    let mut rows = format!(
        "<dl><dt>Signed in as</dt><dd>{}</dd>\n<dt>Country</dt><dd>{}</dd>\n<dt>Assurance level</dt><dd>{}</dd>\n",
        escape(&signed_in.name),
        escape(country),
        signed_in.level.name(),
    );
    if who == Who::Patient {
        let _ = writeln!(rows, "<dt>Date of birth</dt><dd>{}</dd>", escape(&signed_in.birth));
    }
    format!(
        "{rows}</dl>\n<form id=\"logout-{word}\" method=\"post\" action=\"/logout\">{}\
         <button class=\"second\">Sign out</button></form>\n",
        hidden(who, token),
        word = who.word(),
    )
}

fn sign_in(who: Who, own: &Land, countries: &[Country], token: &str) -> String {
    let word = who.word();
    let own_first = countries.iter().map(|country| {
        let chosen = if country.as_str() == own.code { " selected" } else { "" };
        let name = escape(name_of(country.as_str())).into_owned();
        format!("<option value=\"{country}\"{chosen}>{name}</option>")
    });
    let options: String = own_first.collect();
    format!(
        "<form id=\"{word}\" method=\"post\" action=\"/begin\">{}\n\
         <label for=\"{word}-country\">Country of your electronic identity</label>\n\
         <select id=\"{word}-country\" name=\"country\">{options}</select>\n\
         <fieldset><legend>Sign in with</legend>\n\
         <label><input type=\"radio\" name=\"via\" value=\"eid\" checked> national eID (card or code)</label>\n\
         <label><input type=\"radio\" name=\"via\" value=\"wallet\"> European Digital Identity Wallet</label>\n\
         </fieldset>\n<button>Sign in</button></form>\n",
        hidden(who, token),
    )
}

fn hidden(who: Who, token: &str) -> String {
    format!(
        "<input type=\"hidden\" name=\"for\" value=\"{}\"><input type=\"hidden\" name=\"token\" value=\"{}\">",
        who.word(),
        escape(token)
    )
}

fn name_of(code: &str) -> &str {
    Country::parse(code).ok().and_then(Land::of).map_or(code, |land| land.name)
}

/// Something that is no page of the counter.
pub(super) fn refused(status: StatusCode) -> Response<Body> {
    let main = "<p role=\"alert\">This does not work from here.</p>\n<p><a href=\"/\">To the start page</a></p>\n";
    page(status, "Not possible", main, &[])
}

/// What the person is told when a login came to nothing; the node's error codes, one row each.
pub(super) fn notice(error: &str) -> &'static str {
    NOTICES.iter().find(|(code, _)| *code == error).map_or(FAILED, |(_, words)| words)
}

const NOTICES: [(&str, &str); 4] = [
    ("access_denied", "You were not signed in: the login was cancelled or refused."),
    ("login_required", "You were not signed in: the login took too long. Please try again."),
    ("temporarily_unavailable", "The other country cannot be reached now. Please try again later."),
    ("invalid_request", "This country or way to sign in is not offered here."),
];
/// For everything else.
pub(super) const FAILED: &str = "You could not be signed in. Please try again.";
/// A state that this browser did not go out with, or one that was used.
pub(super) const NOT_BEGUN: &str =
    "This login was not begun here, or it took too long. Please begin again.";
