//! `kill -9` at every moment of a login: who was told that they are signed in still is, a code that
//! was shown to us is spent, and a login under way goes on or ends with a page that says what to do.
//!
//! One node, whose own identity provider, browser and portal outlive it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use ledger::crash::{CRASH_AT, LOGIN_POINTS};
use testbed::browser::{Browser, Page};

use crate::stage::Stage;

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
pub fn expired(page: &Page) -> anyhow::Result<()> {
    ensure!(page.document.title == "Login expired", "{:?}: {}", page.hops, page.document.text);
    ensure!(page.document.text.contains("Begin again"), "{}", page.document.text);
    Ok(())
}

/// The code with which a login came to its end.
pub fn ended(page: &Page) -> anyhow::Result<String> {
    let query = page.url.split_once('?').context("no query")?.1;
    let code = form_urlencoded::parse(query.as_bytes()).find(|pair| pair.0 == "code");
    Ok(code.with_context(|| format!("{:?}: {}", page.hops, page.document.text))?.1.into_owned())
}
