//! A national identity provider on loopback: knows the residents of one country and tells the
//! country's own node who somebody is, in the words of the eIDAS profile.
//!
//! Three ways to log in: user name, PIN and one-time code, or a passkey (level substantial), or the
//! citizen card (level high), either by TLS on a listener of its own or by signing a nonce.

mod card;
pub(crate) mod logins;
mod pages;
mod passkey;
mod requester;
mod residents;
mod service;
pub mod totp;

use std::net::SocketAddr;
use std::sync::Arc;

use exchange::{Clock, Country, Entropy, SystemClock, SystemEntropy};
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::attributes;
use identity::eidas::metadata::{Binding, Contact, Metadata, Role};
use jiff::SignedDuration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use transport::server::{Bound, Limits};
use transport::tls::{ClientTls, ServerTls, TlsError};
use trust::certificate::{Anchors, Certificate};

pub use card::card_message;
pub use passkey::{Assertion, Passkey};
pub use requester::{Requester, RequesterError};
pub use residents::{LOCKED, Resident, TRIES};

use crate::pki::{Identity, Pki};
use crate::world::Land;
use logins::Logins;
use requester::Source;
use residents::Residents;
use service::Service;

/// Why an identity provider does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdpError {
    /// A port cannot be had.
    #[error(transparent)]
    Listen(#[from] std::io::Error),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its metadata cannot be signed.
    #[error(transparent)]
    Metadata(#[from] EidasError),
    /// The world has no such country.
    #[error("no such country in the world")]
    Country,
}

/// What an identity provider is started with.
pub struct Setup<'a> {
    /// Whose residents.
    pub country: Country,
    /// The world's certificates.
    pub pki: &'a Pki,
    /// Who may ask: the country's own node.
    pub requester: Requester,
    /// By which bindings its metadata says that it is asked.
    pub bindings: &'a [Binding],
    /// Where it listens; port 0 for a free one.
    pub listen: SocketAddr,
    /// Where those with a card go.
    pub listen_card: SocketAddr,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl<'a> Setup<'a> {
    /// On free loopback ports, with the machine's time and chance.
    pub fn new(country: Country, pki: &'a Pki, requester: Requester) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let bindings = &[Binding::Post, Binding::Redirect];
        Self { country, pki, requester, bindings, listen: free, listen_card: free, clock, entropy }
    }
}

/// A running identity provider.
pub struct Idp {
    service: Arc<Service>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Idp {
    /// Binds both listeners, then serves.
    pub async fn start(setup: Setup<'_>) -> Result<Self, IdpError> {
        let (pki, country) = (setup.pki, setup.country);
        let land = Land::of(country).ok_or(IdpError::Country)?;
        let cards = pki.cards(country);
        let server = pki.server(country, "idp");
        let end = |roots: String| transport::tls::Identity {
            chain: server.chain_pem().into_bytes(),
            key: server.key_pem().as_bytes().to_vec().into(),
            roots: roots.into_bytes(),
        };
        let open = ServerTls::public(&end(pki.ca_pem()))?;
        let with_card = ServerTls::new(&end(cards.certificate().pem()))?;
        let open = Bound::tls(setup.listen, open).await?;
        let with_card = Bound::tls(setup.listen_card, with_card).await?;
        let base = format!("https://localhost:{}", open.address()?.port());
        let card_base = format!("https://localhost:{}", with_card.address()?.port());
        let signer = pki.signer(country, "idp");
        let anonymous = ClientTls::anonymous(pki.ca_pem().as_bytes())?;
        let service = Arc::new(Service {
            land,
            country,
            metadata: metadata(land, &base, &signer, &setup)?,
            base,
            card_base,
            key: Arc::new(signer.seal_key()),
            source: Source::new(setup.requester, country, anonymous),
            cards: Anchors::new(vec![cards.certificate().clone()])
                .expect("because the authority was made by us"),
            residents: Residents::of(country, cards, setup.entropy.as_ref()),
            logins: Logins::default(),
            clock: setup.clock,
            entropy: setup.entropy,
        });
        let stop = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(serve(open, stop.clone(), Arc::clone(&service))),
            tokio::spawn(serve_card(with_card, stop.clone(), Arc::clone(&service))),
        ];
        Ok(Self { service, stop, tasks })
    }

    /// Whose residents.
    pub fn country(&self) -> Country {
        self.service.country
    }

    /// `https://localhost:port`.
    pub fn base_url(&self) -> &str {
        &self.service.base
    }

    /// Where its metadata is; also its name.
    pub fn metadata_url(&self) -> String {
        format!("{}/metadata", self.service.base)
    }

    /// The certificate that its metadata and answers are signed with.
    pub fn signing_certificate(&self) -> &Certificate {
        self.service.key.certificate()
    }

    /// Who can log in.
    pub fn residents(&self) -> &[Resident] {
        self.service.residents.all()
    }

    /// The resident with this user name.
    pub fn resident(&self, login: &str) -> Option<&Resident> {
        self.residents().iter().find(|resident| resident.login == login)
    }

    /// A new card for the resident with this user name, for a key in its chip: the public one, on
    /// P-256, uncompressed (SEC 1 §2.3.3). The card before it opens nothing any more.
    pub fn renew_card(&self, login: &str, point: [u8; 65]) -> Option<Certificate> {
        self.service.residents.renew(login, point)
    }

    /// Lets running requests end and closes both listeners.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

async fn serve(bound: Bound, stop: CancellationToken, service: Arc<Service>) {
    bound
        .serve(Limits::default(), stop, move |_, request| Arc::clone(&service).serve(request))
        .await;
}

async fn serve_card(bound: Bound, stop: CancellationToken, service: Arc<Service>) {
    bound
        .serve(Limits::default(), stop, move |peer, request| {
            std::future::ready(service.serve_card(peer.as_ref(), &request))
        })
        .await;
}

/// The signed metadata of an identity provider: an `IDPSSODescriptor`.
fn metadata(
    land: &Land,
    base: &str,
    signer: &Identity,
    setup: &Setup<'_>,
) -> Result<String, EidasError> {
    let metadata = Metadata {
        entity: format!("{base}/metadata"),
        role: Role::ProxyService,
        valid_until: setup.clock.now() + VALID,
        country: Some(setup.country),
        certified: Some(Assurance::High),
        versions: vec!["1.2".into()],
        sector: None,
        requester_needed: false,
        wants_signed: true,
        signing: vec![signer.certificate().clone()],
        encryption: vec![],
        endpoints: setup.bindings.iter().map(|by| (*by, format!("{base}/sso"))).collect(),
        methods: vec![],
        attributes: attributes::mandatory().map(attributes::Attribute::uri).collect(),
    };
    let organisation = format!("Invented identity provider of {}", land.name);
    let contact =
        Contact { organisation: &organisation, url: base, email: "nobody@konfido.example" };
    metadata.sign(&contact, &Arc::new(signer.seal_key()), setup.entropy.as_ref())
}

/// How long the metadata of a run is believed.
const VALID: SignedDuration = SignedDuration::from_hours(24 * 7);
