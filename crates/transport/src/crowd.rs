//! How many of a listener's connections one country has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use exchange::Country;

/// Counts connections by the country of their certificate, so that one cannot take all places.
pub(crate) struct Crowd {
    most: usize,
    inside: Mutex<HashMap<Option<Country>, usize>>,
}

/// A country's connection; counted until it is dropped.
pub(crate) struct Entered {
    crowd: Arc<Crowd>,
    country: Option<Country>,
}

impl Crowd {
    /// At most `most` of one country.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, inside: Mutex::default() })
    }

    /// Lets one more in, or `None` when the country has all that it may have.
    pub(crate) fn enter(self: &Arc<Self>, country: Option<Country>) -> Option<Entered> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inside.entry(country).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Entered { crowd: Arc::clone(self), country })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut inside = self.crowd.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.get_mut(&self.country) {
            *count -= 1;
            if *count == 0 {
                inside.remove(&self.country);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_that_has_its_part_leaves_room_for_others() {
        let crowd = Crowd::new(2);
        let [spain, italy] = ["ES", "IT"].map(|code| Country::parse(code).ok());
        let (first, _second) = (crowd.enter(spain), crowd.enter(spain));
        assert!(first.is_some() && crowd.enter(spain).is_none());
        assert!(crowd.enter(italy).is_some() && crowd.enter(None).is_some());
        drop(first);
        assert!(crowd.enter(spain).is_some(), "one left, one comes");
    }
}
