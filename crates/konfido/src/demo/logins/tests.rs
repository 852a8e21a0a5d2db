//! Logins that must not succeed, against real nodes and identity providers.

use std::time::Duration;

use http::StatusCode;
use identity::eidas::metadata::{Known, Metadata, Role as Node};
use siem::{EventStore as _, Kind};
use testbed::browser::Page;
use testbed::pki::Role;
use transport::client::ClientLimits;
use transport::tls::ClientTls;

use super::*;

pub(super) fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

pub(super) const DOCTOR: [(&str, &str); 2] = [("for", "professional"), ("country", "ES")];
pub(super) const PATIENT: [(&str, &str); 2] = [("for", "patient"), ("country", "DK")];

/// Where a portal sends a browser that wants to sign in.
pub(super) fn address(circle: &Circle, at: Country, wants: &[(&str, &str)]) -> String {
    let returns = circle.front(at).portal.return_url();
    let mut query = vec![("via", "eid"), ("return", returns.as_str()), ("state", "demo")];
    query.retain(|pair| wants.iter().all(|wanted| wanted.0 != pair.0));
    query.extend(wants);
    format!("{}/eid/login?{}", circle.front(at).url, form(&query))
}

/// Somebody who signed in, without the portal's pages: what the node says, and the ticket.
pub(super) async fn session(circle: &Circle, given: &str) -> String {
    let es = country("ES");
    let mut browser = browser(circle);
    let page = browser.open(&address(circle, es, &DOCTOR)).await.unwrap();
    let (roots, idp) = (circle.pki.ca_pem(), &circle.front(es).idp);
    let page = prove(&mut browser, &page, idp, given, Means::Card, &roots).await.unwrap();
    let code = ended(&page, "code").unwrap();
    let client = circle.portal(es, es).unwrap().client;
    let answer = post(&client, "/eid/session", &[("code", &code)]).await.unwrap();
    let again = post(&client, "/eid/session", &[("code", &code)]).await;
    assert_eq!(again.unwrap_err().to_string(), "code", "a code is redeemed once");
    let said: Value = serde_json::from_str(&answer).unwrap();
    said["session"].as_str().unwrap().to_owned()
}

pub(super) async fn circle(dir: &tempfile::TempDir) -> Circle {
    Circle::start(dir.path()).await.unwrap()
}

pub(super) fn browser(circle: &Circle) -> Browser {
    Browser::new(&circle.pki.ca_pem()).unwrap()
}

