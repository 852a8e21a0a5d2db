//! Both parts of a node at both ends.

use exchange::Country;
use identity::Assurance;
use identity::eidas::attributes::{Attribute, mandatory};
use identity::eidas::light::{Cache, LightRequest, LightResponse, LightStatus};

use identity::eidas::request::SpType;
use testbed::pki::Pki;

use crate::other::{Other, SECRET};
use crate::sector::CONNECTOR;
use crate::{CLIENT, ISSUERS, Stage, peer};

/// A citizen whom the other part identified.
pub fn identified(request: &LightRequest, identifier: &str) -> LightResponse {
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
pub fn request(asker: Option<&str>) -> LightRequest {
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

/// A Danish connector speaks SAML; the Spanish specific proxy service speaks light.
#[tokio::test(flavor = "multi_thread")]
async fn konfido_is_the_generic_proxy_service_for_the_connector_of_another_country() {
    let folder = tempfile::tempdir().unwrap();
    let es = Country::parse("ES").unwrap();
    let pki = Pki::of_the_world(jiff::Timestamp::now());
    let mut other = Other::start(&pki, es).await;
    let [request, response] = [2, 3].map(crate::stamp);
    let toml = format!(
        "{CONNECTOR}[eid.light]\nclient = \"{CLIENT}\"\n[eid.light.proxy]\npart = \"generic\"\n\
         url = \"{}/proxy\"\nrequest = {request}\nresponse = {response}\n",
        other.base
    );
    let mut stage = peer::Stage::beside(&pki, folder.path(), &toml).await;
    other.beside(&stage.node.site);
    let id = Some("https://apotek.example.dk/id");
    stage.of_a_request("_danish-request", SpType::Private, id).await;
    let asked = other.asked("/proxy", Cache::ProxyRequest, ISSUERS[2]).await;
    assert_eq!((asked.citizen.as_str(), asked.asker.unwrap().as_str()), ("ES", "DK"));
    assert_eq!((asked.sector.as_deref(), asked.requester.as_deref()), (Some("private"), id));
    let answer = identified(&asked, "02635542Y").render();
    let to = format!("{}/eid/light/proxy", stage.node.url);
    let cache = Cache::ProxyResponse;
    let page = other.send(&mut stage.browser, &to, cache, ISSUERS[3], &answer).await;
    assert_eq!(page.url, format!("{}/acs", stage.peer.base), "{}", stage.node.log());
    let who = stage.peer.identified("_danish-request", &stage.node);
    assert_eq!(who.person().identifier.text(), "ES/DK/02635542Y");
    assert_eq!(who.assurance(), Assurance::High);
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
