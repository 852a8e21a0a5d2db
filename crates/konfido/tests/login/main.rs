//! Logins between real processes over real HTTP, with a browser between: beside the other part of an
//! eIDAS node (`light`, `refusals`, `records`), and with peers that a test plays itself (`sector`, `stork`).

mod light;
mod node;
mod other;
mod peer;
mod records;
mod refusals;
mod sector;
mod stork;

use std::path::Path;

use exchange::Country;
use http::{Method, StatusCode};
use identity::eidas::light::Cache;
use testbed::browser::{Browser, Page};
use testbed::idp::{Idp, Requester, Setup};
use testbed::pki::Pki;
use trust::certificate::Certificate;

use node::Node;
use other::Other;

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
        Self::with(dir, part, "").await
    }

    /// With `more` in its configuration.
    async fn with(dir: &Path, part: &str, more: &str) -> Self {
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
        let node = Node::start(site, url, &(toml(part, &idp, &other.base) + more)).await;
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

/// How tokens of a direction are made.
fn stamp(at: usize) -> String {
    format!("{{ issuer = \"{}\", secret_file = \"light.secret\" }}", ISSUERS[at])
}

/// What an operator adds; Spain's own people are identified by its provider, or by the other part.
fn toml(part: &str, idp: &Idp, other: &str) -> String {
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
