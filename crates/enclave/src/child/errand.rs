//! The errands of a vault process (`konfido vault`).

mod recovery;

use std::path::{Path, PathBuf};

use exchange::{Country, SystemEntropy};
use trust::seal::SigningKey;
use zeroize::Zeroizing;

use super::shelf::read;
use super::{REFUSED, demand};
use crate::Memory;
use crate::process::errand::{Errand, Report};
use crate::ring::{Ring, Use};
use crate::root::Root;
use crate::store::opening::{self, Opened};
use crate::store::{Access, Contents, Kept, Place, file, witness};

/// Does what the frame asks for, and gives the answer.
pub(super) fn run(frame: &[u8], kept: Memory) -> Vec<u8> {
    match understood(frame, kept) {
        Ok(report) => report.encode(),
        Err(error) => [&[REFUSED], error.as_bytes()].concat(),
    }
}

fn understood(frame: &[u8], kept: Memory) -> Result<Report, String> {
    let (errand, secret, country, place) = Errand::decode(frame).map_err(|e| e.to_string())?;
    demand(secret, kept)?;
    perform(errand, country, &place)
}

fn perform(errand: Errand, country: Country, place: &Place) -> Result<Report, String> {
    match errand {
        Errand::Import(keys) => import(keys, country, place),
        Errand::Show => {
            let bytes = file::read(&place.folder)?.ok_or_else(|| none(place))?;
            let root = place.root.find()?.ok_or_else(|| {
                format!("vault.sealed is there, and its root key is not ({})", place.root.name())
            })?;
            let opened = opening::open_any(place, country, &bytes, root, None)?;
            Ok(report(&opened, Vec::new()))
        }
        Errand::Share { of, need, folder } => recovery::share((of, need), &folder, country, place),
        Errand::Recover { shares, accept_older } => {
            recovery::recover(&shares, accept_older, country, place)
        }
    }
}

fn none(place: &Place) -> String {
    let folder = place.folder.display();
    format!("there is no vault.sealed in {folder}: konfido vault import makes it")
}

/// The store as it is, or a new one; the keys of the files go in.
fn import(
    keys: Vec<(Use, String, PathBuf)>,
    country: Country,
    place: &Place,
) -> Result<Report, String> {
    let mut opened = match opening::open(place, country, Access::Write)? {
        Some(opened) => opened,
        None => first(country, place)?,
    };
    let mut files = Vec::new();
    for (purpose, name, path) in keys {
        let purpose = purpose.stored();
        let Some(bytes) = bytes(&opened.contents, purpose, &name, &path)? else { continue };
        if path.exists() && !files.contains(&path) {
            files.push(path.clone());
        }
        let kept = opened.contents.find(purpose, &name);
        let for_ever = matches!(purpose, Use::Keep | Use::Patients);
        if for_ever && kept.is_some_and(|kept| kept.bytes != bytes) {
            return Err(format!(
                "{} is another key than the one in the store, which documents, or the \
                 keys of patients, are kept under: remove the file",
                path.display()
            ));
        }
        Ring::default().add(purpose, &bytes).map_err(|e| format!("{}: {e}", path.display()))?;
        opened.contents.put(Kept { purpose, name, bytes }).map_err(|e| e.to_string())?;
    }
    opened.newest = witness::newest(place, &opened.contents)?;
    opened.write(place)?;
    verify(&opened, country, place)?;
    Ok(report(&opened, files))
}

/// A store that there was not, under the root key of its source or a new one.
fn first(country: Country, place: &Place) -> Result<Opened, String> {
    let lock = file::lock(&place.folder)?;
    if place.is_there() {
        return Err("somebody else made a vault.sealed just now".into());
    }
    let root = match place.root.find()? {
        Some(root) => root,
        None => {
            let root = Root::make(&SystemEntropy);
            place.root.keep(&root)?;
            root
        }
    };
    Opened::new(Contents::new(country), root, place, lock)
}

/// Of the file; `None` where only the store has the key. Our own keys are made when nobody has them.
fn bytes(
    store: &Contents,
    purpose: Use,
    name: &str,
    path: &Path,
) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    if path.exists() {
        return read(path).map(Some);
    }
    if store.find(purpose, name).is_some() {
        return Ok(None);
    }
    match purpose {
        Use::Derive | Use::Keep | Use::HandOut | Use::Patients | Use::Cosign => {
            Ok(Some(Zeroizing::new(Root::make(&SystemEntropy).bytes().to_vec())))
        }
        Use::Log => Ok(Some(SigningKey::new_ed25519().ok_or("no chance")?)),
        Use::Sign | Use::Unwrap => read(path).map(Some),
    }
}

/// What was written opens with the root key as it is kept, before any file is removed.
fn verify(written: &Opened, country: Country, place: &Place) -> Result<(), String> {
    let bytes = file::read(&place.folder)?.ok_or_else(|| none(place))?;
    let root = place.root.find()?.ok_or("the root key is not where it was put")?;
    let again = opening::open_any(place, country, &bytes, root, None)?;
    let same = again.contents.counter == written.contents.counter
        && again.contents.keys.iter().zip(&written.contents.keys).all(|(a, b)| a.bytes == b.bytes);
    if same { Ok(()) } else { Err("vault.sealed is not what was written".into()) }
}

fn report(opened: &Opened, files: Vec<PathBuf>) -> Report {
    let store = &opened.contents;
    Report {
        counter: store.counter,
        seen: store.seen.clone(),
        root: opened.root.id(),
        keys: store.keys.iter().map(|key| (key.purpose, key.name.clone())).collect(),
        older: opened.older.as_ref().map(ToString::to_string),
        files,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::Source;

    #[test]
    fn an_import_beside_a_stale_documents_key_does_not_lose_what_is_kept() {
        let (folder, country) = (tempfile::tempdir().unwrap(), Country::parse("DK").unwrap());
        let of = folder.path().to_owned();
        let (root, origin) = (Source::File(of.join("root")), "dk".to_owned());
        let place = Place { folder: of.clone(), root, origin };
        let path = of.join("documents.key");
        let import =
            || import(vec![(Use::Keep, "documents.key".into(), path.clone())], country, &place);
        std::fs::write(&path, [1; 32]).unwrap();
        import().unwrap();
        import().unwrap();
        std::fs::write(&path, [2; 32]).unwrap();
        let said = import().err().unwrap();
        assert!(said.contains("another key than the one in the store"), "{said}");
        std::fs::remove_file(&path).unwrap();
        let opened = opening::open(&place, country, Access::Read).unwrap().unwrap();
        let kept = opened.contents.find(Use::Keep, "documents.key").unwrap();
        assert_eq!(kept.bytes.as_slice(), [1; 32]);
    }
}
