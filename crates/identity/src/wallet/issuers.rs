//! Whom we believe when they say who somebody is: the authorities of each country's PID providers
//! (Regulation (EU) 910/2014 Art. 5a(18); the trusted lists come as configuration).

use std::collections::BTreeMap;

use exchange::Country;
use jiff::Timestamp;
use trust::certificate::{Anchors, Certificate, Usage};

use super::{Refused, WalletError};

/// Anchors by country. A list may name an authority or the signing certificate itself; that
/// one is withdrawn by taking it off the list, no revocation list is asked.
#[derive(Debug, Default)]
pub struct Issuers(BTreeMap<Country, Anchors>);

/// An issuer whose certificates lead to a country's anchor; made by [`Issuers::recognise`] only.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The country of the anchor.
    country: Country,
    leaf: Certificate,
}

impl Issuer {
    /// For which country it speaks.
    pub fn country(&self) -> Country {
        self.country
    }

    /// Its signing certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.leaf
    }
}

impl Issuers {
    /// Believes these; no anchor may stand for two countries.
    pub fn new(countries: BTreeMap<Country, Anchors>) -> Result<Self, WalletError> {
        let mut seen: BTreeMap<[u8; 32], Country> = BTreeMap::new();
        for (country, anchors) in &countries {
            for root in anchors.roots() {
                match seen.insert(root.fingerprint().0, *country) {
                    Some(other) if other != *country => {
                        return Err(WalletError::SharedAnchor(other, *country));
                    }
                    _ => {}
                }
            }
        }
        Ok(Self(countries))
    }

    /// The countries whose wallets are believed, for the page where one is chosen.
    pub fn countries(&self) -> impl Iterator<Item = Country> {
        self.0.keys().copied()
    }

    /// The issuer that a chain (DER, leaf first) names, if it leads to one of the anchors.
    pub fn recognise(&self, chain: &[Vec<u8>], at: Timestamp) -> Result<Issuer, Refused> {
        if chain.is_empty() || chain.len() > MAX_CHAIN {
            return Err(Refused::Certificates);
        }
        let chain: Vec<Certificate> = chain
            .iter()
            .map(|der| Certificate::from_der(der))
            .collect::<Result<_, _>>()
            .map_err(|_| Refused::Certificates)?;
        let (leaf, above) = chain.split_first().ok_or(Refused::Certificates)?;
        let believed = |anchors: &Anchors| {
            let listed = anchors.roots().contains(leaf);
            (listed && leaf.not_before() <= at && at <= leaf.not_after())
                || anchors.verify(leaf, above, Usage::Attestation, at).is_ok()
        };
        let country = self.0.iter().find(|(_, anchors)| believed(anchors));
        let (country, _) = country.ok_or(Refused::Untrusted)?;
        Ok(Issuer { country: *country, leaf: leaf.clone() })
    }
}

/// A leaf and what [`trust::chain::Chain`] allows above it.
const MAX_CHAIN: usize = 1 + trust::chain::Chain::INTERMEDIATES;
