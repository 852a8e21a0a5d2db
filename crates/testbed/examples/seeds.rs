//! Writes `fuzz/seeds` anew: sound messages of the invented world for the fuzz targets to damage.
//!
//! `cargo run -p testbed --example seeds`. The keys are made for this run and thrown away; what is
//! written is committed, so that each run of the tests damages the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use exchange::{
    Country, DocumentClass, Entropy as _, Purpose, SystemEntropy, Transaction, TransactionId,
};
use identity::wallet::jose::PublicKey;
use identity::wallet::{Addresses, Issuers, Verifier};
use jiff::Timestamp;
use ledger::evidence::sha256;
use ledger::log::Log;
use ledger::receipt::Receipt;
use ledger::{Answered, Field, JointStatement, RequestStatement, Secrets, Settled};
use testbed::assertions::{Issuer, Visit};
use testbed::attacks::forgery;
use testbed::fuzz::wallet::{DECRYPTION_KEY, STATUS_URI};
use testbed::pki::{Pki, Role, SealKind};
use testbed::wallet::parts::bytes_of;
use testbed::wallet::{Answer, Asked, Bearer, Holder, PidIssuer};
use testbed::world::{AGNETE, MONTSERRAT};
use testbed::{documents, seed};
use trust::seal::SealKey;

#[path = "seeds/hardware.rs"]
mod hardware;
#[path = "seeds/logins.rs"]
mod logins;
#[path = "seeds/messages.rs"]
mod messages;
#[path = "seeds/sealed.rs"]
mod sealed;
#[path = "seeds/shared.rs"]
mod shared;

fn main() -> Result<()> {
    let world = World::new()?;
    world.messages()?;
    world.packages()?;
    world.documents()?;
    world.sealed()?;
    world.pouch()?;
    world.evidence()?;
    world.shared()?;
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
}
