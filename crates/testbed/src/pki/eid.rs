//! Certificates of electronic identification: services for browsers, and citizens' cards.

use exchange::Country;
use rcgen::{
    CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose as Eku, KeyUsagePurpose as Ku,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm,
};
use trust::certificate::Certificate;

use super::{Authority, Identity, Pki, Role, Validity, p256, params};

impl Pki {
    /// A TLS server certificate on loopback for a service of a country (`idp`, `portal`), new each
    /// time.
    pub fn server(&self, country: Country, service: &str) -> Identity {
        self.service(country, Role::OpenncpServer, service)
    }

    /// A certificate that signs messages of a service of a country, new each time.
    pub fn signer(&self, country: Country, service: &str) -> Identity {
        self.service(country, Role::Seal, service)
    }

    fn service(&self, country: Country, role: Role, service: &str) -> Identity {
        let mut params = params(country, role, &Validity::around(self.made));
        let name = format!("{service}.{}.konfido.example", country.to_lower());
        params.distinguished_name.push(DnType::CommonName, name);
        self.authority.issue(params, p256())
    }

    /// A new authority that issues the cards of a country's citizens. It stands apart from the root
    /// of the contact points: a card opens no door between countries.
    pub fn cards(&self, country: Country) -> CardAuthority {
        let name = format!("Invented citizen card CA of {country}");
        CardAuthority { country, authority: Authority::new(&name, self.made), pki: self.made }
    }
}

/// Issues the cards of a country. No `Debug`, on purpose.
pub struct CardAuthority {
    country: Country,
    authority: Authority,
    pki: jiff::Timestamp,
}

impl CardAuthority {
    /// Its own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.authority.certificate
    }

    /// A card: a TLS client certificate that bears a name and a number.
    pub fn issue(&self, name: &str, number: &str) -> Identity {
        self.authority.issue(self.params(name, number), p256())
    }

    /// A card whose key was made in its chip: `point` is the public one, on P-256, uncompressed
    /// (SEC 1 §2.3.3).
    pub fn issue_for(&self, name: &str, number: &str, point: [u8; 65]) -> Certificate {
        let mut params = self.params(name, number);
        params.serial_number = Some(SerialNumber::from_slice(&super::serial()));
        self.authority.certify(&params, &Point(point))
    }

    fn params(&self, name: &str, number: &str) -> CertificateParams {
        let validity = Validity::around(self.pki);
        let mut params = params(self.country, Role::ServiceConsumer, &validity);
        params.distinguished_name.push(DnType::OrganizationName, "Invented Citizen Card");
        params.distinguished_name.push(DnType::CommonName, name);
        // serialNumber (X.520 §6.2.9)
        let serial = DnType::CustomDnType(vec![2, 5, 4, 5]);
        params.distinguished_name.push(serial, DnValue::Utf8String(number.to_owned()));
        params.key_usages = vec![Ku::DigitalSignature];
        params.extended_key_usages = vec![Eku::ClientAuth];
        params
    }
}

/// A public key whose private one somebody else has.
struct Point([u8; 65]);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}
