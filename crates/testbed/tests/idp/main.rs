//! A person logs in at the identity provider of the own country: real TLS, real forms, and the node
//! verifies what comes.

mod node;
#[cfg(feature = "pkcs11")]
mod token;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::Country;
use http::StatusCode;
use identity::Assurance;
use identity::eidas::EidasError;
use jiff::Timestamp;
use node::Land;
use testbed::browser::{Browser, BrowserError, Page};
use testbed::idp::{Assertion, TRIES, card_message};

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

#[tokio::test]
async fn a_card_of_another_authority_or_no_card_opens_nothing() {
    let (land, other) = (Land::start("DK").await, Land::start("DK").await);
    let mut browser = land.browser();
    let page = browser.open(&land.node.begin(Assurance::High, "post")).await.unwrap();
    let refused = browser.submit(&page, "card", &[]).await;
    assert!(matches!(refused, Err(BrowserError::Connect(_) | BrowserError::Http(_))));
    let foreign = other.idp.resident("agnete").unwrap().card();
    browser.insert(foreign, &land.pki.ca_pem()).unwrap();
    let refused = browser.submit(&page, "card", &[]).await;
    assert!(matches!(refused, Err(BrowserError::Connect(_) | BrowserError::Http(_))));
    assert!(land.node.answer().is_none());
}

#[tokio::test]
async fn a_card_can_sign_a_nonce_instead() {
    let land = Land::start("IT").await;
    let mut browser = land.browser();
    let page = browser.open(&land.node.begin(Assurance::High, "post")).await.unwrap();
    let card = land.idp.resident("ornella").unwrap().card();
    let challenge = format!("{}/card/challenge", land.idp.base_url());
    let sign = |nonce: &str| {
        let nonce = STANDARD.decode(nonce).unwrap();
        sign(card, &card_message(land.idp.base_url(), &nonce))
    };
    let certificate = STANDARD.encode(card.certificate().der());
    let login = &page.form("card").unwrap().fields[0].value;
    let nonce = browser.post(&challenge, &[("login", login)]).await.unwrap().html;
    let send = [("login", login.as_str()), ("certificate", &certificate)];

    let used = sign(&nonce);
    let other = STANDARD.encode([7; 32]);
    let wrong = [send[0], send[1], ("signature", &sign(&other))];
    let refused = browser.post(&challenge, &wrong).await.unwrap();
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "a signature over something else");
    let late = [send[0], send[1], ("signature", &used)];
    let refused = browser.post(&challenge, &late).await.unwrap();
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "that nonce was spent by the wrong try");
    assert!(land.node.answer().is_none());

    let nonce = browser.post(&challenge, &[("login", login)]).await.unwrap().html;
    let right = [send[0], send[1], ("signature", &sign(&nonce))];
    let done = browser.post(&challenge, &right).await.unwrap();
    assert_eq!(done.document.title, "Done");
    assert_eq!(land.node.identified(&land.idp).unwrap().assurance(), Assurance::High);
}

fn sign(card: &testbed::pki::Identity, message: &[u8]) -> String {
    let pem = pkcs8(card.key_pem());
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pem).unwrap();
    STANDARD.encode(key.sign(&SystemRandom::new(), message).unwrap())
}

fn pkcs8(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap()
}

#[tokio::test]
async fn a_passkey_identifies_without_user_name() {
    let land = Land::start("IT").await;
    let mut browser = land.browser();
    let page = browser.open(&land.node.begin(Assurance::Substantial, "post")).await.unwrap();
    let passkey = land.idp.resident("elio").unwrap().passkey();
    let sign =
        |page: &Page, origin: &str| passkey.sign(origin, &page.form("passkey").unwrap().data[0].1);
    for (case, used) in [
        ("phished", sign(&page, "https://localhost")),
        ("unknown", Assertion { credential: "AAAA".into(), ..sign(&page, land.idp.base_url()) }),
        ("spent by the tries before", sign(&page, land.idp.base_url())),
    ] {
        let again = browser.submit(&page, "passkey", &fields(&used)).await.unwrap();
        assert_eq!(again.status, StatusCode::FORBIDDEN, "{case}");
    }
    assert!(land.node.answer().is_none());
    let page = browser.open(&land.node.begin(Assurance::Substantial, "post")).await.unwrap();
    let used = sign(&page, land.idp.base_url());
    let done = browser.submit(&page, "passkey", &fields(&used)).await.unwrap();
    assert_eq!(done.document.title, "Done");
    let identified = land.node.identified(&land.idp).unwrap();
    assert_eq!(identified.assurance(), Assurance::Substantial);
    assert_eq!(identified.person().identifier.text(), "IT/IT/FTTLEI75C10L219Q");
}

fn fields(used: &Assertion) -> [(&str, &str); 4] {
    [
        ("credential", &used.credential),
        ("client_data", &used.client_data),
        ("authenticator_data", &used.authenticator_data),
        ("signature", &used.signature),
    ]
}

