//! The built-in national connector: answers the four transactions from a [`DocumentStore`].

use std::sync::Arc;

use bytes::Bytes;
use clinical::cda;
use enclave::{Vault, VaultError};
use exchange::{Code, Country, Document, DocumentClass, Oid, PatientId, Refusal};
use identity::{Consent, Mandate};
use ihe::xca::{DocumentEntry, PDF_FORMAT, QueryResponse, Repository, RetrieveResponse};
use ihe::xcpd::{Match, Response};
use ihe::xdr::Submission;
use jiff::Timestamp;

use super::{
    Dispensation, DocumentStore, Entry, Form, Kept, Outcome, Patient, Status, StoreError,
    StoredDocument, kept,
};

/// The store of a country, and what it says of itself in answers.
#[derive(Clone)]
pub struct Store {
    /// The adapter.
    pub documents: Arc<dyn DocumentStore>,
    /// Home community.
    pub community: Oid,
    /// Repository unique id.
    pub repository: String,
    /// Country.
    pub country: Country,
}

impl Store {
    /// What the patients said about cross-border exchange; unknown patients have nothing to withhold.
    pub async fn consent(&self, ids: &[PatientId]) -> Result<Consent, Refusal> {
        let patients = self.documents.find_patients(ids).await.map_err(unavailable)?;
        let withheld = !patients.is_empty() && patients.iter().all(|p| !p.consent);
        Ok(if withheld { Consent::Withheld } else { Consent::Given })
    }

    /// ITI-55: the patients who match and agreed.
    pub async fn discover(&self, ids: &[PatientId]) -> Result<Response, Refusal> {
        let patients = self.documents.find_patients(ids).await.map_err(unavailable)?;
        if patients.is_empty() {
            return Err(Refusal::new(
                Code::ErrorPiNoMatch,
                "no such patient; check the identifier",
            ));
        }
        let found: Vec<Match> =
            patients.into_iter().filter(|p| p.consent).map(|p| matched(p, ids)).collect();
        if found.is_empty() {
            return Err(Refusal::new(
                Code::WarningPiNoConsent,
                "the patient has not agreed; ask the patient at home",
            ));
        }
        Ok(Response::Found(found))
    }

    /// ITI-38: the patient's entries of the classes asked for.
    pub async fn query(
        &self,
        patient: &PatientId,
        classes: &[DocumentClass],
    ) -> Result<QueryResponse, Refusal> {
        let mut entries = Vec::new();
        for class in classes {
            let found =
                self.documents.entries(patient, *class, MAX_ENTRIES).await.map_err(unavailable)?;
            entries.extend(found.into_iter().map(entry));
        }
        if entries.is_empty() {
            return Err(Refusal::new(
                not_found(classes.first().copied()),
                "the patient has no such document",
            ));
        }
        Ok(QueryResponse { entries, ..QueryResponse::default() })
    }

    /// The answer to ITI-38 in this country's words.
    pub fn render_query(&self, response: &QueryResponse, patient: &PatientId) -> String {
        let from = Repository {
            community: &self.community,
            repository: &self.repository,
            country: self.country.as_str(),
        };
        response.render(patient, &from)
    }

    /// ITI-39: the documents, each the patient's own and covered by the mandate; the answer says of
    /// each what it is, and its bytes are kept.
    pub async fn retrieve(
        &self,
        mandate: &Mandate,
        wanted: &[(String, String)],
    ) -> Result<(RetrieveResponse, Vec<StoredDocument>), Refusal> {
        let absent = || {
            Refusal::new(
                Code::ErrorDocumentNotFound,
                "no such document of this patient; query again",
            )
        };
        let (mut documents, mut found) = (Vec::new(), Vec::new());
        for (repository, id) in wanted {
            if *repository != self.repository {
                return Err(absent());
            }
            let stored =
                self.documents.document(id).await.map_err(unavailable)?.ok_or_else(absent)?;
            if mandate.recognised().patient() != Some(&stored.patient) {
                return Err(absent().with_detail("document of another patient"));
            }
            if !mandate.covers(stored.entry.class) {
                let hint = "the HCP assertion lacks a permission for this document";
                return Err(Refusal::new(Code::ErrorInsufficientRights, hint));
            }
            documents.push(Document {
                unique_id: id.clone(),
                repository: repository.clone(),
                mime: stored.mime.clone(),
                bytes: Bytes::new(),
            });
            found.push(stored);
        }
        Ok((RetrieveResponse { documents, ..RetrieveResponse::default() }, found))
    }

