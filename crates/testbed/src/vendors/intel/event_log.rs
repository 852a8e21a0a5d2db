//! Event logs of TDX guests, in the "crypto agile" form of TCG, with the registers that they give.

use aws_lc_rs::digest::{Context, SHA384, digest};

use super::{Field, Maker};

/// One measurement.
#[derive(Debug, Clone)]
pub struct Event {
    /// As the log counts: 1 is RTMR0.
    pub register: u32,
    /// TCG's number of its type.
    pub kind: u32,
    /// What the register is extended with.
    pub digest: [u8; 48],
    /// What the log says about it.
    pub data: Vec<u8>,
}

impl Event {
    /// A measurement of these bytes.
    pub fn of(register: u32, kind: u32, data: &[u8]) -> Self {
        Self { register, kind, digest: sha384(data), data: data.to_vec() }
    }
}

/// A log. Everything may be changed before [`EventLog::bytes`].
#[derive(Debug, Clone)]
pub struct EventLog {
    /// Hash algorithms by TCG's numbers, and the lengths of their digests.
    pub algorithms: Vec<(u16, u16)>,
    /// What was measured.
    pub events: Vec<Event>,
    /// Bytes of ones behind it: firmware gives the whole area.
    pub filling: usize,
}

/// SHA-256 and SHA-384 by TCG's numbers.
pub const SHA256_ID: u16 = 0x0b;
/// See [`SHA256_ID`].
pub const SHA384_ID: u16 = 0x0c;

impl Default for EventLog {
    /// A boot: firmware's settings, a boot loader, a kernel and its command line.
    fn default() -> Self {
        let settings = variable("SecureBoot", &[1]);
        Self {
            algorithms: vec![(SHA384_ID, 48)],
            events: vec![
                Event { register: 1, kind: 3, digest: [0xee; 48], data: b"no action".to_vec() },
                Event::of(1, 0x8000_0001, &settings),
                Event::of(1, 0x4, &[0; 4]),
                Event::of(2, 0x8000_0003, b"a boot loader"),
                Event::of(2, 0x4, &[0; 4]),
                Event::of(3, 0xd, b"a kernel"),
                Event::of(3, 0xd, b"kernel_cmdline: console=ttyS0\0"),
            ],
            filling: 4096,
        }
    }
}

impl EventLog {
    /// The four registers after these events.
    pub fn registers(&self) -> [[u8; 48]; 4] {
        let mut registers = [[0; 48]; 4];
        for event in self.events.iter().filter(|event| event.kind != 3) {
            let Some(register) = registers.get_mut(event.register.wrapping_sub(1) as usize) else {
                continue;
            };
            let mut hash = Context::new(&SHA384);
            hash.update(register);
            hash.update(&event.digest);
            register.copy_from_slice(hash.finish().as_ref());
        }
        registers
    }

    /// The digests that extend a register, by the log's number.
    pub fn digests(&self, register: u32) -> Vec<[u8; 48]> {
        let of = |event: &&Event| event.register == register && event.kind != 3;
        self.events.iter().filter(of).map(|event| event.digest).collect()
    }

    /// A quote's registers become those of this log.
    pub fn measured(&self, maker: &mut Maker) {
        for (number, register) in self.registers().iter().enumerate() {
            maker.set(Field::Rtmr(number), register);
        }
    }

    /// As firmware writes it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        for event in &self.events {
            number(&mut out, event.register);
            number(&mut out, event.kind);
            number(&mut out, self.algorithms.len() as u32);
            for (id, size) in &self.algorithms {
                out.extend(id.to_le_bytes());
                let digest = [event.digest, [0; 48]].concat();
                out.extend(&digest[..usize::from(*size)]);
            }
            number(&mut out, event.data.len() as u32);
            out.extend(&event.data);
        }
        out.extend(vec![0xff; self.filling]);
        out
    }

    fn header(&self) -> Vec<u8> {
        let mut inner = b"Spec ID Event03\0".to_vec();
        inner.extend([0, 0, 0, 0, 0, 2, 0, 2]);
        number(&mut inner, self.algorithms.len() as u32);
        for (id, size) in &self.algorithms {
            inner.extend(id.to_le_bytes());
            inner.extend(size.to_le_bytes());
        }
        inner.push(0);
        let mut out = Vec::new();
        number(&mut out, 1);
        number(&mut out, 3);
        out.extend([0; 20]);
        number(&mut out, inner.len() as u32);
        out.extend(inner);
        out
    }
}

/// `UEFI_VARIABLE_DATA`.
fn variable(name: &str, data: &[u8]) -> Vec<u8> {
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut out = vec![0x61; 16];
    out.extend((name.len() as u64).to_le_bytes());
    out.extend((data.len() as u64).to_le_bytes());
    out.extend(units);
    out.extend(data);
    out
}

fn number(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_le_bytes());
}

/// SHA-384.
pub fn sha384(data: &[u8]) -> [u8; 48] {
    digest(&SHA384, data).as_ref().try_into().expect("because SHA-384 has 48 bytes")
}
