//! TLS 1.3 and 1.2 with client certificates on both ends, by rustls over aws-lc-rs: one provider,
//! made here. X25519MLKEM768 comes first; P-256 and P-384 stay for Java peers.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS could not be set up. Usually a file of the operator's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
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
    pub key: Vec<u8>,
    /// Roots for the other end.
    pub roots: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// A server configuration that a SIGHUP may replace for new connections.
#[derive(Clone, Debug)]
pub struct ServerTls(Arc<ArcSwap<ServerConfig>>);

impl ServerTls {
    /// Demands a client certificate that leads to a root.
    pub fn new(identity: &Identity) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(server_config(identity)?))))
    }

    /// Replaces the configuration; on an error the old one stays.
    pub fn reload(&self, identity: &Identity) -> Result<(), TlsError> {
        self.0.store(Arc::new(server_config(identity)?));
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.0.load_full()
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
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn server_config(identity: &Identity) -> Result<ServerConfig, TlsError> {
    let setup = |e: &dyn fmt::Display| TlsError::Setup(e.to_string());
    let roots = Arc::new(roots(&identity.roots)?);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots, provider()).build().map_err(|e| setup(&e))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| setup(&e))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(&identity.chain)?, key(&identity.key)?)
        .map_err(|e| setup(&e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn client_config(identity: &Identity) -> Result<ClientConfig, TlsError> {
    let setup = |e: &dyn fmt::Display| TlsError::Setup(e.to_string());
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| setup(&e))?
        .with_root_certificates(roots(&identity.roots)?)
        .with_client_auth_cert(chain(&identity.chain)?, key(&identity.key)?)
        .map_err(|e| setup(&e))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in chain(pem)? {
        store.add(certificate).map_err(|e| TlsError::Setup(e.to_string()))?;
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

fn key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|e| TlsError::Pem { what: "private key", reason: e.to_string() })
}
