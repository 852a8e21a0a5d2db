//! Where the team's third-party samples stand. Included by path in the tests of crates below the
//! testbed, which may not use it.

use std::path::{Path, PathBuf};

/// The OpenNCP samples, or `None` and a line that says so.
#[allow(dead_code, reason = "each test binary uses its part")]
pub(crate) fn openncp() -> Option<PathBuf> {
    folder("openncp")
}

/// The eIDAS and wallet samples, likewise.
#[allow(dead_code, reason = "each test binary uses its part")]
pub(crate) fn identity() -> Option<PathBuf> {
    folder("identity")
}

fn folder(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("KONFIDO_SAMPLES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no samples at {}", root.display());
    None
}
