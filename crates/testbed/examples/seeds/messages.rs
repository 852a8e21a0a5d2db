//! Seeds of messages: IHE's, packages, audit records, REM evidence.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use exchange::{
    Code, Country, Digest, Document, DocumentClass, Purpose, Refusal, SystemEntropy, Transaction,
    TransactionId,
};
use ihe::mtom::Package;
use ihe::trust_exchange::{Ask, Kin, Relation};
use ihe::{atna, rem, soap, syslog, xca, xcpd, xdr};
use testbed::pki::Role;
use testbed::seed;
use testbed::world::{AGNETE, MONTSERRAT};
use trust::xml::Writer;

use crate::World;

impl World {
    pub fn messages(&self) -> Result<()> {
        let (at, patient) = (self.now, AGNETE.id());
        let community = AGNETE.land().community();
        let request = xcpd::Request {
            id: ("1.2.3".into(), "4".into()),
            receiver: Some(community.clone()),
            sender: Some(MONTSERRAT.land().community()),
            patients: vec![patient.clone()],
            gender: "F".into(),
            birth: AGNETE.birth.into(),
            given: AGNETE.given.into(),
            family: AGNETE.family.into(),
        };
        let asked = request.render(at);
        let found = xcpd::Response::Found(vec![xcpd::Match {
            id: patient.clone(),
            given: AGNETE.given.into(),
            family: AGNETE.family.into(),
            gender: "F".into(),
            birth: AGNETE.birth.into(),
            address: AGNETE.address.map(str::to_owned),
        }]);
        let refusal = Refusal::new(Code::WarningPiNoConsent, "ask the patient");
        let refused = xcpd::Response::refused(&refusal, "location");
        self.put("soap", "discovery", &asked)?;
        let purpose = Some(Purpose::Treatment);
        let relation =
            Relation { patient: patient.clone(), purpose, prescription: None, pin: None };
        self.put("soap", "relation", Ask::Relation(relation).render())?;
        let (given, family) = (AGNETE.given.into(), AGNETE.family.into());
        let kin =
            Kin { given, family, purpose, birth: "1953-02-14".parse().ok(), ..Kin::default() };
        self.put("soap", "kin", Ask::Kin(kin).render())?;
        let italy = testbed::world::ORNELLA.country;
        let mask = Country::parse(italy).ok().and_then(testbed::masks::text);
        self.put("xml", "mask", mask.unwrap_or_default())?;
        for (name, response) in [("found", &found), ("not-found", &refused)] {
            let id = ("1.2.3", "4");
            self.put("soap", name, response.render("1.9", at, id, &community, None, ""))?;
        }
        let query = xca::QueryRequest {
            patient: patient.clone(),
            classes: vec![DocumentClass::PatientSummary],
        };
        self.put("soap", "query", query.render())?;
        self.put("soap", "entries", entries(&community))?;
        let errors = xca::Errors {
            errors: vec![xca::RegistryError::of(&refusal, "location")],
            partial: true,
        };
        self.put("soap", "registry-response", xdr::render_response(&errors))?;
        let header = soap::Header {
            to: "https://a.example/",
            action: Transaction::PatientDiscovery.request_action(),
            message_id: "urn:uuid:1",
            relates_to: "",
        };
        let envelope = soap::render(&header, &self.visit.assertions(), &asked);
        self.put("soap", "envelope", &envelope)?;
        self.put("xml", "envelope", &envelope)?;
        self.put("xml", "query", query.render())?;
        self.put("signature", "hcp", &self.visit.hcp)?;
        self.put("canonical", "hcp", &self.visit.hcp)?;
        self.put("canonical", "namespaces", NAMESPACES)?;
        self.put("signature", "trc", self.visit.trc.as_deref().context("a patient was named")?)?;
        let record = audit_record().render();
        self.put("soap", "audit", &record)?;
        let frames = [&record[..], "<a/>"].map(|x| syslog::frame("2026-11-21T00:00:00Z", "h", x));
        self.put("syslog", "frames", frames.concat())
    }

