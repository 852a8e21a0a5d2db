//! What the node does not take from the other part, or from a browser.

use http::StatusCode;
use identity::Assurance;
use identity::eidas::light::{Cache, LightResponse};
use jiff::SignedDuration;
use testbed::browser::{Browser, Page};
use testbed::pki::Role;

use crate::light::{identified, request};
use crate::other::{SECRET, token};
use crate::{ISSUERS, Stage};

const IN: Cache = Cache::ProxyRequest;
const OUT: Cache = Cache::ProxyResponse;

impl Stage {
    /// The page of a token that is refused for this reason, once more than before.
    async fn untaken(&mut self, token: &str, why: &str) {
        let before = self.node.refusals(why);
        let to = self.at("/eid/light/proxy");
        let page = self.browser.post(&to, &[("token", token)]).await.unwrap();
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{why}");
        assert_eq!(self.node.refusals(why), before + 1, "{why}\n{}", self.node.log());
    }

    /// A response to a login of a Swede, changed.
    pub async fn answered_with(&mut self, change: impl Fn(&mut LightResponse)) -> Page {
        self.sign_in("SE", "substantial").await;
        let asked = self.other.asked("/connector", Cache::ConnectorRequest, ISSUERS[0]).await;
        let mut answer = identified(&asked, "SE/ES/8005171234");
        change(&mut answer);
        let (to, cache) = ("/eid/light/connector", Cache::ConnectorResponse);
        self.send(to, cache, ISSUERS[1], &answer.render()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_of_the_other_part_and_fresh_and_used_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "specific").await;
    let message = request(None).render();

    let good = token(ISSUERS[2]);
    assert_eq!(stage.other.put(IN, &good.id, &message).await, StatusCode::NO_CONTENT);
    stage.untaken(&good.encode("another secret of both"), "light.digest").await;
    let mut foreign = good.clone();
    foreign.issuer = ISSUERS[3].to_owned();
    stage.untaken(&foreign.encode(SECRET), "light.issuer").await;
    let mut old = good.clone();
    old.created -= SignedDuration::from_secs(301);
    stage.untaken(&old.encode(SECRET), "light.expired").await;
    let mut early = good.clone();
    early.created += SignedDuration::from_secs(120);
    stage.untaken(&early.encode(SECRET), "light.early").await;
    stage.untaken(&"QUFB".repeat(300), "light.token").await;
    stage.untaken(&token(ISSUERS[2]).encode(SECRET), "light.unknown").await;

    // none of these has used up the message
    let to = stage.at("/eid/light/proxy");
    let page = stage.browser.post(&to, &[("token", &good.encode(SECRET))]).await.unwrap();
    assert!(page.form("card").is_some(), "{} {} {:?}", page.url, page.html, page.hops);
    stage.untaken(&good.encode(SECRET), "light.replay").await;
    // also when somebody puts the message there again
    assert_eq!(stage.other.put(IN, &good.id, &message).await, StatusCode::NO_CONTENT);
    stage.untaken(&good.encode(SECRET), "light.replay").await;
    stage.idp.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_brings_no_token_gets_a_page_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "specific").await;
    let to = stage.at("/eid/light/proxy");
    assert_eq!(stage.browser.open(&to).await.unwrap().status, StatusCode::BAD_REQUEST);
    let twice = token(ISSUERS[2]).encode(SECRET);
    let twice = [("token", twice.as_str()), ("token", twice.as_str())];
    assert_eq!(stage.browser.post(&to, &twice).await.unwrap().status, StatusCode::BAD_REQUEST);
    assert_eq!(stage.node.refusals("light.token"), 2);
    for path in ["/eid/light/", "/eid/light/else", "/eid/light/cache/x/1"] {
        let url = stage.at(path);
        let status = stage.browser.open(&url).await.unwrap().status;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: the shelf is not for browsers");
    }
    stage.idp.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shelf_is_for_the_other_part_and_its_directions() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "specific").await;
    let message = request(None).render();
    let other = &mut stage.other;
    assert_eq!(other.put(IN, "1", &message).await, StatusCode::NO_CONTENT);
    assert_eq!(other.put(IN, "1", &message).await, StatusCode::CONFLICT);
    assert_eq!(other.put(IN, "2", &"x".repeat(131_073)).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(other.put(IN, "a/b", &message).await, StatusCode::NOT_FOUND);
    assert_eq!(other.put(IN, &"1".repeat(65), &message).await, StatusCode::NOT_FOUND);
    assert_eq!(other.put(OUT, "1", &message).await, StatusCode::FORBIDDEN, "ours to write");
    assert!(other.take(IN, "1").await.is_none(), "ours to read");
    other.disguised(&stage.pki, Role::ServiceConsumer);
    assert_eq!(other.put(IN, "3", &message).await, StatusCode::FORBIDDEN, "of this country");
    for (why, times) in
        [("light.taken-id", 1), ("light.size", 1), ("light.direction", 2), ("light.client", 1)]
    {
        assert_eq!(stage.node.refusals(why), times, "{why}\n{}", stage.node.log());
    }
    stage.idp.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_a_rule_is_answered_with_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "specific").await;
    let good = request(Some("DK"));
    let with = |change: &dyn Fn(&mut identity::eidas::light::LightRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request.render()
    };
    let private = |r: &mut identity::eidas::light::LightRequest| r.sector = Some("private".into());
    for (message, why, code) in [
        (
            with(&|r| r.attributes.push("http://example.com/shoe-size".into())),
            "light.attribute",
            "InvalidAttrNameOrValue",
        ),
        (with(&|r| drop(r.attributes.pop())), "light.minimum-data-set", "InvalidAttrNameOrValue"),
        (with(&private), "light.requester", "RequestDenied"),
        (
            with(&|r| r.levels[0].0 = "http://eidas.europa.eu/LoA/most".into()),
            "light.level",
            "RequestDenied",
        ),
        (with(&|r| r.sector = Some("third".into())), "light.sector", "RequestDenied"),
        (
            with(&|r| r.citizen = exchange::Country::parse("SE").unwrap()),
            "light.country",
            "RequestDenied",
        ),
    ] {
        let page = stage.send("/eid/light/proxy", IN, ISSUERS[2], &message).await;
        assert_eq!(page.url, format!("{}/proxy", stage.other.base), "{why}");
        let answer = stage.other.answered("/proxy", OUT, ISSUERS[3]).await;
        assert!(answer.status.failure && answer.attributes.is_empty(), "{why}");
        let sub = answer.status.sub_code.unwrap();
        assert_eq!(sub, format!("urn:oasis:names:tc:SAML:2.0:status:{code}"), "{why}");
        assert_eq!(answer.relay_state.as_deref(), Some("their relay state"));
        assert_eq!(stage.node.refusals(why), 1, "{why}\n{}", stage.node.log());
    }
    // what is no light request has nobody to answer
    let page = stage.send("/eid/light/proxy", IN, ISSUERS[2], "<lightRequest/>").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(stage.node.refusals("light.message"), 1);
    stage.idp.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_a_rule_signs_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "specific").await;
    let own = |name: &str| format!("http://eidas.europa.eu/attributes/naturalperson/{name}");
    let legal = "http://eidas.europa.eu/attributes/legalperson/LegalName".to_owned();
    type Change<'a> = Box<dyn Fn(&mut LightResponse) + 'a>;
    let changes: [(&str, Change<'_>); 7] = [
        ("light.level", Box::new(|a| a.level = Some(Assurance::Low.uri().into()))),
        ("light.level", Box::new(|a| a.level = None)),
        ("light.attribute", Box::new(|a| a.attributes.push((legal.clone(), vec!["x".into()])))),
        (
            "light.attribute",
            Box::new(|a| a.attributes.push((own("PlaceOfBirth"), vec!["x".into()]))),
        ),
        ("light.person-country", Box::new(|a| a.attributes[0].1 = vec!["NO/ES/1".into()])),
        ("minimum data set", Box::new(|a| drop(a.attributes.pop()))),
        ("light.status", Box::new(|a| a.status.code = Some("urn:x".into()))),
    ];
    for (why, change) in &changes {
        let before = stage.node.refusals(why);
        let page = stage.answered_with(change).await;
        assert!(page.url.ends_with("/return?error=server_error&state=s"), "{why}: {}", page.url);
        assert_eq!(stage.node.refusals(why), before + 1, "{why}\n{}", stage.node.log());
    }
    // for a login that nobody began, and in a browser that did not begin it
    let page = stage.answered_with(|a| a.in_response_to = "another".into()).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    stage.sign_in("SE", "substantial").await;
    let asked = stage.other.asked("/connector", Cache::ConnectorRequest, ISSUERS[0]).await;
    stage.browser = Browser::new(&stage.pki.ca_pem()).unwrap();
    let answer = identified(&asked, "SE/ES/8005171234").render();
    let (to, cache) = ("/eid/light/connector", Cache::ConnectorResponse);
    let page = stage.send(to, cache, ISSUERS[1], &answer).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(stage.node.refusals("login.unknown"), 1);
    assert_eq!(stage.node.refusals("login.browser"), 1);
    stage.idp.stop().await;
}
