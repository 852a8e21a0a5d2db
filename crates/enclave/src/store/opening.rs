//! How a vault process takes its store: opened, found to be the newest, and written again with the next
//! counter, all before it locks itself in.

use std::fs::File;

use exchange::{Country, SystemEntropy};

use super::witness::{self, Newest, Older};
use super::{Access, Contents, Place, Sealed, file};
use crate::root::Root;

/// A store that is open.
pub(crate) struct Opened {
    pub(crate) contents: Contents,
    pub(crate) root: Root,
    pub(crate) newest: Option<Newest>,
    /// How it is an older state; only [`open_any`] gives one with it.
    pub(crate) older: Option<Older>,
    /// What counts beside it, now.
    ticks: Option<u64>,
    _lock: Option<File>,
}

/// Opens the newest store, or refuses an older one; `None` where there is none.
pub(crate) fn open(
    place: &Place,
    country: Country,
    access: Access,
) -> Result<Option<Opened>, String> {
    let lock = match access {
        // a folder without a store gets no lock either
        Access::Write if place.is_there() => Some(file::lock(&place.folder)?),
        _ => None,
    };
    let Some(bytes) = file::read(&place.folder)? else {
        return match witness::unsigned(&place.folder)? {
            None => Ok(None),
            Some(said) => Err(format!(
                "{} is missing, and the log says that there is one with counter {said}: put it back, \
                 or its backup and then konfido vault recover",
                place.folder.join(file::NAME).display()
            )),
        };
    };
    let root = place.root.find()?.ok_or_else(|| {
        format!(
            "the root key of vault.sealed is not there ({}): konfido vault recover makes it again \
             from two shares",
            place.root.name()
        )
    })?;
    let opened = open_any(place, country, &bytes, root, lock)?;
    match &opened.older {
        None => Ok(Some(opened)),
        Some(older) => Err(format!(
            "{older}. Put the newest vault.sealed and log back; if they are lost: \
             konfido vault recover SHARE SHARE --accept-older"
        )),
    }
}

/// Opens a store, be it an older one.
pub(crate) fn open_any(
    place: &Place,
    country: Country,
    bytes: &[u8],
    root: Root,
    lock: Option<File>,
) -> Result<Opened, String> {
    let told = |e| format!("{}: {e}", place.folder.join(file::NAME).display());
    let contents = Contents::open(bytes, &root).map_err(told)?;
    if contents.country != country {
        return Err(format!("vault.sealed is of {}, the node of {country}", contents.country));
    }
    let newest = witness::newest(place, &contents)?;
    let ticks = place.root.ticks()?;
    let older = witness::compare(&contents, newest.as_ref(), ticks).err();
    Ok(Opened { contents, root, newest, older, ticks, _lock: lock })
}

impl Opened {
    /// A store that is not written yet.
    pub(crate) fn new(
        contents: Contents,
        root: Root,
        place: &Place,
        lock: File,
    ) -> Result<Self, String> {
        let ticks = place.root.ticks()?;
        Ok(Self { contents, root, newest: None, older: None, ticks, _lock: Some(lock) })
    }

    /// Writes it with the next counter and where the log is now.
    pub(crate) fn write(&mut self, place: &Place) -> Result<(), String> {
        let next = self.contents.counter.checked_add(1).ok_or("the counter is at its end")?;
        self.contents.counter = next;
        self.contents.seen = self.newest.as_ref().map(|newest| newest.seen.clone());
        self.contents.ticks = self.ticks.map(|ticks| ticks + 1);
        let bytes = self.contents.seal(&self.root, &SystemEntropy);
        Sealed::parse(&bytes).map_err(|e| e.to_string())?;
        file::write(&place.folder, &bytes)?;
        self.ticks = place.root.tick()?;
        if self.ticks == self.contents.ticks {
            Ok(())
        } else {
            Err("somebody else counts with the TPM's counter: give the vault one of its own".into())
        }
    }
}
