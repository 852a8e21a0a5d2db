//! From the claims of a PID to a person on the scale of eIDAS.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use exchange::Country;

use super::Refused;
use super::dcql::CLAIMS;
use super::jose;
use crate::eidas::person::{Person, PersonIdentifier, Scripted};

/// What a person's identifier is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `personal_administrative_number`: the country's own number of the person.
    Administrative,
    /// The PID has no such number: a hash over names, date and place of birth and country. It stays
    /// the same when the PID is issued anew; two persons may share it, so it finds nobody by itself.
    Derived,
}

/// The claims that were asked for and shown, by our names of them. Personal: no `Debug`.
pub(super) struct Claims(BTreeMap<&'static str, String>);

impl Claims {
    /// Takes each claim of the table by `read`; a claim of the wrong kind is an error, not absent.
    pub fn read(
        read: impl Fn(&super::dcql::Claim) -> Result<Option<String>, Refused>,
    ) -> Result<Self, Refused> {
        let mut all = BTreeMap::new();
        for claim in &CLAIMS {
            match read(claim)? {
                Some(text) if text.trim().is_empty() || text.len() > MAX_CLAIM => {
                    return Err(Refused::Claim);
                }
                Some(text) => {
                    all.insert(claim.name, text);
                }
                None if claim.mandatory => return Err(Refused::Incomplete),
                None => {}
            }
        }
        Ok(Self(all))
    }

    fn take(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The person, of the issuer's country and to ours.
    pub fn person(&self, of: Country, to: Country) -> Result<(Person, Naming), Refused> {
        if Country::parse(self.take("country")) != Ok(of) {
            return Err(Refused::IssuingCountry);
        }
        let birth = self.take("birth").parse().map_err(|_| Refused::Claim)?;
        let (value, naming) = match self.0.get("number") {
            Some(number) => (number.clone(), Naming::Administrative),
            None => (self.derived(), Naming::Derived),
        };
        let identifier = PersonIdentifier { of, to, value };
        let mut person = Person::new(identifier, self.take("family"), self.take("given"), birth);
        person.more.insert("PlaceOfBirth", Scripted::latin(self.take("place")));
        Ok((person, naming))
    }

    /// `pid:` and SHA-256 over the mandatory claims, each behind its length.
    fn derived(&self) -> String {
        let mut hash = Context::new(&SHA256);
        hash.update(b"konfido derived person identifier 1");
        for claim in CLAIMS.iter().filter(|claim| claim.mandatory) {
            let text = self.take(claim.name);
            hash.update(&(text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        format!("pid:{}", jose::encode(hash.finish().as_ref()))
    }
}

/// A place of birth as one text, from its parts in this order; at least one is there.
pub(super) fn place<'a>(part: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let parts: Vec<&str> =
        ["locality", "region", "country"].iter().filter_map(|n| part(n)).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Longest text of a claim, in bytes.
const MAX_CLAIM: usize = 512;