/// The values of the query in which a login ended.
pub(super) fn ended(page: &Page, name: &str) -> Option<String> {
    let query = page.url.split_once('?')?.1;
    let found = form_urlencoded::parse(query.as_bytes()).find(|pair| pair.0 == name);
    found.map(|pair| pair.1.into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_was_not_asked_for_properly_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    let es = country("ES");
    let mut browser = browser(&circle);
    for wrong in ["https://evil.example/return", "https://localhost", ""] {
        let wants = [DOCTOR[0], DOCTOR[1], ("return", wrong)];
        let page = browser.open(&address(&circle, es, &wants)).await.unwrap();
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "never to an unknown address");
        assert_eq!(page.document.title, "Login not possible");
    }
    let twice = address(&circle, es, &DOCTOR) + "&return=https%3A%2F%2Fevil.example";
    let page = browser.open(&twice).await.unwrap();
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "a parameter that comes twice");
    let returns = circle.front(es).portal.return_url();
    for wants in [
        [("for", "clerk"), ("country", "ES"), ("level", "high")],
        [("for", "professional"), ("country", "ES"), ("level", "low")],
        [("for", "professional"), ("country", "ES"), ("level", "certain")],
        [("for", "patient"), ("country", "FR"), ("level", "high")],
        [("for", "patient"), ("country", "Spain"), ("level", "high")],
    ] {
        let page = browser.open(&address(&circle, es, &wants)).await.unwrap();
        assert!(page.url.starts_with(&returns), "{}", page.url);
        assert_eq!(ended(&page, "error").as_deref(), Some("invalid_request"));
        assert_eq!(ended(&page, "state").as_deref(), Some("demo"));
        assert_eq!(ended(&page, "code"), None);
    }
    let url = &circle.front(es).url;
    for (path, status) in [
        ("/eid/connector/acs", StatusCode::METHOD_NOT_ALLOWED),
        ("/eid/proxy/sso", StatusCode::BAD_REQUEST),
        ("/eid/proxy/sso?SAMLRequest=AAAA&SAMLRequest=AAAA", StatusCode::BAD_REQUEST),
        ("/eid/session", StatusCode::NOT_FOUND),
        ("/", StatusCode::NOT_FOUND),
    ] {
        let page = browser.open(&format!("{url}{path}")).await.unwrap();
        assert_eq!(page.status, status, "{path}");
    }
    let huge = "x".repeat(600 << 10);
    let acs = format!("{url}/eid/connector/acs");
    let page = browser.post(&acs, &[("SAMLResponse", &huge)]).await.unwrap();
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let page = browser.post(&acs, &[("SAMLResponse", "AA=="), ("RelayState", "x")]).await.unwrap();
    assert_eq!(
        (page.status, page.document.title.as_str()),
        (StatusCode::BAD_REQUEST, "Login expired")
    );
    let node = circle.node(es);
    let until = Instant::now() + super::super::PATIENCE;
    while node.events.count(Kind::LoginTurnedAway).unwrap() < 11 {
        assert!(Instant::now() < until, "each is an event");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(node.events.count(Kind::LoginRefused).unwrap(), 0, "and none is a login");
    assert_eq!(node.events.count(Kind::LoginDone).unwrap(), 0);
    circle.stop().await;
}

/// Somebody sends a victim a link into a login that they began themselves, or the other way round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_ends_in_the_browser_in_which_it_began_and_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    let (es, dk) = (country("ES"), country("DK"));
    let (roots, idp) = (circle.pki.ca_pem(), &circle.front(dk).idp);
    let press = |form: &Page| form.document.forms[0].action.clone();
    let (mut attacker, mut victim) = (browser(&circle), browser(&circle));
    let page = attacker.open(&address(&circle, es, &PATIENT)).await.unwrap();
    attacker.without_scripts();
    let given = AGNETE.given;
    let caught = prove(&mut attacker, &page, idp, given, Means::Card, &roots).await.unwrap();
    let page = victim.submit(&caught, &press(&caught), &[]).await.unwrap();
    assert_eq!(page.document.title, "Login expired", "{:?}", page.hops);

    // without scripts a person presses each button, and may press it twice
    let mut patient = browser(&circle);
    let page = patient.open(&address(&circle, es, &PATIENT)).await.unwrap();
    patient.without_scripts();
    let proxied = prove(&mut patient, &page, idp, given, Means::Card, &roots).await.unwrap();
    let answered = patient.submit(&proxied, &press(&proxied), &[]).await.unwrap();
    let again = patient.submit(&proxied, &press(&proxied), &[]).await.unwrap();
    assert_eq!(again.document.title, "Login expired", "the identity provider's answer, twice");
    let done = patient.submit(&answered, &press(&answered), &[]).await.unwrap();
    assert!(ended(&done, "code").is_some(), "{}", done.document.text);
    let again = patient.submit(&answered, &press(&answered), &[]).await.unwrap();
    assert_eq!(again.document.title, "Login expired", "the proxy service's answer, twice");
    circle.stop().await;
}

/// Italy's identity provider takes requests in a URL only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_provider_that_takes_redirects_only_is_asked_by_redirect() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    let (roots, idp) = (circle.pki.ca_pem(), &circle.front(country("IT")).idp);
    let mut browser = browser(&circle);
    let wants = [PATIENT[0], ("country", "IT")];
    let page = browser.open(&address(&circle, country("ES"), &wants)).await.unwrap();
    let asked = page.hops.last().unwrap().to_string();
    assert!(asked.contains("/sso?SAMLRequest&RelayState&SigAlg&Signature"), "{asked}");
    let given = world::ORNELLA.given;
    let page = prove(&mut browser, &page, idp, given, Means::Code, &roots).await.unwrap();
    assert!(ended(&page, "code").is_some(), "{}", page.document.text);
    circle.stop().await;
}

