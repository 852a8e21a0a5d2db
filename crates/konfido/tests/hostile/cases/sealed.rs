//! Sealed messages that are not, at Denmark's border, and receipts for nothing.

use bytes::Bytes;
use enclave::{Address, Header, Piece};
use exchange::{SystemEntropy, TransactionId};
use gateway::inbound::receipts::{MAX_RECEIPTS, RECEIPTS_PATH};
use gateway::outbound::SEALED_PATH;
use gateway::wire::seal_package;
use ihe::mtom::Package;
use siem::Kind;
use testbed::attacks::forgery::replaced;
use testbed::pki::Role;

use crate::case::{Case, First, Made, Want, case};
use crate::circle::country;
use crate::stage::{DENMARK, SPAIN, Sealable, Stage, package, shot, signed};
use crate::wire::{Caller, Shot, Then, post};

const BROKEN: Want = Want::Fault(400, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED");
const NO_SUCH_VAULT: Want = Want::Refusal("ERROR_SEC_GENERIC");
const NOT_ITS_EVIDENCE: Want = Want::Refusal("ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED");

fn sealed(name: &str, want: Want, make: fn(&Stage) -> Package) -> Case {
    case(name, DENMARK, want, move |stage| package(SPAIN, SEALED_PATH, &make(stage)))
}

fn ciphertext(message: &Sealable, bytes: impl AsRef<[u8]>) -> Package {
    let bytes = Bytes::copy_from_slice(bytes.as_ref());
    seal_package(&message.root, message.content.clone(), bytes)
}

/// Changes the ciphertext of a flawless sealed message.
fn changed(stage: &Stage, change: fn(&mut Vec<u8>)) -> Package {
    let mut package = stage.good_sealed();
    let mut bytes = package.parts[0].bytes.to_vec();
    change(&mut bytes);
    package.parts[0].bytes = bytes.into();
    package
}

/// Seals a message whose inside or address is changed.
fn inside(stage: &Stage, change: fn(&Stage, &mut Sealable)) -> Package {
    let mut message = stage.sealable();
    change(stage, &mut message);
    let head = message.inner.head();
    stage.sealed(&message, &message.inner.pieces(&head))
}

/// Writes the clear header anew.
fn header(bytes: &mut Vec<u8>, change: fn(&mut Header)) {
    let (mut header, length) = Header::decode(&Bytes::from(bytes.clone())).unwrap();
    change(&mut header);
    *bytes = [header.encode(), bytes[length..].to_vec()].concat();
}

pub fn all() -> Vec<Case> {
    let mut cases = tampered();
    cases.extend(lying());
    cases
}

/// What does not open.
fn tampered() -> Vec<Case> {
    vec![
        sealed("sealed garbage", BROKEN, |stage| ciphertext(&stage.sealable(), [0xa5; 4000])),
        sealed("sealed nothing", BROKEN, |stage| ciphertext(&stage.sealable(), [])),
        sealed("sealed, cut", BROKEN, |stage| changed(stage, |b| b.truncate(b.len() / 2))),
        sealed("sealed, a byte flipped in the ciphertext", BROKEN, |stage| {
            changed(stage, |b| *b.last_mut().unwrap() ^= 1)
        }),
        sealed("sealed, a byte flipped in the encapsulated key", BROKEN, |stage| {
            changed(stage, |b| b[200] ^= 1)
        }),
        sealed("sealed, another exchange number", BROKEN, |stage| {
            changed(stage, |b| header(b, |h| h.address.txid = TransactionId([7; 16])))
        }),
        sealed("sealed, the number before it", BROKEN, |stage| {
            changed(stage, |b| header(b, |h| h.sequence = h.sequence.wrapping_sub(1)))
        }),
        sealed("sealed, sent on to Denmark by mistake", BROKEN, |stage| {
            changed(stage, |b| header(b, |h| h.address.to = country("IT")))
        }),
        sealed("sealed, another country's name on it", BROKEN, |stage| {
            changed(stage, |b| header(b, |h| h.address.from = country("IT")))
        }),
        sealed(
            "sealed for a key that Denmark does not hold",
            Want::Fault(421, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"),
            |stage| changed(stage, |b| header(b, |h| h.key_id = [9; 16])),
        ),
        sealed("sealed, the SOAP header changed on the way", BROKEN, |stage| {
            let mut package = stage.good_sealed();
            let text = std::str::from_utf8(&package.root).unwrap();
            package.root = replaced(text, "urn:uuid:", "urn:uuid:f").into();
            package
        }),
        sealed("sealed, with a second part", BROKEN, |stage| {
            let mut package = stage.good_sealed();
            package.parts.push(crate::stage::part("second@x", "x"));
            package
        }),
        sealed("a plain message where sealed ones go", BROKEN, |stage| {
            Package::bare(stage.good_query())
        }),
        case("sealed by Spain, brought by Italy", DENMARK, BROKEN, |stage| {
            let italy = Caller::Known("IT", Role::ServiceConsumer);
            package(italy, SEALED_PATH, &stage.good_sealed())
        }),
        case(
            "the same sealed message a second time",
            DENMARK,
            Want::Fault(400, "ERROR_SEC_GENERIC"),
            |stage| {
                let shot = package(SPAIN, SEALED_PATH, &stage.good_sealed());
                Made { first: Some(First::Refused(shot.clone(), 2)), shot }
            },
        ),
        sealed("sealed in a vault that Spain does not publish", NO_SUCH_VAULT, |stage| {
            stage.good_sealed()
        })
        .leaving(2),
    ]
}

/// What opens and then is not what it says.
fn lying() -> Vec<Case> {
    vec![
        sealed("sealed well, garbage inside", BROKEN, |stage| {
            let message = stage.sealable();
            stage.sealed(&message, &[Piece::Clear(&[0xa5; 500])])
        }),
        sealed("sealed well, no evidence inside", BROKEN, |stage| {
            inside(stage, |_, message| message.inner.evidence = Bytes::new())
        }),
        sealed("evidence about another message", NOT_ITS_EVIDENCE, |stage| {
            inside(stage, |stage, message| {
                let other = stage.sealable();
                message.inner.evidence = other.inner.evidence;
                message.inner.secrets = other.inner.secrets;
            })
        }),
        sealed("evidence signed by another country", NOT_ITS_EVIDENCE, |stage| {
            inside(stage, |stage, message| {
                message.inner.evidence = signed(&message.statement, &stage.circle.seal("IT"));
            })
        }),
        sealed("evidence signed under a foreign root", NOT_ITS_EVIDENCE, |stage| {
            inside(stage, |stage, message| {
                let seal = stage.foreign.identity(country("ES"), Role::Seal).seal_key();
                message.inner.evidence = signed(&message.statement, &seal);
            })
        }),
        sealed("the salts of another message", NOT_ITS_EVIDENCE, |stage| {
            inside(stage, |stage, message| message.inner.secrets = stage.sealable().inner.secrets)
        }),
        sealed("an address with another exchange number", NOT_ITS_EVIDENCE, |stage| {
            inside(stage, |_, message| {
                let txid = TransactionId::random(&SystemEntropy);
                message.address = Address { txid, ..message.address };
            })
        }),
        sealed("a document type inside the seal", Want::Fault(400, "ERROR_GENERIC"), |stage| {
            inside(stage, |_, message| message.inner.content = "<!DOCTYPE a><a/>".into())
        }),
    ]
}

/// The receipts endpoint.
pub fn receipts() -> Vec<Case> {
    let batch = |count: usize| {
        let one = [[5; 16].as_slice(), &4_u32.to_be_bytes(), b"none"].concat();
        one.repeat(count)
    };
    let post_to = |body: &[u8]| {
        let bytes = post(RECEIPTS_PATH, "application/octet-stream", body);
        Shot { caller: SPAIN, bytes, then: Then::Wait }
    };
    let bad = Want::Problem(400, "receipts");
    let taken = Want::Status(200);
    vec![
        case("receipts: garbage", DENMARK, bad, move |_| post_to(b"garbage")),
        case("receipts: a length beyond the end", DENMARK, bad, move |_| post_to(&[0xff; 24])),
        case("receipts: one more than a delivery holds", DENMARK, bad, move |_| {
            post_to(&batch(MAX_RECEIPTS + 1))
        }),
        case("receipts: 25 MiB", DENMARK, Want::Problem(413, "body-too-long"), move |_| {
            post_to(&vec![0; 25 << 20])
        }),
        case("receipts: for exchanges that never were", DENMARK, taken, move |_| {
            post_to(&batch(MAX_RECEIPTS))
        })
        .noted_as(Kind::ReceiptsRefused),
        case("receipts: SOAP", DENMARK, bad, |stage| {
            shot(SPAIN, RECEIPTS_PATH, stage.good_query())
        }),
    ]
}
