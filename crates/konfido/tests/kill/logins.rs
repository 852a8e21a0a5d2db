//! `kill -9` at every moment of a login: who was told that they are signed in still is, a code that
//! was shown to us is spent, and a login under way goes on or ends with a page that says what to do.
//!
//! One node, whose own identity provider, browser and portal outlive it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use identity::register::{Entry, Facility, PersonKey, roll};
use jiff::Timestamp;
use ledger::crash::{CRASH_AT, LOGIN_POINTS};
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
use crate::node::{Node, pause};

/// Moments that are not the node's: it dies between two of its answers.
const BETWEEN: [&str; 3] =
    ["person at the provider", "code at the browser", "session at the portal"];

/// The moment of a login by wallet; the others are the same for both.
const WALLET: &str = "login/shown";

#[test]
fn a_kill_at_any_moment_of_a_login_leaves_it_whole_or_says_so() {
    let failed: Vec<String> = std::thread::scope(|scope| {
        let moments = LOGIN_POINTS.iter().chain(&BETWEEN);
        let played: Vec<_> = moments.map(|moment| (moment, scope.spawn(|| play(moment)))).collect();
        let ended = played.into_iter().map(|(moment, played)| (moment, played.join()));
        ended
            .filter_map(|(moment, ended)| match ended {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("{moment}: {error:#}")),
                Err(_) => Some(format!("{moment}: panicked")),
            })
            .collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn play(moment: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let played = runtime.block_on(kill(moment, folder.path()));
    played.inspect_err(|_| {
        let log = fs::read_to_string(folder.path().join("node.log")).unwrap_or_default();
        eprintln!("--- {moment}\n{log}");
    })
}

async fn kill(moment: &str, folder: &Path) -> anyhow::Result<()> {
    let stage = Stage::set(folder).await?;
    // the first passage is that of a login before, which nothing may happen to and is by eID
    let armed = if moment == WALLET { moment.to_owned() } else { format!("{moment}:2") };
    let arm = LOGIN_POINTS.contains(&moment).then_some((CRASH_AT, armed.as_str()));
    let mut node = stage.start(arm).await?;
    let (code, _) = stage.sign_in(&mut stage.browser()?).await?;
    let before = stage.redeem(&code).await?.map_err(|why| anyhow::anyhow!("before: {why}"))?;
    stage.works(&before).await.context("before the kill")?;

    let mut browser = stage.browser()?;
    match moment {
        "login/asked" => {
            ensure!(browser.open(&stage.begin("eid")).await.is_err(), "the node passed the moment");
            stage.again(&mut node).await?;
        }
        "login/answered" | "login/coded" => {
            let page = stage.identified(&mut browser).await?;
            let form = page.document.forms.first().context("no answer to post")?.action.clone();
            ensure!(browser.submit(&page, &form, &[]).await.is_err(), "the node passed the moment");
            stage.again(&mut node).await?;
            // as a person who reloads
            expired(&browser.submit(&page, &form, &[]).await?)?;
        }
        WALLET => {
            let page = browser.open(&stage.begin("wallet")).await?;
            let (to, answer) = stage.shown(&page).await?;
            let post = async |phone: &mut Browser| {
                let pairs: Vec<_> = answer.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                phone.post(&to, &pairs).await
            };
            let mut phone = stage.browser()?;
            ensure!(post(&mut phone).await.is_err(), "the node passed the moment");
            stage.again(&mut node).await?;
            let again = post(&mut phone).await?;
            ensure!(again.status == 400, "an answer that was shown is taken again");
            stage.told_in_time(&mut browser, &page).await?;
        }
        "login/taken" | "login/redeemed" => {
            let (code, _) = stage.sign_in(&mut browser).await?;
            ensure!(stage.redeem(&code).await.is_err(), "the node passed the moment");
            stage.again(&mut node).await?;
            spent(&stage, &code).await?;
        }
        "person at the provider" => {
            let page = browser.open(&stage.begin("eid")).await?;
            node.kill()?;
            stage.again(&mut node).await?;
            browser.insert(stage.card()?, &stage.pki.ca_pem())?;
            let code = ended(&browser.submit(&page, "card", &[]).await?)?;
            goes_on(&stage, &code).await?;
        }
        "code at the browser" => {
            let (code, answer) = stage.sign_in(&mut browser).await?;
            node.kill()?;
            stage.again(&mut node).await?;
            let (page, form) = answer;
            expired(&browser.submit(&page, &form, &[]).await?).context("an answer twice")?;
            goes_on(&stage, &code).await?;
        }
        "session at the portal" => {
            let (code, _) = stage.sign_in(&mut browser).await?;
            let session = stage.redeem(&code).await?.ok().context("not redeemed")?;
            node.kill()?;
            stage.again(&mut node).await?;
            stage.works(&session).await?;
            spent(&stage, &code).await?;
        }
        other => bail!("no test kills at {other}"),
    }
    stage.works(&before).await.context("who was signed in before")?;
    let (code, _) = stage.sign_in(&mut stage.browser()?).await.context("a login after")?;
    goes_on(&stage, &code).await?;
    let ended = [("session", before.as_str())];
    stage.post("/eid/logout", &ended).await?.ok().context("logout")?;
    node.kill()?;
    stage.again(&mut node).await?;
    let told = stage.post("/eid/session", &ended).await?;
    ensure!(told == Err("session.unknown".to_owned()), "an ended session is back: {told:?}");
    node.stop().await
}

/// The code gives one session, which works.
async fn goes_on(stage: &Stage, code: &str) -> anyhow::Result<()> {
    let session = stage.redeem(code).await?.ok().context("the code was lost")?;
    stage.works(&session).await?;
    spent(stage, code).await
}

/// The code gives no session any more, and the portal is told so.
async fn spent(stage: &Stage, code: &str) -> anyhow::Result<()> {
    let again = stage.redeem(code).await?;
    ensure!(again == Err("code".to_owned()), "a code that was taken gave {:?}", again.err());
    Ok(())
}

/// A page that says what to do.
fn expired(page: &Page) -> anyhow::Result<()> {
    ensure!(page.document.title == "Login expired", "{:?}: {}", page.hops, page.document.text);
    ensure!(page.document.text.contains("Begin again"), "{}", page.document.text);
    Ok(())
}

/// The code with which a login came to its end.
fn ended(page: &Page) -> anyhow::Result<String> {
    let query = page.url.split_once('?').context("no query")?.1;
    let code = form_urlencoded::parse(query.as_bytes()).find(|pair| pair.0 == "code");
    Ok(code.with_context(|| format!("{:?}: {}", page.hops, page.document.text))?.1.into_owned())
}

/// Spain with logins, and what is around its node.
struct Stage {
    site: Site,
    pki: Pki,
    idp: Idp,
    pages: SocketAddr,
    portal: Client,
    pids: PidIssuer,
}

impl Stage {
    async fn set(folder: &Path) -> anyhow::Result<Self> {
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

    async fn start(&self, armed: Option<(&str, &str)>) -> anyhow::Result<Node> {
        let node = Node::start(&self.site, armed).await?;
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(self.pages).is_err() {
            ensure!(Instant::now() < until, "no pages");
            pause().await;
        }
        Ok(node)
    }

    /// Restarts what died.
    async fn again(&self, node: &mut Node) -> anyhow::Result<()> {
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

    fn begin(&self, via: &str) -> String {
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

    fn browser(&self) -> anyhow::Result<Browser> {
        Ok(Browser::new(&self.pki.ca_pem())?)
    }

    fn card(&self) -> anyhow::Result<&testbed::pki::Identity> {
        Ok(self.idp.resident("montserrat").context("nobody lives there")?.card())
    }

    /// As far as the page that posts the provider's answer to the node.
    async fn identified(&self, browser: &mut Browser) -> anyhow::Result<Page> {
        let page = browser.open(&self.begin("eid")).await?;
        browser.without_scripts();
        browser.insert(self.card()?, &self.pki.ca_pem())?;
        let page = browser.submit(&page, "card", &[]).await?;
        ensure!(!page.document.forms.is_empty(), "{:?}: {}", page.hops, page.document.text);
        Ok(page)
    }

    /// The doctor's wallet looks at the page: where it answers, and what.
    async fn shown(&self, page: &Page) -> anyhow::Result<(String, Vec<(String, String)>)> {
        let link = page.html.split("href=\"").nth(1).and_then(|rest| rest.split('"').next());
        let link = link.context("no link")?.replace("&amp;", "&");
        let (client_id, request) = Asked::link(&link).context("the link asks for nothing")?;
        let jar = self.browser()?.post(&request, &[("wallet_nonce", "n")]).await?;
        let now = Timestamp::now();
        let asked = Asked::read(&client_id, &jar.html, &self.pki.anchors(), Some("n"), now);
        let asked = asked.context("the wallet does not believe who asks")?;
        let holder = Holder::new(&self.pids, &wallet::professional(&MONTSERRAT, "1979-06-12"));
        let to = asked.request["response_uri"].as_str().context("nowhere to answer")?.to_owned();
        let body = holder.answer_sd_jwt(&asked, now);
        Ok((to, form_urlencoded::parse(&body).into_owned().collect()))
    }

    /// The page at which the person waits ends, and the portal learns why.
    async fn told_in_time(&self, browser: &mut Browser, page: &Page) -> anyhow::Result<()> {
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
    async fn sign_in(&self, browser: &mut Browser) -> anyhow::Result<(String, (Page, String))> {
        let page = self.identified(browser).await?;
        let form = page.document.forms[0].action.clone();
        let done = browser.submit(&page, &form, &[]).await?;
        Ok((ended(&done)?, (page, form)))
    }

    /// A session, or the code of the problem.
    async fn redeem(&self, code: &str) -> anyhow::Result<Result<String, String>> {
        let told = self.post("/eid/session", &[("code", code)]).await?;
        told.map(|text| {
            let said: Value = serde_json::from_str(&text)?;
            Ok(said["session"].as_str().context("no session")?.to_owned())
        })
        .map_or_else(|why| Ok(Err(why)), |session: anyhow::Result<String>| session.map(Ok))
    }

    /// The session still knows who is signed in, and gives an assertion.
    async fn works(&self, session: &str) -> anyhow::Result<()> {
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
    async fn post(
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
