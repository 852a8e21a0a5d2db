//! What is around a node that people sign in to.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use identity::register::{Entry, Facility, PersonKey, roll};
use jiff::Timestamp;
use serde_json::Value;
use testbed::browser::{Browser, Page};
use testbed::idp::{Idp, Requester, Setup};
use testbed::pki::{Pki, Role};
use testbed::site::{Site, free};
use testbed::wallet::{self, Asked, Holder, PidIssuer};
use testbed::world::{Land, MONTSERRAT};
use transport::client::{Client, ClientLimits};
use transport::tls::ClientTls;

use crate::PATIENCE;
use crate::logins::{ended, expired};
use crate::node::{Node, pause};

/// Spain with logins, and what is around its node.
pub struct Stage {
    site: Site,
    pub pki: Pki,
    idp: Idp,
    pages: SocketAddr,
    portal: Client,
    pids: PidIssuer,
}

impl Stage {
    pub async fn set(folder: &Path) -> anyhow::Result<Self> {
        let land: &'static Land =
            testbed::world::LANDS.iter().find(|land| land.code == "ES").context("Spain")?;
        let pki = Pki::of_the_world(Timestamp::now());
        let (site, pages) = (Site::new(land, folder)?, free()?);
        site.write(&pki, &[])?;
        let country = land.country();
        let signing = pki.signer(country, "eid");
        let requester = Requester::Fetched {
            url: format!("https://localhost:{}/eid/connector/metadata", pages.port()),
            signers: vec![signing.certificate().clone()],
        };
        let idp = Idp::start(Setup::new(country, &pki, requester)).await?;
        let tls = ClientTls::new(&pki.tls(country, Role::OpenncpClient))?;
        let url = format!("https://{}", site.national);
        let portal = Client::new(&url, Some(country), tls, ClientLimits::default());
        let pids = PidIssuer::new("ES", Timestamp::now());
        let stage = Self { site, pki, idp, pages, portal, pids };
        stage.write(&signing)?;
        Ok(stage)
    }

    /// `[eid]`, and the files that it names.
    fn write(&self, signing: &testbed::pki::Identity) -> anyhow::Result<()> {
        let (dir, country) = (&self.site.dir, self.site.land.country());
        let mut toml = fs::read_to_string(self.site.config())?;
        toml += &format!(
            "\n[eid]\nlisten = \"{}\"\nurl = \"{}\"\norganisation = \"Test\"\n\
             page = \"https://example.es\"\nemail = \"eid@example.es\"\nroots = \"pki/ca.pem\"\n\
             register = \"register.csv\"\n",
            self.pages,
            self.url()
        );
        for (what, identity) in [
            ("pages", &self.pki.server(country, "eid")),
            ("signing", signing),
            ("encryption", &self.pki.signer(country, "eid-encryption")),
            ("wallet", &self.pki.signer(country, "wallet")),
        ] {
            fs::write(dir.join(format!("{what}.pem")), identity.chain_pem())?;
            fs::write(dir.join(format!("{what}.key")), identity.key_pem())?;
            let pair = format!("certificate = \"{what}.pem\", key = \"{what}.key\"");
            toml += &match what {
                "wallet" => format!(
                    "wallet = {{ {pair}, issuer = [{{ country = \"ES\", roots = \"pids.pem\" }}] }}\n"
                ),
                _ => format!("{what} = {{ {pair} }}\n"),
            };
        }
        fs::write(dir.join("pids.pem"), self.pids.authority_pem())?;
        fs::write(dir.join("idp.pem"), self.idp.signing_certificate().pem())?;
        fs::write(dir.join("register.csv"), roll::render(&[doctor()]))?;
        toml += &format!(
            "[[eid.provider]]\ncountry = \"ES\"\nmetadata = \"{}\"\nsigners = \"idp.pem\"\n\
             [[eid.application]]\nname = \"portal\"\nreturn = \"{}\"\n\
             client = \"openncp-client.es.konfido.example\"\n",
            self.idp.metadata_url(),
            self.returns()
        );
        fs::write(self.site.config(), toml)?;
        Ok(())
    }

    pub async fn start(&self, armed: Option<(&str, &str)>) -> anyhow::Result<Node> {
        let node = Node::start(&self.site, armed).await?;
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(self.pages).is_err() {
            ensure!(Instant::now() < until, "no pages");
            pause().await;
        }
        Ok(node)
    }

