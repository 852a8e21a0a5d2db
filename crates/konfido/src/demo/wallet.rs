//! A wallet on somebody's phone: gets what the node asks, shows the PID, and says where the browser
//! goes on.

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use serde_json::Value;
use testbed::browser::{Browser, Page};
use testbed::pki::Pki;
use testbed::wallet::{Asked, Holder};

/// In which form the PID is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// SD-JWT VC.
    SdJwt,
    /// ISO mdoc.
    #[cfg_attr(not(test), expect(dead_code, reason = "the demo shows one form, the tests both"))]
    Mdoc,
}

/// Opens the link of a wallet page; where the browser on this device goes on.
pub async fn show(
    pki: &Pki,
    page: &Page,
    holder: &Holder,
    format: Format,
) -> anyhow::Result<Option<String>> {
    let link = page.html.split("href=\"openid4vp:").nth(1).and_then(|rest| rest.split('"').next());
    let link = link.with_context(|| format!("no link to a wallet: {}", page.document.text))?;
    answer(pki, &format!("openid4vp:{}", link.replace("&amp;", "&")), holder, format).await
}

/// Answers what a link asks.
pub async fn answer(
    pki: &Pki,
    link: &str,
    holder: &Holder,
    format: Format,
) -> anyhow::Result<Option<String>> {
    let mut phone = Browser::new(&pki.ca_pem())?;
    let (client_id, request_uri) = Asked::link(link).context("the link asks for nothing")?;
    let nonce = "a-nonce-of-the-wallet";
    let jar = phone.post(&request_uri, &[("wallet_nonce", nonce)]).await?;
    ensure!(jar.status.is_success(), "the request is not there: {}", jar.status);
    let now = Timestamp::now();
    let asked = Asked::read(&client_id, &jar.html, &pki.anchors(), Some(nonce), now);
    let asked = asked.context("the wallet does not believe who asks")?;
    let body = match format {
        Format::SdJwt => holder.answer_sd_jwt(&asked, now),
        Format::Mdoc => holder.answer_mdoc(&asked),
    };
    let pairs: Vec<_> = form_urlencoded::parse(&body).collect();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    let to = asked.request["response_uri"].as_str().context("nowhere to answer")?;
    let answer = phone.post(to, &pairs).await?;
    let said: Value = serde_json::from_str(&answer.html).unwrap_or_default();
    ensure!(answer.status.is_success(), "{}", said["code"].as_str().unwrap_or("refused"));
    Ok(said["redirect_uri"].as_str().map(str::to_owned))
}
