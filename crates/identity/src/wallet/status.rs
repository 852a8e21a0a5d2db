//! Whether a credential was withdrawn: the Token Status List that it names (draft-ietf-oauth-
//! status-list; HAIP 1.0 §6.2). A list that cannot be had or read decides nothing, and then the
//! credential is refused.

use exchange::Country;
use jiff::{SignedDuration, Timestamp};
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde_json::Value;
use trust::jws;

use super::Refused;
use super::issuers::Issuers;
use super::jose::{self, Jws};
use super::sd_jwt::{SKEW, numeric_date};

/// Where a credential's status stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Where the list is fetched: `https` only.
    pub uri: String,
    /// The place in it.
    pub index: usize,
}

impl Reference {
    /// Reads `uri` and `idx` of a `status_list`.
    pub(super) fn new(uri: Option<&str>, index: Option<u64>) -> Result<Self, Refused> {
        let uri = uri.filter(|uri| uri.starts_with("https://") && uri.len() <= MAX_URI);
        let index = index.and_then(|index| usize::try_from(index).ok());
        match (uri, index) {
            (Some(uri), Some(index)) => Ok(Self { uri: uri.to_owned(), index }),
            _ => Err(Refused::StatusForm),
        }
    }

    /// Reads the `status` claim of an SD-JWT; a mechanism that we do not know cannot be checked.
    pub(super) fn of_claim(status: &Value) -> Result<Self, Refused> {
        let list = status.get("status_list").ok_or(Refused::StatusForm)?;
        Self::new(list.get("uri").and_then(Value::as_str), list.get("idx").and_then(Value::as_u64))
    }

    /// Checks the list that was fetched: signed for the same country, current, and valid at the
    /// index.
    pub fn check(
        &self,
        list: Option<&[u8]>,
        issuers: &Issuers,
        country: Country,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let list = list.ok_or(Refused::StatusUnavailable)?;
        let list = StatusList::verify(list, &self.uri, issuers, country, now)?;
        match list.at(self.index) {
            Some(0) => Ok(()),
            Some(1) => Err(Refused::Revoked),
            Some(_) => Err(Refused::Suspended),
            None => Err(Refused::StatusList),
        }
    }
}

/// The statuses of many credentials. Made by [`StatusList::verify`] only.
pub struct StatusList {
    bits: usize,
    statuses: Vec<u8>,
}

impl StatusList {
    /// Reads a `statuslist+jwt` for this URI.
    pub fn verify(
        token: &[u8],
        uri: &str,
        issuers: &Issuers,
        country: Country,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        let jws = parse(token)?;
        if !jws.is("statuslist+jwt") || jws.payload.get("sub").and_then(Value::as_str) != Some(uri)
        {
            return Err(Refused::StatusList);
        }
        let chain = jws.x5c().ok_or(Refused::StatusList)?;
        let issuer = issuers.recognise(&chain, now).map_err(|_| Refused::StatusList)?;
        let certificate = issuer.certificate();
        let signed = jws::algorithm(certificate) == Some("ES256")
            && jws::verifies(certificate, jws.signed(), jws.signature());
        if issuer.country() != country || !signed {
            return Err(Refused::StatusList);
        }
        let time = |name: &str| jws.payload.get(name).map(numeric_date);
        let issued = time("iat").flatten().ok_or(Refused::StatusList)?;
        let expires = match time("exp") {
            Some(at) => Some(at.ok_or(Refused::StatusList)?),
            None => None,
        };
        if now + SKEW < issued || expires.is_some_and(|until| now - SKEW >= until) {
            return Err(Refused::StatusExpired);
        }
        let list = jws.payload.get("status_list").ok_or(Refused::StatusList)?;
        let bits = list.get("bits").and_then(Value::as_u64);
        Self::read(bits, list.get("lst").and_then(Value::as_str)).ok_or(Refused::StatusList)
    }

    fn read(bits: Option<u64>, list: Option<&str>) -> Option<Self> {
        let bits = bits.filter(|bits| [1, 2, 4, 8].contains(bits))? as usize;
        let packed = jose::decode(list?)?;
        let statuses = decompress_to_vec_zlib_with_limit(&packed, MAX_LIST).ok()?;
        Some(Self { bits, statuses })
    }

    /// The status at a place; `None` beyond the end.
    pub fn at(&self, index: usize) -> Option<u8> {
        let each = 8 / self.bits;
        let byte = self.statuses.get(index / each)?;
        let mask = u8::MAX >> (8 - self.bits);
        Some(byte >> (index % each * self.bits) & mask)
    }
}

/// Until when a list that was fetched may be kept: `ttl` and `exp` decide, and never longer than a
/// day nor shorter than nothing. Not verified: a wrong answer only costs a fetch.
pub fn fresh_until(token: &[u8], fetched: Timestamp) -> Timestamp {
    let Ok(jws) = parse(token) else { return fetched };
    let ttl = jws.payload.get("ttl").and_then(Value::as_i64).unwrap_or(DEFAULT_TTL);
    let kept = fetched + SignedDuration::from_secs(ttl.clamp(0, MAX_TTL));
    let expires = jws.payload.get("exp").and_then(numeric_date);
    expires.map_or(kept, |expires| kept.min(expires)).max(fetched)
}

fn parse(token: &[u8]) -> Result<Jws<'_>, Refused> {
    let text = std::str::from_utf8(token).ok().filter(|text| text.len() <= MAX_TOKEN);
    text.and_then(|text| Jws::parse(text.trim_ascii_end())).ok_or(Refused::StatusList)
}

/// What to ask for when a list is fetched (`Accept`).
pub const MEDIA_TYPE: &str = "application/statuslist+jwt";
/// Longest URI of a list.
const MAX_URI: usize = 2048;
/// Longest token that a caller should fetch, in bytes.
pub const MAX_TOKEN: usize = 4 << 20;
/// Longest list when inflated: 64 million credentials at one bit each.
const MAX_LIST: usize = 8 << 20;
/// Seconds that a list without `ttl` is kept.
const DEFAULT_TTL: i64 = 300;
/// Most seconds that a list is kept.
const MAX_TTL: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples of the draft, §4.1 and Appendix: the bits of `[0xb9, 0xa3]` and of `[0xc9, 0x44, 0xf9]`.
    #[test]
    fn the_lists_of_the_draft_read_as_it_says() {
        let one = StatusList::read(Some(1), Some("eNrbuRgAAhcBXQ")).unwrap();
        let expected = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
        for (index, status) in expected.into_iter().enumerate() {
            assert_eq!(one.at(index), Some(status), "{index}");
        }
        assert_eq!(one.at(16), None);
        let two = StatusList::read(Some(2), Some("eNo76fITAAPfAgc")).unwrap();
        let expected = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3];
        for (index, status) in expected.into_iter().enumerate() {
            assert_eq!(two.at(index), Some(status), "{index}");
        }
        assert!(StatusList::read(Some(3), Some("eNrbuRgAAhcBXQ")).is_none());
        assert!(StatusList::read(Some(1), Some("eNrbuRgAAhcBXR")).is_none(), "checksum");
    }

    #[test]
    fn a_list_that_inflates_without_end_is_cut() {
        let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; MAX_LIST + 1], 9);
        assert!(bomb.len() < 10_000);
        assert!(StatusList::read(Some(1), Some(&jose::encode(&bomb))).is_none());
        let most = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; MAX_LIST], 9);
        assert!(StatusList::read(Some(1), Some(&jose::encode(&most))).is_some());
    }
}
