//! TLS 1.3 and 1.2 with client certificates on both ends, by rustls over aws-lc-rs: one provider,
//! made here. X25519MLKEM768 comes first; P-256 and P-384 stay for Java peers.
//!
//! No session is resumed: every connection proves its certificates against the roots and
//! revocation lists of its own moment. Pools keep connections open, so that costs little.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::{Resumption, WantsClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ConfigBuilder, NamedGroup, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;
use trust::private::PrivateKey;
use trust::seal::SealKey;

use crate::held::HeldKey;

/// Why TLS could not be set up. Usually a file of the operator's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {file}: {source}")]
    File {
        /// Which file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A PEM text holds no certificate or key.
    #[error("{what} is not pem: {reason}")]
    Pem {
        /// Which text.
        what: &'static str,
        /// What was wrong.
        reason: String,
    },
    /// rustls refuses the combination.
    #[error("tls setup: {0}")]
    Setup(String),
}

/// What one end of a connection needs, as PEM texts.
#[derive(Clone)]
pub struct Identity {
    /// Certificate chain, leaf first.
    pub chain: Vec<u8>,
    /// Private key.
    pub key: PrivateKey,
    /// Roots for the other end; revocation lists (`X509 CRL`) may stand in the same text.
    pub roots: Vec<u8>,
}

impl Identity {
    /// Reads the three PEM files.
    pub fn read(chain: &Path, key: &Path, roots: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            std::fs::read(path)
                .map_err(|source| TlsError::File { file: path.display().to_string(), source })
        };
        Ok(Self { chain: read(chain)?, key: read(key)?.into(), roots: read(roots)? })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// A server configuration that a SIGHUP may replace for new connections.
#[derive(Clone, Debug)]
pub struct ServerTls(Arc<ArcSwap<Generation>>);

/// One configuration, and the signal that it was replaced.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) retired: CancellationToken,
    /// Demands a client certificate.
    pub(crate) mutual: bool,
    /// Who looks at it.
    pub(crate) verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl ServerTls {
    /// Demands a client certificate that leads to a root.
    pub fn new(identity: &Identity) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(Generation::start(identity, true)?))))
    }

    /// For browsers: asks for no client certificate, so that requests come without a [`crate::Peer`].
    pub fn public(identity: &Identity) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(Generation::start(identity, false)?))))
    }

    /// Replaces the configuration; on an error the old one stays. Open HTTP connections end after
    /// the request that they carry, so that a peer whose root went does not stay.
    pub fn reload(&self, identity: &Identity) -> Result<(), TlsError> {
        let next = Generation::start(identity, self.current().mutual)?;
        let replaced = self.0.swap(Arc::new(next));
        replaced.retired.cancel();
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<Generation> {
        self.0.load_full()
    }
}

impl Generation {
    fn start(identity: &Identity, mutual: bool) -> Result<Self, TlsError> {
        let verifier = if mutual { Some(verifier(identity)?) } else { None };
        let config = Arc::new(server_config(identity, verifier.clone())?);
        Ok(Self { config, retired: CancellationToken::new(), mutual, verifier })
    }
}

/// A client configuration that a SIGHUP may replace for new connections.
#[derive(Clone, Debug)]
pub struct ClientTls(Arc<ArcSwap<ClientConfig>>);

impl ClientTls {
    /// Presents the identity and verifies the server's name and path.
    pub fn new(identity: &Identity) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(client_config(identity)?))))
    }

    /// Presents no certificate, as browsers do: for what anybody may fetch.
    pub fn anonymous(roots: &[u8]) -> Result<Self, TlsError> {
        let mut config = server_verifying(roots)?.with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self(Arc::new(ArcSwap::from_pointee(config))))
    }

    /// Replaces the configuration; on an error the old one stays.
    pub fn reload(&self, identity: &Identity) -> Result<(), TlsError> {
        self.0.store(Arc::new(client_config(identity)?));
        Ok(())
    }

    /// The configuration that new connections use.
    pub fn current(&self) -> Arc<ClientConfig> {
        self.0.load_full()
    }
}

fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    let kx_groups = vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

/// The key exchanges, the best first.
pub fn groups() -> Vec<NamedGroup> {
    provider().kx_groups.iter().map(|group| group.name()).collect()
}

/// Who looks at the certificates of clients.
fn verifier(identity: &Identity) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = Arc::new(roots(&identity.roots)?);
    WebPkiClientVerifier::builder_with_provider(roots, provider())
        .with_crls(crls(&identity.roots)?)
        .allow_unknown_revocation_status()
        .build()
        .map_err(setup)
}

fn server_config(
    identity: &Identity,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(setup)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(own(identity)?)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client_config(identity: &Identity) -> Result<ClientConfig, TlsError> {
    let own = Arc::new(SingleCertAndKey::from(own(identity)?));
    let mut config = server_verifying(&identity.roots)?.with_client_cert_resolver(own);
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn server_verifying(pem: &[u8]) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(pem)?), provider())
        .with_crls(crls(pem)?)
        .allow_unknown_revocation_status()
        .build()
        .map_err(setup)?;
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(setup)?
        .with_webpki_verifier(verifier))
}

fn setup(error: impl fmt::Display) -> TlsError {
    TlsError::Setup(error.to_string())
}

fn crls(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    found.map_err(|e| TlsError::Pem { what: "revocation list", reason: e.to_string() })
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in chain(pem)? {
        store.add(certificate).map_err(setup)?;
    }
    Ok(store)
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(TlsError::Pem { what: "certificate", reason: "nothing found".into() }),
        Err(e) => Err(TlsError::Pem { what: "certificate", reason: e.to_string() }),
    }
}

/// Our certificate with its key, which must fit.
fn own(identity: &Identity) -> Result<CertifiedKey, TlsError> {
    let chain = chain(&identity.chain)?;
    match &identity.key {
        PrivateKey::Pem(pem) => {
            let key = PrivateKeyDer::from_pem_slice(pem)
                .map_err(|e| TlsError::Pem { what: "private key", reason: e.to_string() })?;
            CertifiedKey::from_der(chain, key, &provider()).map_err(setup)
        }
        PrivateKey::Held(_) => {
            let seal = SealKey::new(&identity.key, &identity.chain).map_err(setup)?;
            Ok(CertifiedKey::new(chain, Arc::new(HeldKey::new(seal))))
        }
    }
}
