//! What the store of the shared ledger costs: `cargo run --release -p ledger --example ledger_store -- 10000000`.
//!
//! Fills a store with that many entries of 200 bytes (the last 200,000 are evidence in form, longer, which a start
//! after a kill applies again) in a process that ends without closing it, then measures the start, proofs and lookups; then the disk that 500,000 entries of 1 KiB take. With `pace`
//! and a number of seconds: 20,000 entries of 1 KiB a second, fifty blocks of them. Cleans up after itself.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use exchange::{Country, Entropy as _, SystemEntropy, Transaction, TransactionId};
use ledger::block::{Block, Header};
use ledger::commitment::Bytes32;
use ledger::entry::Entry;
use ledger::member::{Address, EvidenceKey, Genesis, Member, Name, Terms};
use ledger::rules::{Effects, Tx};
use ledger::store::{Reader, Store};
use ledger::tree::{leaf_hash, verify_inclusion};
use ledger::{Edge, Field, JointStatement, Secrets};
use rcgen::{CertificateParams, DnType, KeyPair};
use trust::seal::{SealKey, SigningKey};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["fill", folder, count, length] => fill(folder.as_ref(), count.parse()?, length.parse()?),
        ["open", folder] => ask(folder.as_ref()),
        ["pace", seconds] => pace(seconds.parse()?),
        [count] => measure(count.parse()?),
        _ => Err("say how many entries, or `pace` and seconds".into()),
    }
}

fn measure(count: u64) -> Result<(), Failure> {
    for (count, length) in [(count, 200), (500_000, 1_024)] {
        let folder = tempfile::tempdir()?;
        println!("-- {count} entries of {length} bytes");
        let me = std::env::current_exe()?;
        let path = folder.path().to_str().ok_or("the folder's name is not text")?;
        let ended = Command::new(&me)
            .args(["fill", path, &count.to_string(), &length.to_string()])
            .status()?;
        assert!(!ended.success(), "the process aborts");
        report("disk, as left", folder.path(), count)?;
        assert!(Command::new(&me).args(["open", path]).status()?.success());
        report("disk, closed", folder.path(), count)?;
    }
    Ok(())
}

/// Appends blocks of a thousand and dies as if killed.
fn fill(folder: &Path, count: u64, length: usize) -> Result<(), Failure> {
    let (mut store, mut writer) = begin(folder)?;
    let (started, mut each) = (Instant::now(), Vec::new());
    while store.tip().size < count {
        let in_form = store.tip().size + IN_FORM >= count;
        let block = writer.block(1_000, length, in_form);
        let now = Instant::now();
        store.append(&block.0, &block.1)?;
        each.push(now.elapsed());
    }
    let rate = count as f64 / started.elapsed().as_secs_f64();
    println!("{:<34}{rate:>12.0} entries/s", "append, blocks of 1,000");
    print("append of a block", &mut each);
    println!("{:<34}{:>12} MiB", "memory", memory());
    std::process::abort();
}

/// Opens what a killed process left, and asks.
fn ask(folder: &Path) -> Result<(), Failure> {
    let genesis = Genesis::parse(&std::fs::read_to_string(folder.join("genesis.toml"))?)?;
    for what in ["start after a kill", "start after a close"] {
        let started = Instant::now();
        let store = Store::open(folder, &genesis)?;
        println!("{what:<34}{:>12.1} ms, {} leaves", ms(started.elapsed()), store.tip().size);
        if what == "start after a close" {
            questions(&store.reader())?;
        }
    }
    println!("{:<34}{:>12} MiB", "memory", memory());
    Ok(())
}

