//! The portal's pages against a stand-in for the node: real TLS on both channels.

mod node;

use http::StatusCode;
use node::{MARKUP, Stand};
use testbed::browser::{Browser, Page};
use testbed::idp::{self, Idp, Requester};
use testbed::portal::web::Who;

/// Signs in, or does not, from the start page on.
async fn sign_in(
    stand: &Stand,
    browser: &mut Browser,
    who: &str,
    country: &str,
    end: &str,
) -> Page {
    let page = browser.open(stand.portal.base_url()).await.unwrap();
    let asked = browser.submit(&page, who, &[("country", country), ("via", "eid")]).await.unwrap();
    assert_eq!(asked.document.title, "Who are you?", "{:?}", asked.hops);
    browser.submit(&asked, "who", &[("end", end)]).await.unwrap()
}

#[tokio::test]
async fn a_doctor_signs_in_and_then_a_patient_at_the_same_counter() {
    let stand = Stand::start().await;
    let mut browser = stand.browser();
    let page = sign_in(&stand, &mut browser, "professional", "ES", "yes").await;
    let said = &page.document.text;
    assert!(said.contains("Signed in as Montserrat Test Country Spain Assurance level high"));
    assert!(page.form("professional").is_none() && page.form("patient").is_some());

    let page = sign_in(&stand, &mut browser, "patient", "DK", "yes").await;
    let said = &page.document.text;
    assert!(said.contains("Signed in as Montserrat Test Country Spain"), "still there");
    assert!(said.contains("Signed in as Agnete <i> Test Country Denmark"), "{said}");
    assert!(said.contains("Date of birth 1953-02-14"));
    for (hop, url) in page.hops.iter().map(|hop| (hop, hop.url.as_str())) {
        assert!(!url.contains("Agnete") && !url.contains("1953-02-14"), "{hop}");
    }
    assert_eq!(page.url, format!("{}/", stand.portal.base_url()), "no code stays in the address");
    assert_eq!(stand.portal.signed_in(Who::Patient)[0].session, "session-patient-2");

    // the patient goes, the doctor stays; the doctor goes, nobody stays
    let page = browser.submit(&page, "logout-patient", &[]).await.unwrap();
    assert!(page.document.text.contains("Montserrat") && page.form("patient").is_some());
    sign_in(&stand, &mut browser, "patient", "DK", "yes").await;
    let page = browser.open(stand.portal.base_url()).await.unwrap();
    let page = browser.submit(&page, "logout-professional", &[]).await.unwrap();
    assert!(page.form("professional").is_some() && page.form("patient").is_some());
    let (_, mut ended) = stand.node.heard();
    ended.sort();
    assert_eq!(ended, ["session-patient-2", "session-patient-3", "session-professional-1"]);
    stand.portal.stop().await;
}

#[tokio::test]
async fn another_browser_sees_nobody() {
    let stand = Stand::start().await;
    sign_in(&stand, &mut stand.browser(), "patient", "DK", "yes").await;
    let page = stand.browser().open(stand.portal.base_url()).await.unwrap();
    assert!(!page.document.text.contains("Signed in as"));
}

