//! Tickets, and how values are sealed under them.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use exchange::Entropy;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::{Row, SessionError, Sessions};
use crate::eidas::light::Cache;

/// What kind of value a ticket opens; a ticket of one kind opens nothing of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawer {
    /// A login that waits for its answer.
    Login,
    /// A login by wallet.
    Wallet,
    /// A code that a portal redeems once.
    Code,
    /// Somebody who is signed in.
    Session,
    /// A message of the light interface that the other part takes.
    Light(Cache),
    /// A message that was seen; opens nothing, is only there.
    Seen,
}

impl Drawer {
    fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Wallet => "wallet",
            Self::Code => "code",
            Self::Session => "session",
            Self::Light(cache) => cache.name(),
            Self::Seen => "seen",
        }
    }
}

/// What a browser or portal holds: 256 random bits. No `Debug`: who has it is let in.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket(String);

impl Ticket {
    /// A new one.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut());
        Self(URL_SAFE_NO_PAD.encode(bytes.as_ref()))
    }

    /// Of a text that came back; 43 characters that mean nothing to others.
    pub fn of(text: &str) -> Self {
        Self(text.chars().take(MAX_TICKET).collect())
    }

    /// Whether it has the form of [`Ticket::random`].
    pub fn is_whole(&self) -> bool {
        URL_SAFE_NO_PAD.decode(&self.0).is_ok_and(|bytes| bytes.len() == 32)
    }

    /// As it travels.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The node's half of every value's key. It can be used and not read.
pub trait Secret: Send + Sync {
    /// HMAC-SHA256 of the message; `None` when who holds the secret does not answer.
    fn derive(&self, message: &[u8]) -> Option<Zeroizing<[u8; 32]>>;
}

/// A secret in this process's memory.
pub struct OwnSecret(hmac::Key);

impl OwnSecret {
    /// Of these bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }
}

impl Secret for OwnSecret {
    fn derive(&self, message: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        hmac::sign(&self.0, message).as_ref().try_into().ok().map(Zeroizing::new)
    }
}

/// Keeps values under tickets.
#[derive(Clone)]
pub struct Keeper {
    store: Arc<dyn Sessions>,
    secret: Arc<dyn Secret>,
    entropy: Arc<dyn Entropy>,
}

impl Keeper {
    /// Keeps them in this store.
    pub fn new(
        store: Arc<dyn Sessions>,
        secret: Arc<dyn Secret>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { store, secret, entropy }
    }

    /// The same store; the same secret, with another holder.
    #[must_use]
    pub fn held_by(&self, secret: Arc<dyn Secret>) -> Self {
        Self { secret, ..self.clone() }
    }

    /// Keeps a value under a new ticket.
    pub async fn keep(
        &self,
        drawer: Drawer,
        value: &[u8],
        until: Timestamp,
    ) -> Result<Ticket, SessionError> {
        let ticket = Ticket::random(self.entropy.as_ref());
        let kept = self.store.put_new(self.seal(drawer, &ticket, value, until)?).await?;
        if kept { Ok(ticket) } else { Err(SessionError::Failed("a ticket came twice".into())) }
    }

    /// Keeps a value under a ticket that opens nothing yet; false when it does.
    pub async fn keep_at(
        &self,
        drawer: Drawer,
        ticket: &Ticket,
        value: &[u8],
        until: Timestamp,
    ) -> Result<bool, SessionError> {
        self.store.put_new(self.seal(drawer, ticket, value, until)?).await
    }

    /// Keeps a new value under a ticket that still opens one; false when it does no more.
    pub async fn replace(
        &self,
        drawer: Drawer,
        ticket: &Ticket,
        value: &[u8],
        until: Timestamp,
    ) -> Result<bool, SessionError> {
        self.store.replace(self.seal(drawer, ticket, value, until)?).await
    }