    /// ITI-41: a dispensation closes its prescription, a discard reopens it. The vault keeps what
    /// came.
    pub async fn submit(
        &self,
        vault: &Vault,
        submission: &Submission,
        from: Country,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let outcome = match submission.class {
            DocumentClass::EDispensation => {
                let prescription = fulfilled_prescription(&submission.bytes)?;
                let patient = submission.patient.clone();
                let of = [&submission.unique_id, &patient.cx(), from.as_str(), &prescription];
                let kept = Kept::new(vault, &submission.bytes, |digest| {
                    kept::label(kept::Kind::Dispensation, of, digest)
                });
                let kept = kept.map_err(not_kept)?;
                let (unique_id, country) = (submission.unique_id.clone(), from);
                let dispensation =
                    Dispensation { unique_id, prescription, patient, country, received: now, kept };
                self.documents.dispense(dispensation).await
            }
            DocumentClass::Discard => {
                self.documents.discard(&submission.unique_id, &submission.patient, from).await
            }
            _ => {
                return Err(Refusal::new(
                    Code::ErrorUnsupportedFeature,
                    "submit an eDispensation or its discard",
                ));
            }
        };
        match outcome.map_err(unavailable)? {
            Outcome::Done | Outcome::AlreadyDone => Ok(()),
            Outcome::Closed => Err(Refusal::new(
                Code::ErrorEpAlreadyDispensed,
                "the prescription is already dispensed",
            )),
            Outcome::Unknown if submission.class == DocumentClass::Discard => Err(Refusal::new(
                Code::ErrorEdDiscardFailed,
                "no such dispensation of this patient",
            )),
            Outcome::Unknown => Err(Refusal::new(
                Code::ErrorEdEprescriptionNotIdentifiable,
                "no such prescription of this patient",
            )),
        }
    }
}

fn not_kept(error: VaultError) -> Refusal {
    Refusal::new(Code::ErrorGeneric, "the dispensation cannot be kept now; try again")
        .with_detail(error.to_string())
}

/// The prescription that an eDispensation fulfils (CDA `inFulfillmentOf/order/id`).
fn fulfilled_prescription(bytes: &[u8]) -> Result<String, Refusal> {
    let malformed = |detail: String| {
        Refusal::new(Code::ErrorEdIncorrectFormatting, "send the eDispensation as coded CDA")
            .with_detail(detail)
    };
    cda::fulfilled_order(bytes).map_err(|e| malformed(e.to_string()))?.ok_or_else(|| {
        Refusal::new(
            Code::ErrorEdEprescriptionNotIdentifiable,
            "name the prescription in inFulfillmentOf/order/id",
        )
    })
}

fn matched(patient: Patient, asked: &[PatientId]) -> Match {
    let id = patient.ids.iter().find(|id| asked.contains(id)).or(patient.ids.first());
    Match {
        id: id.cloned().expect("because a patient is stored with an identifier"),
        given: patient.given,
        family: patient.family,
        gender: patient.gender,
        birth: patient.birth,
        address: patient.address,
    }
}

fn entry(stored: Entry) -> DocumentEntry {
    let (format, transformed_to) = match stored.form {
        Form::Coded => (stored.class.format_code().to_owned(), None),
        Form::Pdf => (PDF_FORMAT.to_owned(), stored.twin),
    };
    DocumentEntry {
        unique_id: stored.unique_id,
        class: stored.class,
        format,
        title: stored.title,
        created: Some(stored.created),
        language: stored.language,
        size: stored.size,
        hash: stored.hash,
        author: stored.author,
        transformed_to,
        status: stored.status.map(|s| if s == Status::Open { "open" } else { "closed" }.to_owned()),
        atc: stored.atc,
    }
}

fn not_found(class: Option<DocumentClass>) -> Code {
    match class {
        Some(DocumentClass::PatientSummary) => Code::ErrorPsNotFound,
        Some(DocumentClass::EPrescription) => Code::ErrorEpNotFound,
        _ => Code::ErrorDocumentNotFound,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "shaped for map_err")]
fn unavailable(error: StoreError) -> Refusal {
    Refusal::new(Code::ErrorGeneric, "the national store is not available; try again")
        .with_detail(error.to_string())
}

/// More entries than a clinician would read through.
const MAX_ENTRIES: usize = 200;
