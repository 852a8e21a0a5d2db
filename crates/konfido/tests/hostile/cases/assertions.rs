//! Forged, stretched and stolen assertions, in plain IHE at Italy's border.

use std::sync::Arc;

use exchange::{DocumentClass, Transaction};
use ihe::xca::QueryRequest;
use testbed::assertions::Visit;
use testbed::attacks::forgery::{id, replaced, resigned, truncated, unsigned};
use testbed::attacks::wrapping::{Wrapped, variants};
use testbed::pki::Role;
use testbed::world::{AGNETE, BIRTHE, Clinician, MONTSERRAT, ORNELLA, RAMON};

use crate::case::{Case, Want, case};
use crate::stage::{self, HOME, ITALY, SPAIN, envelope, service, shot};
use crate::wire::{Caller, Shot};

const NOT_RECEIVED: Want = Want::Refusal("ERROR_HPI_AUTHENTICATION_NOT_RECEIVED");
const INVALID: Want = Want::Refusal("1001");
const INVALID_TRC: Want = Want::Refusal("1002");
const UNSIGNED: Want = Want::Refusal("4704");
const RIGHTS: Want = Want::Refusal("4703");
const OTHER_PATIENT: Want = Want::Refusal("4206");

/// What each variant of the wrapping attack gets, for the HCP and for the TRC assertion. One that
/// hides an assertion in another element gets 1001 whichever it is. The first assertion of a kind
/// is looked at first, so an unsigned forgery that stands before the original gets 4704.
const WRAPPED: [(Want, Want); 13] = [
    (INVALID, INVALID),
    (UNSIGNED, UNSIGNED),
    (UNSIGNED, UNSIGNED),
    (INVALID, INVALID),
    (INVALID, INVALID),
    (INVALID, INVALID_TRC),
    (INVALID, INVALID),
    (INVALID, INVALID),
    (INVALID, INVALID),
    (UNSIGNED, UNSIGNED),
    (INVALID, INVALID_TRC),
    (INVALID, INVALID),
    (INVALID, INVALID_TRC),
];

/// A clerk, whose assertion says so, becomes a doctor; a doctor with the TRC of a Danish patient
/// reads an Italian's summary.
pub fn wrapped() -> Vec<Case> {
    let hcp = (0..WRAPPED.len()).map(|n| {
        case(format!("HCP, {}", name(n)), ITALY, WRAPPED[n].0, move |stage| {
            let visit = stage.visit(&RAMON, &ORNELLA);
            let attack = variants(&visit.hcp, promoted).swap_remove(n);
            query(&[&attack.security, visit.trc.as_deref().unwrap()])
        })
    });
    let trc = (0..WRAPPED.len()).map(|n| {
        case(format!("TRC, {}", name(n)), ITALY, WRAPPED[n].1, move |stage| {
            let visit = stage.visit(&MONTSERRAT, &AGNETE);
            let attack = variants(visit.trc.as_ref().unwrap(), about_ornella).swap_remove(n);
            query(&[&visit.hcp, &attack.security])
        })
    });
    hcp.chain(trc).collect()
}

/// The name of a variant does not depend on the assertion.
fn name(n: usize) -> &'static str {
    let any = "<saml2:Assertion ID=\"_a\"><saml2:Issuer></saml2:Issuer><ds:Signature ><ds:SignatureValue>\
               </ds:SignatureValue></ds:Signature>x</saml2:Assertion>";
    let Wrapped { name, .. } = variants(any, |text| text.replace('x', "y")).swap_remove(n);
    name
}

fn promoted(clerk: String) -> String {
    let doctor = replaced(&clerk, "code=\"44\"", "code=\"221\"");
    replaced(&doctor, ":PRD-006<", ":PRD-003<")
}

fn about_ornella(trc: String) -> String {
    let cx = |id: exchange::PatientId| id.cx().replace('&', "&amp;");
    replaced(&trc, &cx(AGNETE.id()), &cx(ORNELLA.id()))
}

/// A query for the Italian patient's summaries.
fn query(security: &[&str]) -> Shot {
    shot(SPAIN, service(Transaction::Query), stage::query(security, &ORNELLA))
}

fn ask(visit: &Visit) -> Shot {
    query(&visit.assertions())
}