#[tokio::test]
async fn a_code_that_an_attacker_brings_signs_nobody_in() {
    let stand = Stand::start().await;
    let mut browser = stand.browser();
    browser.open(stand.portal.base_url()).await.unwrap();
    let code = stand.node.code("professional", "ES");
    let url = format!("{}?code={code}&state=0000", stand.portal.return_url());
    let page = browser.open(&url).await.unwrap();
    assert!(page.document.text.contains("This login was not begun here"));
    assert!(!page.document.text.contains("Signed in as"));
    let page = browser.open(stand.portal.base_url()).await.unwrap();
    assert!(!page.document.text.contains("not begun here"), "told once");
    assert_eq!(stand.node.heard().0, 0, "the code was not even redeemed");
    // without a cookie there is nobody to tell
    let refused = stand.browser().open(&url).await.unwrap();
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn coming_back_twice_signs_in_once() {
    let stand = Stand::start().await;
    let mut browser = stand.browser();
    let page = browser.open(stand.portal.base_url()).await.unwrap();
    let asked = browser.submit(&page, "patient", &[("country", "DK")]).await.unwrap();
    let state = asked.form("who").unwrap().fields.iter().find(|f| f.name == "state").unwrap();
    let url =
        |code: &str| format!("{}?code={code}&state={}", stand.portal.return_url(), state.value);
    let first = browser.open(&url(&stand.node.code("patient", "DK"))).await.unwrap();
    assert!(first.document.text.contains("Agnete"));
    let second = browser.open(&url(&stand.node.code("patient", "DK"))).await.unwrap();
    assert!(second.document.text.contains("This login was not begun here"));
    assert_eq!(stand.node.heard().0, 1);
}

#[tokio::test]
async fn who_cancels_reads_why_nobody_is_signed_in() {
    let stand = Stand::start().await;
    let page = sign_in(&stand, &mut stand.browser(), "patient", "IT", "access_denied").await;
    assert!(page.document.text.contains("the login was cancelled or refused"));
    assert!(page.form("patient").is_some());
    let page = sign_in(&stand, &mut stand.browser(), "patient", "IT", MARKUP).await;
    assert!(page.document.text.contains("You could not be signed in"));
    assert!(!page.html.contains("alert(1)"));
}

#[tokio::test]
async fn an_answer_about_another_part_or_country_signs_nobody_in() {
    let stand = Stand::start().await;
    for lie in [("professional", "DK"), ("patient", "IT")] {
        stand.node.lie(lie.0, lie.1);
        let page = sign_in(&stand, &mut stand.browser(), "patient", "DK", "yes").await;
        assert!(page.document.text.contains("You could not be signed in"), "{lie:?}");
    }
    for who in Who::ALL {
        assert!(stand.portal.signed_in(who).is_empty());
    }
}

#[tokio::test]
async fn forms_of_other_sites_do_nothing() {
    let stand = Stand::start().await;
    let mut browser = stand.browser();
    sign_in(&stand, &mut browser, "professional", "ES", "yes").await;
    let base = stand.portal.base_url();
    for (path, form) in [
        ("/logout", vec![("for", "professional")]),
        ("/logout", vec![("for", "professional"), ("token", "0000")]),
        ("/begin", vec![("for", "patient"), ("country", "DK"), ("via", "eid")]),
    ] {
        let refused = browser.post(&format!("{base}{path}"), &form).await.unwrap();
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(stand.portal.signed_in(Who::Professional).len(), 1);
    let page = browser.open(base).await.unwrap();
    let refused = browser.submit(&page, "patient", &[("country", "XX")]).await.unwrap();
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "a country that is not offered");
}

#[tokio::test]
async fn pages_can_be_used_without_script_and_with_a_screen_reader() {
    let stand = Stand::start().await;
    let page = stand.browser().open(stand.portal.base_url()).await.unwrap();
    assert!(page.html.contains("<html lang=\"en\">") && page.document.scripts.is_empty());
    let fields = page.document.forms.iter().flat_map(|form| &form.fields);
    let visible = fields.filter(|f| !["hidden", "submit"].contains(&f.kind.as_str())).count();
    assert_eq!(page.html.matches("<label").count(), visible, "each control has its label");
    for id in page.html.split("<label for=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(page.html.contains(&format!(" id=\"{id}\"")), "{id}");
    }
}

#[tokio::test]
async fn what_other_browsers_are_told_is_on_the_page() {
    let stand = Stand::start().await;
    let country = exchange::Country::parse("ES").unwrap();
    let requester = Requester::Fetched { url: String::new(), signers: vec![] };
    let idp = Idp::start(idp::Setup::new(country, &stand.pki, requester)).await.unwrap();
    let patient = idp.resident("bartomeu").unwrap();
    let told = stand.portal.for_browsers(&idp, patient, &["https://localhost:1"]);
    let page = stand.browser().open(told["begin"].as_str().unwrap()).await.unwrap();
    assert!(page.html.contains("id=\"patient-country\"") && page.html.contains(">Spain</option>"));
    assert_eq!(told["first"][0][1], "Spain");
    assert_eq!(told["servers"].as_array().unwrap().len(), 3);
}
