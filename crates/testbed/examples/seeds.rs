//! Writes `fuzz/seeds` anew: sound messages of the invented world for the fuzz targets to damage.
//!
//! `cargo run -p testbed --example seeds`. The keys are made for this run and thrown away; what is
//! written is committed, so that each run of the tests damages the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use bytes::Bytes;
use enclave::Vault;
use enclave::pouch::{PouchContext, PouchOpener, Suite};
use enclave::{Acceptance, Attestation, Recipient};
use exchange::{
    Code, Country, Digest, Document, DocumentClass, Entropy, Purpose, Refusal, SystemEntropy,
    Transaction, TransactionId,
};
use gateway::wire::{self, Inner};
use identity::wallet::jose::PublicKey;
use identity::wallet::{Addresses, Issuers, Verifier};
use ihe::mtom::Package;
use ihe::trust_exchange::{Ask, Kin, Relation};
use ihe::{atna, rem, soap, syslog, xca, xcpd, xdr};
use jiff::Timestamp;
use ledger::evidence::sha256;
use ledger::log::Log;
use ledger::receipt::Receipt;
use ledger::{Answered, Field, JointStatement, RequestStatement, Secrets, Settled};
use testbed::assertions::{Issuer, Visit};
use testbed::attacks::forgery;
use testbed::documents;
use testbed::fuzz::wallet::{DECRYPTION_KEY, STATUS_URI};
use testbed::pki::{Pki, Role, SealKind};
use testbed::seed;
use testbed::wallet::parts::bytes_of;
use testbed::wallet::{Answer, Asked, Bearer, Holder, PidIssuer};
use testbed::world::{AGNETE, MONTSERRAT};
use trust::seal::SealKey;
use trust::xml::Writer;

#[path = "seeds/hardware.rs"]
mod hardware;
#[path = "seeds/logins.rs"]
mod logins;

fn main() -> Result<()> {
    let world = World::new()?;
    world.messages()?;
    world.packages()?;
    world.documents()?;
    world.sealed()?;
    world.pouch()?;
    world.evidence()?;
    world.rem()?;
    world.assertions()?;
    world.logins()?;
    world.hardware()?;
    world.wallet()
}

struct World {
    spain: Country,
    denmark: Country,
    now: Timestamp,
    pki: Pki,
    visit: Visit,
    seeds: PathBuf,
}

impl World {
    fn new() -> Result<Self> {
        let (spain, denmark) = (Country::parse("ES")?, Country::parse("DK")?);
        let now = seed::written();
        let pki = Pki::new(&[spain, denmark], SealKind::P256, now);
        let issuer = Issuer::new(spain, Arc::new(pki.identity(spain, Role::Seal).seal_key()));
        let patient = AGNETE.id();
        let visit =
            issuer.visit(&MONTSERRAT, Some(&patient), Purpose::Treatment, now, &SystemEntropy);
        let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::write(crates.join("src/fuzz/authority.pem"), pki.ca_pem())?;
        let seals = [spain, denmark].map(|c| pki.identity(c, Role::Seal).certificate().pem());
        fs::write(crates.join("src/fuzz/seals.pem"), seals.concat())?;
        let seeds = crates.join("../../fuzz/seeds");
        Ok(Self { spain, denmark, now, pki, visit, seeds })
    }

