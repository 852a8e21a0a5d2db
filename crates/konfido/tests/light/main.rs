//! KONFIDO beside the other part of an eIDAS node: real processes, real HTTP, and a browser between.

mod node;
mod other;
mod refusals;

use std::path::Path;

use exchange::Country;
use http::{Method, StatusCode};
use identity::Assurance;
use identity::eidas::attributes::{Attribute, mandatory};
use identity::eidas::light::{Cache, LightRequest, LightResponse, LightStatus};
use testbed::browser::{Browser, Page};
use testbed::idp::{Idp, Requester, Setup};
use testbed::pki::Pki;
use trust::certificate::Certificate;

use node::Node;
use other::{Other, SECRET};

const CLIENT: &str = "openncp-client.es.konfido.example";
/// Issuers of tokens, as the reference node is configured.
const ISSUERS: [&str; 4] = [
    "specificCommunicationDefinitionConnectorRequest",
    "specificCommunicationDefinitionConnectorResponse",
    "specificCommunicationDefinitionProxyserviceRequest",
    "specificCommunicationDefinitionProxyserviceResponse",
];

/// A node of Spain, the other part of its eIDAS node, its identity provider, and somebody's browser.
struct Stage {
    pki: Pki,
    node: Node,
    other: Other,
    idp: Idp,
    browser: Browser,
}

impl Stage {
    async fn start(dir: &Path, part: &str) -> Self {
        let es = Country::parse("ES").unwrap();
        let pki = Pki::of_the_world(jiff::Timestamp::now());
        let (site, url) = Node::install(&pki, dir);
        let mut other = Other::start(&pki, es).await;
        other.beside(&site);
        let signing = std::fs::read(dir.join("signing.pem")).unwrap();
        let requester = Requester::Fetched {
            url: format!("{url}/eid/connector/metadata"),
            signers: Certificate::from_pem(&signing).unwrap(),
        };
        let idp = Idp::start(Setup::new(es, &pki, requester)).await.unwrap();
        std::fs::write(dir.join("idp.pem"), idp.signing_certificate().pem()).unwrap();
        let node = Node::start(site, url, &toml(part, &idp, &other.base)).await;
        let browser = Browser::new(&pki.ca_pem()).unwrap();
        Self { pki, node, other, idp, browser }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.node.url)
    }

    /// A portal sends the browser.
    async fn sign_in(&mut self, country: &str, level: &str) -> Page {
        let url = self.at(&format!(
            "/eid/login?for=patient&country={country}&level={level}&return={}/return&state=s",
            self.other.base
        ));
        self.browser.open(&url).await.unwrap()
    }

    /// The portal asks who came back.
    async fn who(&self, page: &Page) -> serde_json::Value {
        let code = page.url.split("code=").nth(1).and_then(|rest| rest.split('&').next());
        let code = code.unwrap_or_else(|| panic!("no code: {}\n{}", page.url, self.node.log()));
        let form = format!("code={code}");
        let (status, body) = self.other.ask(Method::POST, "/eid/session", &form).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// A message of the other part, with a browser that brings its token.
    async fn send(&mut self, path: &str, cache: Cache, issuer: &str, message: &str) -> Page {
        let to = self.at(path);
        self.other.send(&mut self.browser, &to, cache, issuer, message).await
    }
}

/// What an operator adds; Spain's own people are identified by its provider, or by the other part.
fn toml(part: &str, idp: &Idp, other: &str) -> String {
    let stamp =
        |at: usize| format!("{{ issuer = \"{}\", secret_file = \"light.secret\" }}", ISSUERS[at]);
    let provider = format!(
        "[[eid.provider]]\ncountry = \"ES\"\nmetadata = \"{}\"\nsigners = \"idp.pem\"\n",
        idp.metadata_url()
    );
    let countries = "countries = [\"SE\", \"FI\"]\n";
    let specific = part == "specific";
    format!(
        "{}[[eid.application]]\nname = \"portal\"\nreturn = \"{other}/return\"\nclient = \"{CLIENT}\"\n\
         [eid.light]\nclient = \"{CLIENT}\"\n\
         [eid.light.connector]\npart = \"{part}\"\nurl = \"{other}/connector\"\n{}request = {}\nresponse = {}\n\
         [eid.light.proxy]\npart = \"{part}\"\nurl = \"{other}/proxy\"\nrequest = {}\nresponse = {}\n",
        if specific { &provider } else { "" },
        if specific { countries } else { "" },
        stamp(0),
        stamp(1),
        stamp(2),
        stamp(3),
    )
}

