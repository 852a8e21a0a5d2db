//! What one exchange's evidence costs: `cargo run --release -p ledger --example evidence_speed`.

use std::time::Instant;

use exchange::{Country, SystemEntropy, Transaction, TransactionId};
use jiff::Timestamp;
use ledger::evidence::sha256;
use ledger::log::Log;
use ledger::{Answered, Field, JointStatement, RequestStatement, Secrets, Settled};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use trust::certificate::Anchors;
use trust::seal::SealKey;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let anchors = Anchors::from_pem(params.self_signed(&key)?.pem().as_bytes())?;
    let issuer = Issuer::new(params, key);
    let (es, dk) = (seal(&issuer, "ES")?, seal(&issuer, "DK")?);
    let (requester, provider, now) =
        (Country::parse("ES")?, Country::parse("DK")?, Timestamp::now());

    let fields =
        [Field::Patient, Field::Professional, Field::Purpose, Field::Assertions, Field::Request];
    let values =
        || fields.map(|field| (field, "value of about forty bytes, as CX ids are".to_owned()));
    let secrets = Secrets::draw(values(), &SystemEntropy);
    let txid = TransactionId::random(&SystemEntropy);
    let request = RequestStatement::new(
        txid,
        Transaction::Retrieve,
        requester,
        provider,
        secrets.commitments(),
    );
    let nro = request.sign(&es)?;
    let asked = RequestStatement::verify(&nro, es.certificate(), &anchors, now)?;
    let joint = JointStatement::answer(&asked, secrets.commitments(), "answered");
    let joint = JointStatement {
        answered: Secrets::draw([(Field::Answer, "digest".to_owned())], &SystemEntropy)
            .commitments(),
        ..joint
    };
    let first = joint.sign(&dk)?;
    let digest = sha256(&nro);
    let hear = || Answered::verify(&first, dk.certificate(), &request, digest, &anchors, now);
    let settled = hear()?.countersign(&es)?;
    let signers = [dk.certificate(), es.certificate()];

    measure("draw 5 salts and commit", || Secrets::draw(values(), &SystemEntropy).commitments());
    measure("B signs the request", || request.sign(&es));
    measure("A verifies the request", || {
        RequestStatement::verify(&nro, es.certificate(), &anchors, now).is_ok()
    });
    measure("A signs the answer", || joint.sign(&dk));
    measure("B verifies the answer", || hear().is_ok());
    measure("B verifies and countersigns", || {
        hear().and_then(|answered| answered.countersign(&es))
    });
    measure("A verifies the record", || {
        Settled::verify(&settled.signed, &signers, &anchors, now).is_ok()
    });
    println!("{:<34}{:>9} bytes", "double-signed record", settled.signed.len());

    let folder = tempfile::tempdir()?;
    let mut log = Log::open(folder.path(), "konfido.example/es", &folder.path().join("key"))?;
    for batch in [1, 100, 1024] {
        let leaves = vec![settled.signed.clone(); batch];
        let rounds = 20;
        let started = Instant::now();
        for _ in 0..rounds {
            log.append(log.size(), &leaves)?;
        }
        let each = started.elapsed().as_secs_f64() * 1e6 / (rounds * batch) as f64;
        println!(
            "{:<34}{each:>9.1} us a leaf (fsync included)",
            format!("append in batches of {batch}")
        );
    }
    let size = log.size();
    measure(&format!("inclusion proof among {size}"), || log.prove(size / 3));
    Ok(())
}

fn seal(issuer: &Issuer<'_, KeyPair>, country: &str) -> Result<SealKey, Failure> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CountryName, country);
    let key = KeyPair::generate()?;
    let pem = params.signed_by(&key, issuer)?.pem();
    Ok(SealKey::from_pem(key.serialize_pem().as_bytes(), pem.as_bytes())?)
}

fn measure<T>(what: &str, mut work: impl FnMut() -> T) {
    const ROUNDS: u32 = 2000;
    let started = Instant::now();
    for _ in 0..ROUNDS {
        std::hint::black_box(work());
    }
    println!("{what:<34}{:>9.1} us", started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
}
