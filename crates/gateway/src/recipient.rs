//! Step 3 of both roads: whose vault we seal for. A peer's key statement is fetched, checked
//! against its evidence and our policy, and kept while it holds.

use std::sync::{Mutex, PoisonError};

use enclave::key::Statement;
use enclave::{KeyStatement, Recipient, ReplyToken, VaultError};
use exchange::{Code, Refusal, Side};
use jiff::Timestamp;
use siem::{Event, Kind};

use crate::national::openncp::unreachable_peer;
use crate::node::{Node, PeerCountry};

/// The vault of a country that we ask.
pub(crate) async fn of(node: &Node, peer: &PeerCountry) -> Result<Recipient, Refusal> {
    match peer.known_recipient(node.clock.now()) {
        Some(known) => Ok(known),
        None => fetch(node, peer, Side::B, |_| true).await,
    }
}

/// The vault that asked, and no other one of its country: its answer is sealed for that key.
pub(crate) async fn of_asker(
    node: &Node,
    peer: &PeerCountry,
    reply: &ReplyToken,
) -> Result<Recipient, Refusal> {
    match peer.known_asker(reply, node.clock.now()) {
        Some(known) => Ok(known),
        None => fetch(node, peer, Side::A, |found| reply.is_for(found)).await,
    }
}

/// One request a country fetches; those that waited for it find what it found, or that the country
/// did not answer: they do not wait for that one after another.
async fn fetch(
    node: &Node,
    peer: &PeerCountry,
    side: Side,
    wanted: impl Fn(&Recipient) -> bool,
) -> Result<Recipient, Refusal> {
    let came = node.clock.now();
    let mut failed = peer.fetching.lock().await;
    let (now, forgotten) = (node.clock.now(), peer.forgotten());
    if let Some(known) = peer.known_recipient(now).filter(&wanted) {
        return Ok(known);
    }
    if let Some((_, refusal)) = failed.as_ref().filter(|(at, _)| *at > came) {
        return Err(refusal.clone());
    }
    let answer = peer.client.get(VAULT_KEY_PATH).await.map_err(|e| {
        let refusal = unreachable_peer(&e);
        *failed = Some((node.clock.now(), refusal.clone()));
        refusal
    })?;
    let accepted = peer.accepted.load();
    let recipient = Statement::decode(&answer.body)
        .and_then(|said| Recipient::verify(&said, &node.seal_anchors, peer.country, now, &accepted))
        .and_then(|recipient| {
            let older = VaultError::Key("statement is older than one that we saw");
            if peer.newest.follows(recipient.said()) { Ok(recipient) } else { Err(older) }
        })
        .and_then(|recipient| {
            let other = VaultError::Key("statement is about another key than the one that asks");
            if wanted(&recipient) { Ok(recipient) } else { Err(other) }
        })
        .map_err(|error| unacceptable(node, peer, side, error))?;
    peer.keep_recipient(recipient.clone(), forgotten);
    Ok(recipient)
}

/// A vault that we do not seal for leaves an event with the reason.
pub(crate) fn unacceptable(
    node: &Node,
    peer: &PeerCountry,
    side: Side,
    error: VaultError,
) -> Refusal {
    node.notes.note(Event {
        side: Some(side),
        peer: Some(peer.country),
        correlation: error.code().to_owned(),
        ..Event::new(node.clock.now(), Kind::VaultRefused)
    });
    let hint = "the other country's vault key is not acceptable; nothing was sent";
    Refusal::new(Code::ErrorSecGeneric, hint).with_detail(error.to_string())
}

/// When the newest statement of a country began that we saw, and the counter of the state that it
/// was of.
pub struct Newest(Mutex<(Timestamp, u64)>);

impl Default for Newest {
    fn default() -> Self {
        Self(Mutex::new((Timestamp::MIN, 0)))
    }
}

impl Newest {
    /// Whether a statement is neither older than the newest, which would be a replay, nor of a
    /// lower counter, which is a vault on its state of before; remembers it.
    pub fn follows(&self, said: &KeyStatement) -> bool {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let follows = said.not_before >= newest.0 && said.state >= newest.1;
        if follows {
            *newest = (said.not_before, said.state);
        }
        follows
    }
}

/// Where a KONFIDO node publishes its vault key.
pub const VAULT_KEY_PATH: &str = "/konfido/v1/vault-key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_from_before_or_of_an_older_state_is_not_followed() {
        let said = |second, state| KeyStatement {
            country: exchange::Country::parse("DK").unwrap(),
            key: Vec::new(),
            not_before: Timestamp::from_second(second).unwrap(),
            not_after: Timestamp::from_second(second + 60).unwrap(),
            starts: 1,
            state,
            home: String::new(),
            release: String::new(),
        };
        let newest = Newest::default();
        for (second, state, follows) in
            [(10, 0, true), (10, 0, true), (9, 0, false), (11, 5, true), (12, 4, false)]
        {
            assert_eq!(newest.follows(&said(second, state)), follows, "{second} {state}");
        }
        assert!(!newest.follows(&said(13, 0)), "nor one without its store any more");
        assert!(newest.follows(&said(11, 6)), "what was refused left nothing behind");
    }
}