/// Somebody begins logins without end: told so, with little work for us; a login that had begun ends
/// well, and who is signed in notices nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_logins_from_one_address_is_told_to_come_back_later() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    let es = country("ES");
    let doctor = session(&circle, MONTSERRAT.given).await;
    let (mut patient, mut flood) = (browser(&circle), browser(&circle));
    let page = wallet_page(&circle, &mut patient).await;
    let wrong = address(&circle, es, &[PATIENT[0], PATIENT[1], ("return", "https://evil.example")]);
    let mut begun = 0;
    let last = loop {
        let page = flood.open(&wrong).await.unwrap();
        if page.status != StatusCode::BAD_REQUEST || begun > 1000 {
            break page;
        }
        begun += 1;
    };
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS, "after {begun}");
    assert_eq!(last.document.title, "Try again later");
    assert!(begun > 500, "a hospital's morning fits: {begun}");
    let holder = circle.front(country("DK")).holder(AGNETE.given).unwrap();
    let done = wallet::show(&circle.pki, &page, &holder, Format::SdJwt).await.unwrap().unwrap();
    assert!(ended(&patient.open(&done).await.unwrap(), "code").is_some());
    let client = circle.portal(es, es).unwrap().client;
    post(&client, "/eid/session", &[("session", &doctor)]).await.unwrap();
    circle.stop().await;
}

/// Seen: a redirect and a problem without HSTS, behind which a browser could be led astray.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_answer_to_a_browser_wants_to_be_asked_over_tls_only() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    let (es, mut browser) = (country("ES"), browser(&circle));
    let url = &circle.front(es).url;
    let mut statuses = Vec::new();
    for address in [
        address(&circle, es, &DOCTOR),
        address(&circle, es, &[PATIENT[0], PATIENT[1], ("via", "wallet")]),
        address(&circle, es, &[("for", "clerk"), DOCTOR[1]]),
        address(&circle, es, &[DOCTOR[0], DOCTOR[1], ("return", "https://evil.example")]),
        format!("{url}/eid/connector/metadata"),
        format!("{url}/eid/connector/acs"),
        format!("{url}/eid/wallet/nobody/request"),
        format!("{url}/nothing"),
    ] {
        let page = browser.open(&address).await.unwrap();
        for hop in page.hops.iter().filter(|hop| hop.url.starts_with(url.as_str())) {
            assert!(hop.strict, "{hop}");
            statuses.push(hop.status.as_u16());
        }
    }
    for status in [200, 303, 400, 404, 405] {
        assert!(statuses.contains(&status), "{status} is not among {statuses:?}");
    }
    circle.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cancels_is_signed_in_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    for wants in [DOCTOR, PATIENT] {
        let mut browser = browser(&circle);
        let page = browser.open(&address(&circle, country("ES"), &wants)).await.unwrap();
        let page = browser.submit(&page, "cancel", &[]).await.unwrap();
        assert_eq!(ended(&page, "error").as_deref(), Some("access_denied"), "{:?}", page.hops);
    }
    circle.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_and_a_session_belong_to_one_portal() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    let (es, dk) = (country("ES"), country("DK"));
    let client = |country, role| {
        let tls = ClientTls::new(&circle.pki.tls(country, role)).unwrap();
        let url = format!("https://{}", circle.addresses(es).0);
        Client::new(&url, Some(es), tls, ClientLimits::default())
    };
    fn code(refused: Result<String, anyhow::Error>) -> String {
        refused.unwrap_err().to_string()
    }
    let (portal, other) = (client(es, Role::OpenncpClient), client(es, Role::ServiceConsumer));
    let abroad = client(dk, Role::OpenncpClient);
    for path in ["/eid/session", "/eid/hcp", "/eid/patient", "/eid/logout", "/sts"] {
        let refused = post(&abroad, path, &[("session", "guess")]).await;
        assert_eq!(code(refused), "other-country", "{path} is not for Danish certificates");
    }

    let mut browser = browser(&circle);
    let page = browser.open(&address(&circle, es, &DOCTOR)).await.unwrap();
    let (roots, idp) = (circle.pki.ca_pem(), &circle.front(es).idp);
    let page =
        prove(&mut browser, &page, idp, MONTSERRAT.given, Means::Code, &roots).await.unwrap();
    let stolen = ended(&page, "code").unwrap();
    let shown = |client: Client| {
        let stolen = stolen.clone();
        async move { code(post(&client, "/eid/session", &[("code", &stolen)]).await) }
    };
    assert_eq!(shown(other.clone()).await, "code", "another application of ours");
    assert_eq!(shown(portal.clone()).await, "code", "a code that was shown to us is spent");

    let doctor = session(&circle, MONTSERRAT.given).await;
    let session = [("session", doctor.as_str()), ("purpose", "TREATMENT")];
    let application = "session.application";
    assert_eq!(code(post(&other, "/eid/session", &session[..1]).await), application);
    assert_eq!(code(post(&other, "/eid/hcp", &session).await), application);
    post(&other, "/eid/logout", &session[..1]).await.unwrap();
    post(&portal, "/eid/session", &session[..1]).await.unwrap();
    assert_eq!(code(post(&portal, "/eid/hcp", &session[..1]).await), "purpose");
    assert!(post(&portal, "/eid/hcp", &session).await.unwrap().contains("ES-MED-0081"));
    post(&portal, "/eid/logout", &session[..1]).await.unwrap();
    let unknown = "session.unknown";
    assert_eq!(code(post(&portal, "/eid/session", &session[..1]).await), unknown);
    assert_eq!(code(post(&portal, "/eid/hcp", &session).await), unknown);
    assert_eq!(code(post(&portal, "/eid/session", &[("session", "guess")]).await), unknown);
    circle.stop().await;
}

