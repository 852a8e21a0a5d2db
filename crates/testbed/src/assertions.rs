//! HCP and TRC assertions for the world's clinicians (openncp-protocol §1.7).

use std::sync::Arc;

use exchange::{Country, Entropy, PatientId, Purpose};
use identity::issue::{self, Moment, Professional};
use jiff::{SignedDuration, Timestamp};
use trust::seal::SealKey;

use crate::world::Clinician;

/// The life span of an HCP assertion: the most that is allowed is 4 hours.
pub const HCP_LIFE: SignedDuration = SignedDuration::from_hours(4);
/// The life span of a TRC assertion: the most that is allowed is 2 hours.
pub const TRC_LIFE: SignedDuration = SignedDuration::from_hours(2);

/// Issues assertions of one country: its identity provider and its TRC-STS in one.
pub struct Issuer {
    country: Country,
    seal: Arc<SealKey>,
}

/// The assertions of one visit. Personal: no `Debug`.
pub struct Visit {
    /// The HCP assertion, signed.
    pub hcp: String,
    /// The TRC assertion, signed; none before the patient is identified (ITI-55).
    pub trc: Option<String>,
}

impl Visit {
    /// Both assertions in the order of the WS-Security header.
    pub fn assertions(&self) -> Vec<&str> {
        std::iter::once(self.hcp.as_str()).chain(self.trc.as_deref()).collect()
    }
}

impl Issuer {
    /// Issues for this country with its seal key.
    pub fn new(country: Country, seal: Arc<SealKey>) -> Self {
        Self { country, seal }
    }

    /// A visit of `patient` to `clinician`, or the clinician alone, who looks for a patient.
    pub fn visit(
        &self,
        clinician: &Clinician,
        patient: Option<&PatientId>,
        purpose: Purpose,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Visit {
        let who = professional(clinician);
        let (hcp_id, trc_id) = (assertion_id(entropy), assertion_id(entropy));
        let moment = |id, life, class| Moment { country: self.country, now, life, id, class };
        let hcp = issue::hcp(&who, &moment(&hcp_id, HCP_LIFE, "SmartcardPKI"), purpose, &self.seal)
            .expect("because the assertion was just written by us");
        let trc = patient.map(|patient| {
            let moment = moment(&trc_id, TRC_LIFE, "PreviousSession");
            issue::trc(&who, &hcp_id, patient, &moment, purpose, &self.seal)
                .expect("because the assertion was just written by us")
        });
        Visit { hcp, trc }
    }
}

/// The clinician as the identity provider knows them.
pub fn professional(clinician: &Clinician) -> Professional {
    Professional {
        user: clinician.number.to_owned(),
        name: clinician.name(),
        role: clinician.role(),
        organization: clinician.organization.to_owned(),
        organization_id: clinician.land().community().urn(),
        locality: clinician.organization.to_owned(),
        facility: clinician.facility.to_owned(),
        community: clinician.land().community(),
        permissions: clinician.permissions(),
    }
}

/// `_` and 32 hexadecimal digits: an NCName that nobody can guess.
fn assertion_id(entropy: &dyn Entropy) -> String {
    format!("_{}", exchange::TransactionId::random(entropy))
}

#[cfg(test)]
mod tests {
    use exchange::SystemEntropy;
    use trust::signature::{Profile, verify_enveloped};
    use trust::xml::{Limits, Xml};

    use super::*;
    use crate::pki::{Pki, Role, SealKind};
    use crate::world::{AGNETE, MONTSERRAT};

    #[test]
    fn both_assertions_verify_and_are_bound() {
        let spain = Country::parse("ES").unwrap();
        let now = "2026-11-21T03:00:00Z".parse().unwrap();
        let pki = Pki::new(&[spain], SealKind::P256, now);
        let seal = pki.identity(spain, Role::Seal);
        let issuer = Issuer::new(spain, Arc::new(seal.seal_key()));
        let patient = AGNETE.id();
        let visit =
            issuer.visit(&MONTSERRAT, Some(&patient), Purpose::Treatment, now, &SystemEntropy);
        let mut ids = Vec::new();
        for assertion in visit.assertions() {
            let xml = Xml::parse(assertion, &Limits::ASSERTION).unwrap();
            let signed = verify_enveloped(xml.root(), Profile::Ehdsi).unwrap();
            assert_eq!(signed.certificate().fingerprint(), seal.certificate().fingerprint());
            ids.push(signed.element().attribute("ID").unwrap().to_owned());
        }
        let trc = visit.trc.unwrap();
        assert!(trc.contains(&format!("AssertionIDRef>{}<", ids[0])) && ids[0] != ids[1]);
        assert!(
            issuer.visit(&MONTSERRAT, None, Purpose::Treatment, now, &SystemEntropy).trc.is_none()
        );
    }
}
