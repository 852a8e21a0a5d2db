//! From an electronic identity to a professional: who logged in, and what the register says of them.
//!
//! The eID proves who the person is, the register what they are. [`admit`] is the only way from
//! both to an HCP assertion.

pub mod names;

use std::sync::Arc;

use exchange::{Code, Country, Oid, Purpose, Refusal, RoleCode};
use jiff::{SignedDuration, Timestamp, Zoned, tz::TimeZone};
use trust::seal::SealKey;
use trust::signature::SignatureError;

use crate::Assurance;
use crate::eidas::person::{Person, Scripted};
use crate::issue::{self, Moment, Professional};
use crate::register::{Entry, PersonKey, Register};

/// On what terms a country admits professionals.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The least sure login; `Low` is never enough, whatever stands here.
    pub least: Assurance,
    /// Roles that do nothing across the border.
    pub closed: Vec<RoleCode>,
    /// Home community of the country of treatment.
    pub community: Oid,
    /// Where the days of a licence begin and end.
    pub zone: TimeZone,
}

impl Terms {
    /// From substantial upwards, all roles, days in UTC.
    pub fn new(community: Oid) -> Self {
        Self { least: Assurance::Substantial, closed: Vec::new(), community, zone: TimeZone::UTC }
    }
}

/// Proof that a person who logged in is a professional today. Made by [`admit`] only. Personal.
#[derive(Clone)]
pub struct Admitted {
    professional: Professional,
    assurance: Assurance,
    class: &'static str,
    ends: Option<Timestamp>,
}

/// For what an assertion is issued, and when.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The country of treatment: ours.
    pub country: Country,
    /// Why data are asked for.
    pub purpose: Purpose,
    /// The assertion's id: `_` and a UUID.
    pub id: &'a str,
    /// When the professional logged in.
    pub authenticated: Timestamp,
    /// Now.
    pub now: Timestamp,
}

impl Admitted {
    /// The professional, as assertions name them.
    pub fn professional(&self) -> &Professional {
        &self.professional
    }

    /// How sure the login was.
    pub fn assurance(&self) -> Assurance {
        self.assurance
    }

    /// The signed HCP assertion, for at most four hours from now and not beyond the licence.
    pub fn assertion(
        &self,
        occasion: &Occasion<'_>,
        key: &Arc<SealKey>,
    ) -> Result<String, SignatureError> {
        let Occasion { country, purpose, id, authenticated, now } = *occasion;
        let left = self.ends.map_or(LIFE, |ends| ends.duration_since(now));
        let life = left.clamp(SignedDuration::ZERO, LIFE);
        let moment = Moment { country, now, life, id, class: self.class };
        issue::hcp_of_login(&self.professional, &moment, authenticated, purpose, key)
    }
}

/// The longest life of an HCP assertion (openncp-protocol §1.7).
pub const LIFE: SignedDuration = SignedDuration::from_hours(4);

/// The AuthnContext class of a login, of those that eHDSI counts as two factors; a high level is
/// what a card with a key of its own gives (Implementing Regulation (EU) 2015/1502, 2.2.1).
pub fn class(assurance: Assurance) -> Option<&'static str> {
    match assurance {
        Assurance::Low => None,
        Assurance::Substantial => Some("MobileTwoFactorContract"),
        Assurance::High => Some("SmartcardPKI"),
    }
}