/// A clerk has an eID, and the register knows her; her role permits what it permits. Somebody whom
/// the register does not know gets nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_no_professional_gets_no_assertion() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    let es = country("ES");
    let client = circle.portal(es, country("DK")).unwrap().client;
    let given = world::BARTOMEU.given;
    let citizen = session(&circle, given).await;
    let asked = [("session", citizen.as_str()), ("purpose", "TREATMENT")];
    let refused = post(&client, "/eid/hcp", &asked).await.unwrap_err().to_string();
    assert_eq!(refused, "ERROR_HPI_NO_INFORMATION");
    circle.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_metadata_is_what_a_peer_would_believe() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    let es = country("ES");
    let mut browser = browser(&circle);
    let eid = circle.node(es).node.eid().unwrap();
    let signers = [eid.signing.certificate().clone()];
    for (path, role) in [("connector", Node::Connector), ("proxy", Node::ProxyService)] {
        let url = format!("{}/eid/{path}/metadata", circle.front(es).url);
        let page = browser.open(&url).await.unwrap();
        let now = jiff::Timestamp::now();
        let known = Known { url: &url, role, country: es, signers: &signers, now };
        let metadata = Metadata::verify(&page.html, &known).unwrap();
        assert_eq!(metadata.encryption.len(), usize::from(role == Node::Connector));
    }
    circle.stop().await;
}

/// Begins a login by wallet and stays at its page.
pub(super) async fn wallet_page(circle: &Circle, browser: &mut Browser) -> Page {
    let wants = [PATIENT[0], PATIENT[1], ("via", "wallet")];
    let page = browser.open(&address(circle, country("ES"), &wants)).await.unwrap();
    assert_eq!(page.document.title, "Sign in with your wallet");
    page
}

