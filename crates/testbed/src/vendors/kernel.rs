//! A kernel in a confidential VM, invented: configfs-tsm as Linux has it, with quotes of the makers.
//!
//! A directory cannot play this part: the kernel makes attributes together with an entry, takes
//! `inblob` when the file is closed, makes the quote when `outblob` is read, and counts writes in
//! `generation` (drivers/virt/coco/guest/report.c). So this stands behind [`Tree`], in memory, and
//! has the troubles of real machines.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard};

use enclave::tsm::{Provider, Tree};

use super::intel::event_log::{Event, EventLog};
use super::{amd, intel};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// configfs is not mounted, or the kernel is older than 6.7.
    NoTree,
    /// A VM that is not confidential.
    NoProvider,
    /// We are not root.
    NotRoot,
    /// The host still works on an earlier quote.
    HostBusy,
    /// The host does not answer.
    HostSilent,
    /// The driver is unloaded before the quote is read.
    DriverGone,
    /// The provider finds fault with the request.
    Refused,
    /// The quote is longer than the kernel's limit.
    TooLong,
    /// Somebody else writes to the entry after us, so many times.
    Intruder(usize),
    /// What we write to `inblob` is not taken; the kernel reports nothing when a file is closed.
    LostWrites,
    /// The firmware quotes what it was asked before.
    StaleQuote,
    /// A provider that nobody has heard of.
    UnknownProvider,
    /// Not configfs: attributes that are no kernel's.
    PlainDirectory,
}

#[derive(Default)]
struct Entry {
    inblob: Vec<u8>,
    privilege: u32,
    writes: u64,
    /// The quote, and how many writes there were when it was made.
    quote: Option<(u64, Vec<u8>, Vec<u8>)>,
}

/// The kernel.
pub struct Kernel {
    provider: Provider,
    trouble: Mutex<Trouble>,
    entries: Mutex<BTreeMap<String, Entry>>,
    /// What the firmware logged, and what it measured after it.
    log: (EventLog, bool),
}

impl Kernel {
    /// A kernel with this provider and this trouble.
    pub fn new(provider: Provider, trouble: Trouble) -> Self {
        let (trouble, log) = (Mutex::new(trouble), (EventLog::default(), false));
        Self { provider, trouble, entries: Mutex::default(), log }
    }

    /// Something was measured after the boot: the firmware's log no longer gives the registers.
    #[must_use]
    pub fn extended_later(self) -> Self {
        Self { log: (self.log.0, true), ..self }
    }

    /// The firmware's log.
    pub fn log(&self) -> &EventLog {
        &self.log.0
    }

    /// Entries that nobody removed.
    pub fn entries(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().expect("because no test panics while it holds the lock")
    }

    fn trouble(&self) -> Trouble {
        *self.trouble.lock().expect("because no test panics while it holds the lock")
    }

    /// Somebody else writes into the entry between our write and our read.
    fn intrude(&self, entry: &mut Entry) {
        let mut trouble = self.trouble.lock().expect("because no test panics while it holds it");
        if let Trouble::Intruder(times @ 1..) = *trouble {
            *trouble = Trouble::Intruder(times - 1);
            entry.inblob = vec![0x66; 64];
            entry.writes += 1;
        }
    }

    fn tdx(&self, data: &[u8; 64]) -> Vec<u8> {
        let mut maker = intel::Maker::new(intel::Kind::Tdx10);
        maker.set(intel::Field::ReportData, data);
        let (mut log, later) = self.log.clone();
        if later {
            log.events.push(Event::of(4, 0xd, b"measured by a running system"));
        }
        log.measured(&mut maker);
        maker.make().quote
    }

    /// The quote, made anew when something was written since.
    fn quote(&self, entry: &mut Entry) -> io::Result<(Vec<u8>, Vec<u8>)> {
        if entry.inblob.is_empty() {
            return Err(errno(EINVAL));
        }
        if let Some((at, quote, table)) = &entry.quote
            && *at == entry.writes
        {
            return Ok((quote.clone(), table.clone()));
        }
        // both providers want exactly 64 bytes; TDX knows no privilege levels
        let Ok(mut data) = <[u8; 64]>::try_from(entry.inblob.as_slice()) else {
            return Err(errno(EINVAL));
        };
        if self.trouble() == Trouble::StaleQuote {
            data = [0x77; 64];
        }
        let (quote, table) = match self.provider {
            Provider::Tdx => (self.tdx(&data), vec![]),
            Provider::SevSnp => snp(&data, entry.privilege),
            Provider::Sgx => panic!("the kernel has no quotes of enclaves"),
        };
        entry.quote = Some((entry.writes, quote.clone(), table.clone()));
        Ok((quote, table))
    }
}

