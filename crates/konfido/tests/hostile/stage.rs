//! What the cases are made of: assertions, messages, and a vault of Spain's that Denmark trusts.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use enclave::{Acceptance, Address, Attestation, Delivery, Piece, Recipient, Vault};
use exchange::{DocumentClass, PatientId, Purpose, SystemEntropy, Transaction, TransactionId};
use gateway::message::digest;
use gateway::recipient::VAULT_KEY_PATH;
use gateway::wire::{self, Inner};
use ihe::mtom::{Package, Part};
use ihe::soap;
use ihe::xca::{QueryRequest, RetrieveRequest};
use ihe::xdr::{Submission, Submitter};
use jiff::{SignedDuration, Timestamp};
use ledger::evidence::RequestStatement;
use ledger::{Field, Secrets};
use testbed::assertions::{Issuer, Visit};
use testbed::attacks::forgery::id;
use testbed::documents::{self, Header, medicine};
use testbed::pki::{Pki, Role, SealKind};
use testbed::seed;
use testbed::world::{AGNETE, Citizen, Clinician, JORDI, Land, MONTSERRAT, ORNELLA};
use transport::tls::Identity;
use trust::certificate::Anchors;
use trust::seal::SealKey;

use crate::circle::{Circle, Door, Place, country};
use crate::wire::{Caller, Shot, Then, post};

/// Spain as it asks other countries.
pub const SPAIN: Caller = Caller::Known("ES", Role::ServiceConsumer);
/// Spain's own OpenNCP.
pub const OPENNCP: Caller = Caller::Known("ES", Role::OpenncpClient);

/// The border where Spain may ask in plain IHE.
pub const ITALY: Place = ("IT", Door::Border);
/// The border where Spain must seal.
pub const DENMARK: Place = ("DK", Door::Border);
/// The listener of Spain's own OpenNCP.
pub const HOME: Place = ("ES", Door::National);

pub struct Stage {
    pub circle: Circle,
    pub seal: Arc<SealKey>,
    /// A whole other world: same names, another root.
    pub foreign: Pki,
    pub stranger: Arc<Identity>,
    vault: RefCell<Vault>,
    denmark: Recipient,
}

impl Stage {
    /// `statement` is what Denmark answers at [`VAULT_KEY_PATH`].
    pub fn new(circle: Circle, statement: &[u8]) -> Self {
        let statement = enclave::key::Statement::decode(statement).unwrap();
        let anchors = Anchors::from_pem(&circle.roots()).unwrap();
        let accepted = Acceptance::software(&Attestation::ALL);
        let dk = country("DK");
        let denmark =
            Recipient::verify(&statement, &anchors, dk, Timestamp::now(), &accepted).unwrap();
        let foreign = Pki::new(&[country("ES")], SealKind::P256, Timestamp::now());
        let client = foreign.identity(country("ES"), Role::ServiceConsumer);
        let stranger = Arc::new(Identity {
            chain: client.chain_pem().into_bytes(),
            key: client.key_pem().as_bytes().to_vec().into(),
            roots: circle.roots(),
        });
        let (seal, vault) = (circle.seal("ES"), RefCell::new(Vault::new(country("ES"))));
        Self { circle, seal, foreign, stranger, vault, denmark }
    }

    /// An honest visit to a Spanish clinician.
    pub fn visit(&self, who: &Clinician, patient: &Citizen) -> Visit {
        visit_by(("ES", &self.seal), who, &patient.id(), 0)
    }

    /// The flawless query of a doctor, for [`ITALY`].
    pub fn good_query(&self) -> String {
        query(&self.visit(&MONTSERRAT, &ORNELLA).assertions(), &ORNELLA)
    }

    /// A dispensation of the patient's first prescription, as a package with one part.
    pub fn dispensation(&self, patient: &Citizen) -> Package {
        let spain = Land::of(country("ES")).unwrap();
        let header = Header {
            patient,
            author: &JORDI,
            id: (spain.repository, "ED-ES-HOSTILE"),
            source: None,
            created: Timestamp::now(),
        };
        let number = seed::prescription_number(patient, 1);
        let dispensed = medicine(seed::prescribed()[0].atc);
        let land = patient.land();
        let document = documents::dispensation(&header, (land.repository, &number), dispensed);
        let submission = Submission {
            patient: patient.id(),
            class: DocumentClass::EDispensation,
            unique_id: header.unique_id(),
            mime: "text/xml".into(),
            bytes: document.into(),
        };
        let from = Submitter {
            community: &spain.community(),
            country: "ES",
            language: "es-ES",
            at: Timestamp::now(),
            set_id: "2.25.77",
        };
        let (body, part) = submission.render(&from);
        let visit = self.visit(&JORDI, patient);
        let root = envelope(Transaction::Submit, &visit.assertions(), &body);
        Package { root: root.into(), parts: vec![part] }
    }