    fn put(&self, target: &str, name: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        let folder = self.seeds.join(target);
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(name), bytes)?)
    }

    fn messages(&self) -> Result<()> {
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
    fn packages(&self) -> Result<()> {
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

    fn documents(&self) -> Result<()> {
        let header = documents::Header {
            patient: &AGNETE,
            author: &MONTSERRAT,
            id: (AGNETE.land().repository, "1"),
            source: Some("2"),
            created: self.now,
        };
        let medicines = seed::prescribed();
        let order = documents::Prescription { number: "RX-1", medicines: &medicines };
        let root = AGNETE.land().repository;
        let class = DocumentClass::PatientSummary;
        self.put("cda", "summary", documents::patient_summary(&header))?;
        self.put("cda", "prescription", documents::prescription(&header, &order))?;
        let dispensation = documents::dispensation(&header, (root, "RX-1"), medicines[0]);
        self.put("cda", "dispensation", dispensation)?;
        self.put("cda", "pdf", documents::wrapped_pdf(&header, class, &["Summary"]))
    }

    /// A frame that has a vault seal (`enclave::protocol`): request 2.
    fn frame(&self, said: &enclave::KeyStatement) -> Vec<u8> {
        let millis = |at: Timestamp| at.as_millisecond().to_be_bytes();
        let key = u32::try_from(said.key.len()).unwrap_or(0).to_be_bytes();
        let parts: [&[u8]; 14] = [
            &[2],
            b"DK",
            &millis(said.not_after),
            &key,
            &said.key,
            &millis(self.now),
            b"ESDK",
            &[2],
            &[7; 16],
            &[0],
            &[1; 32],
            // one piece of four bytes, with room for its tag
            &[1, 0, 0, 0, 4, 0],
            b"text",
            &[0; 16],
        ];
        parts.concat()
    }

    fn sealed(&self) -> Result<()> {
        let vault = Vault::new(self.denmark);
        let seal = self.pki.identity(self.denmark, Role::Seal).seal_key();
        let statement = vault.publish(&seal, self.now)?;
        self.put("statement", "published", statement.encode())?;
        let said = statement.said().context("our own statement can be read")?;
        self.put("statement", "said", said.encode())?;
        self.put("vault", "ping", b"\x01ping")?;
        for (name, bytes) in enclave::store::fuzzing::samples() {
            self.put("store", name, bytes)?;
        }
        // what comes on a lane: a ping of four bytes, and a doorbell for twelve in its region
        self.put("vault", "lane", b"\0\0\0\x05\x01ping\x80\0\0\x0c")?;
        self.put("vault", "seal", self.frame(&said))?;
        let accepted = Acceptance::software(&[Attestation::SimulatedInProcess]);
        let recipient =
            Recipient::verify(&statement, &self.pki.anchors(), self.denmark, self.now, &accepted)?;
        let address = enclave::Address {
            from: self.spain,
            to: self.denmark,
            transaction: Transaction::Retrieve,
            txid: TransactionId([7; 16]),
        };
        let inner = Inner {
            evidence: Bytes::from_static(b"evidence"),
            secrets: Bytes::from_static(b"secrets"),
            content: Bytes::from_static(b"<a/>"),
            parts: vec![ihe::mtom::Part {
                cid: "1@x".into(),
                mime: "text/xml".into(),
                bytes: Bytes::from_static(b"<b/>"),
            }],
        };
        let head = inner.head();
        self.put("sealed", "inner", &head)?;
        self.put("sealed", "pair", wire::pair(b"first", b"second"))?;
        let asker = Vault::new(self.spain);
        let pieces = inner.pieces(&head);
        let (sealed, _) =
            asker.seal_request(&recipient, address, None, &[1; 32], &pieces, self.now)?;
        self.put("sealed", "request", sealed)
    }

    fn pouch(&self) -> Result<()> {
        let address = enclave::Address {
            from: self.denmark,
            to: self.spain,
            transaction: Transaction::Retrieve,
            txid: TransactionId([7; 16]),
        };
        let (content_id, media_type) = ("document0@konfido", "text/xml");
        let context = PouchContext { address, part: 0, content_id, media_type };
        for (name, suite) in [("p256", Suite::P256), ("x25519", Suite::X25519)] {
            let opener = PouchOpener::generate(suite)?;
            self.put("pouch", &format!("{name}-key"), opener.public().encode())?;
            self.put("pouch", name, enclave::pouch::seal(opener.public(), &context, b"<b/>")?)?;
        }
        let hybrid = PouchOpener::generate(Suite::XWing)?;
        self.put("pouch", "x-wing", enclave::pouch::seal(hybrid.public(), &context, b"<b/>")?)
    }

    fn evidence(&self) -> Result<()> {
        let [es, dk] = [self.spain, self.denmark].map(|c| self.pki.identity(c, Role::Seal));
        self.put("evidence", "certificate.der", dk.certificate().der())?;
        self.put("evidence", "certificate.pem", dk.certificate().pem())?;
        let asked = Secrets::draw(
            [(Field::Patient, AGNETE.id().cx()), (Field::Purpose, "TREATMENT".into())],
            &SystemEntropy,
        );
        let answered = Secrets::draw([(Field::Answer, "00".into())], &SystemEntropy);
        self.put("evidence", "secrets", asked.encode())?;
        let mut txid = [0; 16];
        SystemEntropy.fill(&mut txid);
        let request = RequestStatement::new(
            TransactionId(txid),
            Transaction::Retrieve,
            self.spain,
            self.denmark,
            asked.commitments(),
        );
        let anchors = self.pki.anchors();
        let nro = request.sign(&es.seal_key())?;
        self.put("evidence", "request", &nro)?;
        let seen = RequestStatement::verify(&nro, es.certificate(), &anchors, self.now)?;
        let answer = JointStatement::answer(&seen, answered.commitments(), "answered");
        let signed = answer.sign(&dk.seal_key())?;
        self.put("evidence", "answer", &signed)?;
        let settled: Settled = Answered::verify(
            &signed,
            dk.certificate(),
            &request,
            sha256(&nro),
            &anchors,
            self.now,
        )?
        .countersign(&es.seal_key())?;
        self.put("evidence", "settled", &settled.signed)?;
        let folder = tempfile::tempdir()?;
        let mut log = Log::open(
            &folder.path().join("log"),
            "konfido.example/es",
            &folder.path().join("key"),
        )?;
        let others = [b"one".to_vec(), b"two".to_vec(), settled.signed.clone(), b"four".to_vec()];
        log.append(0, &others)?;
        let receipt = Receipt::export(
            &settled.signed,
            self.now,
            &[dk.certificate(), es.certificate()],
            2,
            &log,
            &asked,
            &[Field::Patient, Field::Purpose],
        )?;
        let file = receipt.to_json()?;
        ledger::receipt::verify(&file, &anchors)?;
        self.put("receipt", "receipt.json", file)
    }

    fn assertions(&self) -> Result<()> {
        let unsigned = |signed: &&str| forgery::unsigned(signed);
        let both: String = self.visit.assertions().iter().map(unsigned).collect();
        self.put("assertion", "visit", format!("<Security>{both}</Security>"))
    }

    /// The targets sign these again: no key of theirs is trusted anywhere.
    fn wallet(&self) -> Result<()> {
        let issuer = PidIssuer::new("DK", self.now);
        let verifier = {
            let signer = issuer.signer();
            let key = SealKey::from_pem(signer.key_pem.as_bytes(), signer.chain_pem().as_bytes())?;
            Verifier::new(Arc::new(key), self.spain, Issuers::default())?
        };
        let addresses = Addresses {
            request: "https://es.example/1/request".into(),
            response: "https://es.example/1/response".into(),
            done: Some("https://es.example/1/done".into()),
        };
        let session = verifier.begin(addresses, self.now, &SystemEntropy);
        self.put("jwe", "session", &*session.to_bytes())?;
        let jar = verifier.request(&session, None, self.now)?;
        let client = verifier.client_id();
        let asked = Asked::read(client, &jar, &issuer.anchors(), None, self.now);
        let mut asked = asked.context("the request is sound")?;
        let holder = Holder::new(&issuer, &Bearer::from(&AGNETE));
        let sd_jwt = holder.show_sd_jwt(&asked, self.now, |_| {});
        self.put("sd_jwt", "pid", &sd_jwt)?;
        self.put("mdoc", "pid", bytes_of(&holder.show_mdoc(&asked, |_| {})))?;
        let key = PrivateKey::from_private_key(&ECDH_P256, &DECRYPTION_KEY)?;
        let point = key.compute_public_key()?;
        let key = PublicKey::of_point(point.as_ref()).context("on P-256")?;
        let jwk = &mut asked.request["client_metadata"]["jwks"]["keys"][0];
        *jwk = key.jwk();
        jwk["kid"] = "k".into();
        for enc in ["A128GCM", "A256GCM"] {
            let mut answer = Answer::new(&asked, serde_json::json!({"pid_sd_jwt": [&sd_jwt]}));
            answer.header["enc"] = enc.into();
            self.put("jwe", enc, answer.seal())?;
        }
        for bits in [1, 8] {
            let list = issuer.status_list(STATUS_URI, bits, &[0, 1, 2, 3], |_, _| {});
            self.put("status", &format!("bits{bits}"), list)?;
        }
        Ok(())
    }

    fn rem(&self) -> Result<()> {
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
