//! The sessions that others opened to us, bounded for each country.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use exchange::Country;

use crate::session::{Keys, Window};

/// A session that a peer opened to us.
pub(crate) struct Accepted {
    pub(crate) keys: Keys,
    pub(crate) window: Mutex<Window>,
}

/// Tables of recently used sessions. A country that opens many drops its own oldest ones, nobody
/// else's. A dropped session opens again from its `enc`, with an empty window: then the durable
/// replay keys of the journey refuse what was answered.
#[derive(Default)]
pub(crate) struct Sessions {
    tables: BTreeMap<Country, HashMap<[u8; 16], Entry>>,
    tick: u64,
}

struct Entry {
    session: Arc<Accepted>,
    used: u64,
}

impl Sessions {
    pub(crate) fn find(&mut self, from: Country, id: &[u8; 16]) -> Option<Arc<Accepted>> {
        self.tick += 1;
        let entry = self.tables.get_mut(&from)?.get_mut(id)?;
        entry.used = self.tick;
        Some(Arc::clone(&entry.session))
    }

    /// Keeps the session, or gives the one that is kept under this id already.
    pub(crate) fn keep(
        &mut self,
        from: Country,
        id: [u8; 16],
        session: Arc<Accepted>,
    ) -> Arc<Accepted> {
        if let Some(known) = self.find(from, &id) {
            return known;
        }
        let table = self.tables.entry(from).or_default();
        if table.len() >= MAX_SESSIONS {
            let oldest = table.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id);
            oldest.map(|id| table.remove(&id));
        }
        table.insert(id, Entry { session: Arc::clone(&session), used: self.tick });
        session
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.tables.values().map(HashMap::len).sum()
    }
}

/// Sessions kept for each country. An honest peer opens one in ten minutes, so these are the last
/// five hours of it; some 2 kB each.
pub(crate) const MAX_SESSIONS: usize = 32;
