//! The rows. Sources: OpenNCP `HcpAssertionValidation`, `TrcAssertionValidation`, policy manager
//! (openncp-protocol §1.7), and what they leave out (§4 items 1-3).

use exchange::{Code, PatientId, RoleCode, Transaction};
use jiff::{SignedDuration, Timestamp};

use crate::assertion::Assertion;
use crate::register::Facility;
use crate::rules::Context;

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each assertion by itself.
    Each,
    /// The HCP assertion.
    Hcp,
    /// The TRC assertion, when there is one.
    Trc,
    /// The NoK assertion, when there is one.
    Nok,
    /// All of them against the request.
    Request,
}

/// One row.
pub struct Rule {
    /// Name, for the operator's log and the tests.
    pub name: &'static str,
    /// What it looks at.
    pub scope: Scope,
    /// What a peer is told; for [`Scope::Each`] a TRC gets 1002 instead of 1001.
    pub code: Code,
    /// The next step, for the peer.
    pub hint: &'static str,
    check: Check,
}

enum Check {
    One(fn(&Assertion, &Context<'_>) -> bool),
    All(fn(&Subject<'_>) -> bool),
}

pub(super) struct Subject<'a> {
    pub(super) hcp: &'a Assertion,
    pub(super) trc: Option<&'a Assertion>,
    pub(super) nok: Option<&'a Assertion>,
    pub(super) context: &'a Context<'a>,
}

impl Rule {
    pub(super) fn holds(&self, subject: &Subject<'_>) -> bool {
        let optional = |assertion: Option<&Assertion>,
                        check: fn(&Assertion, &Context<'_>) -> bool| {
            assertion.is_none_or(|a| check(a, subject.context))
        };
        match self.check {
            Check::All(check) => check(subject),
            Check::One(check) => match self.scope {
                Scope::Hcp => check(subject.hcp, subject.context),
                Scope::Trc => optional(subject.trc, check),
                Scope::Nok => optional(subject.nok, check),
                Scope::Each | Scope::Request => {
                    check(subject.hcp, subject.context)
                        && optional(subject.trc, check)
                        && optional(subject.nok, check)
                }
            },
        }
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rule({} -> {})", self.name, self.code)
    }
}

const fn one(
    name: &'static str,
    scope: Scope,
    code: Code,
    hint: &'static str,
    check: fn(&Assertion, &Context<'_>) -> bool,
) -> Rule {
    Rule { name, scope, code, hint, check: Check::One(check) }
}

const fn all(
    name: &'static str,
    code: Code,
    hint: &'static str,
    check: fn(&Subject<'_>) -> bool,
) -> Rule {
    Rule { name, scope: Scope::Request, code, hint, check: Check::All(check) }
}

const INVALID: Code = Code::ErrorNotValidAssertion;
const TRC: Code = Code::ErrorNotValidTrcAssertion;
const RIGHTS: Code = Code::ErrorInsufficientRights;

/// Every rule, in the order in which they are applied.
pub static RULES: &[Rule] = &[
    one("version", Scope::Each, INVALID, "send SAML 2.0 assertions", |a, _| a.version == "2.0"),
    one(
        "issuer",
        Scope::Each,
        INVALID,
        "name the issuer as urn:idp:CC:countryB or urn:initgw:CC:countryB",
        |a, _| a.issuer_country().is_some(),
    ),
    one(
        "issue instant",
        Scope::Each,
        INVALID,
        "send an IssueInstant that is not in the future",
        |a, c| a.issued.is_some_and(|at| at <= later(c.now)),
    ),
    one("name id", Scope::Each, INVALID, "name the subject", |a, _| !a.name_id.is_empty()),
    one("name id format", Scope::Each, INVALID, "use an unspecified or e-mail NameID", |a, _| {
        FORMATS.contains(&a.name_format.as_str())
    }),
    one("sender vouches", Scope::Each, INVALID, "confirm the subject by sender-vouches", |a, _| {
        a.confirmation == "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"
    }),
    one(
        "not before",
        Scope::Each,
        INVALID,
        "the assertion is not valid yet; check the clocks",
        |a, c| a.not_before.is_some_and(|at| at <= later(c.now)),
    ),
    one(
        "not on or after",
        Scope::Each,
        INVALID,
        "the assertion has expired; log in again",
        |a, c| a.not_after.is_some_and(|at| at > earlier(c.now)),
    ),
    one(
        "hcp life span",
        Scope::Hcp,
        INVALID,
        "issue HCP assertions for at most four hours",
        |a, _| lives_at_most(a, 4),
    ),
    one("trc life span", Scope::Trc, TRC, "issue TRC assertions for at most two hours", |a, _| {
        lives_at_most(a, 2)
    }),
    one(
        "nok life span",
        Scope::Nok,
        INVALID,
        "issue NoK assertions for at most two hours",
        |a, _| lives_at_most(a, 2),
    ),
    one(
        "audience",
        Scope::Each,
        INVALID,
        "address the assertion to urn:ehdsi:assertions.audience:x-border",
        |a, _| a.audiences == ["urn:ehdsi:assertions.audience:x-border"],
    ),
    one(
        "authentication instant",
        Scope::Each,
        INVALID,
        "say when the subject was authenticated",
        |a, c| a.authenticated.is_some_and(|at| at <= later(c.now)),
    ),
    one(
        "two factors",
        Scope::Hcp,
        Code::ErrorWeakAuthentication,
        "log in with two factors",
        |a, _| {
            a.context_class.strip_prefix(CLASSES).is_some_and(|class| TWO_FACTORS.contains(&class))
        },
    ),
    one(
        "previous session",
        Scope::Trc,
        TRC,
        "issue the TRC from the professional's session",
        |a, _| a.context_class.strip_prefix(CLASSES) == Some("PreviousSession"),
    ),
    one(
        "seal country",
        Scope::Each,
        INVALID,
        "sign with the seal certificate of the issuer's country",
        |a, _| a.certificate.country().is_some() && a.certificate.country() == a.issuer_country(),
    ),
    one(
        "tls country",
        Scope::Each,
        INVALID,
        "send assertions of the country of your TLS certificate",
        |a, c| c.peer.is_some() && c.peer == a.issuer_country(),
    ),
    one("role", Scope::Hcp, RIGHTS, "send a role of the eHDSI value set", |a, _| {
        RoleCode::parse(&a.role).is_ok()
    }),
    one("subject", Scope::Hcp, INVALID, "name the professional", |a, _| !a.subject_id.is_empty()),
    one(
        "facility type",
        Scope::Hcp,
        INVALID,
        "send a facility type of the eHDSI value set",
        |a, _| Facility::of_name(&a.facility).is_some(),
    ),
    one("purpose of use", Scope::Hcp, INVALID, "state TREATMENT or EMERGENCY", |a, _| {
        a.purpose.is_some()
    }),
    one("locality", Scope::Hcp, INVALID, "name the point of care", |a, _| !a.locality.is_empty()),
    all("trc required", TRC, "send the TRC assertion with XCA and XDR", |s| {
        s.context.transaction == Transaction::PatientDiscovery || s.trc.is_some()
    }),
    one(
        "trc patient",
        Scope::Trc,
        TRC,
        "name the patient in the TRC as ext^^^&root&ISO",
        |a, _| PatientId::parse_cx(&a.subject_id).is_ok(),
    ),
    all("trc advice", TRC, "issue the TRC for this HCP assertion", |s| {
        s.trc.is_none_or(|trc| trc.advice.as_ref() == Some(&s.hcp.id))
    }),
    all("trc name id", TRC, "issue the TRC for this professional", |s| {
        s.trc.is_none_or(|trc| trc.name_id == s.hcp.name_id)
    }),
    all("trc purpose", TRC, "state the same purpose in HCP and TRC", |s| {
        s.trc.is_none_or(|trc| trc.purpose.is_some() && trc.purpose == s.hcp.purpose)
    }),
    all("nok binding", INVALID, "issue the NoK assertion for this professional", |s| {
        s.nok.is_none_or(|nok| {
            nok.name_id == s.hcp.name_id && nok.advice.as_ref() == Some(&s.hcp.id)
        })
    }),
    all("same country", INVALID, "send assertions of one country", |s| {
        [s.trc, s.nok].into_iter().flatten().all(|a| a.issuer_country() == s.hcp.issuer_country())
    }),
    all(
        "patient of the trc",
        Code::ErrorUnknownPatientIdentifier,
        "ask for the patient of the TRC",
        |s| {
            let patient = s.trc.and_then(|trc| PatientId::parse_cx(&trc.subject_id).ok());
            s.trc.is_none()
                || s.context.patients.iter().all(|asked| Some(asked) == patient.as_ref())
        },
    ),
    all(
        "organisation for discard",
        Code::WarningEdDiscardMissingMandatoryData,
        "name the organisation-id",
        |s| !s.context.discard || !s.hcp.organization_id.is_empty(),
    ),
];

fn lives_at_most(assertion: &Assertion, hours: i64) -> bool {
    match (assertion.not_before, assertion.not_after) {
        (Some(from), Some(to)) => {
            from < to && to.duration_since(from) <= SignedDuration::from_hours(hours)
        }
        _ => false,
    }
}

/// 60 seconds of skew, openncp-protocol §1.7.
fn later(now: Timestamp) -> Timestamp {
    now.checked_add(SKEW).unwrap_or(now)
}

fn earlier(now: Timestamp) -> Timestamp {
    now.checked_sub(SKEW).unwrap_or(now)
}

const SKEW: SignedDuration = SignedDuration::from_secs(60);
const CLASSES: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:";
const TWO_FACTORS: [&str; 8] = [
    "MobileTwoFactorUnregistered",
    "MobileTwoFactorContract",
    "X509",
    "SPKI",
    "Smartcard",
    "SmartcardPKI",
    "SoftwarePKI",
    "TLSClient",
];
const FORMATS: [&str; 2] = [
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
];