impl Tree for Kernel {
    fn create(&self, entry: &str) -> io::Result<()> {
        match self.trouble() {
            Trouble::NoTree => return Err(errno(ENOENT)),
            Trouble::NoProvider => return Err(errno(ENXIO)),
            Trouble::NotRoot => return Err(errno(EACCES)),
            _ => {}
        }
        match self.lock().insert(entry.to_owned(), Entry::default()) {
            Some(_) => Err(errno(EEXIST)),
            None => Ok(()),
        }
    }

    fn remove(&self, entry: &str) -> io::Result<()> {
        self.lock().remove(entry).map(|_| ()).ok_or_else(|| errno(ENOENT))
    }

    fn write(&self, entry: &str, attribute: &str, value: &[u8]) -> io::Result<()> {
        let mut entries = self.lock();
        let entry = entries.get_mut(entry).ok_or_else(|| errno(ENOENT))?;
        match (attribute, self.provider) {
            ("inblob", _) if value.len() > 64 => Err(errno(EFBIG)),
            ("inblob", _) if self.trouble() == Trouble::LostWrites => Ok(()),
            ("inblob", _) => {
                entry.inblob = value.to_vec();
                entry.writes += 1;
                self.intrude(entry);
                Ok(())
            }
            ("privlevel", Provider::SevSnp) => {
                let level = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                entry.privilege = level.filter(|level| *level <= 3).ok_or_else(|| errno(EINVAL))?;
                entry.writes += 1;
                Ok(())
            }
            ("outblob" | "auxblob" | "provider" | "generation", _) => Err(errno(EACCES)),
            _ => Err(errno(ENOENT)),
        }
    }

    fn read(&self, entry: &str, attribute: &str) -> io::Result<Vec<u8>> {
        let mut entries = self.lock();
        let entry = entries.get_mut(entry).ok_or_else(|| errno(ENOENT))?;
        match (attribute, self.trouble()) {
            ("provider", Trouble::UnknownProvider) => Ok(b"cca_guest\n".to_vec()),
            ("provider", _) => Ok(format!("{}\n", self.provider.name()).into_bytes()),
            ("generation", Trouble::PlainDirectory) => Ok(b"".to_vec()),
            ("generation", _) => Ok(format!("{}\n", entry.writes).into_bytes()),
            ("outblob", Trouble::HostBusy) => Err(errno(EBUSY)),
            ("outblob", Trouble::HostSilent) => Err(errno(ETIMEDOUT)),
            ("outblob", Trouble::DriverGone) => Err(errno(ENOTTY)),
            ("outblob", Trouble::Refused) => Err(errno(EINVAL)),
            ("outblob", Trouble::TooLong) => Err(errno(EFBIG)),
            // so that a lost write meets an entry that already has a quote
            ("outblob", Trouble::LostWrites) => Ok(self.tdx(&[0x55; 64])),
            ("outblob", _) => self.quote(entry).map(|(quote, _)| quote),
            ("auxblob", _) if self.provider == Provider::SevSnp => {
                self.quote(entry).map(|(_, table)| table)
            }
            ("inblob" | "privlevel", _) => Err(errno(EACCES)),
            _ => Err(errno(ENOENT)),
        }
    }

    fn event_log(&self) -> Vec<u8> {
        self.log.0.bytes()
    }

    fn simulated(&self) -> bool {
        true
    }
}

/// The report and the host's table of certificates (GHCB 56421 §4.1.8.1).
fn snp(data: &[u8; 64], privilege: u32) -> (Vec<u8>, Vec<u8>) {
    let mut maker = amd::Maker::new(amd::Product::Genoa, amd::Endorsement::Vcek, 5);
    maker.set(amd::Field::ReportData, data);
    maker.set(amd::Field::Vmpl, &privilege.to_le_bytes());
    let evidence = maker.make();
    let certificates = [
        (0x63da_758d_e664_4564_adc5_f4b9_3be8_accd_u128, evidence.vek),
        (0x4ab7_b379_bbac_4fe4_a02f_05ae_f327_c782, evidence.ask),
        (0xc0b4_06a4_a803_4952_9743_3fb6_014c_d0ae, evidence.ark),
    ];
    let mut table = vec![];
    let mut offset = 24 * (certificates.len() as u32 + 1);
    for (guid, der) in &certificates {
        table.extend(guid.to_be_bytes());
        table.extend(offset.to_le_bytes());
        table.extend((der.len() as u32).to_le_bytes());
        offset += der.len() as u32;
    }
    table.extend([0; 24]);
    table.extend(certificates.into_iter().flat_map(|(_, der)| der));
    (evidence.report, table)
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

const ENOENT: i32 = 2;
const ENXIO: i32 = 6;
const EACCES: i32 = 13;
const EBUSY: i32 = 16;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;
const ENOTTY: i32 = 25;
const EFBIG: i32 = 27;
const ETIMEDOUT: i32 = 110;