/// An attack on the text of the signed HCP or TRC assertion of an honest visit.
fn edit(name: &str, hcp: Option<fn(&str) -> String>, trc: Option<fn(&str) -> String>) -> Vec<Case> {
    let mut cases = Vec::new();
    if let Some(hcp) = hcp {
        cases.push(case(format!("HCP, {name}"), ITALY, INVALID, move |stage| {
            let visit = stage.visit(&MONTSERRAT, &ORNELLA);
            query(&[&hcp(&visit.hcp), visit.trc.as_deref().unwrap()])
        }));
    }
    if let Some(trc) = trc {
        cases.push(case(format!("TRC, {name}"), ITALY, INVALID_TRC, move |stage| {
            let visit = stage.visit(&MONTSERRAT, &ORNELLA);
            query(&[&visit.hcp, &trc(visit.trc.as_deref().unwrap())])
        }));
    }
    cases
}

fn both(name: &str, attack: fn(&str) -> String) -> Vec<Case> {
    edit(name, Some(attack), Some(attack))
}

/// Signatures that are weak, cut or by the wrong hand.
pub fn signatures() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        both("SHA-1 signature", |a| replaced(a, "#ecdsa-sha256", "#ecdsa-sha1")),
        both("SHA-1 digest", |a| replaced(a, "2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1")),
        both("comment in the NameID", |a| truncated(a, MONTSERRAT.number)),
        edit("comment in an attribute value", Some(|a| truncated(a, "Hospital")), None),
        edit(
            "comment in the patient's identifier",
            None,
            Some(|a| truncated(a, &ORNELLA.id().cx().replace('&', "&amp;"))),
        ),
        both("CDATA in the NameID", |a| {
            let cdata = format!("<![CDATA[{}]]>", MONTSERRAT.number);
            replaced(a, &format!(">{}<", MONTSERRAT.number), &format!(">{cdata}<"))
        }),
        both("changed after signing", |a| replaced(a, MONTSERRAT.number, "ES-MED-9999")),
        both("signed by another key, our certificate shown", |a| {
            let value = a.find("<ds:SignatureValue>").unwrap() + 25;
            let (head, tail) = a.split_at(value);
            format!("{head}{}{}", if tail.starts_with('A') { 'B' } else { 'A' }, &tail[1..])
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    cases.push(case("HCP, signature taken out", ITALY, UNSIGNED, |stage| {
        let visit = stage.visit(&MONTSERRAT, &ORNELLA);
        query(&[&unsigned(&visit.hcp), visit.trc.as_deref().unwrap()])
    }));
    cases.push(case("no assertions", ITALY, NOT_RECEIVED, |_| query(&[])));
    cases.push(case("the HCP assertion twice", ITALY, INVALID, |stage| {
        let visit = stage.visit(&MONTSERRAT, &ORNELLA);
        query(&[&visit.hcp, &visit.hcp, visit.trc.as_deref().unwrap()])
    }));
    cases.push(case("unknown signer: a foreign root of the same name", ITALY, INVALID, |stage| {
        let seal =
            Arc::new(stage.foreign.identity(crate::circle::country("ES"), Role::Seal).seal_key());
        ask(&stage::visit_by(("ES", &seal), &MONTSERRAT, &ORNELLA.id(), 0))
    }));
    cases
}

/// Too early, too late, of the wrong country.
pub fn validity() -> Vec<Case> {
    let at = |name: &'static str, minutes: i64| {
        case(name, ITALY, INVALID, move |stage| {
            let seal = Arc::clone(&stage.seal);
            ask(&stage::visit_by(("ES", &seal), &MONTSERRAT, &ORNELLA.id(), minutes))
        })
    };
    let by =
        |name: &'static str, issuer: &'static str, seal: &'static str, who: &'static Clinician| {
            case(name, ITALY, INVALID, move |stage| {
                let key = stage.circle.seal(seal);
                ask(&stage::visit_by((issuer, &key), who, &ORNELLA.id(), 0))
            })
        };
    vec![
        at("expired assertions", -5 * 60),
        at("assertions that are not valid yet", 60),
        by("issuer Italy, sealed by Spain", "IT", "ES", &MONTSERRAT),
        by("issuer Spain, sealed by Denmark", "ES", "DK", &MONTSERRAT),
        by("Danish assertions on Spain's connection", "DK", "DK", &BIRTHE),
        case("HCP of Spain, TRC of Denmark", ITALY, INVALID, |stage| {
            let spain = stage.visit(&MONTSERRAT, &ORNELLA);
            let seal = stage.circle.seal("DK");
            let trc = resigned(spain.trc.as_ref().unwrap(), &seal, |trc| {
                replaced(&trc, "urn:initgw:ES", "urn:initgw:DK")
            });
            query(&[&spain.hcp, &trc])
        }),
        case(
            "Spanish assertions on Denmark's connection",
            ITALY,
            Want::Fault(400, "4705"),
            |stage| {
                let visit = stage.visit(&MONTSERRAT, &ORNELLA);
                let text = stage::query(&visit.assertions(), &ORNELLA);
                let denmark = Caller::Known("DK", Role::ServiceConsumer);
                shot(denmark, service(Transaction::Query), text)
            },
        ),
        case("another country's certificate at the national listener", HOME, INVALID, |stage| {
            let visit = stage.visit(&MONTSERRAT, &AGNETE);
            let text = stage::query(&visit.assertions(), &AGNETE);
            let denmark = Caller::Known("DK", Role::OpenncpClient);
            shot(denmark, &format!("/it{}", service(Transaction::Query)), text)
        }),
        case("an HCP assertion that lives five hours", ITALY, INVALID, |stage| {
            let visit = stage.visit(&MONTSERRAT, &ORNELLA);
            let hcp = resigned(&visit.hcp, &stage.seal, |hcp| {
                let from = hcp.find("NotOnOrAfter=\"").unwrap() + 14;
                format!("{}2099{}", &hcp[..from], &hcp[from + 4..])
            });
            query(&[&hcp, visit.trc.as_deref().unwrap()])
        }),
    ]
}

