//! What the OpenNCP of Spain asks Denmark for.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use enclave::pouch::PouchOpener;
use exchange::{Code, Country, DocumentClass, Purpose, SystemEntropy, Transaction};
use ihe::mtom::Package;
use ihe::xca::RetrieveRequest;
use ihe::xdr::Submission;
use jiff::Timestamp;
use testbed::assertions::{Issuer, Visit};
use testbed::documents::{self, Header, medicine};
use testbed::pki::{Pki, Role};
use testbed::portal::{Portal, PortalError, envelope};
use testbed::seed;
use testbed::site::Site;
use testbed::world::{AGNETE, Clinician, JORDI, MONTSERRAT};

/// A request; each time it is asked it is a new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// ITI-39: a Patient Summary.
    Retrieve,
    /// ITI-41: an eDispensation.
    Submit,
}

/// The stand-in, with the assertions of a doctor and of a pharmacist.
#[derive(Clone)]
pub struct Client {
    portal: Portal,
    doctor: Arc<Visit>,
    /// The doctor again, in an emergency.
    urgent: Arc<Visit>,
    pharmacist: Arc<Visit>,
    provider: String,
    requester: String,
    /// Who is asked, and who asks.
    countries: (Country, Country),
}

/// Unique id of the dispensation that is submitted, without its root.
const DISPENSATION: &str = "ED-ES-1";

/// The unique id of the dispensation.
pub fn dispensation_id(es: &Site) -> String {
    format!("{}^{DISPENSATION}", es.land.repository)
}

impl Client {
    pub fn new(pki: &Pki, es: &Site, dk: &Site) -> anyhow::Result<Self> {
        let country = es.land.country();
        let issuer = Issuer::new(country, Arc::new(pki.identity(country, Role::Seal).seal_key()));
        let visit = |who: &Clinician, purpose| {
            let (patient, now) = (AGNETE.id(), Timestamp::now());
            issuer.visit(who, Some(&patient), purpose, now, &SystemEntropy).into()
        };
        Ok(Self {
            portal: es.portal(pki, dk)?,
            doctor: visit(&MONTSERRAT, Purpose::Treatment),
            urgent: visit(&MONTSERRAT, Purpose::Emergency),
            pharmacist: visit(&JORDI, Purpose::Treatment),
            provider: dk.land.repository.to_owned(),
            requester: es.land.repository.to_owned(),
            countries: (dk.land.country(), es.land.country()),
        })
    }

    /// Asks once.
    pub async fn ask(&self, ask: Ask) -> Result<(), PortalError> {
        match ask {
            Ask::Retrieve => {
                let (doctor, id) = (&self.doctor, format!("{}^PS-DK1", self.provider));
                self.portal.retrieve(doctor, &self.provider, &id).await.map(|_| ())
            }
            Ask::Submit => self.submit(DISPENSATION).await,
        }
    }

    /// ITI-39; gives the document.
    pub async fn retrieve(&self) -> Result<Bytes, PortalError> {
        let (doctor, id) = (&self.doctor, format!("{}^PS-DK1", self.provider));
        let got = self.portal.retrieve(doctor, &self.provider, &id).await?;
        Ok(got.documents.into_iter().next().map(|document| document.bytes).unwrap_or_default())
    }

    /// The same doctor, who cannot wait.
    pub fn urgently(&self) -> Self {
        Self { doctor: Arc::clone(&self.urgent), ..self.clone() }
    }

    /// ITI-38.
    pub async fn lists(&self) -> Result<(), PortalError> {
        let class = DocumentClass::PatientSummary;
        self.portal.query(&self.doctor, &AGNETE.id(), class).await.map(|_| ())
    }

    /// ITI-39 as it travels: content type and body.
    pub fn message(&self) -> (String, Bytes) {
        self.package().write(Transaction::Retrieve.request_action())
    }

    /// ITI-39, the very same message as often as it is told; which of them brought a document.
    pub async fn repeats(&self, times: usize) -> Vec<bool> {
        let (package, mut brought) = (self.package(), Vec::new());
        for _ in 0..times {
            let got = self.portal.send(Transaction::Retrieve, &package).await;
            let parts = got.map(|answer| answer.parts).unwrap_or_default();
            let all: Vec<&[u8]> = parts.iter().map(|part| part.bytes.as_ref()).collect();
            brought.push(memchr::memmem::find(&all.concat(), b"ClinicalDocument").is_some());
        }
        brought
    }

    fn package(&self) -> Package {
        let id = format!("{}^PS-DK1", self.provider);
        let documents = vec![(self.provider.clone(), id)];
        let community = Some(self.portal.other.clone());
        let body = RetrieveRequest { documents, community }.render();
        envelope(Transaction::Retrieve, &self.doctor, &body, Vec::new())
    }

    /// ITI-39 with the document for this key alone.
    pub async fn retrieve_by_pouch(&self, opener: &PouchOpener) -> Result<Bytes, PortalError> {
        let (doctor, id) = (&self.doctor, format!("{}^PS-DK1", self.provider));
        let wanted = (self.provider.as_str(), id.as_str());
        let got = self.portal.retrieve_by_pouch(doctor, wanted, self.countries, opener).await?;
        Ok(got.documents.into_iter().next().map(|document| document.bytes).unwrap_or_default())
    }

    async fn submit(&self, id: &str) -> Result<(), PortalError> {
        let header = Header {
            patient: &AGNETE,
            author: &JORDI,
            id: (&self.requester, id),
            source: None,
            created: seed::written(),
        };
        let number = seed::prescription_number(&AGNETE, 1);
        let [prescribed, _] = seed::prescribed();
        let order = (self.provider.as_str(), number.as_str());
        let document = documents::dispensation(&header, order, medicine(prescribed.atc));
        let submission = Submission {
            patient: AGNETE.id(),
            class: DocumentClass::EDispensation,
            unique_id: header.unique_id(),
            mime: "text/xml".into(),
            bytes: document.into(),
        };
        self.portal.submit(&self.pharmacist, &submission).await
    }

    /// The prescription is closed, and another pharmacy does not get it. Gives how many requests that took.
    pub async fn finds_it_dispensed(&self) -> anyhow::Result<u64> {
        let class = DocumentClass::EPrescription;
        let listed = self.portal.query(&self.pharmacist, &AGNETE.id(), class).await;
        let listed = listed.context("the request after")?;
        let closed = listed.entries.iter().filter(|e| e.status.as_deref() == Some("closed"));
        ensure!(closed.count() == 2, "one prescription is closed, in both forms");
        let rival = self.submit("ED-ES-2").await;
        let already = Code::ErrorEpAlreadyDispensed.wire();
        ensure!(
            rival.as_ref().is_err_and(|e| e.code() == already),
            "another dispensation got {rival:?}"
        );
        Ok(2)
    }
}
