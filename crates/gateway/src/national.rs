//! The connector to our own country: its store of patients and documents, or an OpenNCP behind us.

pub mod conformance;
pub mod intake;
pub mod kept;
pub mod openncp;
pub mod store;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use exchange::{Country, DocumentClass, PatientId};
use jiff::Timestamp;

pub use kept::Kept;

/// A future that a storage port hands back.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// One citizen as the national store knows them. Personal data: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Patient {
    /// All identifiers; the first is the national one.
    pub ids: Vec<PatientId>,
    /// Given name.
    pub given: String,
    /// Family name.
    pub family: String,
    /// `M`, `F` or `UN` (HL7 AdministrativeGender).
    pub gender: String,
    /// `yyyyMMdd`.
    pub birth: String,
    /// Street, city, postal code, country; one line each, empty where unknown.
    pub address: [String; 4],
    /// Whether the patient agreed to cross-border exchange.
    pub consent: bool,
}

/// How two entries of one logical document differ (openncp-protocol §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Coded CDA, level 3: the target of the `XFRM` association.
    Coded,
    /// CDA level 1 that wraps a PDF: the source of the `XFRM` association.
    Pdf,
}

/// Whether a prescription can be dispensed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Dispensable (`urn:ihe:iti:xdw:2011:eventCode:open`).
    Open,
    /// Dispensed (`urn:ihe:iti:xdw:2011:eventCode:closed`).
    Closed,
}

/// What an ITI-38 answer says about one entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// `XDSDocumentEntry.uniqueId`.
    pub unique_id: String,
    /// What the document is.
    pub class: DocumentClass,
    /// Coded or PDF.
    pub form: Form,
    /// The other entry of the same logical document, linked by `XFRM`.
    pub twin: Option<String>,
    /// Title for people.
    pub title: String,
    /// When the document was made.
    pub created: Timestamp,
    /// `xx-YY`.
    pub language: String,
    /// Length in bytes.
    pub size: u64,
    /// SHA-1 in hexadecimal, as XDS wants it.
    pub hash: String,
    /// Author's name, empty where unknown.
    pub author: String,
    /// The prescription's identifier; ePrescriptions only.
    pub prescription: Option<String>,
    /// Dispensable or not; ePrescriptions only.
    pub status: Option<Status>,
    /// ATC code of the first medicine; ePrescriptions only.
    pub atc: Option<String>,
}

/// A document with its bytes, on its way into the store. Health data: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// Its metadata.
    pub entry: Entry,
    /// Whose it is.
    pub patient: PatientId,
    /// Media type: `text/xml` for both forms (level 1 wraps the PDF in CDA).
    pub mime: String,
    /// The bytes, never rewritten.
    pub bytes: Bytes,
}

/// A document as the store has it: its bytes are the vault's.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Its metadata.
    pub entry: Entry,
    /// Whose it is.
    pub patient: PatientId,
    /// Media type.
    pub mime: String,
    /// The bytes, kept.
    pub kept: Kept,
}

/// A dispensation reported by the country of treatment.
#[derive(Clone)]
pub struct Dispensation {
    /// `XDSDocumentEntry.uniqueId` of the eDispensation.
    pub unique_id: String,
    /// The prescription that it fulfils (CDA `inFulfillmentOf/order/id`).
    pub prescription: String,
    /// Whose it is.
    pub patient: PatientId,
    /// Where it was dispensed.
    pub country: Country,
    /// When the node received it.
    pub received: Timestamp,
    /// The eDispensation's bytes, kept.
    pub kept: Kept,
}

/// What a dispensation or discard met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, durably.
    Done,
    /// The very same submission was already done before: done, once.
    AlreadyDone,
    /// The prescription (or the dispensation to discard) is not known for this patient.
    Unknown,
    /// The prescription is closed by another dispensation.
    Closed,
}

/// How this node reaches its own country.
pub enum Connector {
    /// The built-in store.
    Store(store::Store),
    /// An OpenNCP behind us, spoken to in plain IHE.
    OpenNcp(transport::client::Client),
}

/// Storage port of the built-in national connector.
pub trait DocumentStore: Send + Sync {
    /// The patients who have any of these identifiers.
    fn find_patients<'a>(&'a self, ids: &'a [PatientId]) -> Answer<'a, Vec<Patient>>;

    /// Entries of one patient and class, newest first, at most `limit`.
    fn entries<'a>(
        &'a self,
        patient: &'a PatientId,
        class: DocumentClass,
        limit: usize,
    ) -> Answer<'a, Vec<Entry>>;

    /// One document by its unique id.
    fn document<'a>(&'a self, unique_id: &'a str) -> Answer<'a, Option<StoredDocument>>;

    /// Stores an eDispensation and closes its prescription, in one durable step.
    fn dispense(&self, dispensation: Dispensation) -> Answer<'_, Outcome>;

    /// Discards an eDispensation of this patient and reopens its prescription, in one durable step.
    /// Only the country that dispensed may: to every other one the dispensation is unknown.
    fn discard<'a>(
        &'a self,
        dispensation: &'a str,
        patient: &'a PatientId,
        from: Country,
    ) -> Answer<'a, Outcome>;

    /// Adds or replaces patients and documents, all or nothing. A prescription that was dispensed
    /// and not discarded stays closed, whatever the import says.
    fn import(&self, patients: Vec<Patient>, documents: Vec<StoredDocument>) -> Answer<'_, ()>;
}

/// Why the store could not answer. Usually the operator's disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database failed.
    #[error("national store failed: {0}")]
    Failed(String),
}