#[tokio::test]
async fn wrong_name_pin_or_code_are_told_in_the_same_words_and_then_it_is_locked() {
    let land = Land::start("DK").await;
    let mut browser = land.browser();
    let page = browser.open(&land.node.begin(Assurance::Low, "post")).await.unwrap();
    let agnete = land.idp.resident("agnete").unwrap();
    let code = agnete.authenticator().code(Timestamp::now());
    let mut words = Vec::new();
    for (user, pin, code) in [
        ("nobody", agnete.pin(), code.as_str()),
        ("agnete", "no pin", &code),
        ("agnete", agnete.pin(), "no code"),
        ("<script>", "", ""),
    ] {
        let values = [("user", user), ("pin", pin), ("code", code)];
        let again = browser.submit(&page, "code", &values).await.unwrap();
        assert_eq!(again.status, StatusCode::FORBIDDEN);
        words.push(again.html);
    }
    words.dedup();
    assert_eq!(words.len(), 1, "the four pages are one");
    for _ in 0..TRIES {
        let values = [("user", "agnete"), ("pin", ""), ("code", "")];
        browser.submit(&page, "code", &values).await.unwrap();
    }
    let locked = land.code(&mut browser, &page, "agnete").await;
    assert_eq!((locked.status, &locked.html), (StatusCode::FORBIDDEN, &words[0]));
    // the others are not locked out, and the login still stands
    let done = land.code(&mut browser, &page, "signe").await;
    assert_eq!(done.document.title, "Done");
}

#[tokio::test]
async fn a_code_is_not_enough_where_high_is_asked() {
    let land = Land::start("DK").await;
    let mut browser = land.browser();
    let page = browser.open(&land.node.begin(Assurance::High, "post")).await.unwrap();
    let agnete = land.idp.resident("agnete").unwrap();
    let code = agnete.authenticator().code(Timestamp::now());
    let login = page.form("card").unwrap().fields[0].value.clone();
    let values = [
        ("login", login.as_str()),
        ("user", "agnete"),
        ("pin", agnete.pin()),
        ("code", code.as_str()),
    ];
    let url = format!("{}/login", land.idp.base_url());
    let again = browser.post(&url, &values).await.unwrap();
    assert!(again.document.text.contains("This level needs your citizen card"));
    assert!(land.node.answer().is_none());
}

#[tokio::test]
async fn who_cancels_is_told_about_as_not_identified() {
    let land = Land::start("DK").await;
    let mut browser = land.browser();
    let page = browser.open(&land.node.begin(Assurance::Substantial, "post")).await.unwrap();
    let done = browser.submit(&page, "cancel", &[]).await.unwrap();
    assert_eq!(done.document.title, "Done");
    let refused = land.node.identified(&land.idp).err();
    assert_eq!(refused, Some(EidasError::NotIdentified("AuthnFailed".into())));
    let again = browser.submit(&page, "cancel", &[]).await.unwrap();
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "the login is over");
}

#[tokio::test]
async fn a_login_belongs_to_the_browser_that_began_it() {
    let land = Land::start("DK").await;
    let (mut mine, mut theirs) = (land.browser(), land.browser());
    let url = land.node.begin(Assurance::Substantial, "post");
    let page = mine.open(&url).await.unwrap();
    theirs.open(&url).await.unwrap();
    let stolen = land.code(&mut theirs, &page, "agnete").await;
    assert_eq!(stolen.status, StatusCode::BAD_REQUEST);
    assert!(land.node.answer().is_none());
}

#[tokio::test]
async fn requests_of_others_or_damaged_ones_get_no_login_page() {
    let land = Land::start("DK").await;
    let country = Country::parse("DK").unwrap();
    let url = |binding| land.node.begin(Assurance::Substantial, binding);
    land.node.change(|text| text.replace("LoA/substantial", "LoA/low"));
    let refused = land.browser().open(&url("post")).await.unwrap();
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.document.forms.is_empty());
    land.node.change(|text| text);
    land.node.sign_by(&land.pki.signer(country, "other"));
    for binding in ["post", "redirect"] {
        let refused = land.browser().open(&url(binding)).await.unwrap();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{binding}");
        let said = &refused.document.text;
        assert!(said.contains("signature") || said.contains("signed by a key"), "{said}");
    }
    let sso = format!("{}/sso", land.idp.base_url());
    for empty in [[("SAMLRequest", "")], [("SAMLRequest", "PGEvPg==")], [("other", "x")]] {
        let refused = land.browser().post(&sso, &empty).await.unwrap();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn the_metadata_passes_the_rules_of_a_node() {
    let land = Land::start("DK").await;
    let page = land.browser().open(&land.idp.metadata_url()).await.unwrap();
    assert_eq!(page.content_type, "application/samlmetadata+xml");
    let metadata = land.node.metadata_of(&land.idp, &page.html);
    assert_eq!(metadata.certified, Some(Assurance::High));
    assert_eq!(metadata.attributes.len(), 4);
}