/// Patients who are not the ones of the treatment.
pub fn patients() -> Vec<Case> {
    vec![
        case("the patient of the Body is not the TRC's", ITALY, OTHER_PATIENT, |stage| {
            ask(&stage.visit(&MONTSERRAT, &AGNETE))
        }),
        case(
            "a document of a patient who is not the TRC's",
            ITALY,
            Want::Refusal("1100"),
            |stage| {
                let visit = stage.visit(&MONTSERRAT, &AGNETE);
                shot(SPAIN, service(Transaction::Retrieve), stage::retrieval(&visit, &ORNELLA))
            },
        ),
        case("the TRC of another visit", ITALY, INVALID_TRC, |stage| {
            let (mine, theirs) =
                (stage.visit(&MONTSERRAT, &ORNELLA), stage.visit(&MONTSERRAT, &ORNELLA));
            query(&[&mine.hcp, theirs.trc.as_deref().unwrap()])
        }),
        case("the TRC of another professional", ITALY, INVALID_TRC, |stage| {
            let (mine, theirs) =
                (stage.visit(&RAMON, &ORNELLA), stage.visit(&MONTSERRAT, &ORNELLA));
            let trc = theirs.trc.as_ref().unwrap();
            let trc =
                resigned(trc, &stage.seal, |trc| replaced(&trc, id(&theirs.hcp), id(&mine.hcp)));
            query(&[&mine.hcp, &trc])
        }),
        case("no TRC", ITALY, INVALID_TRC, |stage| {
            query(&[&stage.visit(&MONTSERRAT, &ORNELLA).hcp])
        }),
        case("a clerk asks for a summary", ITALY, RIGHTS, |stage| {
            ask(&stage.visit(&RAMON, &ORNELLA))
        }),
        case("two patients in one query", ITALY, Want::Refusal("ERROR_GENERIC"), |stage| {
            let visit = stage.visit(&MONTSERRAT, &ORNELLA);
            let classes = vec![DocumentClass::PatientSummary];
            let body = QueryRequest { patient: ORNELLA.id(), classes }.render();
            let from = body.find("<rim:Slot name=\"$XDSDocumentEntryPatientId\">").unwrap();
            let to = from + body[from..].find("</rim:Slot>").unwrap() + "</rim:Slot>".len();
            let slot = body[from..to].to_owned();
            let second = slot.replace(ORNELLA.number, AGNETE.number);
            let body = replaced(&body, &slot, &format!("{slot}{second}"));
            let text = envelope(Transaction::Query, &visit.assertions(), &body);
            shot(SPAIN, service(Transaction::Query), text)
        }),
    ]
}