fn questions(reader: &Reader) -> Result<(), Failure> {
    let (tip, mut chance) = (reader.tip(), Chance::new());
    let [mut inclusion, mut consistency, mut hit, mut miss, mut block] = [const { Vec::new() }; 5];
    for _ in 0..2_000 {
        let index = chance.below(tip.size);
        let entry = reader.entry(index)?;
        let evidence = Entry::decode(&entry).ok().and_then(|entry| entry.txid());
        let txid = evidence.or_else(|| entry.first_chunk().copied()).ok_or("an entry is short")?;
        let proof = time(&mut inclusion, || reader.inclusion(index, tip.size))?;
        assert!(verify_inclusion(&entry, index, tip.size, tip.root, &proof));
        time(&mut consistency, || reader.consistency(1 + index, tip.size))?;
        assert!(time(&mut hit, || reader.find(txid))?.is_some());
        assert!(time(&mut miss, || reader.find(chance.draw()))?.is_none());
        let height = reader.height_of(index)?;
        assert!(time(&mut block, || reader.block(height))?.is_some());
    }
    print("inclusion proof", &mut inclusion);
    print("consistency proof", &mut consistency);
    print("lookup of a transaction", &mut hit);
    print("lookup of another", &mut miss);
    print("block of 1,000, read back", &mut block);
    Ok(())
}

/// The rate that is claimed, for as long as it is told; run four of it.
fn pace(seconds: u32) -> Result<(), Failure> {
    const BLOCKS: u32 = 50;
    let folder = tempfile::tempdir()?;
    let (mut store, mut writer) = begin(folder.path())?;
    let (started, mut each, mut late) = (Instant::now(), Vec::new(), Duration::ZERO);
    for number in 0..seconds * BLOCKS {
        let block = writer.block(20_000 / BLOCKS as usize, 1_024, false);
        let due = started + Duration::from_secs(1) * number / BLOCKS;
        match due.checked_duration_since(Instant::now()) {
            Some(early) => std::thread::sleep(early),
            None => late = late.max(due.elapsed()),
        }
        time(&mut each, || store.append(&block.0, &block.1))?;
    }
    let rate = store.tip().size as f64 / started.elapsed().as_secs_f64();
    println!(
        "{:<34}{rate:>12.0} entries/s, at most {:.0} ms late",
        "append, 50 blocks/s",
        ms(late)
    );
    print("append of a block", &mut each);
    println!("{:<34}{:>12} MiB", "memory", memory());
    Ok(())
}

fn begin(folder: &Path) -> Result<(Store, Writer), Failure> {
    let (dk, es) = (seal("DK")?, seal("ES")?);
    let members = vec![member("DK", &dk)?, member("ES", &es)?];
    let terms = Terms { half_min: 5, half_max: 50, offer_min: 5, offer_max: 50, key_blocks: 10 };
    let genesis = Genesis::new("ledger.konfido.example", 1_000, terms, members)?;
    std::fs::write(folder.join("genesis.toml"), genesis.to_toml())?;
    let store = Store::open(folder, &genesis)?;
    let (parent, template) = (genesis.digest(), template(&dk, &es)?);
    let (edge, chance) = (Edge::default(), Chance::new());
    Ok((store, Writer { parent, height: 0, edge, chance, template }))
}

/// Evidence that both signed, about the transaction of zeros.
fn template(dk: &SealKey, es: &SealKey) -> Result<Vec<u8>, Failure> {
    let committed =
        |field| Secrets::draw([(field, "value".to_owned())], &SystemEntropy).commitments();
    let statement = JointStatement {
        form: EXCHANGE.to_owned(),
        txid: TransactionId([0; 16]).to_string(),
        transaction: Transaction::Retrieve.iti().to_owned(),
        requester: Country::parse("ES")?,
        provider: Country::parse("DK")?,
        request: Some(Bytes32([0x99; 32])),
        asked: committed(Field::Patient),
        answered: committed(Field::Answer),
        outcome: "answered".to_owned(),
    };
    let first = statement.sign(dk)?;
    let record = trust::cose::add_signature(&first, es, EXCHANGE.as_bytes())?;
    Ok(Entry::whole(&record)?.into_bytes())
}

fn seal(country: &str) -> Result<SealKey, Failure> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CountryName, country);
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok(SealKey::from_pem(key.serialize_pem().as_bytes(), pem.as_bytes())?)
}

fn member(country: &str, seal: &SealKey) -> Result<Member, Failure> {
    let evidence = vec![EvidenceKey::of(seal.certificate(), 0)?];
    let address = Address::parse(&format!("{}.example:9000", country.to_lowercase()))?;
    Ok(Member::voter(Name::parse(country)?, address, public()?, public()?, evidence))
}

