//! Certificates of the world, made anew each time and never committed.
//!
//! One invented "EHDSI test CA" and, for each country, the three certificates of a contact point
//! (openncp-protocol §1.1) plus those of the OpenNCP behind it. [`Pki::faulty`] makes what an
//! attacker or a careless operator would bring.

mod eid;
mod faulty;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use exchange::{Country, Entropy as _, SystemEntropy};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose as Eku, IsCa, Issuer,
    KeyPair, KeyUsagePurpose as Ku, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData,
    RsaKeySize, SerialNumber,
};
use trust::certificate::{Anchors, Certificate};
use trust::seal::SealKey;

use crate::world::Land;

pub use eid::CardAuthority;
pub use faulty::Fault;

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// TLS client towards other countries.
    ServiceConsumer,
    /// TLS server towards other countries.
    ServiceProvider,
    /// Signs assertions, audit records and evidence.
    Seal,
    /// TLS client of the country's own OpenNCP.
    OpenncpClient,
    /// TLS server of the country's own OpenNCP.
    OpenncpServer,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [
        Self::ServiceConsumer,
        Self::ServiceProvider,
        Self::Seal,
        Self::OpenncpClient,
        Self::OpenncpServer,
    ];

    /// Name of the files, without extension.
    pub fn stem(self) -> &'static str {
        match self {
            Self::ServiceConsumer => "service-consumer",
            Self::ServiceProvider => "service-provider",
            Self::Seal => "seal",
            Self::OpenncpClient => "openncp-client",
            Self::OpenncpServer => "openncp-server",
        }
    }

    fn usages(self) -> (Vec<Ku>, Vec<Eku>) {
        match self {
            Self::Seal => (vec![Ku::DigitalSignature, Ku::ContentCommitment], vec![]),
            Self::ServiceConsumer | Self::OpenncpClient => {
                (vec![Ku::DigitalSignature], vec![Eku::ClientAuth])
            }
            Self::ServiceProvider | Self::OpenncpServer => {
                (vec![Ku::DigitalSignature], vec![Eku::ServerAuth])
            }
        }
    }
}

/// The kind of the seal keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SealKind {
    /// ECDSA P-256: fast to make and to use.
    #[default]
    P256,
    /// RSA of 3072 bits, as most countries have today.
    Rsa3072,
}

/// A certificate with its key. No `Debug`, on purpose.
pub struct Identity {
    certificate: Certificate,
    key_pem: String,
    serial: SerialNumber,
}

impl Identity {
    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The certificate as PEM; the CA signs it directly, so it is the whole chain.
    pub fn chain_pem(&self) -> String {
        self.certificate.pem()
    }

    /// The private key, PKCS#8 PEM; empty for [`Fault::WeakKey`].
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The key, ready to sign.
    pub fn seal_key(&self) -> SealKey {
        SealKey::from_pem(self.key_pem.as_bytes(), self.chain_pem().as_bytes())
            .expect("because the key was made for the certificate")
    }
}

/// The certificates of one world. No `Debug`, on purpose.
pub struct Pki {
    authority: Authority,
    made: Timestamp,
    identities: BTreeMap<(Country, Role), Identity>,
}

impl Pki {
    /// Makes a CA and all certificates of these countries, valid around `now`.
    pub fn new(countries: &[Country], seal: SealKind, now: Timestamp) -> Self {
        let authority = Authority::new("EHDSI test CA (invented)", now);
        let mut identities = BTreeMap::new();
        for country in countries {
            for role in Role::ALL {
                let key = match (role, seal) {
                    (Role::Seal, SealKind::Rsa3072) => rsa_3072(),
                    _ => p256(),
                };
                let params = params(*country, role, &Validity::around(now));
                identities.insert((*country, role), authority.issue(params, key));
            }
        }
        Self { authority, made: now, identities }
    }

    /// The certificates of Denmark, Spain and Italy.
    pub fn of_the_world(now: Timestamp) -> Self {
        let commission = Country::parse("EU").expect("because it is well-formed");
        let lands = crate::world::LANDS.iter().map(Land::country);
        let countries: Vec<Country> = lands.chain([commission]).collect();
        Self::new(&countries, SealKind::P256, now)
    }

    /// The root, PEM.
    pub fn ca_pem(&self) -> String {
        self.authority.certificate.pem()
    }

    /// Trust in the root.
    pub fn anchors(&self) -> Anchors {
        Anchors::new(vec![self.authority.certificate.clone()])
            .expect("because the root was made by us")
    }

    /// The certificate and key of a country for a role.
    ///
    /// # Panics
    /// When the country was not asked for in [`Pki::new`].
    pub fn identity(&self, country: Country, role: Role) -> &Identity {
        self.identities
            .get(&(country, role))
            .expect("because the caller asks for a country of this world")
    }

    /// A seal of a country whose authority is not the root, but stands below it: three levels.
    pub fn seal_below(&self, country: Country) -> SealKey {
        let national = self.authority.below("Invented national sub-CA", self.made);
        let key = p256();
        let params = params(country, Role::Seal, &Validity::around(self.made));
        let seal = national.issue(params, key);
        let chain = seal.chain_pem() + &national.certificate.pem();
        SealKey::from_pem(seal.key_pem().as_bytes(), chain.as_bytes())
            .expect("because the key was made for the certificate")
    }

