//! Writes one REM document of each kind, signed with a throwaway key, for a foreign validator: `rem DIR`.

use std::path::PathBuf;
use std::sync::Arc;

use exchange::{Digest, FixedClock, SystemEntropy, Transaction};
use ihe::rem::{Authentication, Evidence, Kind, Message, Party, Reason, Record, Verdict};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use trust::seal::SealKey;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("usage: rem DIR")?);
    std::fs::create_dir_all(&dir)?;
    let key = key()?;
    let rejected = Verdict::Rejected(vec![Reason {
        code: "ERROR_PS_NO_CONSENT".into(),
        details: "the patient has not consented".into(),
    }]);
    for kind in [Kind::Origin, Kind::Receipt, Kind::Delivery] {
        for (word, verdict) in [("accepted", Verdict::Accepted), ("rejected", rejected.clone())] {
            let text = evidence(kind, verdict, &key)?.sign(&key)?;
            let name = format!("rem-{}-{word}.xml", kind.short().to_lowercase());
            std::fs::write(dir.join(name), text)?;
        }
    }
    Ok(())
}

/// Evidence with everything in it that the writer knows.
fn evidence(
    kind: Kind,
    verdict: Verdict,
    key: &SealKey,
) -> Result<Evidence, Box<dyn std::error::Error>> {
    let at = FixedClock("2026-11-21T15:04:05.125Z".parse()?).0;
    let party = |name: &str| Party {
        names: vec![name.to_owned()],
        addresses: vec![format!("https://ncp.example.{}", name.to_lowercase())],
        certificate: Some(key.certificate().der().to_vec()),
    };
    Ok(Evidence {
        kind,
        verdict,
        id: ihe::uuid(&SystemEntropy),
        policies: vec!["urn:oid:1.2.3.4".into()],
        issuer: party("ES"),
        authentication: Some(Authentication {
            time: at,
            method: "urn:oasis:names:tc:SAML:2.0:ac:classes:X509".into(),
        }),
        event_time: at,
        submission_time: Some(at),
        sender: party("ES"),
        recipients: vec![party("DK")],
        message: Some(Message {
            subject: Transaction::Retrieve.request_action().to_owned(),
            sender_id: Some(format!("urn:uuid:{}", ihe::uuid(&SystemEntropy))),
            number: "0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c".into(),
            digest: Some(Digest([7; 32])),
        }),
        record: Some(Record {
            log: "konfido.example/es".into(),
            index: 12,
            digest: Digest([9; 32]),
        }),
    })
}

fn key() -> Result<Arc<SealKey>, Box<dyn std::error::Error>> {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CountryName, "ES");
    let certificate = params.self_signed(&pair)?.pem();
    let key = SealKey::from_pem(pair.serialize_pem().as_bytes(), certificate.as_bytes())?;
    Ok(Arc::new(key))
}
