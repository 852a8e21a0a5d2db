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

/// Keeps values under tickets.
#[derive(Clone)]
pub struct Keeper {
    store: Arc<dyn Sessions>,
    key: Arc<hmac::Key>,
    entropy: Arc<dyn Entropy>,
}

impl Keeper {
    /// `key` is the node's half of every value's key.
    pub fn new(store: Arc<dyn Sessions>, key: &[u8; 32], entropy: Arc<dyn Entropy>) -> Self {
        Self { store, key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)), entropy }
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
        let row = self.store.find(self.row_key(drawer, ticket)).await?;
        Ok(row.and_then(|row| self.open(drawer, ticket, row, now)))
    }

    /// The value, once.
    pub async fn take(
        &self,
        drawer: Drawer,
        ticket: &Ticket,
        now: Timestamp,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, SessionError> {
        let row = self.store.take(self.row_key(drawer, ticket)).await?;
        Ok(row.and_then(|row| self.open(drawer, ticket, row, now)))
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

    fn row_key(&self, drawer: Drawer, ticket: &Ticket) -> [u8; 32] {
        self.derive("konfido session row 1", drawer, ticket)
    }

    fn derive(&self, purpose: &str, drawer: Drawer, ticket: &Ticket) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [purpose, drawer.name(), ticket.text()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        context.sign().as_ref().try_into().expect("because HMAC-SHA256 has 32 bytes")
    }

    fn cipher(&self, drawer: Drawer, ticket: &Ticket) -> LessSafeKey {
        let key = Zeroizing::new(self.derive("konfido session value 1", drawer, ticket));
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref());
        LessSafeKey::new(key.expect("because the key has 32 bytes"))
    }

    fn seal(
        &self,
        drawer: Drawer,
        ticket: &Ticket,
        value: &[u8],
        until: Timestamp,
    ) -> Result<Row, SessionError> {
        let key = self.row_key(drawer, ticket);
        let expires = millis(until);
        let mut nonce = [0; NONCE_LEN];
        self.entropy.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(NONCE_LEN + value.len() + AES_256_GCM.tag_len());
        sealed.extend(nonce);
        sealed.extend(value);
        let aad = Aad::from(expires.as_millisecond().to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .cipher(drawer, ticket)
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
    ) -> Option<Zeroizing<Vec<u8>>> {
        let nonce: [u8; NONCE_LEN] = row.sealed.get(..NONCE_LEN)?.try_into().ok()?;
        let aad = Aad::from(row.expires.as_millisecond().to_be_bytes());
        let mut bytes = Zeroizing::new(row.sealed);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let cipher = self.cipher(drawer, ticket);
        let opened = cipher.open_within(nonce, aad, &mut bytes, NONCE_LEN..).ok()?.len();
        bytes.truncate(opened);
        (now < row.expires).then_some(bytes)
    }
}

fn millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Longer texts are no tickets of ours.
const MAX_TICKET: usize = 64;
