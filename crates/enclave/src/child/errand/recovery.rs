//! Recovery shares: written for several people, and the root key made again from them.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use exchange::{Country, SystemEntropy};
use zeroize::Zeroizing;

use super::{none, report, verify};
use crate::process::errand::Report;
use crate::root::Root;
use crate::shares::{self, MAX_TEXT, Share};
use crate::store::opening;
use crate::store::{Access, Place, file};

/// Writes the shares of the root key of the store that is there, a file each.
pub(super) fn share(
    numbers: (u8, u8),
    folder: &Path,
    country: Country,
    place: &Place,
) -> Result<Report, String> {
    let opened = opening::open(place, country, Access::Read)?.ok_or_else(|| none(place))?;
    let made = shares::split(&opened.root, country, numbers, &SystemEntropy);
    let made = made.map_err(|e| e.to_string())?;
    fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let files = made.iter().map(|share| write(share, country, folder));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    // read back as they lie there: whoever carries them away cannot tell
    let again = read(&files).and_then(|shares| combine(&shares, &files, country))?;
    if again.bytes() != opened.root.bytes() {
        return Err("the shares do not make the root key: nothing is wrong with the store".into());
    }
    Ok(report(&opened, files))
}

/// A file that nobody else reads, and that there was not.
fn write(share: &Share, country: Country, folder: &Path) -> Result<PathBuf, String> {
    let (country, number, of) = (country.to_lower(), share.number(), share.of());
    let path = folder.join(format!("konfido-{country}-share-{number}-of-{of}.txt"));
    let told = |e| format!("cannot write {}: {e}", path.display());
    let mut options = OpenOptions::new();
    let mut file = options.create_new(true).write(true).mode(0o600).open(&path).map_err(told)?;
    file.write_all(share.text().as_bytes()).and_then(|()| file.sync_all()).map_err(told)?;
    Ok(path)
}

fn read(files: &[PathBuf]) -> Result<Vec<Share>, String> {
    let share = |path: &PathBuf| {
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_TEXT + 1));
        let read =
            File::open(path).and_then(|file| file.take(MAX_TEXT as u64 + 1).read_to_end(&mut text));
        read.map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        Share::parse(&text).map_err(|e| format!("{} {e}", path.display()))
    };
    files.iter().map(share).collect()
}

fn combine(shares: &[Share], files: &[PathBuf], country: Country) -> Result<Root, String> {
    shares::combine(shares, country).map_err(|(at, error)| match files.get(at) {
        Some(path) if error.is_of_one() => format!("{} {error}", path.display()),
        _ => error.to_string(),
    })
}

/// The root key goes back to its source, and the store that it opens is written again.
pub(super) fn recover(
    files: &[PathBuf],
    accept_older: bool,
    country: Country,
    place: &Place,
) -> Result<Report, String> {
    let root = read(files).and_then(|shares| combine(&shares, files, country))?;
    let lock = file::lock(&place.folder)?;
    let bytes = file::read(&place.folder)?.ok_or_else(|| {
        let folder = place.folder.display();
        format!("there is no vault.sealed in {folder}: put its newest backup there first")
    })?;
    let mut opened = opening::open_any(place, country, &bytes, root, Some(lock))?;
    if let Some(older) = opened.older.as_ref().filter(|_| !accept_older) {
        return Err(format!(
            "{older}. Put the newest vault.sealed and log back; only if they are lost, \
             --accept-older takes this state"
        ));
    }
    keep(&opened.root, place)?;
    // beyond everything that the log has said
    let said = opened.newest.as_ref().and_then(|newest| newest.counter).unwrap_or(0);
    opened.contents.counter = opened.contents.counter.max(said);
    opened.write(place)?;
    verify(&opened, country, place)?;
    Ok(report(&opened, Vec::new()))
}

/// Another root key that is there is not written over.
fn keep(root: &Root, place: &Place) -> Result<(), String> {
    match place.root.find() {
        Ok(Some(here)) if here.id() == root.id() => Ok(()),
        Ok(Some(here)) => Err(format!(
            "another root key is there ({}, {}): move it away first",
            here.id(),
            place.root.name()
        )),
        Ok(None) => place.root.keep(root),
        // a file that cannot be read is looked at by its operator; a TPM that is gone is replaced
        Err(error) if place.root.is_replaced() => {
            place.root.keep(root).map_err(|next| format!("{next} (before: {error})"))
        }
        Err(error) => Err(error),
    }
}
