//! Two countries and the evidence of one exchange between them.

use exchange::{Country, SystemEntropy, Transaction, TransactionId};
use jiff::Timestamp;
use ledger::entry::{Entry, Half};
use ledger::evidence::sha256;
use ledger::{Answered, Field, JointStatement, RequestStatement, Secrets};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use trust::certificate::Anchors;
use trust::seal::SealKey;

use crate::Failure;

pub struct Exchange {
    /// The entry of the ledger.
    pub entry: Vec<u8>,
    pub signers: [SealKey; 2],
    pub secrets: Secrets,
    pub roots: String,
}

/// What Denmark says alone, for a ledger of its own.
pub struct Alone {
    /// Entries of the ledger, each about another exchange.
    pub entries: Vec<Vec<u8>>,
    /// Key of the seal, PEM.
    pub key: String,
    pub seal: SealKey,
    pub roots: String,
}

/// Italy, which has no KONFIDO, asked Denmark.
pub fn alone() -> Result<Alone, Failure> {
    let (issuer, roots) = root()?;
    let (seal, key) = seal(&issuer, "DK")?;
    let (it, dk) = (Country::parse("IT")?, Country::parse("DK")?);
    let drawn = |field: Field| {
        Secrets::draw([(field, field.name().to_owned())], &SystemEntropy).commitments()
    };
    let entry = || -> Result<Vec<u8>, Failure> {
        let (txid, asked) = (TransactionId::random(&SystemEntropy), drawn(Field::Patient));
        let request = RequestStatement::new(txid, Transaction::Retrieve, it, dk, asked);
        let said = JointStatement::one_sided(&request, drawn(Field::Answer), "answered");
        let record = said.settle_alone(&seal)?.signed;
        Ok(Half::entry(&record, 0, &seal)?.padded(0).into_bytes())
    };
    let entries = (0..ALONE).map(|_| entry()).collect::<Result<_, _>>()?;
    Ok(Alone { entries, key, seal, roots })
}

fn root() -> Result<(Issuer<'static, KeyPair>, String), Failure> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "invented root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}

/// Spain asked Denmark.
pub fn exchange() -> Result<Exchange, Failure> {
    let (issuer, roots) = root()?;
    let anchors = Anchors::from_pem(roots.as_bytes())?;
    let ((spain, _), (denmark, _)) = (seal(&issuer, "ES")?, seal(&issuer, "DK")?);
    let (es, dk, now) = (Country::parse("ES")?, Country::parse("DK")?, Timestamp::now());
    let fields = [Field::Patient, Field::Professional, Field::Purpose, Field::Request];
    let fields = fields.map(|field| (field, format!("the {} of an invented visit", field.name())));
    let secrets = Secrets::draw(fields, &SystemEntropy);
    let txid = TransactionId::random(&SystemEntropy);
    let request = RequestStatement::new(txid, Transaction::Retrieve, es, dk, secrets.commitments());
    let nro = request.sign(&spain)?;
    let asked = RequestStatement::verify(&nro, spain.certificate(), &anchors, now)?;
    let answer = [(Field::Answer, "its digest".to_owned())];
    let answered = Secrets::draw(answer, &SystemEntropy).commitments();
    let answer = JointStatement::answer(&asked, answered, "answered").sign(&denmark)?;
    let provider = denmark.certificate();
    let heard = Answered::verify(&answer, provider, &request, sha256(&nro), &anchors, now)?;
    let record = heard.countersign(&spain)?.signed;
    let entry = Entry::whole(&record)?.padded(0).into_bytes();
    Ok(Exchange { entry, signers: [denmark, spain], secrets, roots })
}

/// A seal, and its key, PEM.
fn seal(issuer: &Issuer<'_, KeyPair>, country: &str) -> Result<(SealKey, String), Failure> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, country);
    params.distinguished_name.push(DnType::CommonName, format!("seal of {country}"));
    let key = KeyPair::generate()?;
    let pem = params.signed_by(&key, issuer)?.pem();
    let key = key.serialize_pem();
    Ok((SealKey::from_pem(key.as_bytes(), pem.as_bytes())?, key))
}

/// As many as a judge needs.
const ALONE: usize = 64;
