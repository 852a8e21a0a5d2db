//! A person logs in at the identity provider of the own country: real TLS, real forms, and the node
//! verifies what comes.

mod node;

use identity::Assurance;
use identity::eidas::EidasError;
use jiff::Timestamp;
use node::Land;
use testbed::browser::{Browser, BrowserError, Page};
use testbed::idp::{TRIES, card_message};

impl Land {
    fn browser(&self) -> Browser {
        Browser::new(&self.pki.ca_pem()).unwrap()
    }

    /// Fills in the form with the one-time code, as the person with the app would.
    async fn code(&self, browser: &mut Browser, page: &Page, login: &str) -> Page {
        let resident = self.idp.resident(login).unwrap();
        let code = resident.authenticator().code(Timestamp::now());
        let values = [("user", login), ("pin", resident.pin()), ("code", code.as_str())];
        browser.submit(page, "code", &values).await.unwrap()
    }
}

#[tokio::test]
async fn a_one_time_code_identifies_a_citizen_at_level_substantial() {
    let land = Land::start("DK").await;
    for binding in ["post", "redirect"] {
        let mut browser = land.browser();
        let url = land.node.begin(Assurance::Substantial, binding);
        let page = browser.open(&url).await.unwrap();
        assert_eq!(page.document.title, "Denmark: log in", "{}", page.document.text);
        assert!(page.document.text.contains("Hospital <b>Test</b> asks who you are"));
        // each attempt is in a step of its own, as a person with an app would have to wait
        let login = if binding == "post" { "agnete" } else { "signe" };
        let page = land.code(&mut browser, &page, login).await;
        let hops: Vec<_> = page.hops.iter().map(ToString::to_string).collect();
        let (idp, node) = (land.idp.base_url(), &land.node.base);
        let expected = [
            format!("POST {idp}/login 200"),
            format!("POST {node}/acs 303"),
            format!("GET {node}/done 200"),
        ];
        assert_eq!(hops, expected);
        let identified = land.node.identified(&land.idp).unwrap();
        assert_eq!(identified.assurance(), Assurance::Substantial);
        let person = identified.person();
        let (number, family) = match binding {
            "post" => ("DK/DK/7402539902", "Havgaard-Test"),
            _ => ("DK/DK/8512849926", "Fjordby-Test"),
        };
        assert_eq!(person.identifier.text(), number);
        assert_eq!(person.family.latin, family);
    }
    land.stop().await;
}

#[tokio::test]
async fn a_professional_logs_in_with_a_card_at_level_high() {
    let land = Land::start("ES").await;
    let mut browser = land.browser();
    let page = browser.open(&land.node.begin(Assurance::High, "post")).await.unwrap();
    assert!(page.form("code").is_none(), "a code is not enough");
    assert!(page.document.text.contains("This level needs your citizen card"));
    let card = land.idp.resident("montserrat").unwrap().card();
    browser.insert(card, &land.pki.ca_pem()).unwrap();
    let done = browser.submit(&page, "card", &[]).await.unwrap();
    assert_eq!(done.document.title, "Done", "{:?}", done.hops);
    let identified = land.node.identified(&land.idp).unwrap();
    assert_eq!(identified.assurance(), Assurance::High);
    assert_eq!(identified.person().identifier.text(), "ES/ES/00000810T");
    assert_eq!(identified.person().birth.to_string(), "1979-06-12");
    land.stop().await;
}
