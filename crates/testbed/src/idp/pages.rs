//! What people see.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Response, StatusCode};
use identity::Assurance;
use transport::problem::Body;

use super::Service;
use super::logins::Login;
use crate::web::{escape, page, scripted};

/// The page on which a person logs in, cancels or takes the card. `wrong`: the attempt before failed;
/// in what, the page does not say.
pub(super) fn login(service: &Service, login: &Login, handle: &str, wrong: bool) -> Response<Body> {
    let (level, provider) = (login.request.assurance, escape(&login.request.provider));
    let who = if provider.is_empty() { "A service" } else { &provider };
    let mut main =
        format!("<p>{who} asks who you are, with assurance level {}.</p>\n", level.name());
    if wrong {
        main.push_str(
            "<p role=\"alert\">That did not work. Check user name, PIN and code; a code works once. After five \
             attempts wait five minutes.</p>\n",
        );
    }
    let hidden = format!("<input type=\"hidden\" name=\"login\" value=\"{}\">", escape(handle));
    if level <= Assurance::Substantial {
        main.push_str(&code_form(&hidden));
        main.push_str(&passkey_form(&hidden, &login.challenge));
    } else {
        main.push_str(
            "<p>This level needs your citizen card. A one-time code is not enough.</p>\n",
        );
    }
    main.push_str(&format!(
        "<h2>With your card</h2>\n<form id=\"card\" method=\"get\" action=\"{}/card\">{hidden}\
         <p>Put your citizen card into the reader first (level high).</p>\n\
         <button>Use my card</button></form>\n\
         <form id=\"cancel\" method=\"post\" action=\"/cancel\">{hidden}\
         <button class=\"second\">Cancel</button></form>\n",
        escape(&service.card_base),
    ));
    let title = format!("{}: log in", service.land.name);
    let status = if wrong { StatusCode::FORBIDDEN } else { StatusCode::OK };
    scripted(status, &title, &main, &[&service.card_base], Some("/passkey.js"))
}

fn code_form(hidden: &str) -> String {
    format!(
        "<h2>With a one-time code</h2>\n<form id=\"code\" method=\"post\" action=\"/login\">{hidden}\n\
         <label for=\"user\">User name</label>\n\
         <input id=\"user\" name=\"user\" type=\"text\" autocomplete=\"username\" autocapitalize=\"none\" required>\n\
         <label for=\"pin\">PIN</label>\n\
         <input id=\"pin\" name=\"pin\" type=\"password\" inputmode=\"numeric\" autocomplete=\"current-password\" required>\n\
         <label for=\"one-time\">Code from your app (six digits)</label>\n\
         <input id=\"one-time\" name=\"code\" type=\"text\" inputmode=\"numeric\" autocomplete=\"one-time-code\" required>\n\
         <button>Log in</button></form>\n"
    )
}

/// Hidden until the script finds that the browser can do it.
fn passkey_form(hidden: &str, challenge: &[u8]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(challenge);
    let fields = ["credential", "client_data", "authenticator_data", "signature"];
    let fields = fields.map(|name| format!("<input type=\"hidden\" name=\"{name}\">")).concat();
    format!(
        "<form id=\"passkey\" method=\"post\" action=\"/passkey\" data-challenge=\"{challenge}\" hidden>\
         {hidden}{fields}\n<h2>With a passkey</h2>\n<p id=\"no-passkey\" role=\"alert\" hidden>That did not work.</p>\n\
         <button>Use my passkey</button></form>\n"
    )
}

/// A request that cannot be handled; `code` is a stable word, never a value of the request.
pub(super) fn refused(status: StatusCode, code: &str) -> Response<Body> {
    let main = format!(
        "<p role=\"alert\">This request cannot be handled ({}). Go back to where you came from and begin again.</p>\n",
        escape(code)
    );
    page(status, "Not possible", &main, &[])
}