    /// Restarts what died.
    pub async fn again(&self, node: &mut Node) -> anyhow::Result<()> {
        node.died().await?;
        *node = self.start(None).await?;
        Ok(())
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.pages.port())
    }

    /// Nothing is there; the browser stops at the address.
    fn returns(&self) -> String {
        format!("{}/return", self.idp.base_url())
    }

    pub fn begin(&self, via: &str) -> String {
        let pairs = [
            ("for", "professional"),
            ("country", "ES"),
            ("via", via),
            ("return", &self.returns()),
            ("state", "kill"),
        ];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("{}/eid/login?{query}", self.url())
    }

    pub fn browser(&self) -> anyhow::Result<Browser> {
        Ok(Browser::new(&self.pki.ca_pem())?)
    }

    pub fn card(&self) -> anyhow::Result<&testbed::pki::Identity> {
        Ok(self.idp.resident("montserrat").context("nobody lives there")?.card())
    }

    /// As far as the page that posts the provider's answer to the node.
    pub async fn identified(&self, browser: &mut Browser) -> anyhow::Result<Page> {
        let page = browser.open(&self.begin("eid")).await?;
        browser.without_scripts();
        browser.insert(self.card()?, &self.pki.ca_pem())?;
        let page = browser.submit(&page, "card", &[]).await?;
        ensure!(!page.document.forms.is_empty(), "{:?}: {}", page.hops, page.document.text);
        Ok(page)
    }

    /// The doctor's wallet looks at the page: where it answers, and what.
    pub async fn shown(&self, page: &Page) -> anyhow::Result<(String, Vec<(String, String)>)> {
        let link = page.html.split("href=\"").nth(1).and_then(|rest| rest.split('"').next());
        let link = link.context("no link")?.replace("&amp;", "&");
        let (client_id, request) = Asked::link(&link).context("the link asks for nothing")?;
        let jar = self.browser()?.post(&request, &[("wallet_nonce", "n")]).await?;
        let now = Timestamp::now();
        let asked = Asked::read(&client_id, &jar.html, &self.pki.anchors(), Some("n"), now);
        let asked = asked.context("the wallet does not believe who asks")?;
        let holder = Holder::new(&self.pids, &wallet::professional(&MONTSERRAT, MONTSERRAT.birth));
        let to = asked.request["response_uri"].as_str().context("nowhere to answer")?.to_owned();
        let body = holder.answer_sd_jwt(&asked, now);
        Ok((to, form_urlencoded::parse(&body).into_owned().collect()))
    }

    /// The page at which the person waits ends, and the portal learns why.
    pub async fn told_in_time(&self, browser: &mut Browser, page: &Page) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = browser.open(&page.url).await?;
            if found.url.starts_with(&self.returns()) {
                let told = found.url.contains("error=temporarily_unavailable");
                ensure!(told && found.url.contains("state=kill"), "the portal is not told why");
                return expired(&browser.open(&page.url).await?);
            }
            ensure!(Instant::now() < until, "the person waits: {}", found.document.text);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Signs the doctor in: the code, and the page with its form that posted the answer.
    pub async fn sign_in(&self, browser: &mut Browser) -> anyhow::Result<(String, (Page, String))> {
        let page = self.identified(browser).await?;
        let form = page.document.forms[0].action.clone();
        let done = browser.submit(&page, &form, &[]).await?;
        Ok((ended(&done)?, (page, form)))
    }

    /// A session, or the code of the problem.
    pub async fn redeem(&self, code: &str) -> anyhow::Result<Result<String, String>> {
        let told = self.post("/eid/session", &[("code", code)]).await?;
        told.map(|text| {
            let said: Value = serde_json::from_str(&text)?;
            Ok(said["session"].as_str().context("no session")?.to_owned())
        })
        .map_or_else(|why| Ok(Err(why)), |session: anyhow::Result<String>| session.map(Ok))
    }

    /// The session still knows who is signed in, and gives an assertion.
    pub async fn works(&self, session: &str) -> anyhow::Result<()> {
        let form = [("session", session), ("purpose", "TREATMENT")];
        let who = self.post("/eid/session", &form[..1]).await?;
        let who = who.map_err(|why| anyhow::anyhow!("the session is refused: {why}"))?;
        ensure!(who.contains(MONTSERRAT.given), "somebody else is signed in");
        let hcp = self.post("/eid/hcp", &form).await?;
        let hcp = hcp.map_err(|why| anyhow::anyhow!("the assertion is refused: {why}"))?;
        ensure!(hcp.contains(MONTSERRAT.number), "an assertion of somebody else");
        Ok(())
    }

    /// The answer, or the code of the problem; an error when there is no answer.
    pub async fn post(
        &self,
        path: &str,
        pairs: &[(&str, &str)],
    ) -> anyhow::Result<Result<String, String>> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let kind = "application/x-www-form-urlencoded";
        let answer = self.portal.post(path, kind, form.into()).await?;
        let text = String::from_utf8(answer.body.to_vec())?;
        if answer.status.is_success() {
            return Ok(Ok(text));
        }
        let problem: Value = serde_json::from_str(&text)?;
        Ok(Err(problem["code"].as_str().context("no code")?.to_owned()))
    }
}

/// The register's only line.
fn doctor() -> Entry {
    let who = &MONTSERRAT;
    Entry {
        person: PersonKey { country: who.land().country(), value: who.identity.to_owned() },
        number: who.number.to_owned(),
        family: who.family.to_owned(),
        given: who.given.to_owned(),
        birth: None,
        role: who.role(),
        organization: who.organization.to_owned(),
        organization_id: who.land().community().urn(),
        locality: who.locality.to_owned(),
        facility: Facility::of_name(who.facility).unwrap_or(Facility::Other),
        from: None,
        until: None,
        suspended: false,
    }
}
