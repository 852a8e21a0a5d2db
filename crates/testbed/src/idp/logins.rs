//! Logins that have begun and not ended: in memory, for minutes, and never more than a bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use exchange::Entropy;
use identity::eidas::metadata::Metadata;
use identity::eidas::request::Request;
use jiff::{SignedDuration, Timestamp};

/// One who was sent here to be identified.
pub(super) struct Login {
    /// What was asked, verified.
    pub request: Request,
    /// By whom.
    pub requester: Arc<Metadata>,
    /// What the requester wants to see again.
    pub relay: Option<String>,
    /// What a card is to sign, once.
    pub nonce: Option<[u8; 32]>,
    /// What a passkey is to sign, once: the next try gets another.
    pub challenge: [u8; 32],
    browser: String,
    until: Timestamp,
}

/// All of them.
#[derive(Default)]
pub(super) struct Logins(Mutex<HashMap<String, Login>>);

/// How a page and a browser name a login.
pub(super) struct Opened {
    /// In forms and links.
    pub handle: String,
    /// In the browser's cookie; without it the handle is worth nothing.
    pub browser: String,
}

impl Logins {
    /// Begins a login. `None` when too many have begun.
    pub fn open(
        &self,
        request: Request,
        requester: Arc<Metadata>,
        relay: Option<String>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Option<Opened> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, login| now < login.until);
        if all.len() >= MAX {
            return None;
        }
        let opened = Opened { handle: token(entropy), browser: token(entropy) };
        let (browser, until) = (opened.browser.clone(), now + LIFE);
        let challenge = nonce(entropy);
        let login = Login { request, requester, relay, nonce: None, challenge, browser, until };
        all.insert(opened.handle.clone(), login);
        Some(opened)
    }

    /// Lets `act` see the login of this browser.
    pub fn with<T>(
        &self,
        handle: &str,
        browser: &str,
        now: Timestamp,
        act: impl FnOnce(&mut Login) -> T,
    ) -> Option<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_mut(handle).filter(|login| login.is_of(browser, now)).map(act)
    }

    /// Ends the login of this browser.
    pub fn take(&self, handle: &str, browser: &str, now: Timestamp) -> Option<Login> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(handle).filter(|login| login.is_of(browser, now))?;
        all.remove(handle)
    }
}

impl Login {
    fn is_of(&self, browser: &str, now: Timestamp) -> bool {
        let same = verify_slices_are_equal(self.browser.as_bytes(), browser.as_bytes());
        same.is_ok() && now < self.until
    }
}

/// 160 random bits, in hexadecimal.
pub(crate) fn token(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 20];
    entropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Something to be signed.
pub(super) fn nonce(entropy: &dyn Entropy) -> [u8; 32] {
    let mut nonce = [0; 32];
    entropy.fill(&mut nonce);
    nonce
}

/// How long a person may take.
const LIFE: SignedDuration = SignedDuration::from_mins(5);
/// The same for the cookie.
pub(super) const COOKIE_LIFE: Duration = Duration::from_secs(300);
/// Logins at the same time.
const MAX: usize = 1000;
