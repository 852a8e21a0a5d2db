//! Where people sign in: the identity provider of each country, and a browser at a counter.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use exchange::Country;
use gateway::eid::Application;
use identity::Assurance;
use identity::eidas::metadata::Binding;
use identity::eidas::request::SpType;
use identity::eidas::response::Levels;
use identity::register::{Entry, Facility, PersonKey, roll};
use jiff::Timestamp;
use jiff::civil::Date;
use testbed::browser::{Browser, Page};
use testbed::idp::{Idp, Requester, Setup};
use testbed::pki::{Identity, Pki, Role};
use testbed::portal::web::{self, WebPortal};
use testbed::wallet::{Bearer, Holder, PidIssuer};
use testbed::world::{self, CLINICIANS, Land};
use trust::certificate::{Anchors, Certificate, CertificateError};

use crate::eid;
use crate::register::Place;

/// What a country signs people in with.
pub struct Front {
    /// Whose.
    pub country: Country,
    /// Address of its node's pages.
    pub url: String,
    /// Signs its messages and metadata.
    signing: Identity,
    encryption: Identity,
    /// Its identity provider.
    pub idp: Idp,
    /// Issues the wallets of its people.
    pub pids: PidIssuer,
    /// Its access certificate as a relying party of wallets.
    access: Identity,
    /// The pages of its hospitals' portal.
    pub portal: WebPortal,
    /// The subject of the certificate with which that portal redeems codes.
    client: String,
}

impl Front {
    /// Starts identity provider and portal of a country whose node's pages are at `url`, and whose
    /// national listener is at `national`.
    pub async fn start(
        country: Country,
        url: String,
        national: SocketAddr,
        pki: &Pki,
    ) -> anyhow::Result<Self> {
        let signing = pki.signer(country, "eid");
        let encryption = pki.signer(country, "eid-encryption");
        let signers = vec![signing.certificate().clone()];
        let requester =
            Requester::Fetched { url: format!("{url}/eid/connector/metadata"), signers };
        let mut idp = Setup::new(country, pki, requester);
        if country.as_str() == "IT" {
            idp.bindings = &[Binding::Redirect];
        }
        let idp = Idp::start(idp).await?;
        let national = format!("https://{national}");
        let portal = WebPortal::start(web::Setup::new(country, pki, &url, &national)).await?;
        let pids = PidIssuer::new(country.as_str(), Timestamp::now());
        let access = pki.signer(country, "wallet");
        let client = pki.identity(country, Role::OpenncpClient).certificate().subject();
        Ok(Self { country, url, signing, encryption, idp, pids, access, portal, client })
    }

    /// Stops both.
    pub async fn stop(self) {
        self.portal.stop().await;
        self.idp.stop().await;
    }

    /// The wallet of somebody who lives or works there, new each time.
    pub fn holder(&self, given: &str) -> Option<Holder> {
        let resident = self.idp.resident(&world::login(given))?;
        let bearer = Bearer {
            country: self.country.as_str().to_owned(),
            family: resident.family.to_owned(),
            given: resident.given.to_owned(),
            birth: resident.birth.to_string(),
            place: Land::of(self.country)?.name.to_owned(),
            number: Some(resident.number.to_owned()),
        };
        Some(Holder::new(&self.pids, &bearer))
    }

    /// TLS of a node's pages.
    pub fn pages(country: Country, pki: &Pki) -> transport::tls::Identity {
        let server = pki.server(country, "eid");
        transport::tls::Identity {
            chain: server.chain_pem().into_bytes(),
            key: server.key_pem().as_bytes().to_vec().into(),
            roots: pki.ca_pem().into_bytes(),
        }
    }

