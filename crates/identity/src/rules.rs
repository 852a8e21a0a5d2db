//! The one table of assertion rules, each row with its eHDSI code. The first row that does not
//! hold refuses; a rule that cannot decide does not hold.

mod table;

use std::borrow::Cow;
use std::sync::Arc;

use exchange::{Code, Country, PatientId, Permission, Purpose, Refusal, RoleCode, Transaction};
use jiff::Timestamp;
use trust::certificate::{Anchors, Usage};
use trust::signature::{Profile, SignatureError, verify_enveloped};
use trust::xml::{Element, Limits, Xml};

use crate::assertion::{Assertion, Kind};
use crate::cache::AssertionCache;

pub use table::{RULES, Rule, Scope};

/// What a country may decide by itself.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Further roles that may submit dispensations here.
    pub extra_submitters: Vec<RoleCode>,
}

/// The request around the assertions, and the world.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// Which transaction.
    pub transaction: Transaction,
    /// Discard needs the organisation's id.
    pub discard: bool,
    /// The patients that the Body names; ITI-39 names none.
    pub patients: &'a [PatientId],
    /// The country of treatment that the TLS client certificate speaks for.
    pub peer: Option<Country>,
    /// Now.
    pub now: Timestamp,
    /// Roots of seal certificates.
    pub anchors: &'a Anchors,
}

/// Proof of who asks for whom. Made by [`recognise`] only; personal values behind accessors.
#[derive(Debug, Clone)]
pub struct Recognised {
    hcp: Arc<Assertion>,
    trc: Option<Arc<Assertion>>,
    role: RoleCode,
    purpose: Purpose,
    country: Country,
    patient: Option<PatientId>,
}

impl Recognised {
    /// The professional's role.
    pub fn role(&self) -> RoleCode {
        self.role
    }

    /// Why the data are asked for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The country of treatment.
    pub fn country(&self) -> Country {
        self.country
    }

    /// The patient of the TRC, or the only patient of an ITI-55.
    pub fn patient(&self) -> Option<&PatientId> {
        self.patient.as_ref()
    }

    /// `NameID@Issuer`, as ATNA and the commitments name the professional. Personal.
    pub fn professional(&self) -> String {
        format!("{}@{}", self.hcp.name_id, self.hcp.issuer)
    }

    /// The professional's name. Personal.
    pub fn name(&self) -> &str {
        &self.hcp.subject_id
    }

    /// The point of care.
    pub fn point_of_care(&self) -> &str {
        &self.hcp.locality
    }

    /// Ids of the HCP and TRC assertions, joined by a blank.
    pub fn assertion_ids(&self) -> String {
        match &self.trc {
            Some(trc) => format!("{} {}", self.hcp.id, trc.id),
            None => self.hcp.id.clone(),
        }
    }

    pub(crate) fn hcp(&self) -> &Assertion {
        &self.hcp
    }

    pub(crate) fn permissions(&self) -> &[Permission] {
        &self.hcp.permissions
    }
}

/// Recognises who asks: every assertion verified (or found verified), every rule applied.
pub fn recognise(
    assertions: &[Element<'_, '_>],
    context: &Context<'_>,
    cache: &AssertionCache,
) -> Result<Recognised, Refusal> {
    let (mut hcp, mut trc, mut nok) = (None, None, None);
    for element in assertions {
        let kind = Kind::claimed(*element).ok_or_else(|| {
            Refusal::new(Code::ErrorNotValidAssertion, "send only HCP, TRC and NoK assertions")
        })?;
        let place = match kind {
            Kind::Hcp => &mut hcp,
            Kind::Trc => &mut trc,
            Kind::Nok => &mut nok,
        };
        if place.is_some() {
            return Err(Refusal::new(
                Code::ErrorNotValidAssertion,
                "send each kind of assertion once",
            ));
        }
        *place = Some(verified(kind, *element, context, cache)?);
    }
    let hcp = hcp.ok_or_else(|| {
        Refusal::new(
            Code::ErrorHpiAuthenticationNotReceived,
            "send the HCP assertion in the security header",
        )
    })?;
    let subject = table::Subject { hcp: &hcp, trc: trc.as_deref(), nok: nok.as_deref(), context };
    for rule in RULES {
        if !rule.holds(&subject) {
            return Err(Refusal::new(rule.code, rule.hint).with_detail(rule.name));
        }
    }
    // the table has made sure of all of these; should it not have, this refuses too
    let undecided = || Refusal::new(Code::ErrorNotValidAssertion, "send complete assertions");
    let patient = match &trc {
        Some(trc) => Some(PatientId::parse_cx(&trc.subject_id).map_err(|_| undecided())?),
        None => context.patients.first().cloned(),
    };
    Ok(Recognised {
        role: RoleCode::parse(&hcp.role).map_err(|_| undecided())?,
        purpose: hcp.purpose.ok_or_else(undecided)?,
        country: hcp.issuer_country().ok_or_else(undecided)?,
        patient,
        hcp,
        trc,
    })
}

/// The assertion with a valid signature by a certificate that leads to a root.
fn verified(
    kind: Kind,
    element: Element<'_, '_>,
    context: &Context<'_>,
    cache: &AssertionCache,
) -> Result<Arc<Assertion>, Refusal> {
    // one that came by itself is verified as it was parsed; one in a message is made a document of its own
    let whole = element.parent().is_none() && element.source().len() <= Limits::ASSERTION.bytes;
    let alone =
        if whole { Cow::Borrowed(element.source()) } else { Cow::Owned(element.standalone()) };
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, alone.as_bytes());
    let key: [u8; 32] = digest.as_ref().try_into().expect("because SHA-256 has 32 bytes");
    if let Some(known) = cache.find(&key, context.now) {
        return Ok(known);
    }
    let era = cache.era();
    let code = if kind == Kind::Trc {
        Code::ErrorNotValidTrcAssertion
    } else {
        Code::ErrorNotValidAssertion
    };
    let refuse = |hint, detail: String| Refusal::new(code, hint).with_detail(detail);
    let own;
    let root = if whole {
        element
    } else {
        own = Xml::parse(&alone, &Limits::ASSERTION)
            .map_err(|e| refuse("send well-formed assertions", e.to_string()))?;
        own.root()
    };
    let signed = verify_enveloped(root, Profile::Ehdsi).map_err(|e| match e {
        SignatureError::Missing => {
            Refusal::new(Code::ErrorNoSignature, "sign the assertion with the seal certificate")
        }
        other => refuse(
            "the assertion's signature is not valid; send it as it was signed",
            other.to_string(),
        ),
    })?;
    context.anchors.verify(signed.certificate(), &[], Usage::Seal, context.now).map_err(|e| {
        refuse("the seal certificate does not lead to a root that we know", e.to_string())
    })?;
    let assertion = Assertion::read(kind, signed.element(), signed.certificate().clone())
        .map_err(|e| refuse("send complete assertions", e.to_string()))?;
    let assertion = Arc::new(assertion);
    cache.keep(key, Arc::clone(&assertion), context.now, era);
    Ok(assertion)
}