    /// Retrievals and submissions, whose documents are inline in `soap` and parts in `mtom`.
    pub fn packages(&self) -> Result<()> {
        let community = AGNETE.land().community();
        let request = xca::RetrieveRequest {
            documents: vec![(AGNETE.land().repository.into(), "1.2^3".into())],
            community: Some(community.clone()),
        };
        self.put("soap", "retrieve", request.render())?;
        let document = Document {
            unique_id: "1.2^3".into(),
            repository: AGNETE.land().repository.into(),
            mime: "text/xml".into(),
            bytes: Bytes::from_static(b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"),
        };
        let response =
            xca::RetrieveResponse { documents: vec![document.clone()], ..Default::default() };
        let submission = xdr::Submission {
            patient: AGNETE.id(),
            class: DocumentClass::EDispensation,
            unique_id: "1.2.3".into(),
            mime: "text/xml".into(),
            bytes: document.bytes,
        };
        let from = xdr::Submitter {
            community: &community,
            country: "ES",
            language: "es-ES",
            at: self.now,
            set_id: "1.2.3.4",
        };
        let (retrieved, parts) = response.render(&community);
        let (submitted, part) = submission.render(&from);
        self.put("soap", "retrieved", inline(&retrieved))?;
        self.put("soap", "submission", inline(&submitted))?;
        for (name, root, parts) in
            [("retrieved", retrieved, parts), ("submission", submitted, vec![part])]
        {
            let package = Package { root: root.into_bytes().into(), parts };
            let (mime, body) = package.write("urn:x");
            self.put("mtom", name, [mime.as_bytes(), b"\n", &body].concat())?;
        }
        let base64 = "--b\r\nContent-ID: <r>\r\n\r\n<a/>\r\n--b\r\nContent-ID: <p>\r\n\
                      Content-Transfer-Encoding: base64\r\n\r\nb25l\r\n--b--";
        self.put("mtom", "base64", base64)
    }

    pub fn rem(&self) -> Result<()> {
        let key = Arc::new(self.pki.identity(self.spain, Role::Seal).seal_key());
        let party = |country: Country| rem::Party {
            names: vec![country.to_string()],
            addresses: vec![format!("https://ncp.example.{}", country.to_lower())],
            certificate: Some(key.certificate().der().to_vec()),
        };
        let evidence = rem::Evidence {
            kind: rem::Kind::Receipt,
            verdict: rem::Verdict::Rejected(vec![rem::Reason {
                code: "ERROR_PS_NO_CONSENT".into(),
                details: "the patient has not consented".into(),
            }]),
            id: ihe::uuid(&SystemEntropy),
            policies: vec!["urn:oid:1.2.3.4".into()],
            issuer: party(self.spain),
            authentication: None,
            event_time: self.now,
            submission_time: Some(self.now),
            sender: party(self.spain),
            recipients: vec![party(self.denmark)],
            message: Some(rem::Message {
                subject: Transaction::Retrieve.request_action().to_owned(),
                sender_id: Some("urn:uuid:1".into()),
                number: TransactionId([7; 16]).to_string(),
                digest: Some(Digest([7; 32])),
            }),
            record: None,
        };
        self.put("rem", "rejected", evidence.sign(&key)?)
    }
}

fn entries(community: &exchange::Oid) -> String {
    let entry = |id: &str, format: &str, to: Option<&str>| xca::DocumentEntry {
        unique_id: id.into(),
        class: DocumentClass::EPrescription,
        format: format.into(),
        title: "title".into(),
        created: Some(seed::written()),
        language: "da-DK".into(),
        size: 7,
        hash: "ab".into(),
        author: "author".into(),
        transformed_to: to.map(str::to_owned),
        status: Some("open".into()),
        atc: Some("H02AB06".into()),
    };
    let response = xca::QueryResponse {
        errors: xca::Errors::default(),
        entries: vec![
            entry("1.1", "urn:epsos:ep:pre:2010", None),
            entry("1.2", xca::PDF_FORMAT, Some("1.1")),
        ],
    };
    let from = xca::Repository { community, repository: "1.2.9", country: "DK" };
    response.render(&AGNETE.id(), &from)
}

fn audit_record() -> atna::Record {
    let coded = atna::Coded::new;
    atna::Record {
        event: coded("110112", "DCM", "Query"),
        event_type: coded("ITI-55", "IHE Transactions", "Cross Gateway Patient Discovery"),
        action: "E".into(),
        time: "2026-11-21T00:00:00Z".into(),
        outcome: 8,
        participants: vec![atna::Participant {
            user: "user".into(),
            alternative: "other".into(),
            requestor: true,
            address: "127.0.0.1".into(),
            role: coded("110153", "DCM", "Source Role ID"),
        }],
        source: "ES-1".into(),
        objects: vec![atna::Object {
            id: "1^^^&1.2&ISO".into(),
            kind: "1".into(),
            role: "1".into(),
            life_cycle: "7".into(),
            id_type: coded("2", "RFC-3881", "Patient Number"),
            query: "cQ==".into(),
            details: vec![("type".into(), "dg==".into())],
        }],
        signed: false,
    }
}

/// The document as base64 where the message refers to a part.
fn inline(text: &str) -> String {
    let mut include = Writer::new();
    include
        .empty("xop:Include", &[("xmlns:xop", ihe::mtom::XOP), ("href", "cid:document0@konfido")]);
    text.replace(&include.finish(), "PENsaW5pY2FsRG9jdW1lbnQgeG1sbnM9J3VybjpobDctb3JnOnYzJy8+")
}

/// Declared, declared again and taken away; attributes out of order; all that is escaped.
const NAMESPACES: &str = "<r xmlns:q='urn:q' xmlns:p='urn:p' xmlns='urn:d'><p:a q:b='1' p:b='&lt;&amp;&#34;&#9;&#13;' \
    c=''  a=\"'\"><b xmlns:p='urn:2' p:x='y'>&lt;&gt;&amp;\"&#13;<p:c xmlns:p='urn:p' xmlns='urn:d'/></b></p:a>\
    <p:d/>x<e xmlns='urn:e'><f xmlns=''/><g xml:lang='da'/><!-- --><![CDATA[<]]></e></r>";