/// What another device reads off the screen: the ticket in the picture is the page's own.
pub(super) fn scanned(circle: &Circle, page: &Page) -> String {
    let eid = circle.node(country("ES")).node.eid().unwrap();
    let id = eid.wallet.as_ref().unwrap().verifier.client_id().replace(':', "%3A");
    format!("openid4vp://?client_id={id}&request_uri={}/request", page.url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_on_this_device_and_one_on_another_sign_in_in_either_form() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    let holder = circle.front(country("DK")).holder(AGNETE.given).unwrap();
    for form in [Format::SdJwt, Format::Mdoc] {
        let mut here = browser(&circle);
        let page = wallet_page(&circle, &mut here).await;
        let done = wallet::show(&circle.pki, &page, &holder, form).await.unwrap().unwrap();
        assert!(ended(&here.open(&done).await.unwrap(), "code").is_some());

        let mut there = browser(&circle);
        let page = wallet_page(&circle, &mut there).await;
        let waiting = there.open(&page.url).await.unwrap();
        assert_eq!(waiting.document.title, page.document.title, "nobody has answered yet");
        let link = scanned(&circle, &page);
        let done = wallet::answer(&circle.pki, &link, &holder, form).await.unwrap();
        assert_eq!(done, None, "the phone's browser goes nowhere");
        let page = there.open(&page.url).await.unwrap();
        assert!(ended(&page, "code").is_some(), "{}", page.document.text);
    }
    circle.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallets_answer_is_taken_once_in_the_login_and_the_browser_that_it_is_for() {
    let dir = tempfile::tempdir().unwrap();
    let circle = circle(&dir).await;
    let holder = circle.front(country("DK")).holder(AGNETE.given).unwrap();
    let expired = "Login expired";

    let (mut victim, mut thief) = (browser(&circle), browser(&circle));
    let page = wallet_page(&circle, &mut victim).await;
    assert_eq!(thief.open(&page.url).await.unwrap().document.title, expired, "another browser");
    let done = wallet::show(&circle.pki, &page, &holder, Format::SdJwt).await.unwrap().unwrap();
    let again = wallet::show(&circle.pki, &page, &holder, Format::SdJwt).await;
    assert!(again.unwrap_err().to_string().contains("404"), "an answered request is gone");
    let (bare, _) = done.split_once("response_code=").unwrap();
    let guessed = format!("{bare}response_code=guess");
    assert_eq!(thief.open(&done).await.unwrap().document.title, expired, "not the browser");
    assert_eq!(victim.open(&guessed).await.unwrap().document.title, expired, "not the code");
    let page = victim.open(&done).await.unwrap();
    assert!(ended(&page, "code").is_some(), "what others tried took nothing from her");
    assert_eq!(victim.open(&done).await.unwrap().document.title, expired, "it is spent");

    let page = wallet_page(&circle, &mut victim).await;
    let done = wallet::show(&circle.pki, &page, &holder, Format::SdJwt).await.unwrap().unwrap();
    assert_ne!(guessed, done);
    let (bare, _) = done.split_once("?response_code=").unwrap();
    let without = victim.open(bare).await.unwrap();
    assert_eq!(without.document.title, expired, "without the wallet's code");

    // an Italian wallet where a Danish one was asked for
    let stranger = circle.front(country("IT")).holder(world::ORNELLA.given).unwrap();
    let page = wallet_page(&circle, &mut victim).await;
    let link = scanned(&circle, &page);
    let refused = wallet::answer(&circle.pki, &link, &stranger, Format::Mdoc).await;
    assert_eq!(refused.unwrap_err().to_string(), "wallet.country");
    let page = victim.open(&page.url).await.unwrap();
    assert_eq!(ended(&page, "error").as_deref(), Some("access_denied"), "and the browser is told");

    let wants = [PATIENT[0], ("country", "FR"), ("via", "wallet")];
    let page = victim.open(&address(&circle, country("ES"), &wants)).await.unwrap();
    assert_eq!(ended(&page, "error").as_deref(), Some("invalid_request"));
    circle.stop().await;
}
