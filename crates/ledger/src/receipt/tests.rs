//! Receipts: what holds, and that nothing in them can change.

use super::*;
use crate::fixtures::{Exchange, World};

struct Desk {
    world: World,
    exchange: Exchange,
    statement: Vec<u8>,
    log: Log,
    _folder: tempfile::TempDir,
}

impl Desk {
    /// A log in which the record stands among others.
    fn new(world: World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut log =
            Log::open(folder.path(), "konfido.example/es", &folder.path().join("key")).unwrap();
        let exchange = world.exchange();
        let statement = world.settle(&exchange).signed;
        let leaves = [
            b"one".to_vec(),
            b"two".to_vec(),
            statement.clone(),
            b"four".to_vec(),
            b"five".to_vec(),
        ];
        log.append(0, &leaves).unwrap();
        Self { world, exchange, statement, log, _folder: folder }
    }

    fn receipt(&self, certificates: &[&Certificate]) -> Receipt {
        let (now, secrets) = (self.world.now, &self.exchange.asked);
        let fields = [Field::Patient, Field::Purpose];
        Receipt::export(&self.statement, now, certificates, 2, &self.log, secrets, &fields).unwrap()
    }

    fn signers(&self) -> [&Certificate; 2] {
        [self.world.dk.certificate(), self.world.es.certificate()]
    }

    fn file(&self) -> Vec<u8> {
        self.receipt(&self.signers()).to_json().unwrap()
    }
}

#[test]
fn a_receipt_says_what_was_found_true() {
    let desk = Desk::new(World::new());
    let report = verify(&desk.file(), &desk.world.anchors).unwrap();
    let find = |what| report.findings.iter().find(|f| f.0 == what).map(|f| f.1.as_str()).unwrap();
    assert_eq!(find("countries"), "ES asked DK");
    assert_eq!(find("transaction"), "ITI-39");
    assert_eq!(find("in the log"), "konfido.example/es, entry 2 of 5");
    assert_eq!(find("patient"), "patient of Agnete");
    assert!(
        !report.findings.iter().any(|f| f.0 == "professional" || f.0 == "note"),
        "only what was shown"
    );
    assert!(!String::from_utf8(desk.file()).unwrap().contains("professional of Agnete"));
    verify(&[desk.file(), b"\n".to_vec()].concat(), &desk.world.anchors).unwrap();
}

#[test]
fn the_readers_roots_and_logs_decide() {
    let desk = Desk::new(World::new());
    let verdict = verify(&desk.file(), &World::new().anchors);
    assert!(matches!(verdict, Err(ReceiptError::Evidence(_))), "other roots");
    let (ours, other) = (desk.log.public_key(), vec![7; 32]);
    verify_with_logs(&desk.file(), &desk.world.anchors, &[other.clone(), ours]).unwrap();
    assert!(matches!(
        verify_with_logs(&desk.file(), &desk.world.anchors, &[other]),
        Err(ReceiptError::Log(_))
    ));
}

#[test]
fn certificates_between_seal_and_root_travel_along() {
    let desk = Desk::new(World::chained());
    let [provider, requester] = desk.signers();
    assert!(verify(&desk.file(), &desk.world.anchors).is_err(), "without them there is no path");
    let chain = [provider, requester, &desk.world.dk.intermediates()[0]];
    let receipt = desk.receipt(&chain).to_json().unwrap();
    verify(&receipt, &desk.world.anchors).unwrap();
}

#[test]
fn no_byte_of_a_receipt_can_change() {
    let desk = Desk::new(World::new());
    let file = desk.file();
    for at in 0..file.len() {
        for change in [1, 0x20] {
            let mut changed = file.clone();
            changed[at] ^= change;
            assert!(verify(&changed, &desk.world.anchors).is_err(), "byte {at} of {}", file.len());
        }
    }
    for cut in (0..file.len()).step_by(13) {
        assert!(verify(&file[..cut], &desk.world.anchors).is_err());
    }
}

/// What someone with the log's key, but without the countries' seals, could write.
#[test]
fn the_log_cannot_speak_for_the_countries() {
    type Change = fn(&mut Receipt);
    let changes: [(&str, Change); 7] = [
        ("another value", |r| r.disclosed[0].value = "somebody else".into()),
        ("another field", |r| r.disclosed[0].field = "professional".into()),
        ("another salt", |r| r.disclosed[0].salt = STANDARD.encode([0; 32])),
        ("another place", |r| r.index = 3),
        ("a shorter proof", |r| drop(r.proof.pop())),
        ("one signer only", |r| drop(r.certificates.pop())),
        ("signers exchanged", |r| r.certificates.reverse()),
    ];
    let desk = Desk::new(World::new());
    for (what, change) in changes {
        let mut receipt = desk.receipt(&desk.signers());
        change(&mut receipt);
        receipt.attestation =
            STANDARD.encode(desk.log.attest(&receipt.attested().unwrap()).unwrap());
        assert!(verify(&receipt.to_json().unwrap(), &desk.world.anchors).is_err(), "{what}");
    }
}

#[test]
fn what_is_not_in_the_log_has_no_receipt() {
    let desk = Desk::new(World::new());
    let (statement, now, secrets) = (&desk.statement, desk.world.now, &desk.exchange.asked);
    let verdict = Receipt::export(statement, now, &desk.signers(), 5, &desk.log, secrets, &[]);
    assert!(matches!(verdict, Err(ReceiptError::Log(_))));
    // another record's place
    let wrong = Receipt::export(statement, now, &desk.signers(), 1, &desk.log, secrets, &[]);
    assert!(wrong.is_err());
}