    /// The value, while it has not expired.
    pub async fn find(
        &self,
        drawer: Drawer,
        ticket: &Ticket,
        now: Timestamp,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, SessionError> {
        match self.store.find(self.row_key(drawer, ticket)?).await? {
            Some(row) => self.open(drawer, ticket, row, now),
            None => Ok(None),
        }
    }

    /// The value, once.
    pub async fn take(
        &self,
        drawer: Drawer,
        ticket: &Ticket,
        now: Timestamp,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, SessionError> {
        match self.store.take(self.row_key(drawer, ticket)?).await? {
            Some(row) => self.open(drawer, ticket, row, now),
            None => Ok(None),
        }
    }

    /// Whether this message is seen for the first time; it is remembered for `horizon`.
    pub async fn first_seen(
        &self,
        id: &str,
        now: Timestamp,
        horizon: SignedDuration,
    ) -> Result<bool, SessionError> {
        let row = self.seal(Drawer::Seen, &Ticket(id.to_owned()), &[], now + horizon)?;
        self.store.put_new(row).await
    }

    /// Removes what expired; how many.
    pub async fn sweep(&self, now: Timestamp) -> Result<u64, SessionError> {
        self.store.sweep(now).await
    }

    fn row_key(&self, drawer: Drawer, ticket: &Ticket) -> Result<[u8; 32], SessionError> {
        self.derive("konfido session row 1", drawer, ticket).map(|key| *key)
    }

    fn derive(
        &self,
        purpose: &str,
        drawer: Drawer,
        ticket: &Ticket,
    ) -> Result<Zeroizing<[u8; 32]>, SessionError> {
        let mut message = Zeroizing::new(Vec::with_capacity(128));
        for part in [purpose, drawer.name(), ticket.text()] {
            message.extend((part.len() as u64).to_be_bytes());
            message.extend(part.as_bytes());
        }
        let made = self.secret.derive(&message);
        made.ok_or_else(|| SessionError::Failed("the holder of the key does not answer".into()))
    }

    fn cipher(&self, drawer: Drawer, ticket: &Ticket) -> Result<LessSafeKey, SessionError> {
        let key = self.derive("konfido session value 1", drawer, ticket)?;
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref());
        Ok(LessSafeKey::new(key.expect("because the key has 32 bytes")))
    }

    fn seal(
        &self,
        drawer: Drawer,
        ticket: &Ticket,
        value: &[u8],
        until: Timestamp,
    ) -> Result<Row, SessionError> {
        let key = self.row_key(drawer, ticket)?;
        let expires = millis(until);
        let mut nonce = [0; NONCE_LEN];
        self.entropy.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(NONCE_LEN + value.len() + AES_256_GCM.tag_len());
        sealed.extend(nonce);
        sealed.extend(value);
        let aad = Aad::from(expires.as_millisecond().to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .cipher(drawer, ticket)?
            .seal_in_place_separate_tag(nonce, aad, &mut sealed[NONCE_LEN..])
            .map_err(|_| SessionError::Failed("sealing".into()))?;
        sealed.extend(tag.as_ref());
        Ok(Row { key, expires, sealed })
    }

    /// `None` for what expired, and for what somebody changed in the store.
    fn open(
        &self,
        drawer: Drawer,
        ticket: &Ticket,
        row: Row,
        now: Timestamp,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, SessionError> {
        let cipher = self.cipher(drawer, ticket)?;
        let Some(nonce) = row.sealed.first_chunk::<NONCE_LEN>().copied() else { return Ok(None) };
        let aad = Aad::from(row.expires.as_millisecond().to_be_bytes());
        let mut bytes = Zeroizing::new(row.sealed);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let Ok(opened) = cipher.open_within(nonce, aad, &mut bytes, NONCE_LEN..) else {
            return Ok(None);
        };
        let opened = opened.len();
        bytes.truncate(opened);
        Ok((now < row.expires).then_some(bytes))
    }
}

fn millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Longer texts are no tickets of ours.
const MAX_TICKET: usize = 64;
