//! The security token service of a country of treatment: from the HCP assertion of a professional
//! to the assertions that bind a patient, or their next of kin, to it (openncp-protocol §1.8).
//!
//! The HCP assertion goes through the rules of [`crate::recognise`] as it will abroad. What is
//! issued never outlives it.

use std::sync::Arc;

use exchange::{Code, Country, PatientId, Purpose, Refusal, Transaction};
use jiff::{SignedDuration, Timestamp};
use trust::certificate::Anchors;
use trust::seal::SealKey;
use trust::xml::Element;

use crate::issue::{Moment, Relation, Subject, trc_of};
use crate::nok::{self, NextOfKin};
use crate::{AssertionCache, Context, Kind, Recognised, recognise};

/// The longest life of what is issued here (openncp-protocol §1.7).
pub const LIFE: SignedDuration = SignedDuration::from_hours(2);

/// Whose service it is, and the world at this moment.
#[derive(Clone, Copy)]
pub struct Service<'a> {
    /// Our country: the only one whose professionals are served.
    pub country: Country,
    /// Our seal.
    pub seal: &'a Arc<SealKey>,
    /// Roots of seal certificates.
    pub anchors: &'a Anchors,
    /// Assertions that verified before.
    pub cache: &'a AssertionCache,
    /// Now.
    pub now: Timestamp,
    /// The id of what is issued: `_` and a UUID.
    pub id: &'a str,
}

/// What is wanted. Personal: no `Debug`.
#[derive(Clone)]
pub enum Wanted {
    /// A treatment relation; without a purpose, the professional's own.
    Relation {
        /// The patient.
        patient: PatientId,
        /// Why.
        purpose: Option<Purpose>,
        /// The prescription, where a country wants it.
        prescription: Option<String>,
        /// The code on it, where a country wants it.
        pin: Option<String>,
    },
    /// A next of kin.
    NextOfKin(NextOfKin),
}

/// What was issued. Personal: no `Debug`.
pub struct Issued {
    /// The signed assertion.
    pub assertion: String,
    /// Of which kind.
    pub kind: Kind,
    /// Until when it holds.
    pub expires: Timestamp,
    /// For whom it was issued.
    pub professional: Recognised,
}

/// Issues for the one HCP assertion among `assertions`, or says why not.
pub fn issue(
    assertions: &[Element<'_, '_>],
    wanted: &Wanted,
    service: &Service<'_>,
) -> Result<Issued, Refusal> {
    if assertions.len() > 1 {
        let hint = "send the HCP assertion alone";
        return Err(Refusal::new(Code::ErrorNotValidAssertion, hint));
    }
    let context = Context {
        transaction: Transaction::PatientDiscovery,
        discard: false,
        patients: &[],
        // who asks stands on our own national listener
        peer: Some(service.country),
        now: service.now,
        anchors: service.anchors,
    };
    let professional = recognise(assertions, &context, service.cache)?;
    let hcp = professional.hcp();
    let left = hcp.not_after.map(|end| end.duration_since(service.now));
    let life = left.unwrap_or_default().min(LIFE);
    if life <= SignedDuration::ZERO {
        return Err(Refusal::new(Code::ErrorNotValidAssertion, "log in again")
            .with_detail("nothing is left of the hcp assertion"));
    }
    let Service { country, now, id, seal, .. } = *service;
    let moment = Moment { country, now, life, id, class: "PreviousSession" };
    let subject = Subject { user: &hcp.name_id, format: &hcp.name_format };
    let (kind, assertion) = match wanted {
        Wanted::Relation { patient, purpose, prescription, pin } => {
            if purpose.is_some_and(|purpose| purpose != professional.purpose()) {
                let hint = "state the same purpose in HCP and TRC";
                return Err(Refusal::new(Code::ErrorNotValidTrcAssertion, hint));
            }
            let relation = Relation {
                patient,
                purpose: professional.purpose(),
                prescription: prescription.as_deref(),
                pin: pin.as_deref(),
            };
            (Kind::Trc, trc_of(&subject, &hcp.id, &relation, &moment, seal))
        }
        Wanted::NextOfKin(kin) => (Kind::Nok, nok::issue_of(&subject, &hcp.id, kin, &moment, seal)),
    };
    let assertion = assertion.map_err(|error| {
        Refusal::new(Code::ErrorGeneric, "the seal did not sign; try again")
            .with_detail(error.to_string())
    })?;
    let expires = now.checked_add(life).unwrap_or(now);
    Ok(Issued { assertion, kind, expires, professional })
}
