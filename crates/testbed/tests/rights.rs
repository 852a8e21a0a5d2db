//! The world's clinicians get what the story needs from the one rule table, and no more.

use std::sync::Arc;

use exchange::{Country, DocumentClass, Purpose, SystemEntropy, Transaction};
use identity::{AssertionCache, Consent, Context, Policy, permit, recognise};
use testbed::assertions::Issuer;
use testbed::pki::{Pki, Role, SealKind};
use testbed::world::{AGNETE, Clinician, JORDI, MONTSERRAT, RAMON};
use trust::xml::{Limits, Xml};

/// Whether the clinician may do this in Spain with the Danish patient.
fn may(clinician: &Clinician, transaction: Transaction, class: Option<DocumentClass>) -> bool {
    let spain = Country::parse("ES").expect("because ES is a code");
    let now = "2026-11-21T03:00:00Z".parse().expect("because it is a time");
    let pki = Pki::new(&[spain], SealKind::P256, now);
    let issuer = Issuer::new(spain, Arc::new(pki.identity(spain, Role::Seal).seal_key()));
    let patient = AGNETE.id();
    let known = (transaction != Transaction::PatientDiscovery).then_some(&patient);
    let visit = issuer.visit(clinician, known, Purpose::Treatment, now, &SystemEntropy);
    let texts: Vec<Xml<'_>> = visit
        .assertions()
        .into_iter()
        .map(|text| Xml::parse(text, &Limits::ASSERTION).expect("because identity wrote it"))
        .collect();
    let elements: Vec<_> = texts.iter().map(Xml::root).collect();
    let context = Context {
        transaction,
        discard: class == Some(DocumentClass::Discard),
        patients: std::slice::from_ref(&patient),
        peer: Some(spain),
        now,
        anchors: &pki.anchors(),
    };
    let recognised = recognise(&elements, &context, &AssertionCache::new(16))
        .unwrap_or_else(|refusal| panic!("{refusal} ({})", refusal.detail));
    let policy = Policy { extra_submitters: Vec::new() };
    permit(recognised, transaction, class, Consent::Given, &policy).is_ok()
}

#[test]
fn doctor_pharmacist_and_nosy_employee() {
    use DocumentClass as C;
    use Transaction as T;
    for (transaction, class, doctor, pharmacist, nosy) in [
        (T::PatientDiscovery, None, true, true, true),
        (T::Query, Some(C::PatientSummary), true, false, false),
        (T::Query, Some(C::EPrescription), true, true, false),
        (T::Retrieve, None, true, true, false),
        (T::Submit, Some(C::EDispensation), false, true, false),
        (T::Submit, Some(C::Discard), false, true, false),
    ] {
        for (clinician, expected) in [(&MONTSERRAT, doctor), (&JORDI, pharmacist), (&RAMON, nosy)] {
            assert_eq!(
                may(clinician, transaction, class),
                expected,
                "{} {transaction:?} {class:?}",
                clinician.number
            );
        }
    }
}
