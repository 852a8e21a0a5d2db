//! What an offer hides, what opens it, and what does not.

use exchange::Country;
use jiff::Timestamp;

use super::*;
use crate::Piece;
use crate::ring::{Ring, Use};

const TXID: [u8; 16] = [7; 16];
const DOCUMENTS: [&[u8]; 2] = [b"head", b"a laboratory report that is long enough to be found"];

fn vault(country: &str, patients: u8) -> Core {
    let mut ring = Ring::default();
    ring.add(Use::Patients, &[patients; 32]).unwrap();
    Core::new(Country::parse(country).unwrap(), ring)
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Ciphertext, promise and sealed key.
struct Offer {
    ciphertext: Vec<u8>,
    promise: [u8; 32],
    key: Vec<u8>,
}

fn offer(from: &Core, to: &[u8]) -> Offer {
    let pieces = DOCUMENTS.map(Piece::Clear);
    let (given, mut buffer) = crate::piece::buffer(&pieces).unwrap();
    let to = Target {
        country: Country::parse("ES").unwrap(),
        key: to,
        not_after: now() + jiff::SignedDuration::from_secs(1),
    };
    let made = from.offer(&to, &TXID, (&given, &mut buffer), now()).unwrap();
    let ciphertext = [made.head, buffer].concat();
    Offer { ciphertext, promise: made.promise, key: made.key }
}

impl Offer {
    fn opener(&self, by: &Core) -> Vec<u8> {
        let recipient = digest(&[&by.public()]);
        let expected = Expected { txid: &TXID, promise: &self.promise, recipient: &recipient };
        by.expect(&expected, &self.ciphertext[..ENCAPSULATED]).unwrap()
    }

    fn opened(&self, by: &Core, opener: &[u8]) -> Result<Vec<Vec<u8>>, VaultError> {
        let mut bytes = self.ciphertext.clone();
        let (promise, key) = (&self.promise, self.key.as_slice());
        let places = by.take_up(&Release { txid: &TXID, promise, key, opener }, &mut bytes)?;
        Ok(places.into_iter().map(|place| bytes[place].to_vec()).collect())
    }
}

#[test]
fn a_strict_document_opens_by_the_published_key_alone_and_after_a_restart_too() {
    let (dk, es) = (vault("DK", 1), vault("ES", 2));
    let offer = offer(&dk, &es.public());
    for text in [b"laboratory".as_slice(), b"head"] {
        assert!(!offer.ciphertext.windows(text.len()).any(|run| run == text));
    }
    assert_eq!(offer.key.len(), SEALED_KEY);
    assert_eq!(offer.key[..ENCAPSULATED], offer.ciphertext[..ENCAPSULATED]);
    let opener = offer.opener(&es);
    assert_eq!(offer.opened(&es, &opener).unwrap(), DOCUMENTS);
    let again = vault("ES", 2);
    assert_ne!(again.public(), es.public());
    assert_eq!(offer.opened(&again, &opener).unwrap(), DOCUMENTS);
}

#[test]
fn nobody_else_opens_a_strict_document_by_what_all_members_see() {
    let (dk, es, it) = (vault("DK", 1), vault("ES", 2), vault("IT", 3));
    let offer = offer(&dk, &es.public());
    // a third country has ciphertext and published key, and tries them with its own vault
    assert_eq!(offer.opened(&it, &offer.opener(&it)), Err(VaultError::Promise));
    // so does the country that gave it: its vault keeps nothing of the key
    assert_eq!(offer.opened(&dk, &offer.opener(&dk)), Err(VaultError::Promise));
    // what Spain's node keeps opens in Spain's vault only, whoever else has got it
    assert_eq!(offer.opened(&it, &offer.opener(&es)), Err(VaultError::Integrity));
    // and a vault says at once that it is not the one
    let recipient = digest(&[&es.public()]);
    let expected = Expected { txid: &TXID, promise: &offer.promise, recipient: &recipient };
    let told = it.expect(&expected, &offer.ciphertext[..ENCAPSULATED]);
    assert_eq!(told, Err(VaultError::UnknownKey));
}

#[test]
fn what_opens_one_strict_exchange_opens_no_other() {
    let (dk, es) = (vault("DK", 1), vault("ES", 2));
    let (first, second) = (offer(&dk, &es.public()), offer(&dk, &es.public()));
    assert_eq!(first.opened(&es, &second.opener(&es)), Err(VaultError::Integrity));
    let mut replayed = first.ciphertext.clone();
    let opener = first.opener(&es);
    let (promise, key) = (&first.promise, first.key.as_slice());
    let other = Release { txid: &[8; 16], promise, key, opener: &opener };
    assert_eq!(es.take_up(&other, &mut replayed), Err(VaultError::Integrity));
    let recipient = digest(&[&es.public()]);
    let expected = Expected { txid: &[8; 16], promise, recipient: &recipient };
    let opener = es.expect(&expected, &first.ciphertext[..ENCAPSULATED]).unwrap();
    let other = Release { txid: &[8; 16], promise, key, opener: &opener };
    assert_eq!(es.take_up(&other, &mut replayed), Err(VaultError::Promise));
}

#[test]
fn a_strict_key_that_was_not_promised_is_told_as_that() {
    let (dk, es) = (vault("DK", 1), vault("ES", 2));
    let (given, other) = (offer(&dk, &es.public()), offer(&dk, &es.public()));
    let opener = given.opener(&es);
    let told = |key: &[u8]| {
        let (ciphertext, promise) = (given.ciphertext.clone(), given.promise);
        Offer { ciphertext, promise, key: key.to_vec() }.opened(&es, &opener).map(drop)
    };
    assert_eq!(told(&other.key), Err(VaultError::Promise));
    assert_eq!(told(&given.key[1..]), Err(VaultError::Promise));
    for at in [0, SEALED_KEY - 1] {
        let mut bent = given.key.clone();
        bent[at] ^= 1;
        assert_eq!(told(&bent), Err(VaultError::Promise), "at {at}");
    }
    assert_eq!(told(&given.key), Ok(()));
    // well promised, and of another document behind the same head
    let ciphertext =
        [&given.ciphertext[..ENCAPSULATED], &other.ciphertext[ENCAPSULATED..]].concat();
    let mixed = Offer { ciphertext, promise: given.promise, key: given.key.clone() };
    assert_eq!(mixed.opened(&es, &opener), Err(VaultError::Promise));
    for length in [9, ENCAPSULATED, ENCAPSULATED + 1, given.ciphertext.len() - 1] {
        let ciphertext = given.ciphertext[..length].to_vec();
        let cut = Offer { ciphertext, promise: given.promise, key: given.key.clone() };
        assert_eq!(cut.opened(&es, &opener), Err(VaultError::Malformed), "{length}");
    }
}
