//! The browsers at the counter, and who is signed in at each: in memory, bounded, for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use exchange::Entropy;
use jiff::{SignedDuration, Timestamp};

use super::back::SignedIn;
use crate::idp::logins::token;

/// In which part somebody signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// Treats.
    Professional,
    /// Is treated, and stands at the counter.
    Patient,
}

impl Who {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Professional, Self::Patient];

    /// The word between portal and node.
    pub fn word(self) -> &'static str {
        match self {
            Self::Professional => "professional",
            Self::Patient => "patient",
        }
    }

    /// The part with this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|who| who.word() == word)
    }
}

/// One browser.
pub(super) struct Visitor {
    /// Stands in each form; a page of another server cannot know it.
    pub token: String,
    /// Told once, on the next page.
    pub notice: Option<&'static str>,
    signed_in: HashMap<Who, SignedIn>,
    begun: Vec<Begun>,
    until: Timestamp,
}

/// A login that this browser went out for.
#[derive(Clone)]
pub(super) struct Begun {
    /// Comes back with the browser, once.
    pub state: String,
    /// In which part.
    pub who: Who,
    /// To which country.
    pub country: String,
    until: Timestamp,
}

impl Visitor {
    /// Whoever is signed in, in this part.
    pub fn signed_in(&self, who: Who, now: Timestamp) -> Option<&SignedIn> {
        self.signed_in.get(&who).filter(|signed_in| now < signed_in.expires)
    }

    /// Signs somebody in, instead of whom was there.
    pub fn sign_in(&mut self, who: Who, signed_in: SignedIn) -> Option<SignedIn> {
        self.signed_in.insert(who, signed_in)
    }

    /// Signs somebody out. A patient does not stay when the professional goes: the next one must not
    /// find them.
    pub fn sign_out(&mut self, who: Who) -> Vec<SignedIn> {
        let gone: &[Who] = if who == Who::Professional { &Who::ALL } else { &[Who::Patient] };
        gone.iter().filter_map(|who| self.signed_in.remove(who)).collect()
    }

    /// Remembers that a login was begun.
    pub fn begin(&mut self, state: &str, who: Who, country: &str, now: Timestamp) {
        self.begun.retain(|begun| now < begun.until);
        if self.begun.len() >= MAX_BEGUN {
            self.begun.remove(0);
        }
        let (state, country, until) = (state.to_owned(), country.to_owned(), now + BEGUN);
        self.begun.push(Begun { state, who, country, until });
    }

    /// The login that comes back with this state; it does so once.
    pub fn came_back(&mut self, state: &str, now: Timestamp) -> Option<Begun> {
        let same = |begun: &Begun| {
            verify_slices_are_equal(begun.state.as_bytes(), state.as_bytes()).is_ok()
        };
        let place = self.begun.iter().position(same)?;
        Some(self.begun.remove(place)).filter(|begun| now < begun.until)
    }

    /// Whether a form of ours was sent.
    pub fn sent(&self, token: &str) -> bool {
        verify_slices_are_equal(self.token.as_bytes(), token.as_bytes()).is_ok()
    }
}

/// All browsers, by their cookies.
#[derive(Default)]
pub(super) struct Visitors(Mutex<HashMap<String, Visitor>>);

impl Visitors {
    /// Lets `act` see the browser with this cookie.
    pub fn with<T>(
        &self,
        cookie: &str,
        now: Timestamp,
        act: impl FnOnce(&mut Visitor) -> T,
    ) -> Option<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let visitor = all.get_mut(cookie).filter(|visitor| now < visitor.until)?;
        visitor.until = now + LIFE;
        Some(act(visitor))
    }

    /// A new browser's cookie. `None` when there are too many.
    pub fn welcome(&self, now: Timestamp, entropy: &dyn Entropy) -> Option<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, visitor| now < visitor.until);
        if all.len() >= MAX {
            return None;
        }
        let cookie = token(entropy);
        let visitor = Visitor {
            token: token(entropy),
            notice: None,
            signed_in: HashMap::new(),
            begun: Vec::new(),
            until: now + LIFE,
        };
        all.insert(cookie.clone(), visitor);
        Some(cookie)
    }

    /// Gives a browser a new cookie: one that was known before somebody signed in is worth nothing
    /// after it.
    pub fn renew(&self, cookie: &str, entropy: &dyn Entropy) -> Option<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let visitor = all.remove(cookie)?;
        let next = token(entropy);
        all.insert(next.clone(), visitor);
        Some(next)
    }

    /// Everybody who is signed in.
    pub fn signed_in(&self, who: Who, now: Timestamp) -> Vec<SignedIn> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().filter_map(|visitor| visitor.signed_in(who, now).cloned()).collect()
    }
}

/// How long a browser may be idle.
const LIFE: SignedDuration = SignedDuration::from_mins(30);
/// The same for the cookie.
pub(super) const COOKIE_LIFE: Duration = Duration::from_secs(30 * 60);
/// How long a login may take.
const BEGUN: SignedDuration = SignedDuration::from_mins(10);
/// Browsers at the same time.
const MAX: usize = 1000;
/// Logins of one browser at the same time; the oldest goes.
const MAX_BEGUN: usize = 4;

#[cfg(test)]
mod tests {
    use exchange::SystemEntropy;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_cookie_from_before_the_login_is_worth_nothing_after_it() {
        let visitors = Visitors::default();
        let before = visitors.welcome(now(), &SystemEntropy).unwrap();
        let token = visitors.with(&before, now(), |visitor| visitor.token.clone()).unwrap();
        let after = visitors.renew(&before, &SystemEntropy).unwrap();
        assert!(visitors.with(&before, now(), |_| ()).is_none());
        assert!(visitors.with(&after, now(), |visitor| visitor.sent(&token)).unwrap());
        assert!(visitors.renew(&before, &SystemEntropy).is_none());
    }

    #[test]
    fn browsers_and_logins_end_by_themselves() {
        let visitors = Visitors::default();
        let cookie = visitors.welcome(now(), &SystemEntropy).unwrap();
        let late = now() + BEGUN;
        visitors.with(&cookie, now(), |v| v.begin("state", Who::Patient, "DK", now())).unwrap();
        assert!(visitors.with(&cookie, late, |v| v.came_back("state", late)).unwrap().is_none());
        assert!(visitors.with(&cookie, late + LIFE, |_| ()).is_none());
        for _ in 0..MAX - 1 {
            assert!(visitors.welcome(now(), &SystemEntropy).is_some());
        }
        assert!(visitors.welcome(now(), &SystemEntropy).is_none(), "full");
        assert!(visitors.welcome(late + LIFE, &SystemEntropy).is_some(), "and empty again");
    }
}
