//! Event logs of TDX guests (ACPI table CCEL): what was measured on the way to the running program.
//!
//! A log is not signed. It is believed for one reason: extending its digests one after the other
//! gives the registers that the quote signs (UEFI 2.10 §38, "Confidential Computing"; TCG PC Client
//! Platform Firmware Profile 1.06 §10.2, the "crypto agile" form). So digests and their order are
//! proven, and nothing else is: an event's type and data are what the guest says of it.

mod words;

use aws_lc_rs::digest::{Context, SHA384};

use super::claims::Claims;
use super::evidence::{Evidence, Kind};
use super::reason::{Reason, Refusal};

/// One measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The register that was extended: `rtmr0` to `rtmr3`.
    pub register: &'static str,
    /// What with: proven by the quote.
    pub digest: [u8; 48],
    /// Its type by TCG's number. Not proven.
    pub kind: u32,
    /// What the log says that it was, for people, at most [`MAX_WORDS`] characters. Not proven.
    pub says: String,
}

impl Event {
    /// TCG's name of its type, where we know it.
    pub fn kind_name(&self) -> &'static str {
        words::kind(self.kind)
    }
}

/// Reads the log that came with evidence and holds it against the registers of the quote. Evidence
/// without a log is as good as before; it only proves no single events.
pub(super) fn attach(evidence: &Evidence, claims: &mut Claims) -> Result<(), Refusal> {
    if evidence.event_log.is_empty() {
        return Ok(());
    }
    if evidence.kind != Kind::Tdx {
        let detail = format!("evidence of {} has none", evidence.kind.name());
        return Err(Refusal::new(Reason::EventLogMalformed, detail));
    }
    let (events, _) = parse(&evidence.event_log)?;
    let replayed = replay(&events);
    let other = REGISTERS
        .iter()
        .zip(&replayed)
        .find(|(name, value)| claims.measurements.get(**name).is_none_or(|said| said != *value));
    if let Some((name, _)) = other {
        return Err(Refusal::new(Reason::EventLogMismatch, *name));
    }
    claims.events = Some(events);
    Ok(())
}

/// The part of a log area that is log: firmware gives the whole area, filled up with ones.
pub(crate) fn trimmed(area: &[u8]) -> Result<&[u8], Refusal> {
    let (_, end) = parse(area)?;
    Ok(&area[..end])
}

/// The four registers after these events (Intel TDX Module 1.5 base architecture, §12.2: each
/// begins with zeros, and becomes SHA-384 of itself and what it is extended with).
fn replay(events: &[Event]) -> [[u8; 48]; 4] {
    let mut registers = [[0; 48]; 4];
    for event in events {
        let at = REGISTERS.iter().position(|name| *name == event.register);
        let register = &mut registers[at.expect("because the parser takes names of this list")];
        let mut hash = Context::new(&SHA384);
        hash.update(register);
        hash.update(&event.digest);
        register.copy_from_slice(hash.finish().as_ref());
    }
    registers
}

/// The events that extend a register, and where the log ends.
fn parse(log: &[u8]) -> Result<(Vec<Event>, usize), Refusal> {
    if log.len() > MAX_EVENT_LOG {
        return Err(Refusal::new(Reason::EventLogTooLarge, format!("{} bytes", log.len())));
    }
    let malformed = |what: &str| Refusal::new(Reason::EventLogMalformed, what);
    let mut reader = Reader(log);
    let algorithms = header(&mut reader).ok_or_else(|| malformed("header"))?;
    if !algorithms.contains(&(SHA384_ID, 48)) {
        return Err(malformed("no SHA-384 in it"));
    }
    let mut events = Vec::new();
    let mut number = 0;
    while !ended(reader.0) {
        if number == MAX_EVENTS {
            return Err(Refusal::new(
                Reason::EventLogTooLarge,
                format!("more than {number} events"),
            ));
        }
        let wrong = || malformed(&format!("event {number}"));
        let record = Record::read(&mut reader, &algorithms).ok_or_else(wrong)?;
        if record.kind != NO_ACTION {
            events.push(record.event().ok_or_else(wrong)?);
        }
        number += 1;
    }
    Ok((events, log.len() - reader.0.len()))
}