    fn entity(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn signer(&self) -> Vec<Certificate> {
        vec![self.signing.certificate().clone()]
    }
}

/// The `[eid]` part of each country: its own identity provider, the proxy services of the others,
/// and their connectors.
pub fn setup(
    of: Country,
    fronts: &[Front],
    pages: transport::tls::Identity,
    data: &Path,
) -> anyhow::Result<eid::Setup> {
    let own = fronts.iter().find(|front| front.country == of).context("no front")?;
    let levels = Levels::Eidas;
    let party = |country, metadata, signers| eid::PartySetup { country, metadata, signers, levels };
    let others = || fronts.iter().filter(|front| front.country != of);
    let idp = vec![own.idp.signing_certificate().clone()];
    let mut providers = vec![party(of, own.idp.metadata_url(), idp)];
    providers
        .extend(others().map(|f| party(f.country, f.entity("/eid/proxy/metadata"), f.signer())));
    let connectors = others()
        .map(|f| party(f.country, f.entity("/eid/connector/metadata"), f.signer()))
        .collect();
    let pem = |identity: &Identity| {
        (identity.key_pem().as_bytes().to_vec().into(), identity.chain_pem().into_bytes())
    };
    let operator = Land::of(of).map_or("", |land| land.operator);
    std::fs::create_dir_all(data)?;
    let register = data.join("register.csv");
    std::fs::write(&register, roll::render(&entries(of)))?;
    Ok(eid::Setup {
        url: own.url.clone(),
        contact: [operator, &own.url, "nobody@konfido.example"].map(str::to_owned),
        pages,
        signing: pem(&own.signing),
        encryption: pem(&own.encryption),
        certified: Assurance::High,
        register: Some(Place::File(register)),
        light: None,
        wallet: Some(eid::WalletSetup {
            access: pem(&own.access),
            issuers: fronts
                .iter()
                .map(|f| Ok((f.country, Anchors::from_pem(f.pids.authority_pem().as_bytes())?)))
                .collect::<Result<_, CertificateError>>()?,
        }),
        matching: testbed::masks::table(),
        providers,
        connectors,
        applications: vec![Application {
            name: "portal".to_owned(),
            returns: own.portal.return_url(),
            client: own.client.clone(),
            sector: SpType::Public,
            requester: None,
        }],
    })
}

/// The professional register of a country.
pub fn entries(country: Country) -> Vec<Entry> {
    let of = CLINICIANS.iter().filter(|clinician| clinician.country == country.as_str());
    of.map(|clinician| Entry {
        person: PersonKey { country, value: clinician.identity.to_owned() },
        number: clinician.number.to_owned(),
        family: clinician.family.to_owned(),
        given: clinician.given.to_owned(),
        birth: Date::strptime("%Y%m%d", clinician.birth).ok(),
        role: clinician.role(),
        organization: clinician.organization.to_owned(),
        organization_id: clinician.land().community().urn(),
        locality: clinician.locality.to_owned(),
        facility: Facility::of_name(clinician.facility).unwrap_or(Facility::Other),
        from: None,
        until: None,
        suspended: false,
    })
    .collect()
}

/// How somebody proves who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// The citizen card, by TLS.
    Card,
    /// User name, PIN and one-time code.
    Code,
    /// The wallet on the person's phone.
    Wallet,
}

/// Logs a person in at the page of their identity provider, where `page` is.
pub async fn prove(
    browser: &mut Browser,
    page: &Page,
    idp: &Idp,
    given: &str,
    means: Means,
    roots: &str,
) -> anyhow::Result<Page> {
    let login = world::login(given);
    let resident = idp.resident(&login).context("nobody of that name lives there")?;
    match means {
        Means::Card => {
            ensure!(page.form("card").is_some(), "the login page has no way for cards");
            browser.insert(resident.card(), roots)?;
            Ok(browser.submit(page, "card", &[]).await?)
        }
        Means::Code => {
            if page.form("code").is_none() {
                bail!("the login page has no way for codes: {}", page.document.text);
            }
            let code = resident.authenticator().code(Timestamp::now());
            let values = [("user", login.as_str()), ("pin", resident.pin()), ("code", &code)];
            Ok(browser.submit(page, "code", &values).await?)
        }
        Means::Wallet => bail!("an identity provider takes no wallet"),
    }
}
