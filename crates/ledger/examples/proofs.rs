//! Writes what outsiders see of a shared ledger, for judges that we did not write:
//! `cargo run -p ledger --example proofs DIR`.
//!
//! Tiles and entries of a log, its checkpoint with cosignatures of both kinds, policies, proofs, COSE
//! receipts, one `konfido-receipt/2` and the roots that it needs; and evidence of one country alone with its
//! seal, for a ledger of one member (`interop/stamps.py`). Then it asks for a time-stamp: it
//! writes `request.tsq`, waits for a line on stdin, and says what it thinks of `response.tsr`.

#[path = "proofs/country.rs"]
mod country;
#[path = "proofs/member.rs"]
mod member;

use std::fs;
use std::io::BufRead as _;
use std::path::Path;

use exchange::SystemEntropy;
use jiff::Timestamp;
use ledger::Field;
use ledger::bundle::Bundle;
use ledger::checkpoint::{BlockLine, Checkpoint, SignedCheckpoint};
use ledger::log::Log;
use ledger::note::SignedNote;
use ledger::policy::{Members, Policy};
use ledger::proof::Proof;
use ledger::timestamp::{Expected, TimeStampRequest, imprint};
use member::Member;
use trust::certificate::Anchors;
use trust::seal::SealKey;

type Failure = Box<dyn std::error::Error>;

const ORIGIN: &str = "ledger.example/konfido";
const ENTRIES: u64 = 600;
/// The entry that is evidence.
const EVIDENCE: u64 = 537;

fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    let folder = Path::new(&folder);
    let put = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes);
    let exchange = country::exchange()?;
    put("roots.pem", exchange.roots.as_bytes())?;

    let tiles = folder.join("tiles");
    let mut log = Log::open(&tiles, ORIGIN, &folder.join("log.key"))?;
    let entry =
        |index| if index == EVIDENCE { exchange.entry.clone() } else { vec![index as u8; 300] };
    log.append(0, &(0..ENTRIES).map(entry).collect::<Vec<_>>())?;

    let members: Vec<Member> = (0..27).map(Member::new).collect::<Result<_, _>>()?;
    let four = &members[..4];
    put("four.policy", policy(four, 3, false).as_bytes())?;
    put("lasting.policy", policy(four, 3, true).as_bytes())?;
    put("many.policy", policy(&members, 19, false).as_bytes())?;

    let note = SignedNote::read(&log.checkpoint()?)?;
    let mut checkpoint = Checkpoint::parse(&note.text).ok_or("our own checkpoint")?;
    checkpoint.lines = vec![BlockLine { height: 4711, digest: [7; 32] }.to_string()];
    let signed = sign(&checkpoint, &four[1..], true)?;
    put("tiles/checkpoint", signed.as_bytes())?;
    let many = sign(&checkpoint, &members[..19], false)?;
    for index in [0, 255, 256, EVIDENCE, 599] {
        let prove = |checkpoint: &str| -> Result<Proof, Failure> {
            let (path, checkpoint) = (log.prove(index)?, checkpoint.to_owned());
            Ok(Proof { extra: None, index, path, checkpoint })
        };
        put(&format!("{index}.tlog-proof"), prove(&signed)?.to_string().as_bytes())?;
        put(&format!("{index}.many.tlog-proof"), prove(&many)?.to_string().as_bytes())?;
        put(&format!("{index}.entry"), &entry(index))?;
    }
    for receiver in four[0].receivers()? {
        let path = log.prove(EVIDENCE)?;
        let receipt = receiver.1.receipt(&checkpoint, EVIDENCE, &path, now())?;
        put(&format!("{}.cose", receiver.0), &receipt)?;
        put(&format!("{}.key", receiver.0), &receiver.2)?;
    }
    let proof = Proof::parse(&fs::read(folder.join(format!("{EVIDENCE}.tlog-proof")))?)?;
    let signers: Vec<_> = exchange.signers.iter().map(SealKey::certificate).collect();
    let policy = policy(four, 3, true);
    let bundle = Bundle::new(&exchange.entry, Timestamp::now(), &signers, &proof, &policy);
    put("receipt.json", &bundle.showing(&exchange.secrets, &[Field::Patient]).to_json())?;
    // for who runs a ledger of his own: evidence, and the seal under it
    let alone = country::alone()?;
    for (number, entry) in alone.entries.iter().enumerate() {
        put(&format!("alone.{number}.entry"), entry)?;
    }
    put("alone.key", alone.key.as_bytes())?;
    put("alone.pem", alone.seal.certificate().pem().as_bytes())?;
    put("alone-roots.pem", alone.roots.as_bytes())?;
    let signers = [alone.seal.certificate()];
    let bundle = Bundle::new(&alone.entries[0], Timestamp::now(), &signers, &proof, &policy);
    put("alone.json", &bundle.to_json())?;
    stamp(folder, &signed)
}

/// Asks for a time-stamp of the checkpoint, and judges the answer.
fn stamp(folder: &Path, signed: &str) -> Result<(), Failure> {
    let request = TimeStampRequest::new(imprint(signed), &SystemEntropy);
    fs::write(folder.join("request.tsq"), request.encode())?;
    println!("asked");
    for line in std::io::stdin().lock().lines() {
        let verdict = || -> Result<String, Failure> {
            let token = TimeStampRequest::token(&fs::read(folder.join(line?))?)?;
            let roots = Anchors::from_pem(&fs::read(folder.join("tsa.pem"))?)?;
            let expected = Expected { request: Some(&request), policy: None };
            let stamped = token.verify(imprint(signed), &roots, expected)?;
            fs::write(folder.join("token.der"), token.der())?;
            Ok(format!("{} {}", stamped.time, stamped.policy))
        };
        println!("{}", verdict().unwrap_or_else(|error| format!("refused: {error}")));
    }
    Ok(())
}

fn policy(members: &[Member], threshold: usize, lasting: bool) -> String {
    let keys = members.iter().map(|member| (member.name.clone(), member.keys(lasting))).collect();
    let logs = members.iter().map(|member| member.log.key().clone()).collect();
    Policy::of_members(&Members { logs, keys, threshold })
}

/// The checkpoint, signed by the first of them as the log and cosigned by all.
fn sign(checkpoint: &Checkpoint, members: &[Member], lasting: bool) -> Result<String, Failure> {
    let mut signed = SignedCheckpoint::new(checkpoint.clone());
    signed.add(members[0].log.sign(checkpoint, now())?);
    for member in members {
        signed.add(member.classic.sign(checkpoint, now())?);
        if lasting {
            signed.add(member.lasting.sign(checkpoint, now())?);
        }
    }
    Ok(signed.to_string())
}

fn now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}
