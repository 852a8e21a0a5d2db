//! One validator in a process of its own: submits, and prints what became final.

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use commonware_codec::Encode as _;
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PrivateKey;
use ledger::chain::Chain;
use ledger::order::{Hear, Order as _, Taken};
use ledger::tree::leaf_hash;
use ledger_consensus::{Agreed, Config, Member, Membership, Timing, Validator};
use zeroize::Zeroizing;

use crate::{Failure, Plan, evidence};

struct Four(Vec<Member>);

impl Membership for Four {
    fn members(&self) -> Vec<Member> {
        self.0.clone()
    }
}

struct Deaf;

impl Hear for Deaf {
    fn hear(&self, _: [u8; 32], _: &[u8]) {}
}

/// Entries of its own: when each was submitted, and how long it took to become final.
#[derive(Default)]
struct Times {
    waiting: HashMap<[u8; 32], Instant>,
    took: Vec<f64>,
}

/// Runs until its input ends.
pub fn run(folder: &Path, at: u8, plan: &Plan) -> Result<(), Failure> {
    let entries = evidence::entries(folder, at, plan.numbers.clone())?;
    let genesis = evidence::genesis(folder)?;
    let home = folder.join(format!("node{at}"));
    let opening = Instant::now();
    let chain = Arc::new(Chain::open(&home.join("log"), &genesis)?);
    let times = Arc::new(Mutex::new(Times::default()));
    let bytes = Arc::new(AtomicU64::new(0));
    chain.on_final({
        let (times, bytes) = (Arc::clone(&times), Arc::clone(&bytes));
        Box::new(move |block, _| {
            bytes.fetch_add(block.encoded().len() as u64, Ordering::Relaxed);
            let mut times = times.lock().expect("because no holder panics");
            for leaf in block.leaves() {
                if let Some(at) = times.waiting.remove(leaf) {
                    times.took.push(at.elapsed().as_secs_f64() * 1000.0);
                }
            }
        })
    });
    let validator = start(&home, at, plan, &chain, genesis.digest())?;
    say(&format!("open {} ms", opening.elapsed().as_millis()));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let ended = Arc::new(AtomicU64::new(0));
    let reader = Arc::clone(&ended);
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_line(&mut String::new());
        reader.store(1, Ordering::Relaxed);
    });
    let telling = Arc::clone(&chain);
    let (told, began) = (Arc::clone(&ended), Instant::now());
    std::thread::spawn(move || {
        while told.load(Ordering::Relaxed) == 0 {
            let tip = telling.tip();
            say(&format!("tip {} {} {}", plan_ms(began), tip.height, tip.size));
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    submit(&validator, &chain, entries, plan, &times, &ended);
    while ended.load(Ordering::Relaxed) == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    if let Some(why) = validator.failure() {
        say(&format!("failed {why}"));
    }
    drop(validator);
    let mut took = times.lock().expect("because no holder panics").took.clone();
    took.sort_by(f64::total_cmp);
    let at = |q: f64| took.get((took.len() as f64 * q) as usize).copied().unwrap_or_default();
    say(&format!("took {} {:.1} {:.1} {:.1}", took.len(), at(0.5), at(0.99), at(0.999)));
    Ok(())
}

fn plan_ms(since: Instant) -> u128 {
    since.elapsed().as_millis()
}

fn start(
    home: &Path,
    at: u8,
    plan: &Plan,
    chain: &Arc<Chain>,
    genesis: [u8; 32],
) -> Result<Validator, Failure> {
    let key = PrivateKey::from_seed(u64::from(at));
    let member = |nth: u64| {
        let key = PrivateKey::from_seed(nth).public_key();
        let port = plan.ports[nth as usize];
        let key = key.as_ref().try_into().expect("because a key has 32 bytes");
        Member { key, address: format!("127.0.0.1:{port}"), voting: true }
    };
    let members = Arc::new(Four((0..4).map(member).collect()));
    let seed = Zeroizing::new(key.encode().as_ref().try_into()?);
    let listen = format!("127.0.0.1:{}", plan.ports[usize::from(at)]).parse()?;
    let config =
        Config::new(seed, genesis, listen, home.join("engine"), home.join("witness"), members);
    let agreed = Agreed { block: 16 << 20, ..Agreed::default() };
    let timing = Timing::default();
    let config = Config { agreed, timing, batch: plan.batch, local: true, ..config };
    Ok(Validator::start(Arc::clone(chain), config, Arc::new(Deaf))?)
}

/// At the rate of the plan; without one, as fast as the line takes it. Entries are admitted first, as `konfido
/// ledger run` does it for what its country brings.
fn submit(
    validator: &Validator,
    chain: &Chain,
    entries: Vec<Vec<u8>>,
    plan: &Plan,
    times: &Mutex<Times>,
    ended: &AtomicU64,
) {
    let began = Instant::now();
    let mut left = entries.into_iter().peekable();
    let mut sent: u64 = 0;
    while left.peek().is_some() && ended.load(Ordering::Relaxed) == 0 {
        let due = match plan.rate {
            Some(rate) => (began.elapsed().as_secs_f64() * rate as f64 / 4.0) as u64 - sent,
            None => (LINE.saturating_sub(validator.waiting())) as u64,
        };
        if due == 0 {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let some: Vec<_> = left.by_ref().take(due.min(TOGETHER) as usize).collect();
        sent += some.len() as u64;
        {
            let mut times = times.lock().expect("because no holder panics");
            let now = Instant::now();
            times.waiting.extend(some.iter().map(|entry| (leaf_hash(entry), now)));
        }
        let bad = chain.admit(&some).iter().filter(|verdict| verdict.is_err()).count();
        if bad > 0 {
            say(&format!("refused {bad} as invalid"));
        }
        let refused = validator.submit(some).iter().filter(|taken| **taken != Taken::Waits).count();
        if refused > 0 {
            say(&format!("refused {refused}"));
        }
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Entries admitted at a time.
const TOGETHER: u64 = 1024;
/// Entries kept in line when there is no rate.
const LINE: usize = 8_000;