/// A citizen whom the other part identified.
fn identified(request: &LightRequest, identifier: &str) -> LightResponse {
    let value = |row: &Attribute| match row.name {
        "PersonIdentifier" => identifier.to_owned(),
        "DateOfBirth" => "1980-05-17".to_owned(),
        "CurrentFamilyName" => "Påhittad".to_owned(),
        _ => "Saga".to_owned(),
    };
    LightResponse {
        id: "_their-answer".into(),
        in_response_to: request.id.clone(),
        issuer: "https://eidas.example/ConnectorMetadata".into(),
        address: None,
        relay_state: request.relay_state.clone(),
        subject: Some("0123456".into()),
        subject_format: None,
        level: Some(Assurance::High.uri().into()),
        status: LightStatus { failure: false, code: None, sub_code: None, message: None },
        attributes: mandatory().map(|row| (row.uri(), vec![value(row)])).collect(),
    }
}

/// A request for a Spaniard.
fn request(asker: Option<&str>) -> LightRequest {
    LightRequest {
        citizen: Country::parse("ES").unwrap(),
        id: "_their-request".into(),
        issuer: "https://eidas.example/ConnectorMetadata".into(),
        levels: vec![(Assurance::Substantial.uri().into(), true)],
        name_id_format: None,
        provider: Some("DEMO-SP".into()),
        sector: Some("public".into()),
        asker: asker.map(|code| Country::parse(code).unwrap()),
        requester: None,
        relay_state: Some("their relay state".into()),
        attributes: mandatory().map(Attribute::uri).collect(),
    }
}

fn value<'a>(response: &'a LightResponse, name: &str) -> &'a str {
    let uri = Attribute::of(name).unwrap().uri();
    let found = response.attributes.iter().find(|(definition, _)| *definition == uri);
    &found.unwrap_or_else(|| panic!("no {name}")).1[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swede_signs_in_through_the_eidas_node_that_spain_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "specific").await;
    let page = stage.sign_in("SE", "substantial").await;
    assert_eq!(page.url, format!("{}/connector", stage.other.base));
    let asked = stage.other.asked("/connector", Cache::ConnectorRequest, ISSUERS[0]).await;
    assert_eq!((asked.citizen.as_str(), asked.asker.unwrap().as_str()), ("SE", "ES"));
    assert_eq!(asked.levels, [(Assurance::Substantial.uri().to_owned(), true)]);
    assert_eq!((asked.sector.as_deref(), &asked.requester), (Some("public"), &None));
    assert!(mandatory().all(|row| asked.attributes.contains(&row.uri())));

    let answer = identified(&asked, "SE/ES/8005171234").render();
    let page =
        stage.send("/eid/light/connector", Cache::ConnectorResponse, ISSUERS[1], &answer).await;
    assert!(page.url.starts_with(&format!("{}/return?code=", stage.other.base)), "{}", page.url);
    let who = stage.who(&page).await;
    assert_eq!((&who["country"], &who["level"]), (&"SE".into(), &"high".into()));
    assert_eq!(who["person"]["identifier"], "SE/ES/8005171234");
    assert_eq!(who["person"]["family"], "Påhittad");

    // somebody whom the node did not identify
    stage.sign_in("FI", "low").await;
    let asked = stage.other.asked("/connector", Cache::ConnectorRequest, ISSUERS[0]).await;
    let mut failed = identified(&asked, "");
    failed.attributes.clear();
    failed.status.failure = true;
    failed.status.sub_code = Some("urn:oasis:names:tc:SAML:2.0:status:AuthnFailed".into());
    let page = stage
        .send("/eid/light/connector", Cache::ConnectorResponse, ISSUERS[1], &failed.render())
        .await;
    assert!(page.url.ends_with("/return?error=access_denied&state=s"), "{}", page.url);
    stage.idp.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spaniard_is_identified_for_the_eidas_node_that_spain_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "specific").await;
    let mut asked = request(Some("DK"));
    // as real nodes do, for a person who acts for a company
    asked.attributes.push("http://eidas.europa.eu/attributes/legalperson/LegalName".into());
    let asked = asked.render();
    let page = stage.send("/eid/light/proxy", Cache::ProxyRequest, ISSUERS[2], &asked).await;
    let roots = stage.pki.ca_pem();
    let resident = &stage.idp.residents()[0];
    stage.browser.insert(resident.card(), &roots).unwrap();
    let page = stage.browser.submit(&page, "card", &[]).await.unwrap();
    assert_eq!(page.url, format!("{}/proxy", stage.other.base));
    let answer = stage.other.answered("/proxy", Cache::ProxyResponse, ISSUERS[3]).await;
    assert!(!answer.status.failure);
    assert_eq!(answer.in_response_to, "_their-request");
    assert_eq!(answer.relay_state.as_deref(), Some("their relay state"));
    assert_eq!(answer.level.as_deref(), Some(Assurance::High.uri()));
    assert_eq!(value(&answer, "PersonIdentifier"), resident.number, "the node puts ES/DK/ there");
    assert_eq!(value(&answer, "CurrentFamilyName"), resident.family);
    assert_eq!(answer.attributes.len(), 4, "the minimum data set and no more");

    // somebody who changes their mind
    let page = stage.send("/eid/light/proxy", Cache::ProxyRequest, ISSUERS[2], &asked).await;
    let page = stage.browser.submit(&page, "cancel", &[]).await.unwrap();
    assert_eq!(page.url, format!("{}/proxy", stage.other.base));
    let answer = stage.other.answered("/proxy", Cache::ProxyResponse, ISSUERS[3]).await;
    assert!(answer.status.failure && answer.attributes.is_empty() && answer.subject.is_none());
    let code = answer.status.sub_code.unwrap();
    assert_eq!(code, "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed");
    stage.idp.stop().await;
}