    /// What Spain's node would seal for Denmark: the message, and its plaintext.
    pub fn sealable(&self) -> Sealable {
        let visit = self.visit(&MONTSERRAT, &AGNETE);
        let root = query(&visit.assertions(), &AGNETE);
        let from = root.find("<env:Body>").unwrap() + "<env:Body>".len();
        let content = from..root.find("</env:Body>").unwrap();
        let txid = TransactionId::random(&SystemEntropy);
        let values = [
            (Field::Professional, format!("{}@urn:idp:ES:countryB", MONTSERRAT.number)),
            (Field::Purpose, Purpose::Treatment.code().to_owned()),
            (Field::Assertions, format!("{} {}", id(&visit.hcp), id(visit.trc.as_ref().unwrap()))),
            (Field::Request, digest(root[content.clone()].as_bytes(), &[])),
            (Field::Patient, AGNETE.id().cx()),
        ];
        let secrets = Secrets::draw(values, &SystemEntropy);
        let (from, to) = (country("ES"), country("DK"));
        let statement =
            RequestStatement::new(txid, Transaction::Query, from, to, secrets.commitments());
        let root = Bytes::from(root);
        let inner = Inner {
            evidence: signed(&statement, &self.seal),
            secrets: secrets.encode().into(),
            content: root.slice(content.clone()),
            parts: Vec::new(),
        };
        let address = Address { from, to, transaction: Transaction::Query, txid };
        Sealable { root, content, statement, inner, address }
    }

    /// Seals pieces for Denmark, bound to the message.
    pub fn sealed(&self, message: &Sealable, pieces: &[Piece<'_>]) -> Package {
        let bound = wire::bound(&message.root, message.content.clone());
        let vault = self.vault.borrow();
        let (ciphertext, _) = vault
            .seal_request(
                &self.denmark,
                message.address,
                Delivery::Node,
                &bound,
                pieces,
                Timestamp::now(),
            )
            .unwrap();
        wire::seal_package(&message.root, message.content.clone(), ciphertext)
    }

    /// A sealed query in which nothing is wrong but the vault that it was sealed in: Spain does not
    /// publish it, so Denmark seals no answer for it.
    pub fn good_sealed(&self) -> Package {
        let message = self.sealable();
        let head = message.inner.head();
        self.sealed(&message, &message.inner.pieces(&head))
    }

    /// A flawless request for the node behind a listener; for Denmark over Spain's node.
    pub fn good(&self, at: Place) -> Shot {
        match at {
            ITALY => shot(SPAIN, service(Transaction::Query), self.good_query()),
            _ => {
                let visit = self.visit(&MONTSERRAT, &AGNETE);
                let text = query(&visit.assertions(), &AGNETE);
                shot(OPENNCP, &format!("/dk{}", service(Transaction::Query)), text)
            }
        }
    }
}

/// A request before it is sealed.
pub struct Sealable {
    pub root: Bytes,
    pub content: std::ops::Range<usize>,
    pub statement: RequestStatement,
    pub inner: Inner,
    pub address: Address,
}

/// Evidence with its certificate, as it travels.
pub fn signed(statement: &RequestStatement, seal: &SealKey) -> Bytes {
    wire::pair(&statement.sign(seal).unwrap(), seal.certificate().der())
}

/// How Denmark's vault key is asked for.
pub fn key_request() -> Shot {
    let text = format!("GET {VAULT_KEY_PATH} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
    Shot { caller: SPAIN, bytes: text.into_bytes(), then: Then::Wait }
}

/// A visit whose assertions are issued by `cc`, signed by `seal`, `hours` from now.
pub fn visit_by(
    (cc, seal): (&str, &Arc<SealKey>),
    who: &Clinician,
    patient: &PatientId,
    minutes: i64,
) -> Visit {
    let now = Timestamp::now() + SignedDuration::from_mins(minutes);
    let issuer = Issuer::new(country(cc), Arc::clone(seal));
    issuer.visit(who, Some(patient), Purpose::Treatment, now, &SystemEntropy)
}

/// A query for the patient's summaries, with these children of the security header.
pub fn query(security: &[&str], patient: &Citizen) -> String {
    let classes = vec![DocumentClass::PatientSummary];
    let body = QueryRequest { patient: patient.id(), classes }.render();
    envelope(Transaction::Query, security, &body)
}

/// A retrieval of one document.
pub fn retrieval(visit: &Visit, of: &Citizen) -> String {
    let repository = of.land().repository;
    let (_, stored) = seed::content(of.land().country());
    let summary = stored
        .iter()
        .find(|d| d.patient == of.id() && d.entry.class == DocumentClass::PatientSummary);
    let document = summary.unwrap().entry.unique_id.clone();
    let documents = vec![(repository.to_owned(), document)];
    let request = RetrieveRequest { documents, community: Some(of.land().community()) };
    envelope(Transaction::Retrieve, &visit.assertions(), &request.render())
}

/// An envelope with new addressing.
pub fn envelope(transaction: Transaction, security: &[&str], body: &str) -> String {
    let message_id = format!("urn:uuid:{}", ihe::uuid(&SystemEntropy));
    let action = transaction.request_action();
    let header = soap::Header { action, message_id: &message_id, ..soap::Header::default() };
    soap::render(&header, security, body)
}

pub fn service(transaction: Transaction) -> &'static str {
    transaction.service_path()
}

/// A SOAP message without attachments.
pub fn shot(caller: Caller, path: &str, text: impl AsRef<[u8]>) -> Shot {
    let bytes = post(path, SOAP, text.as_ref());
    Shot { caller, bytes, then: Then::Wait }
}

/// A package, as it is written.
pub fn package(caller: Caller, path: &str, package: &Package) -> Shot {
    let (content_type, body) = package.write("");
    Shot { caller, bytes: post(path, &content_type, &body), then: Then::Wait }
}

/// One attached part.
pub fn part(cid: &str, bytes: impl Into<Bytes>) -> Part {
    Part { cid: cid.into(), mime: "application/octet-stream".into(), bytes: bytes.into() }
}

pub const SOAP: &str = "application/soap+xml; charset=utf-8";