    /// What a TLS end of this country is configured with.
    pub fn tls(&self, country: Country, role: Role) -> transport::tls::Identity {
        let identity = self.identity(country, role);
        transport::tls::Identity {
            chain: identity.chain_pem().into_bytes(),
            key: identity.key_pem().as_bytes().to_vec().into(),
            roots: self.ca_pem().into_bytes(),
        }
    }

    /// Issues all certificates of a country again, with new P-256 keys.
    pub fn renew(&mut self, country: Country) {
        for role in Role::ALL {
            let params = params(country, role, &Validity::around(self.made));
            self.identities.insert((country, role), self.authority.issue(params, p256()));
        }
    }

    /// Writes `ca.pem` and, for each country, `cc/role.pem` and `cc/role.key` (mode 0600).
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join("ca.pem"), self.ca_pem())?;
        for ((country, role), identity) in &self.identities {
            let folder = dir.join(country.to_lower());
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(format!("{}.pem", role.stem())), identity.chain_pem())?;
            write_key(&folder.join(format!("{}.key", role.stem())), identity.key_pem())?;
        }
        Ok(())
    }
}

/// Replaces a key file; it is never readable by others, not even for a moment.
fn write_key(path: &Path, pem: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(pem.as_bytes())
}

/// A certification authority.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str, now: Timestamp) -> Self {
        let (params, key) = (Self::params(name, 1, now), p256());
        let der = params.self_signed(&key).expect("because the parameters are complete");
        Self::of(der.der(), params, key)
    }

    /// An authority that this one vouches for.
    fn below(&self, name: &str, now: Timestamp) -> Self {
        let (params, key) = (Self::params(name, 0, now), p256());
        let der =
            params.signed_by(&key, &self.issuer).expect("because the parameters are complete");
        Self::of(der.der(), params, key)
    }

    fn of(der: &[u8], params: CertificateParams, key: KeyPair) -> Self {
        let certificate = Certificate::from_der(der).expect("because rcgen writes certificates");
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// `below`: how many authorities may stand below it.
    fn params(name: &str, below: u8, now: Timestamp) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "EU");
        params.distinguished_name.push(DnType::OrganizationName, "Invented European Authority");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
        params.key_usages = vec![Ku::KeyCertSign, Ku::CrlSign];
        Validity::around(now).apply(&mut params);
        params
    }

    fn issue(&self, mut params: CertificateParams, key: KeyPair) -> Identity {
        let serial = SerialNumber::from_slice(&serial());
        params.serial_number = Some(serial.clone());
        Identity { certificate: self.certify(&params, &key), key_pem: key.serialize_pem(), serial }
    }

    fn certify(&self, params: &CertificateParams, key: &impl PublicKeyData) -> Certificate {
        let der = params.signed_by(key, &self.issuer).expect("because the parameters are complete");
        Certificate::from_der(der.der()).expect("because rcgen writes certificates")
    }
}

/// A new one: positive, and without a leading zero (RFC 5280 §4.1.2.2).
fn serial() -> [u8; 16] {
    let mut serial = [0; 16];
    SystemEntropy.fill(&mut serial);
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

/// From when to when a certificate is valid.
struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

const DAY: i64 = 86_400;

impl Validity {
    fn around(now: Timestamp) -> Self {
        Self::days(now, -1, 365)
    }

    fn days(now: Timestamp, from: i64, to: i64) -> Self {
        let at = |days: i64| {
            Timestamp::from_second(now.as_second() + days * DAY)
                .expect("because a year more or less is still a time")
        };
        Self { not_before: at(from), not_after: at(to) }
    }

    fn apply(&self, params: &mut CertificateParams) {
        let time = |at: Timestamp| {
            let seconds = u64::try_from(at.as_second()).unwrap_or(0);
            rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
        };
        params.not_before = time(self.not_before);
        params.not_after = time(self.not_after);
    }
}

fn params(country: Country, role: Role, validity: &Validity) -> CertificateParams {
    let host = format!("{}.{}.konfido.example", role.stem(), country.to_lower());
    let names = match role {
        Role::ServiceProvider | Role::OpenncpServer => {
            vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), host.clone()]
        }
        _ => vec![],
    };
    let mut params = CertificateParams::new(names).expect("because the names are plain host names");
    let operator = Land::of(country).map_or("Invented Contact Point", |land| land.operator);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, country.as_str());
    params.distinguished_name.push(DnType::OrganizationName, operator);
    params.distinguished_name.push(DnType::CommonName, host);
    params.is_ca = IsCa::ExplicitNoCa;
    (params.key_usages, params.extended_key_usages) = role.usages();
    params.use_authority_key_identifier_extension = true;
    validity.apply(&mut params);
    params
}

fn p256() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("because the system has entropy")
}

fn rsa_3072() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072)
        .expect("because the system has entropy")
}

#[cfg(test)]
mod tests;
