//! The `[eid]` part of a node, assembled.

pub mod command;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use exchange::{Clock, Country, Entropy, Oid};
use gateway::eid::{Application, Eid, End, Light, Party, StatusLists, Throttle, Wallet};
use gateway::witness::Witness;
use identity::Assurance;
use identity::eidas::metadata::Role;
use identity::eidas::response::Levels;
use identity::matching::Table;
use identity::professional::Terms;
use identity::replay::Spent;
use identity::session::{Keeper, Lives};
use identity::wallet::{Issuers, Verifier};
use jiff::SignedDuration;
use transport::client::{Client, ClientLimits};
use transport::tls::{ClientTls, Identity};
use trust::certificate::{Anchors, Certificate};
use trust::encryption::DecryptionKey;
use trust::private::PrivateKey;
use trust::seal::SealKey;

use crate::register::Place;

/// What it is made of: the contents of the files.
pub struct Setup {
    /// What browsers call it.
    pub url: String,
    /// Organisation, page, mail address.
    pub contact: [String; 3],
    /// TLS of the pages; its roots are those that metadata is fetched under.
    pub pages: Identity,
    /// Key and chain that sign.
    pub signing: (PrivateKey, Vec<u8>),
    /// Key and certificate that answers are sealed for.
    pub encryption: (PrivateKey, Vec<u8>),
    /// The highest level of our own people's eID.
    pub certified: Assurance,
    /// Who identifies whom.
    pub providers: Vec<PartySetup>,
    /// Who may ask us.
    pub connectors: Vec<PartySetup>,
    /// Professional register.
    pub register: Option<Place>,
    /// Portals.
    pub applications: Vec<Application>,
    /// The other part of an eIDAS node.
    pub light: Option<LightSetup>,
    /// Wallets.
    pub wallet: Option<WalletSetup>,
    /// How citizens become patients.
    pub matching: Table,
}

/// What logins by wallet need.
pub struct WalletSetup {
    /// Key and chain of our access certificate.
    pub access: (PrivateKey, Vec<u8>),
    /// Roots of each country's PID providers.
    pub issuers: BTreeMap<Country, Anchors>,
}

/// What is shared with the other part of an eIDAS node.
pub struct LightSetup {
    /// Common name of its TLS certificate.
    pub client: String,
    /// How old tokens may be.
    pub life: SignedDuration,
    /// One or two.
    pub ends: Vec<End>,
}

/// One party.
pub struct PartySetup {
    /// Whose.
    pub country: Country,
    /// Its metadata URL.
    pub metadata: String,
    /// Who signs it.
    pub signers: Vec<Certificate>,
    /// How it states levels of assurance.
    pub levels: Levels,
}

/// What a node lends.
pub struct Lent {
    /// Whose node.
    pub country: Country,
    /// Its home community.
    pub community: Oid,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Events and audit records.
    pub witness: Witness,
    /// Logins, codes, sessions.
    pub keeper: Keeper,
    /// Answers that were used.
    pub spent: Arc<Spent>,
}

impl Lent {
    /// What runs goes on with the same sessions.
    pub fn of(eid: &Eid) -> Self {
        Self {
            country: eid.country,
            community: eid.terms.community.clone(),
            clock: Arc::clone(&eid.clock),
            entropy: Arc::clone(&eid.entropy),
            witness: eid.witness.clone(),
            keeper: eid.keeper.clone(),
            spent: Arc::clone(&eid.spent),
        }
    }
}

/// Assembles it.
pub fn assemble(setup: Setup, lent: Lent) -> anyhow::Result<Eid> {
    let (signing, encryption) = (&setup.signing, &setup.encryption);
    let certificates = Certificate::from_pem(&encryption.1)?;
    let tls = ClientTls::anonymous(&setup.pages.roots).context("[eid] roots")?;
    let party = |role: Role| {
        let tls = tls.clone();
        move |party: PartySetup| {
            let (base, path) = split(&party.metadata);
            let limits = ClientLimits { body: MAX_METADATA, idle: 1, ..ClientLimits::default() };
            let client = Client::new(base, None, tls.clone(), limits);
            Party::new(party.country, &party.metadata, role, party.signers, client, path)
                .stating(party.levels)
        }
    };
    let providers = setup.providers.into_iter().map(party(Role::ProxyService));
    let connectors = setup.connectors.into_iter().map(party(Role::Connector));
    let wallet = setup.wallet.map(|wallet| {
        let key = SealKey::new(&wallet.access.0, &wallet.access.1)?;
        let issuers = Issuers::new(wallet.issuers)?;
        let verifier = Verifier::new(Arc::new(key), lent.country, issuers)?;
        anyhow::Ok(Wallet { verifier, tls: tls.clone(), lists: StatusLists::default() })
    });
    let keeper = lent.keeper.clone();
    let light = setup.light.map(|light| Light {
        client: light.client,
        life: light.life,
        ends: light.ends,
        shelf: Arc::new(keeper),
    });
    let register = setup.register.map(Place::open).transpose();
    let register = register.context("[eid] register")?;
    Ok(Eid {
        register,
        light,
        wallet: wallet.transpose().context("[eid.wallet]")?,
        matching: setup.matching,
        terms: Terms::new(lent.community),
        country: lent.country,
        url: setup.url,
        contact: setup.contact,
        signing: Arc::new(SealKey::new(&signing.0, &signing.1).context("[eid.signing]")?),
        decryption: DecryptionKey::new(&encryption.0).context("[eid.encryption]")?,
        encryption: certificates.into_iter().next().context("[eid.encryption] is empty")?,
        providers: providers.map(|party| (party.country, party)).collect(),
        connectors: connectors.collect(),
        certified: setup.certified,
        applications: setup.applications,
        keeper: lent.keeper,
        spent: lent.spent,
        throttle: Throttle::default(),
        lives: Lives::default(),
        clock: lent.clock,
        entropy: lent.entropy,
        witness: lent.witness,
    })
}

/// Origin and path of an https address.
fn split(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at + 3);
    url.split_at(url[host..].find('/').map_or(url.len(), |at| host + at))
}

/// Longest metadata, in bytes.
const MAX_METADATA: usize = 1 << 20;
/// Logins, codes and sessions at once: about 200 MB on disk.
pub const MOST_SESSIONS: u32 = 100_000;
