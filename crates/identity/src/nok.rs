//! Next-of-kin assertions: who speaks for a patient who cannot (openncp-protocol §1.7, §1.8).

use std::sync::Arc;

use jiff::civil::Date;
use trust::seal::SealKey;
use trust::signature::SignatureError;
use trust::xml::Writer;

use crate::assertion::Kind;
use crate::issue::{Frame, Moment, Subject, text};

/// A next of kin, who speaks for a patient who cannot. Personal: no `Debug`. Empty: not known.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NextOfKin {
    /// The relative's own identifier.
    pub id: String,
    /// Given names.
    pub given: String,
    /// Family name.
    pub family: String,
    /// Administrative gender.
    pub gender: String,
    /// Date of birth.
    pub birth: Option<Date>,
    /// Street and number.
    pub street: String,
    /// City.
    pub city: String,
    /// Postal code.
    pub postal_code: String,
    /// Country.
    pub country: String,
}

/// A next-of-kin assertion for an HCP assertion: who speaks for the patient (openncp-protocol §1.7).
pub fn issue(
    user: &str,
    hcp_id: &str,
    kin: &NextOfKin,
    moment: &Moment<'_>,
    key: &Arc<SealKey>,
) -> Result<String, SignatureError> {
    issue_of(&Subject::user(user), hcp_id, kin, moment, key)
}

pub(crate) fn issue_of(
    subject: &Subject<'_>,
    hcp_id: &str,
    kin: &NextOfKin,
    moment: &Moment<'_>,
    key: &Arc<SealKey>,
) -> Result<String, SignatureError> {
    let birth = kin.birth.map(|date| date.strftime("%d-%m-%Y").to_string()).unwrap_or_default();
    let mut w = Writer::new();
    for (name, friendly, value) in [
        ("id", "NextOfKinId", &kin.id),
        ("firstname", "NextOfKinFirstName", &kin.given),
        ("familyname", "NextOfKinFamilyName", &kin.family),
        ("gender", "NextOfKinGender", &kin.gender),
        ("birthdate", "NextOfKinBirthDate", &birth),
        ("address:street", "NextOfKinAddressStreet", &kin.street),
        ("address:city", "NextOfKinAddressCity", &kin.city),
        ("address:postalcode", "NextOfKinPostalCode", &kin.postal_code),
        ("address:country", "NextOfKinAddressCountry", &kin.country),
    ] {
        if !value.is_empty() {
            text(&mut w, &format!("urn:ehdsi:names:subject:nextofkin:{name}"), friendly, &[value]);
        }
    }
    let frame = Frame {
        kind: Kind::Nok,
        subject: *subject,
        moment,
        authenticated: moment.now,
        advice: Some(hcp_id),
    };
    frame.sign(&w.finish(), key)
}
