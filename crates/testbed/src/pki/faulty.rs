//! Certificates that must not be accepted, for the attack tests.

use exchange::Country;
use rcgen::{
    CertificateParams, CertificateRevocationListParams, KeyIdMethod, PKCS_RSA_SHA256,
    PublicKeyData, RevokedCertParams, SerialNumber, SignatureAlgorithm,
};

use super::{Authority, Identity, Pki, Role, Validity, p256, params};

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Ended yesterday.
    Expired,
    /// Starts tomorrow.
    NotYetValid,
    /// Made by another authority that has the same name.
    OtherAuthority,
    /// Carries the extended key usage of the other TLS side, or of TLS for a seal.
    WrongUsage,
    /// A public key of RSA 1024 bits; there is no private key to it.
    WeakKey,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 5] =
        [Self::Expired, Self::NotYetValid, Self::OtherAuthority, Self::WrongUsage, Self::WeakKey];
}

impl Pki {
    /// A certificate of the country for the role, with this fault.
    ///
    /// The wrong country needs no fault: it is the flawless certificate of another country.
    pub fn faulty(&self, country: Country, role: Role, fault: Fault) -> Identity {
        let now = self.made;
        let good = params(country, role, &Validity::around(now));
        match fault {
            Fault::Expired => {
                self.authority.issue(params(country, role, &Validity::days(now, -30, -1)), p256())
            }
            Fault::NotYetValid => {
                self.authority.issue(params(country, role, &Validity::days(now, 1, 30)), p256())
            }
            Fault::OtherAuthority => {
                Authority::new(self.authority.certificate.common_name(), now).issue(good, p256())
            }
            Fault::WrongUsage => {
                let other = match role {
                    Role::ServiceConsumer | Role::OpenncpClient => Role::ServiceProvider,
                    _ => Role::ServiceConsumer,
                };
                self.authority.issue(params(country, other, &Validity::around(now)), p256())
            }
            Fault::WeakKey => Identity {
                certificate: self.authority.certify(&good, &WeakKey::new()),
                key_pem: String::new(),
                serial: SerialNumber::from(0),
            },
        }
    }

    /// The root's revocation list, PEM, on which this certificate stands.
    pub fn revocation_list(&self, revoked: &Identity) -> String {
        let mut period = CertificateParams::default();
        Validity::days(self.made, 0, 30).apply(&mut period);
        let list = CertificateRevocationListParams {
            this_update: period.not_before,
            next_update: period.not_after,
            crl_number: 1u64.into(),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: revoked.serial.clone(),
                revocation_time: period.not_before,
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.authority.issuer);
        let pem = list.and_then(|list| list.pem());
        pem.expect("because the root may sign lists")
    }
}

/// An RSA public key of 1024 bits that nobody has the private key to.
struct WeakKey(Vec<u8>);

impl WeakKey {
    fn new() -> Self {
        // RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 8017 A.1.1)
        let mut der = vec![0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00];
        der.extend((0..128u8).map(|n| n.wrapping_mul(37) | 0x81));
        der.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
        Self(der)
    }
}

impl PublicKeyData for WeakKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}
