//! What is in the memory of a process, as far as `/proc/PID/mem` tells.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// A mapping of a process.
#[derive(Debug)]
pub struct Mapping {
    /// First byte.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
    /// The process may read it.
    pub readable: bool,
    /// What is mapped; empty for anonymous memory.
    pub name: String,
}

/// What `/proc/PID/maps` says.
pub fn mappings(pid: u32) -> io::Result<Vec<Mapping>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    Ok(maps
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (start, end) = words.next()?.split_once('-')?;
            let readable = words.next()?.starts_with('r');
            Some(Mapping {
                start: u64::from_str_radix(start, 16).ok()?,
                end: u64::from_str_radix(end, 16).ok()?,
                readable,
                name: words.nth(3).unwrap_or_default().to_owned(),
            })
        })
        .collect())
}

/// Everything that `/proc/PID/mem` gives: (mapping, bytes).
pub fn memory(pid: u32) -> io::Result<Vec<(Mapping, Vec<u8>)>> {
    let mem = File::open(format!("/proc/{pid}/mem"))?;
    let mut found = Vec::new();
    for mapping in mappings(pid)? {
        // the pages of the kernel itself cannot be read by anybody
        if !mapping.readable || mapping.name.starts_with("[v") {
            continue;
        }
        let length = usize::try_from(mapping.end - mapping.start).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        let mut read = 0;
        // of one that became shorter meanwhile, what is left of it
        while read < length
            && let Ok(more) = mem.read_at(&mut bytes[read..], mapping.start + read as u64)
            && more > 0
        {
            read += more;
        }
        if read > 0 {
            bytes.truncate(read);
            found.push((mapping, bytes));
        }
    }
    Ok(found)
}

/// Bytes that say that this private key (PEM, PKCS#8) is there: the scalar of P-256, in the order of
/// a file and of a computer's numbers, and a piece of the text.
pub fn markers(pem: &str) -> Vec<Vec<u8>> {
    let text: Vec<u8> = pem.bytes().skip(60).take(40).collect();
    let mut all = vec![text];
    // PrivateKeyInfo holds ECPrivateKey (RFC 5915): version 1, then 32 bytes
    let der = pem_rfc7468(pem);
    let at = memchr::memmem::find(&der, &[0x02, 0x01, 0x01, 0x04, 0x20]).map(|at| at + 5);
    if let Some(scalar) = at.and_then(|at| der.get(at..at + 32)) {
        all.push(scalar.to_vec());
        all.push(scalar.iter().rev().copied().collect());
    }
    all
}

fn pem_rfc7468(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default()
}

/// How a text may lie in memory: as it is, and in base64, at each of the three places of a group.
pub fn spellings(text: &str) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let encoded = (0..3).map(|before| {
        let padded = [vec![0; before], text.as_bytes().to_vec()].concat();
        let encoded = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&padded);
        // the characters that are of nothing but the text
        let (first, last) = ((8 * before).div_ceil(6), 8 * padded.len() / 6);
        encoded.as_bytes()[first..last].to_vec()
    });
    std::iter::once(text.as_bytes().to_vec()).chain(encoded).collect()
}

/// Whether one of the markers is in these bytes.
pub fn finds(bytes: &[u8], markers: &[Vec<u8>]) -> bool {
    markers.iter().any(|marker| memchr::memmem::find(bytes, marker).is_some())
}