/// Nothing follows, or the filling of an area that is larger than its log.
fn ended(rest: &[u8]) -> bool {
    let Some(first) = rest.first() else { return true };
    matches!(first, 0 | 0xff) && rest.iter().all(|byte| byte == first)
}

/// `TCG_PCR_EVENT` with a `TCG_EfiSpecIDEvent` in it: the hash algorithms of the log, and how long
/// their digests are.
fn header(reader: &mut Reader<'_>) -> Option<Vec<(u16, usize)>> {
    reader.take(4)?; // a register's number; nothing is extended
    if reader.u32()? != NO_ACTION || reader.take(20)? != [0; 20] {
        return None;
    }
    let size = reader.length()?;
    let mut inner = Reader(reader.take(size)?);
    if inner.take(16)? != SIGNATURE {
        return None;
    }
    inner.take(8)?; // platform class, versions, size of UINTN
    let count = inner.u32().filter(|count| (1..=MAX_ALGORITHMS).contains(count))?;
    let mut algorithms = Vec::new();
    for _ in 0..count {
        let (id, size) = (inner.u16()?, usize::from(inner.u16()?));
        if !(1..=64).contains(&size) || algorithms.iter().any(|known: &(u16, _)| known.0 == id) {
            return None;
        }
        algorithms.push((id, size));
    }
    let vendor = usize::from(inner.take(1)?[0]);
    inner.take(vendor)?;
    inner.0.is_empty().then_some(algorithms)
}

/// One `TCG_PCR_EVENT2`.
struct Record<'a> {
    register: u32,
    kind: u32,
    digest: Option<[u8; 48]>,
    data: &'a [u8],
}

impl<'a> Record<'a> {
    /// With a digest of each algorithm of the log, once.
    fn read(reader: &mut Reader<'a>, algorithms: &[(u16, usize)]) -> Option<Self> {
        let (register, kind) = (reader.u32()?, reader.u32()?);
        let count = reader.u32().filter(|count| *count as usize == algorithms.len())?;
        let mut digest = None;
        let mut seen = Vec::with_capacity(algorithms.len());
        for _ in 0..count {
            let id = reader.u16()?;
            let size = algorithms.iter().find(|known| known.0 == id)?.1;
            let value = reader.take(size)?;
            if seen.contains(&id) {
                return None;
            }
            seen.push(id);
            if id == SHA384_ID {
                digest = <[u8; 48]>::try_from(value).ok();
            }
        }
        let size = reader.length()?;
        let data = reader.take(size)?;
        Some(Self { register, kind, digest, data })
    }

    /// `None` where there is no such register: 0 would be MRTD, which nothing extends after the
    /// guest was built.
    fn event(&self) -> Option<Event> {
        let register = usize::try_from(self.register).ok()?.checked_sub(1)?;
        let says = words::says(self.kind, self.data);
        let register = REGISTERS.get(register)?;
        Some(Event { register, digest: self.digest?, kind: self.kind, says })
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }
}

/// In the order of the log's register numbers, from 1 (UEFI 2.10 §38.4.1, Intel TDX).
pub(super) static REGISTERS: [&str; 4] = ["rtmr0", "rtmr1", "rtmr2", "rtmr3"];
/// `EV_NO_ACTION`: information, never extended.
const NO_ACTION: u32 = 3;
/// `TPM_ALG_SHA384`.
const SHA384_ID: u16 = 0x000c;
const SIGNATURE: &[u8; 16] = b"Spec ID Event03\0";
const MAX_ALGORITHMS: u32 = 8;
/// The log area of today's firmware has 256 KiB, of which a boot fills some 20 kB.
pub const MAX_EVENT_LOG: usize = 256 << 10;
/// A boot has some fifty events.
pub const MAX_EVENTS: usize = 1024;
/// Of what an event says of itself.
pub const MAX_WORDS: usize = 160;
