//! `konfido bench vault`: what the way into a vault process costs, beside the same work in this one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use enclave::process::{Source, Spec};
use enclave::{Acceptance, Address, Attestation, Delivery, Piece, Process, Recipient, Use, Vault};
use exchange::{Country, Transaction, TransactionId};
use jiff::Timestamp;
use testbed::pki::{Pki, Role, SealKind};
use trust::private::{Holder, PrivateKey};
use trust::seal::{Scheme, SigningKey};

use super::machine;
use crate::custody;

/// Measures and prints Markdown.
pub fn run() -> anyhow::Result<()> {
    machine::print(&std::env::temp_dir());
    let (es, dk) = (Country::parse("ES")?, Country::parse("DK")?);
    let pki = Pki::new(&[dk], SealKind::P256, Timestamp::now());
    let pem = pki.identity(dk, Role::Seal).key_pem().as_bytes().to_vec();
    let program = custody::program().context("no program")?;
    let started = Instant::now();
    let spec = Spec {
        country: dk,
        program,
        keys: vec![(Use::Sign, Source::Bytes(Arc::new(pem.clone().into())))],
        secret: false,
        user: crate::config::VAULT_USER,
        store: None,
    };
    let process = Process::start(spec.clone())?;
    let mut starts = vec![started.elapsed()];
    for _ in 0..20 {
        let started = Instant::now();
        drop(Process::start(spec.clone())?);
        starts.push(started.elapsed());
    }
    println!("| number | wanted | found | |\n|---|---|---|---|");
    let start = median(starts).as_secs_f64() * 1e3;
    row("cold start of a vault process, ms", "< 50", start, start < 50.0);

    let threads = std::thread::available_parallelism().map_or(4, usize::from);
    let rates = [1, threads].map(|threads| round_trips(&process, threads));
    row("empty round trips/s, one thread", "", rates[0], true);
    let wanted = format!("empty round trips/s, {threads} threads");
    row(&wanted, ">= 90,000", rates[1], rates[1] >= 9e4);

    let (here, there) = (Vault::new(dk), Vault::of(process.clone()));
    let address = Address {
        from: es,
        to: dk,
        transaction: Transaction::Retrieve,
        txid: TransactionId([1; 16]),
    };
    let recipient = |vault: &Vault| -> anyhow::Result<Recipient> {
        let statement =
            vault.publish(&pki.identity(dk, Role::Seal).seal_key(), Timestamp::now())?;
        let now = Timestamp::now();
        Ok(Recipient::verify(
            &statement,
            &pki.anchors(),
            dk,
            now,
            &Acceptance::software(&Attestation::ALL),
        )?)
    };
    let to = [recipient(&here)?, recipient(&there)?];
    let (now, text) = (Timestamp::now(), vec![7; 100_000]);
    // interleaved, so that a neighbour's load falls on both
    for (name, wanted, every) in [
        ("open a 100 kB document, X-Wing and AES (first contact)", "<= 1.2", 1),
        ("open a 100 kB document in a session, AES alone", "", usize::MAX),
    ] {
        let mut spent = [Vec::new(), Vec::new()];
        let mut sender = [Vault::new(es), Vault::new(es)];
        for round in 0..ROUNDS {
            for (at, vault) in [&here, &there].into_iter().enumerate() {
                if round % every == 0 {
                    sender[at] = Vault::new(es);
                }
                let (to, pieces) = (&to[at], [Piece::Clear(&text)]);
                let (sealed, _) =
                    sender[at].seal_request(to, address, Delivery::Node, &[0; 32], &pieces, now)?;
                let started = Instant::now();
                vault.open_request(&sealed, &[0; 32])?;
                spent[at].push(started.elapsed());
            }
        }
        ratio(name, wanted, spent);
    }
    let PrivateKey::Held(held) = process.key(0) else { anyhow::bail!("a vault holds its keys") };
    let own = SigningKey::from_pem(&pem)?;
    let mut spent = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (at, key) in [&own as &dyn Holder, &*held].into_iter().enumerate() {
            let started = Instant::now();
            key.sign(Scheme::Es256, b"message").context("signs")?;
            spent[at].push(started.elapsed());
        }
    }
    ratio("sign with P-256", "", spent);
    Ok(())
}

fn round_trips(process: &Process, threads: usize) -> f64 {
    const TIME: Duration = Duration::from_secs(2);
    let started = Instant::now();
    let count: u64 = std::thread::scope(|scope| {
        let one = || {
            let mut count = 0;
            while started.elapsed() < TIME {
                process.ping(&[]).expect("because the vault serves");
                count += 1;
            }
            count
        };
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    });
    count as f64 / started.elapsed().as_secs_f64()
}

fn ratio(name: &str, wanted: &str, [here, there]: [Vec<Duration>; 2]) {
    let (here, there) = (median(here).as_secs_f64() * 1e6, median(there).as_secs_f64() * 1e6);
    let ratio = there / here;
    let verdict = if wanted.is_empty() {
        ""
    } else if ratio <= 1.2 {
        "held"
    } else {
        "**missed**"
    };
    println!(
        "| {name} | {wanted} | {ratio:.2}: {there:.0} us in the vault, {here:.0} us here | {verdict} |"
    );
}

fn row(name: &str, wanted: &str, found: f64, held: bool) {
    let verdict = if wanted.is_empty() {
        ""
    } else if held {
        "held"
    } else {
        "**missed**"
    };
    println!("| {name} | {wanted} | {found:.1} | {verdict} |");
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

const ROUNDS: usize = 500;