/// Admits a person who logged in as the professional that the register knows today, or says why
/// not. Ask again for each assertion: a licence may have been suspended since the login. The first row of [`ROWS`] that does not hold refuses.
pub fn admit(
    person: &Person,
    assurance: Assurance,
    register: &dyn Register,
    terms: &Terms,
    now: Timestamp,
) -> Result<Admitted, Refusal> {
    let key = PersonKey::of(&person.identifier);
    let entry = register.find(&key).map_err(|error| {
        Refusal::new(Code::ErrorGeneric, "the professional register does not answer; try again")
            .with_detail(error.to_string())
    })?;
    let day = now.to_zoned(terms.zone.clone());
    let case = Case { person, assurance, entry: entry.as_ref(), terms, day: &day };
    for row in &ROWS {
        if !(row.holds)(&case) {
            return Err(Refusal::new(row.code, row.hint).with_detail(row.name));
        }
    }
    let undecided = || Refusal::new(Code::ErrorHpiNoInformation, "ask the professional register");
    let entry = entry.ok_or_else(undecided)?;
    let class = class(assurance).ok_or_else(undecided)?;
    Ok(Admitted {
        ends: entry
            .until
            .and_then(|until| until.tomorrow().ok())
            .and_then(|end| end.to_zoned(terms.zone.clone()).ok().map(|zoned| zoned.timestamp())),
        professional: professional(entry, terms),
        assurance,
        class,
    })
}

fn professional(entry: Entry, terms: &Terms) -> Professional {
    Professional {
        permissions: entry.permissions(),
        name: format!("{} {}", entry.given, entry.family),
        user: entry.number,
        role: entry.role,
        organization: entry.organization,
        organization_id: entry.organization_id,
        locality: entry.locality,
        facility: entry.facility.name().to_owned(),
        community: terms.community.clone(),
    }
}

/// One reason not to admit.
pub struct Row {
    /// Name, for the operator's log and the tests.
    pub name: &'static str,
    /// What the portal is told.
    pub code: Code,
    /// The next step.
    pub hint: &'static str,
    holds: fn(&Case<'_>) -> bool,
}

struct Case<'a> {
    person: &'a Person,
    assurance: Assurance,
    entry: Option<&'a Entry>,
    terms: &'a Terms,
    day: &'a Zoned,
}

const fn row(
    name: &'static str,
    code: Code,
    hint: &'static str,
    holds: fn(&Case<'_>) -> bool,
) -> Row {
    Row { name, code, hint, holds }
}

/// Every reason, in the order in which they are looked at; each with a code of its own.
pub static ROWS: [Row; 7] = [
    row(
        "representative",
        Code::ErrorHpiAuthenticationNotReceived,
        "log in for yourself: nobody treats in the name of another",
        |c| c.person.representative.is_none(),
    ),
    row("level", Code::ErrorWeakAuthentication, "log in with a surer means", |c| {
        c.assurance >= c.terms.least && class(c.assurance).is_some()
    }),
    row(
        "unknown",
        Code::ErrorHpiNoInformation,
        "the professional register does not know this person",
        |c| c.entry.is_some(),
    ),
    row(
        "another person",
        Code::ErrorHpiInsufficientInformation,
        "name or birth date of login and register differ; have the register corrected",
        |c| c.entry.is_some_and(|entry| same_person(c.person, entry)),
    ),
    row(
        "suspended",
        Code::ErrorPolicyViolation,
        "the licence is suspended; ask the authority that keeps the register",
        |c| c.entry.is_some_and(|entry| !entry.suspended),
    ),
    row(
        "licence",
        Code::ErrorHpiGeneric,
        "the licence does not hold today; ask the authority that keeps the register",
        |c| {
            let day = c.day.date();
            c.entry.is_some_and(|entry| {
                entry.from.is_none_or(|from| from <= day)
                    && entry.until.is_none_or(|until| until >= day)
            })
        },
    ),
    row(
        "role",
        Code::ErrorInsufficientRights,
        "this role does nothing across the border; a colleague with another role can",
        |c| {
            c.entry.is_some_and(|entry| {
                !entry.permissions().is_empty() && !c.terms.closed.contains(&entry.role)
            })
        },
    ),
];

/// The register may write a name in Latin letters or in its own.
fn same_person(person: &Person, entry: &Entry) -> bool {
    let either = |name: &Scripted, fits: &dyn Fn(&str) -> bool| {
        fits(&name.latin) || name.original.as_deref().is_some_and(fits)
    };
    either(&person.family, &|family| names::same_family(family, &entry.family))
        && either(&person.given, &|given| names::same_given(given, &entry.given))
        && entry.birth.is_none_or(|birth| birth == person.birth)
}
