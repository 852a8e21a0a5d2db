//! Keys that never leave their token (PKCS#11 v2.40): the seal in a hardware security module, and a
//! person's card. Feature `pkcs11`, off by default.
//!
//! A driver is loaded once for the process and stays. Each token has at most [`SESSIONS`] sessions,
//! because a session signs one thing at a time; who finds none free waits.

mod card;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use aws_lc_rs::digest;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use crate::certificate::CertificateError;
use crate::private::Holder;
use crate::seal::{Place, Scheme};

pub use card::Card;

/// Most sessions with one token.
pub const SESSIONS: usize = 8;

/// One private key in a token. Its PIN is wiped on drop.
pub struct TokenKey {
    driver: Pkcs11,
    slot: Slot,
    pin: AuthPin,
    label: String,
    pool: Mutex<Pool>,
    freed: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Ready>,
    open: usize,
}

/// A session that is logged in, and the key as this session calls it.
struct Ready {
    session: Session,
    key: ObjectHandle,
}

impl TokenKey {
    /// Finds the key and logs in.
    pub fn open(place: &Place) -> Result<Self, CertificateError> {
        let pin = std::fs::read_to_string(&place.pin_file).map(Zeroizing::new);
        let pin = pin.map_err(|e| unusable("the pin file cannot be read", &e))?;
        Self::open_with(
            &place.module,
            &place.token,
            &place.label,
            pin.trim_end_matches(['\r', '\n']),
        )
    }

    /// [`TokenKey::open`] with a PIN that somebody typed.
    pub fn open_with(
        module: &Path,
        token: &str,
        label: &str,
        pin: &str,
    ) -> Result<Self, CertificateError> {
        let driver =
            driver(module).map_err(|e| unusable("the pkcs11 driver does not start", &e))?;
        let slot = slot(&driver, token)?;
        let key = Self {
            driver,
            slot,
            pin: AuthPin::from(pin.to_owned()),
            label: label.to_owned(),
            pool: Mutex::default(),
            freed: Condvar::new(),
        };
        let ready = key.ready().map_err(|e| unusable("the token refuses", &e))?;
        let mut pool = key.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.open = 1;
        pool.idle.push(ready);
        drop(pool);
        Ok(key)
    }

    /// A new session. Several keys of one token share one login.
    fn ready(&self) -> Result<Ready, Error> {
        let session = self.driver.open_ro_session(self.slot)?;
        match session.login(UserType::User, Some(&self.pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => return Err(error),
        }
        let wanted = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Label(self.label.clone().into()),
        ];
        // of two keys with one label, nobody knows which is meant
        let [key] = session.find_objects(&wanted)?[..] else { return Err(Error::InvalidValue) };
        Ok(Ready { session, key })
    }

    /// Runs this in a session; one that fails is closed, and a fresh one tries once more: tokens
    /// forget their sessions when they are taken out or when their power fails.
    fn with<T>(&self, work: impl Fn(&Ready) -> Result<T, Error>) -> Result<T, Error> {
        let mut place = Taken { key: self, ready: self.take() };
        if let Some(ready) = &place.ready {
            if let Ok(value) = work(ready) {
                return Ok(value);
            }
            place.ready = None;
        }
        let ready = self.ready()?;
        let value = work(&ready)?;
        place.ready = Some(ready);
        Ok(value)
    }

    /// An idle session, or the right to open one.
    fn take(&self) -> Option<Ready> {
        let full = |pool: &mut Pool| pool.idle.is_empty() && pool.open >= SESSIONS;
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pool = self.freed.wait_while(pool, full).unwrap_or_else(PoisonError::into_inner);
        let idle = pool.idle.pop();
        pool.open += usize::from(idle.is_none());
        idle
    }
}

/// A place among the sessions, given back when done.
struct Taken<'a> {
    key: &'a TokenKey,
    ready: Option<Ready>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut pool = self.key.pool.lock().unwrap_or_else(PoisonError::into_inner);
        match self.ready.take() {
            Some(ready) => pool.idle.push(ready),
            None => pool.open -= 1,
        }
        drop(pool);
        self.key.freed.notify_one();
    }
}

impl Holder for TokenKey {
    fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        let hash = |algorithm| digest::digest(algorithm, message).as_ref().to_vec();
        let pss = PkcsPssParams {
            hash_alg: MechanismType::SHA256,
            mgf: PkcsMgfType::MGF1_SHA256,
            s_len: 32.into(),
        };
        // ECDSA gives `r || s` (PKCS#11 v2.40 §2.3.1), as COSE and XML want it
        let (mechanism, data) = match scheme {
            Scheme::Es256 => (Mechanism::Ecdsa, hash(&digest::SHA256)),
            Scheme::Es384 => (Mechanism::Ecdsa, hash(&digest::SHA384)),
            Scheme::Rs256 => (Mechanism::Sha256RsaPkcs, message.to_vec()),
            Scheme::Ps256 => (Mechanism::Sha256RsaPkcsPss(pss), message.to_vec()),
            Scheme::Ed25519 => return None,
        };
        self.with(|ready| ready.session.sign(&mechanism, ready.key, &data)).ok()
    }
}

/// The slot of the one token with this label.
fn slot(driver: &Pkcs11, token: &str) -> Result<Slot, CertificateError> {
    let slots = driver.get_slots_with_token().map_err(|e| unusable("no token", &e))?;
    let mut found = slots.into_iter().filter(|slot| {
        driver.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == token)
    });
    match (found.next(), found.next()) {
        (Some(slot), None) => Ok(slot),
        _ => Err(CertificateError::Key(format!("there is not one token {token}"))),
    }
}

/// The driver, loaded and initialised once: `C_Initialize` counts for the whole process.
fn driver(module: &Path) -> Result<Pkcs11, Error> {
    static DRIVERS: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());
    let mut drivers = DRIVERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(driver) = drivers.get(module) {
        return Ok(driver.clone());
    }
    let driver = Pkcs11::new(module)?;
    match driver.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(error),
    }
    drivers.insert(module.to_owned(), driver.clone());
    Ok(driver)
}

fn unusable(what: &str, why: &dyn std::fmt::Display) -> CertificateError {
    CertificateError::Key(format!("{what}: {why}"))
}
