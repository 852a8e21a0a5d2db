//! How large a proof of the shared ledger is and how long its check takes:
//! `cargo run --release -p ledger --example proof_speed`.

#[path = "proofs/member.rs"]
mod member;

use std::hint::black_box;
use std::time::Instant;

use ledger::checkpoint::{BlockLine, Checkpoint, SignedCheckpoint};
use ledger::policy::{Members, Policy};
use ledger::proof::Proof;
use ledger::scitt;
use ledger::tree::verify_inclusion;
use member::Member;

type Failure = Box<dyn std::error::Error>;

const ORIGIN: &str = "ledger.example/konfido";
/// Ten million entries.
const SIZE: u64 = 10_000_000;
const INDEX: u64 = 7_654_321;

fn main() -> Result<(), Failure> {
    let entry = vec![7; 461];
    // a path of the right height: its hashes are any, and the root follows from them
    let path: Vec<[u8; 32]> = (0..24).map(|n| [n; 32]).collect();
    let root = root(&entry, &path);
    assert!(verify_inclusion(&entry, INDEX, SIZE, root, &path));
    let lines = vec![BlockLine { height: 1_234_567, digest: [7; 32] }.to_string()];
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: SIZE, root, lines };
    let members: Vec<Member> = (0..27).map(Member::new).collect::<Result<_, _>>()?;
    println!("{:<52}{:>9}{:>11}", "verified offline, entry of ten million", "bytes", "ms");
    for (name, of, need, lasting) in [
        ("tlog-proof, 3 of 4", 4, 3, false),
        ("tlog-proof, 19 of 27", 27, 19, false),
        ("tlog-proof, 3 of 4, Ed25519 and ML-DSA-44", 4, 3, true),
        ("tlog-proof, 19 of 27, Ed25519 and ML-DSA-44", 27, 19, true),
    ] {
        let policy = policy(&members[..of], need, lasting);
        let mut signed = SignedCheckpoint::new(checkpoint.clone());
        signed.add(members[0].log.sign(&checkpoint, 1_795_000_000)?);
        for member in &members[..need] {
            signed.add(member.classic.sign(&checkpoint, 1_795_000_000)?);
            if lasting {
                signed.add(member.lasting.sign(&checkpoint, 1_795_000_000)?);
            }
        }
        let proof =
            Proof { extra: None, index: INDEX, path: path.clone(), checkpoint: signed.to_string() };
        let text = proof.to_string();
        let ms = measure(|| {
            let proof = Proof::parse(text.as_bytes()).ok()?;
            proof.verify(&entry, &policy, None).ok()
        });
        println!("{name:<52}{:>9}{ms:>11.3}", text.len());
    }
    for (name, receiver, public) in members[0].receivers()? {
        let receipt = receiver.receipt(&checkpoint, INDEX, &path, 1_795_000_000)?;
        let algorithm = receiver.key().algorithm;
        let keys = [scitt::ReceiptKey { kid: name.as_bytes().to_vec(), algorithm, public }];
        let ms = measure(|| scitt::verify(&receipt, &entry, &keys).ok());
        println!(
            "{:<52}{:>9}{ms:>11.3}",
            format!("COSE receipt, {name}, one member"),
            receipt.len()
        );
    }
    Ok(())
}

/// The median of many, in milliseconds.
fn measure<T>(work: impl Fn() -> Option<T>) -> f64 {
    let mut times: Vec<f64> = (0..400)
        .map(|_| {
            let started = Instant::now();
            black_box(work()).expect("because it is genuine");
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The root that RFC 9162 §2.1.3.2 comes to.
fn root(entry: &[u8], path: &[[u8; 32]]) -> [u8; 32] {
    let sha256 = ledger::evidence::sha256;
    let node = |left: &[u8], right: &[u8]| sha256(&[&[1], left, right].concat());
    let (mut at, mut last) = (INDEX, SIZE - 1);
    let mut hash = sha256(&[&[0], entry].concat());
    for sibling in path {
        if at % 2 == 1 || at == last {
            hash = node(sibling, &hash);
            while at.is_multiple_of(2) && at != 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            hash = node(&hash, sibling);
        }
        (at, last) = (at / 2, last / 2);
    }
    hash
}

fn policy(members: &[Member], threshold: usize, lasting: bool) -> Policy {
    let keys = members.iter().map(|member| (member.name.clone(), member.keys(lasting))).collect();
    let logs = members.iter().map(|member| member.log.key().clone()).collect();
    let text = Policy::of_members(&Members { logs, keys, threshold });
    Policy::parse(text.as_bytes()).expect("because we wrote it")
}
