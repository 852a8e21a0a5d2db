//! `konfido ledger erase`: first what would be lost, then, with `--yes`, the erasure. A key is deleted,
//! and whatever lies about of it is overwritten. Each step may be repeated, so a kill loses none.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use exchange::{Side, SystemEntropy, TransactionId};
use jiff::Timestamp;
use ledger::crash;
use ledger::journal::{self, Journal as _, Patients as _, Row};
use siem::{Event, EventStore as _, Kind, Pseudonym, PseudonymKey};
use sqlite::{Audit, Events};

use super::books::{About, Books};
use crate::cli::{ConfigArg, SideArg};

/// `konfido ledger erase`.
#[derive(Debug, Args)]
pub struct Erase {
    #[command(flatten)]
    about: About,
    /// Our side of the exchange; without it both, when we were both
    #[arg(long, requires = "txid")]
    side: Option<SideArg>,
    /// Does it: there is no way back
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// What is to go.
struct Target {
    rows: Vec<Row>,
    what: Vec<journal::Erase>,
    /// Of the patient, in the node's events.
    pseudonym: Option<Pseudonym>,
    txid: Option<TransactionId>,
}

pub async fn run(args: &Erase) -> anyhow::Result<()> {
    let books = Books::open(&args.config)?;
    let path = books.config.data_dir.join("events.db");
    let events = Events::open(&path).context("events.db")?;
    let target = match (&args.about.txid, &args.about.patient) {
        (Some(txid), _) => of_exchange(&books, txid, args.side.map(Into::into)).await?,
        (None, Some(patient)) => of_patient(&books, patient).await?,
        (None, None) => bail!("--txid or --patient"),
    };
    let done = if args.yes {
        erase(&books, &events, &target).await
    } else {
        foresee(&books, &events, &target).await
    };
    events.close();
    books.journal.close();
    done
}

async fn of_exchange(books: &Books, txid: &str, side: Option<Side>) -> anyhow::Result<Target> {
    let mut rows = books.rows(txid).await?;
    rows.retain(|row| side.is_none_or(|side| row.side == side));
    ensure!(!rows.is_empty(), "we were not on that side of it");
    let txid = rows[0].txid;
    rows.retain(|row| !row.secrets.is_erased());
    let what = rows.iter().map(|row| journal::Erase::Exchange(row.txid, row.side)).collect();
    Ok(Target { rows, what, pseudonym: None, txid: Some(txid) })
}

async fn of_patient(books: &Books, cx: &str) -> anyhow::Result<Target> {
    let (id, known) = books.patient(cx).await?;
    let rows = match &known {
        Some(known) => books.about(known).await?,
        None => Vec::new(),
    };
    let what = known.iter().map(|known| journal::Erase::Patient(known.number)).collect();
    let key = enclave::keyfile::key(
        &books.config.data_dir,
        "pseudonym.key",
        "have new pseudonyms",
        &SystemEntropy,
    )?;
    let pseudonym = PseudonymKey::new(*key).of("patient", &id.cx());
    Ok(Target { rows, what, pseudonym: Some(pseudonym), txid: None })
}

/// Says what would be lost.
async fn foresee(books: &Books, events: &Events, target: &Target) -> anyhow::Result<()> {
    let Target { rows, pseudonym, .. } = target;
    if books.journal.is_erasing().await? {
        println!("an erasure was interrupted: --yes completes it");
    }
    let noted = pseudonym.map(|of| events.about(of)).transpose()?.unwrap_or(0);
    let ends = rows.iter().map(|row| row.at);
    match (ends.clone().min(), ends.max()) {
        (Some(first), Some(last)) => {
            let countries: BTreeSet<String> =
                rows.iter().map(|row| format!("{}>{}", row.requester, row.provider)).collect();
            let countries = countries.into_iter().collect::<Vec<_>>().join(", ");
            println!("{} exchanges, {countries}, from {first} to {last}", rows.len());
            println!(
                "lost for ever: who asked, for whom, why, by which assertions, and the digests of what \
                 was asked and answered"
            );
        }
        _ => println!("no exchange here has anything to erase"),
    }
    if pseudonym.is_some() {
        println!("{noted} events lose the pseudonym that joins them");
    }
    println!("kept: the statements in the log, which hold salted commitments, and their proofs");
    println!("not reached: receipts that were exported, backups, the other country, documents");
    println!("nothing was erased: say --yes to erase");
    Ok(())
}

async fn erase(books: &Books, events: &Events, target: &Target) -> anyhow::Result<()> {
    let journal = &books.journal;
    let mut erased = false;
    for what in &target.what {
        erased |= journal.erase(*what).await?;
        crash::point("erase/deleted");
    }
    let swept = sweep(books).await?;
    strict(books).await?;
    let noted = target.pseudonym.map(|of| events.about(of)).transpose()?.unwrap_or(0);
    let open = journal.is_erasing().await?;
    // of one that was interrupted, those that it had not come to
    let count = target.rows.len().max(swept);
    // before the last step: who is killed here repeats it, and the event comes twice rather than never
    if erased || open || noted > 0 {
        let event = Event::new(Timestamp::now(), Kind::EvidenceErased);
        events.append(&[Event { txid: target.txid, number: count as u64, ..event }])?;
    }
    crash::point("erase/noted");
    let mut clean = true;
    if let Some(pseudonym) = target.pseudonym {
        clean = events.forget(pseudonym)?;
        clean &= spool(books)?;
    }
    crash::point("erase/forgotten");
    clean &= scrubbed(books).await?;
    crash::point("erase/done");
    ensure!(
        clean,
        "what was erased cannot be opened any more, but old pages of a database are being read: repeat \
         this command to have them overwritten"
    );
    if erased || open || noted > 0 {
        println!("{count} exchanges erased, {noted} events without their patient");
    } else {
        println!("nothing here is left to erase");
    }
    Ok(())
}

/// Documents that strict mode set aside go with the secrets of who asked for them; what is open is told,
/// since its key is still owed. Looks at all, so that a repeated command finds what the first one left.
async fn strict(books: &Books) -> anyhow::Result<()> {
    let folder = books.config.data_dir.join("strict");
    let files = match fs::read_dir(&folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        files => files.with_context(|| folder.display().to_string())?,
    };
    let mut open = 0;
    for file in files {
        let path = file?.path();
        let (broken, side) = match path.extension().and_then(OsStr::to_str) {
            Some("given") => (false, Side::A),
            Some("taken") => (false, Side::B),
            Some("broken") => (true, Side::B),
            _ => continue,
        };
        let (name, mut txid) = (path.file_stem().and_then(OsStr::to_str), [0; 16]);
        if hex::decode_to_slice(name.unwrap_or_default(), &mut txid).is_err() {
            continue;
        }
        let row = books.journal.row(TransactionId(txid), side).await?;
        if !row.is_some_and(|row| row.secrets.is_erased()) {
            continue;
        }
        if broken {
            // the document before its mark: a kill in between leaves it to be found again
            for file in [path.with_extension("sealed"), path] {
                remove(&file).with_context(|| file.display().to_string())?;
            }
        } else {
            open += 1;
        }
    }
    if open > 0 {
        eprintln!(
            "{open} erased exchanges are open in strict mode: what is sealed of them stays until they are \
             over, at most a day after the key; repeat this command then"
        );
    }
    Ok(())
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Overwrites what lies about of what was deleted; gives how many rows.
async fn sweep(books: &Books) -> anyhow::Result<usize> {
    let mut all = 0;
    loop {
        let slice = books.journal.sweep(SLICE).await?;
        if slice == 0 {
            crash::point("erase/swept");
            return Ok(all);
        }
        all += slice;
        crash::point("erase/slice");
    }
}

/// Audit records that went to the repository leave no trace here; those that wait are told.
fn spool(books: &Books) -> anyhow::Result<bool> {
    let path = books.config.data_dir.join("audit.db");
    if !path.exists() {
        return Ok(true);
    }
    let left = Audit::scrub(&path).context("audit.db")?;
    if let Some(left @ 1..) = left {
        eprintln!(
            "{left} audit records wait for the country's repository, and may name him until it has \
             taken them: repeat this command then"
        );
    }
    Ok(left.is_some())
}

async fn scrubbed(books: &Books) -> anyhow::Result<bool> {
    for _ in 0..TRIES {
        if books.journal.scrub().await? {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(false)
}

/// Rows that are overwritten in one step: requests go in between.
const SLICE: usize = 64;
const TRIES: usize = 5;