fn public() -> Result<[u8; 32], Failure> {
    let key = SigningKey::new_ed25519().ok_or("no key was made")?;
    let key = SigningKey::from_ed25519(&key).map_err(|_| "no key was read")?;
    Ok(key.public().try_into()?)
}

/// Makes blocks that follow each other. What is no evidence in form begins with its transaction's id.
struct Writer {
    parent: [u8; 32],
    height: u64,
    edge: Edge,
    chance: Chance,
    template: Vec<u8>,
}

impl Writer {
    fn block(&mut self, count: usize, length: usize, in_form: bool) -> (Block, Effects) {
        let (mut entries, mut effects) = (Vec::with_capacity(count), Effects::default());
        for _ in 0..count {
            let txid = self.chance.draw();
            let entry =
                if in_form { self.evidence(txid, length) } else { self.noise(txid, length) };
            effects.txs.push((txid, whole(self.edge.size())));
            self.edge.push(leaf_hash(&entry));
            entries.push(entry);
        }
        self.height += 1;
        let (tree_size, root) = (self.edge.size(), self.edge.root());
        let header = Header {
            parent: self.parent,
            height: self.height,
            time_ms: self.height,
            tree_size,
            root,
        };
        let block = Block::new(header, &entries);
        self.parent = block.digest();
        (block, effects)
    }
}

impl Writer {
    fn noise(&mut self, txid: [u8; 16], length: usize) -> Vec<u8> {
        let mut entry = vec![0; length];
        entry
            .chunks_mut(16)
            .for_each(|chunk| chunk.copy_from_slice(&self.chance.draw()[..chunk.len()]));
        entry[..16].copy_from_slice(&txid);
        entry
    }

    /// The signatures are of another transaction: the store does not look at them.
    fn evidence(&self, txid: [u8; 16], length: usize) -> Vec<u8> {
        let (zeros, text) = (TransactionId([0; 16]).to_string(), TransactionId(txid).to_string());
        let mut entry = self.template.clone();
        let at = entry.windows(zeros.len()).position(|part| part == zeros.as_bytes());
        let at = at.expect("because the template holds it");
        entry[at..at + text.len()].copy_from_slice(text.as_bytes());
        let entry = Entry::decode(&entry).expect("because only its id is another");
        if length < entry.encode().len() {
            entry.into_bytes()
        } else {
            entry.padded(length).into_bytes()
        }
    }
}

/// A record that both signed, at this leaf.
fn whole(index: u64) -> Tx {
    let mut bytes = [0; 48];
    bytes[..5].copy_from_slice(b"\x01DKES");
    bytes[30..36].copy_from_slice(&(index + 1).to_be_bytes()[2..]);
    Tx::decode(&bytes).expect("because these are its fields")
}

/// Numbers that look random, fast: xorshift with a seed of the system.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let mut seed = [0; 8];
        SystemEntropy.fill(&mut seed);
        Self(u64::from_be_bytes(seed) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn draw(&mut self) -> [u8; 16] {
        (u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes()
    }
}

/// What a joint statement says that it is.
const EXCHANGE: &str = "konfido-exchange/1";
/// How many of the last entries are evidence in form.
const IN_FORM: u64 = 200_000;

fn report(what: &str, folder: &Path, count: u64) -> Result<(), Failure> {
    let each = disk(folder)? as f64 / count as f64;
    println!("{what:<34}{each:>12.1} bytes for each entry, {:.3} of 1 KiB", each / 1_024.0);
    Ok(())
}

/// Bytes that the file system gave.
fn disk(folder: &Path) -> Result<u64, Failure> {
    let mut folders = vec![PathBuf::from(folder)];
    let mut bytes = 0;
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            let about = entry.metadata()?;
            bytes += about.blocks() * 512;
            if about.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(bytes)
}

fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|kib| kib.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

fn time<T>(each: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = work();
    each.push(started.elapsed());
    done
}

fn print(what: &str, each: &mut [Duration]) {
    each.sort();
    let [p50, p99, most] =
        [each.len() / 2, each.len() * 99 / 100, each.len() - 1].map(|at| ms(each[at]));
    println!("{what:<34}{p50:>12.3} ms p50, {p99:.3} p99, {most:.3} at most");
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
