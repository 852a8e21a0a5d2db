//! Documents on their way into the store: what an entry says is read from the document itself.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use bytes::Bytes;
use clinical::cda::{CdaError, Level, View};
use clinical::findings;
use exchange::DocumentClass;

use super::{Document, Entry, Form, Status};

/// Why a document is not taken in. The fault of the system that made the document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// Not a CDA that we read.
    #[error("document cannot be taken in")]
    Unreadable(#[from] CdaError),
    /// An eHDSI rule is broken.
    #[error("document breaks a rule ({code}): {rule}", code = .0.code.wire(), rule = .0.rule)]
    Broken(findings::Finding),
}

/// Reads the metadata of a CDA document; an ePrescription is taken in as dispensable.
///
/// A coded document names its PDF by `relatedDocument` of type `XFRM`; [`pair`] links both ways.
pub fn read(bytes: Bytes) -> Result<Document, IntakeError> {
    let view = View::parse(&bytes)?;
    let class = view.class().ok_or(CdaError::UnknownClass)?;
    let broken = findings::of_view(&view, class).into_iter().find(|f| !f.code.is_warning());
    if let Some(finding) = broken {
        return Err(IntakeError::Broken(finding));
    }
    let form = if view.level()? == Level::One { Form::Pdf } else { Form::Coded };
    let missing = |rule| IntakeError::Broken(findings::Finding { code: CODE_MISSING, rule });
    let patient = view.patient_ids().into_iter().next().ok_or(missing("patient identifier"))?;
    let coded_prescription = class == DocumentClass::EPrescription && form == Form::Coded;
    let medicines = view.medications();
    let entry = Entry {
        unique_id: view.id().ok_or(missing("document id"))?.joined(),
        class,
        form,
        twin: view
            .transformed_from()
            .map(clinical::cda::Identifier::joined)
            .filter(|_| form == Form::Coded),
        title: view.title(),
        created: view.effective_time().ok_or(missing("effective time"))?,
        language: view.language().unwrap_or_default().to_owned(),
        size: bytes.len() as u64,
        hash: sha1(&bytes),
        author: view.author().map(clinical::cda::Author::name).unwrap_or_default(),
        prescription: view.prescriptions().first().map(|id| id.joined()),
        status: coded_prescription.then_some(Status::Open),
        atc: medicines
            .first()
            .filter(|_| coded_prescription)
            .and_then(|m| m.atc())
            .map(str::to_owned),
    };
    drop(medicines);
    drop(view);
    Ok(Document { entry, patient, mime: "text/xml".to_owned(), bytes })
}

/// Links the PDF and coded forms of each document; the PDF inherits what only the coded form says.
///
/// A coded document whose PDF is not among `documents` stands alone.
pub fn pair(documents: &mut [Document]) {
    for coded in 0..documents.len() {
        let Some(twin) = documents[coded]
            .entry
            .twin
            .clone()
            .filter(|_| documents[coded].entry.form == Form::Coded)
        else {
            continue;
        };
        let found = documents.iter().position(|other| {
            other.entry.unique_id == twin
                && other.entry.form == Form::Pdf
                && other.patient == documents[coded].patient
                && other.entry.class == documents[coded].entry.class
        });
        let Some(pdf) = found else {
            documents[coded].entry.twin = None;
            continue;
        };
        let from = documents[coded].entry.clone();
        let to = &mut documents[pdf].entry;
        to.twin = Some(from.unique_id);
        (to.prescription, to.status, to.atc) = (from.prescription, from.status, from.atc);
    }
}

/// For what `findings` has already checked.
const CODE_MISSING: exchange::Code = exchange::Code::ErrorGenericDocumentMissing;

fn sha1(bytes: &[u8]) -> String {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().iter().fold(
        String::with_capacity(40),
        |mut out, byte| {
            out.push_str(&format!("{byte:02x}"));
            out
        },
    )
}
