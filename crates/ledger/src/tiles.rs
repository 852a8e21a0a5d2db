//! C2SP tlog-tiles: where a tile stands below its log's folder, and what its bytes say.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::tree::{Hash, node_hash};

/// Hashes in a full tile, and entries in a full bundle.
pub(crate) const TILE: u64 = 256;

/// `tile/<level>/x001/x234/067[.p/W]` (c2sp.org/tlog-tiles).
pub(crate) fn tile_path(level: &str, number: u64, width: u64) -> PathBuf {
    let mut path = PathBuf::from("tile").join(level);
    let digits = format!("{number:03}");
    let digits = format!("{digits:0>width$}", width = digits.len().div_ceil(3) * 3);
    let groups: Vec<&str> = (0..digits.len()).step_by(3).map(|at| &digits[at..at + 3]).collect();
    let (last, front) = groups.split_last().expect("because a number has digits");
    front.iter().for_each(|group| path.push(format!("x{group}")));
    if width == 0 {
        path.push(last);
    } else {
        path.push(format!("{last}.p"));
        path.push(width.to_string());
    }
    path
}

/// Root of a power of two of hashes.
pub(crate) fn fold(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    row[0]
}

pub(crate) fn as_hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks(32).filter_map(|chunk| chunk.try_into().ok()).collect()
}

/// The leaves of an entry bundle.
pub(crate) fn unbundle(mut from: &[u8]) -> Option<Vec<&[u8]>> {
    let mut leaves = Vec::new();
    while let Some((length, rest)) = from.split_first_chunk::<2>() {
        let (leaf, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        leaves.push(leaf);
        from = rest;
    }
    from.is_empty().then_some(leaves)
}

/// Creates a folder so that it is still there when power fails.
pub(crate) fn create_durably(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_durably(parent)?;
    match fs::create_dir(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    fs::File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_stand_where_c2sp_puts_them() {
        let table = [
            ("0", 0, 0, "tile/0/000"),
            ("0", 67, 0, "tile/0/067"),
            ("1", 1_000, 12, "tile/1/x001/000.p/12"),
            ("entries", 1_234_067, 0, "tile/entries/x001/x234/067"),
        ];
        for (level, number, width, path) in table {
            assert_eq!(tile_path(level, number, width), Path::new(path));
        }
    }
}