/// KONFIDO between a specific connector and a specific proxy service.
#[tokio::test(flavor = "multi_thread")]
async fn konfido_stands_for_the_generic_part_on_both_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "generic").await;
    let asked = request(None).render();
    let page =
        stage.send("/eid/light/connector", Cache::ConnectorRequest, ISSUERS[0], &asked).await;
    assert_eq!(page.url, format!("{}/proxy", stage.other.base));
    let passed_on = stage.other.asked("/proxy", Cache::ProxyRequest, ISSUERS[2]).await;
    assert_eq!(passed_on.citizen.as_str(), "ES");
    assert_ne!(passed_on.id, "_their-request", "each side has a request of its own");
    let answer = identified(&passed_on, "02635542Y").render();
    let page = stage.send("/eid/light/proxy", Cache::ProxyResponse, ISSUERS[3], &answer).await;
    assert_eq!(page.url, format!("{}/connector", stage.other.base));
    let answer = stage.other.answered("/connector", Cache::ConnectorResponse, ISSUERS[1]).await;
    assert_eq!(answer.in_response_to, "_their-request");
    assert_eq!(value(&answer, "PersonIdentifier"), "ES/ES/02635542Y");
    assert_eq!(value(&answer, "CurrentGivenName"), "Saga");
    stage.idp.stop().await;
}

/// Nothing that lets somebody in, or says who they are, is in the log.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_knows_neither_secrets_nor_people() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(folder.path(), "specific").await;
    stage.sign_in("SE", "low").await;
    let asked = stage.other.asked("/connector", Cache::ConnectorRequest, ISSUERS[0]).await;
    let answer = identified(&asked, "SE/ES/8005171234").render();
    stage.send("/eid/light/connector", Cache::ConnectorResponse, ISSUERS[1], &answer).await;
    let log = stage.node.log();
    for secret in [SECRET, "8005171234", "Påhittad", asked.id.as_str(), "token="] {
        assert!(!log.contains(secret), "{secret} was logged");
    }
    stage.idp.stop().await;
}
