//! Everything that may be wrong with a wallet's answer, one row each.

/// Why an answer is refused. Usually the wallet's fault, or an attack; the rows `status.*` may be
/// the issuer's. Never holds anything of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the table below has a line for each, in the same order")]
pub enum Refused {
    SessionForm,
    SessionExpired,
    ResponseForm,
    Declined,
    Undecipherable,
    Payload,
    State,
    NotAsked,
    NotOne,
    Certificates,
    Untrusted,
    IssuingCountry,
    IssuerSignature,
    Type,
    NotYetValid,
    Expired,
    IssuedLater,
    SdJwtForm,
    SdJwtHeader,
    Hash,
    Disclosure,
    DigestTwice,
    Undeclared,
    ReservedName,
    ClaimTwice,
    BindingMissing,
    HolderKey,
    BindingHeader,
    BindingSignature,
    BindingAudience,
    BindingNonce,
    BindingAge,
    BindingHash,
    MdocForm,
    MdocStatus,
    MdocAlgorithm,
    MdocDigest,
    DeviceSignature,
    StatusForm,
    StatusUnavailable,
    StatusList,
    StatusExpired,
    Revoked,
    Suspended,
    Incomplete,
    Claim,
}

/// (variant, its name in events and pages, what it means to an operator)
pub static REFUSALS: [(Refused, &str, &str); 46] = {
    use Refused as R;
    [
        (R::SessionForm, "session.form", "the stored login is not one of ours"),
        (R::SessionExpired, "session.expired", "the answer came too late, or before the question"),
        (R::ResponseForm, "response.form", "the post is no form with one response"),
        (R::Declined, "response.declined", "the wallet or its holder said no"),
        (R::Undecipherable, "response.undecipherable", "the response does not open with our key"),
        (R::Payload, "response.payload", "what was encrypted is no answer with a vp_token"),
        (R::State, "response.state", "the answer belongs to another login"),
        (R::NotAsked, "response.not-asked", "the answer holds what was not asked for"),
        (R::NotOne, "response.not-one", "not exactly one presentation"),
        (R::Certificates, "issuer.certificates", "the issuer's certificates are missing or odd"),
        (R::Untrusted, "issuer.untrusted", "no path to a configured authority for PID"),
        (R::IssuingCountry, "issuer.country", "the country is not that of the authority"),
        (R::IssuerSignature, "issuer.signature", "the issuer did not sign this"),
        (R::Type, "credential.type", "this is no PID"),
        (R::NotYetValid, "credential.not-yet-valid", "its validity begins later"),
        (R::Expired, "credential.expired", "its validity is over, or without an end"),
        (R::IssuedLater, "credential.issued-later", "it was issued after now"),
        (R::SdJwtForm, "sd-jwt.form", "no SD-JWT with a JSON payload"),
        (R::SdJwtHeader, "sd-jwt.header", "typ, alg or crit are not HAIP's"),
        (R::Hash, "sd-jwt.hash", "digests by another hash than SHA-256"),
        (R::Disclosure, "sd-jwt.disclosure", "a disclosure is malformed or of the wrong kind"),
        (R::DigestTwice, "sd-jwt.digest-twice", "a digest or a disclosure occurs twice"),
        (R::Undeclared, "sd-jwt.undeclared", "a disclosure that the issuer did not sign"),
        (R::ReservedName, "sd-jwt.reserved-name", "a disclosure for what must stand open"),
        (R::ClaimTwice, "sd-jwt.claim-twice", "a disclosure for a claim that is there"),
        (R::BindingMissing, "binding.missing", "the holder did not sign"),
        (R::HolderKey, "binding.key", "the credential names no P-256 key of its holder"),
        (R::BindingHeader, "binding.header", "typ, alg or crit are not HAIP's"),
        (R::BindingSignature, "binding.signature", "another than the holder signed"),
        (R::BindingAudience, "binding.audience", "shown to somebody else"),
        (R::BindingNonce, "binding.nonce", "shown at another time"),
        (R::BindingAge, "binding.age", "signed before the question or after now"),
        (R::BindingHash, "binding.hash", "signed over another presentation"),
        (R::MdocForm, "mdoc.form", "no DeviceResponse of ISO/IEC 18013-5"),
        (R::MdocStatus, "mdoc.status", "the response says that it failed"),
        (R::MdocAlgorithm, "mdoc.algorithm", "signature or digest algorithm is not HAIP's"),
        (R::MdocDigest, "mdoc.digest", "an element that the issuer did not sign"),
        (R::DeviceSignature, "mdoc.device-signature", "the holder did not sign this answer"),
        (R::StatusForm, "status.form", "the credential's status reference is malformed"),
        (R::StatusUnavailable, "status.unavailable", "the status list could not be had"),
        (R::StatusList, "status.list", "the status list is malformed or not the issuer's"),
        (R::StatusExpired, "status.expired", "the status list is stale"),
        (R::Revoked, "status.revoked", "the credential was withdrawn"),
        (R::Suspended, "status.suspended", "the credential is suspended or of unknown status"),
        (R::Incomplete, "person.incomplete", "something that was asked for is missing"),
        (R::Claim, "person.claim", "a claim is of the wrong kind"),
    ]
};

impl Refused {
    /// Its name in events and on pages.
    pub fn name(self) -> &'static str {
        REFUSALS[self as usize].1
    }

    /// What it means to an operator.
    pub fn meaning(self) -> &'static str {
        REFUSALS[self as usize].2
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name(), self.meaning())
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_one_row_for_each_variant_in_order() {
        for (place, (row, name, meaning)) in REFUSALS.iter().enumerate() {
            assert_eq!(*row as usize, place, "{name}");
            assert!(!meaning.is_empty());
            assert_eq!(REFUSALS.iter().filter(|other| other.1 == *name).count(), 1, "{name}");
        }
        assert_eq!(REFUSALS.len(), Refused::Claim as usize + 1);
    }
}
