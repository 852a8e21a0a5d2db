//! How the vault greets: TLS as the node's own listeners speak it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, NamedGroup, SignatureAlgorithm,
    SignatureScheme,
};
use trust::seal::{Scheme, asn1};

use super::Greeting;
use crate::VaultError;
use crate::ring::Ring;

/// How connections begin; the same for all of a listener, until its certificate is renewed.
#[derive(Default)]
pub(super) struct Greeter(Mutex<Option<Known>>);

struct Known {
    greeting: [u8; 32],
    config: Arc<ServerConfig>,
    told: Arc<Told>,
}

impl Greeter {
    /// The configuration for this greeting. No sessions are resumed, as everywhere.
    pub(super) fn config(
        &self,
        ring: &Arc<Ring>,
        greeting: &Greeting<'_>,
        now: Timestamp,
    ) -> Result<Arc<ServerConfig>, VaultError> {
        let digest = greeting.digest();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| known.greeting == digest) {
            known.told.tell(now);
            return Ok(Arc::clone(&known.config));
        }
        let told = Arc::new(Told::default());
        told.tell(now);
        let config = server(ring, greeting, &told)?;
        *known = Some(Known { greeting: digest, config: Arc::clone(&config), told });
        Ok(config)
    }
}

fn server(
    ring: &Arc<Ring>,
    greeting: &Greeting<'_>,
    told: &Arc<Told>,
) -> Result<Arc<ServerConfig>, VaultError> {
    let unusable = VaultError::Key("cannot be used so");
    let provider = provider();
    let possession = Possession {
        hints: greeting.hints.iter().map(|name| name.to_vec().into()).collect(),
        provider: Arc::clone(&provider),
    };
    let chain = greeting.chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
    let scheme = ring.scheme(greeting.key).ok_or(unusable)?;
    let key = Key { ring: Arc::clone(ring), number: greeting.key, scheme };
    let own = SingleCertAndKey::from(CertifiedKey::new(chain, Arc::new(key)));
    let mut config =
        ServerConfig::builder_with_details(provider, Arc::clone(told) as Arc<dyn TimeProvider>)
            .with_safe_default_protocol_versions()
            .map_err(|_| unusable)?
            .with_client_cert_verifier(Arc::new(possession))
            .with_cert_resolver(Arc::new(own));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// The key exchanges, the best first: those of the node's other listeners.
pub fn groups() -> Vec<NamedGroup> {
    provider().kx_groups.iter().map(|group| group.name()).collect()
}

fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    let kx_groups = vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

/// The time as the node told it when a connection came last, in seconds.
#[derive(Debug, Default)]
struct Told(AtomicU64);

impl Told {
    fn tell(&self, now: Timestamp) {
        self.0.store(u64::try_from(now.as_second()).unwrap_or(0), Ordering::Relaxed);
    }
}

impl TimeProvider for Told {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.0.load(Ordering::Relaxed);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Wants a client certificate and proof that the client has its key; its path is for the node to verify.
#[derive(Debug)]
struct Possession {
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Possession {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A key of the ring.
struct Key {
    ring: Arc<Ring>,
    number: u16,
    scheme: Scheme,
}

struct Pen {
    ring: Arc<Ring>,
    number: u16,
    tls: SignatureScheme,
    scheme: Scheme,
}

/// What each kind of key signs with, the best first: (of the key, in TLS, as we call it).
const SCHEMES: [(Scheme, SignatureScheme, Scheme); 4] = [
    (Scheme::Es256, SignatureScheme::ECDSA_NISTP256_SHA256, Scheme::Es256),
    (Scheme::Es384, SignatureScheme::ECDSA_NISTP384_SHA384, Scheme::Es384),
    (Scheme::Ps256, SignatureScheme::RSA_PSS_SHA256, Scheme::Ps256),
    // TLS 1.2 of older Java
    (Scheme::Ps256, SignatureScheme::RSA_PKCS1_SHA256, Scheme::Rs256),
];

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl std::fmt::Debug for Pen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pen({:?})", self.tls)
    }
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let fits = |(of, tls, _): &(Scheme, SignatureScheme, Scheme)| {
            *of == self.scheme && offered.contains(tls)
        };
        let (_, tls, scheme) = SCHEMES.into_iter().find(fits)?;
        Some(Box::new(Pen { ring: Arc::clone(&self.ring), number: self.number, tls, scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.scheme {
            Scheme::Es256 | Scheme::Es384 => SignatureAlgorithm::ECDSA,
            Scheme::Ps256 | Scheme::Rs256 => SignatureAlgorithm::RSA,
            Scheme::Ed25519 => SignatureAlgorithm::ED25519,
        }
    }
}

impl Signer for Pen {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let made = self.ring.sign(self.number, self.scheme, message);
        let made = made.and_then(|made| match self.scheme {
            Scheme::Es256 | Scheme::Es384 => asn1(&made),
            Scheme::Ps256 | Scheme::Rs256 | Scheme::Ed25519 => Some(made),
        });
        made.ok_or_else(|| Error::General("the key does not sign".into()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.tls
    }
}
