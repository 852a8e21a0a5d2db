use exchange::{Country, Transaction, TransactionId};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use proptest::prelude::*;

use super::*;
use crate::header::Address;
use crate::key::XWing;

mod vectors;

fn address() -> Address {
    let [from, to] = ["DK", "ES"].map(|code| Country::parse(code).unwrap());
    Address { from, to, transaction: Transaction::Retrieve, txid: TransactionId([7; 16]) }
}

fn context() -> PouchContext<'static> {
    PouchContext {
        address: address(),
        part: 1,
        content_id: "document1@konfido",
        media_type: "text/xml",
    }
}

fn expected() -> Expected<'static> {
    let Address { from, to, transaction, .. } = address();
    let content_id = "document1@konfido";
    Expected { from, to, transaction, part: 1, content_id, txid: None }
}

const TEXT: &[u8] = b"<ClinicalDocument>Agnete</ClinicalDocument>";

#[test]
fn what_the_vault_seals_the_clinician_opens() {
    for suite in Suite::ALL {
        let opener = PouchOpener::generate(suite).unwrap();
        let key = PouchKey::decode(&opener.public().encode()).unwrap();
        assert_eq!((&key, key.suite()), (opener.public(), suite));
        for text in [TEXT, b"", &vec![9; 100_000]] {
            let pouch = seal(&key, &context(), text).unwrap();
            assert!(text.is_empty() || !pouch.windows(text.len()).any(|window| window == text));
            let opened = opener.open(&pouch, &expected()).unwrap();
            assert_eq!((opened.text.as_slice(), opened.context), (text, context()));
            let known = Expected { txid: Some(TransactionId([7; 16])), ..expected() };
            assert!(opener.open(&pouch, &known).is_ok());
        }
        let [one, other] = [(); 2].map(|()| seal(&key, &context(), TEXT).unwrap());
        assert_ne!(one[12..44], other[12..44], "each has a secret of its own");
    }
}

#[test]
fn a_changed_pouch_does_not_open_whichever_byte_it_is() {
    for suite in [Suite::P256, Suite::X25519] {
        let opener = PouchOpener::generate(suite).unwrap();
        let good = seal(opener.public(), &context(), TEXT).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(opener.open(&bad, &expected()).is_err(), "{} byte {at}", suite.name());
            assert!(opener.open(&good[..at], &expected()).is_err(), "{at} bytes");
        }
        let longer = [good.as_slice(), b"x"].concat();
        assert_eq!(opener.open(&longer, &expected()).unwrap_err(), VaultError::Integrity);
    }
    let opener = PouchOpener::generate(Suite::XWing).unwrap();
    let good = seal(opener.public(), &context(), TEXT).unwrap();
    // ML-KEM's part, X25519's part, context, ciphertext, tag
    for at in [12, 1000, 12 + 1119, 12 + 1120 + 20, good.len() - 20, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(opener.open(&bad, &expected()).is_err(), "byte {at}");
    }
}

#[test]
fn a_pouch_of_another_question_is_refused() {
    let opener = PouchOpener::generate(Suite::P256).unwrap();
    let pouch = seal(opener.public(), &context(), TEXT).unwrap();
    let it = Country::parse("IT").unwrap();
    let good = expected();
    let others = [
        ("country of affiliation", Expected { from: it, ..good }),
        ("country of treatment", Expected { to: it, ..good }),
        ("transaction", Expected { transaction: Transaction::Query, ..good }),
        ("part", Expected { part: 0, ..good }),
        ("content id", Expected { content_id: "document2@konfido", ..good }),
        ("exchange", Expected { txid: Some(TransactionId([8; 16])), ..good }),
    ];
    for (what, other) in others {
        let refused = opener.open(&pouch, &other).unwrap_err();
        assert_eq!(refused, VaultError::Integrity, "{what}");
    }
}

#[test]
fn a_head_that_was_exchanged_does_not_open_even_if_it_is_expected() {
    let opener = PouchOpener::generate(Suite::X25519).unwrap();
    let pouch = seal(opener.public(), &context(), TEXT).unwrap();
    let (head, at) = Head::decode(&pouch).unwrap();
    let other = PouchContext { media_type: "text/htm", ..head.context };
    let forged = Head { context: other, ..head };
    let forged = [forged.encode(0).unwrap().as_slice(), &pouch[at..]].concat();
    assert_eq!(Head::decode(&forged).unwrap().0.context, other, "it reads well");
    assert_eq!(opener.open(&forged, &expected()).unwrap_err(), VaultError::Integrity);
}

#[test]
fn only_the_key_it_was_sealed_for_opens_it() {
    let [ours, theirs] = [(); 2].map(|()| PouchOpener::generate(Suite::P256).unwrap());
    let pouch = seal(ours.public(), &context(), TEXT).unwrap();
    assert_eq!(theirs.open(&pouch, &expected()).unwrap_err(), VaultError::Integrity);
    let other = PouchOpener::generate(Suite::X25519).unwrap();
    assert_eq!(other.open(&pouch, &expected()).unwrap_err(), VaultError::UnknownKey);
    assert_ne!(ours.public().digest(), theirs.public().digest());
}

#[test]
fn keys_that_lead_to_no_secret_are_refused() {
    let of = |suite: Suite, public: &[u8]| [suite.ids().as_slice(), public].concat();
    let good = PouchOpener::generate(Suite::P256).unwrap().public().encode();
    let mut off_curve = good.clone();
    off_curve[70] ^= 1;
    let mut compressed = good[6..39].to_vec();
    compressed[0] = 2;
    let mut hybrid = good.clone();
    hybrid[6] = 6 + (good[70] & 1);
    let mut aes128 = good.clone();
    aes128[5] = 1;
    let mut infinity = vec![0; 65];
    infinity[0] = 4;
    let bad_lattice = of(Suite::XWing, &[0xff; 1216]);
    let mut refused = vec![
        ("off the curve", off_curve),
        ("compressed", of(Suite::P256, &compressed)),
        ("hybrid form", hybrid),
        ("point at infinity", of(Suite::P256, &infinity)),
        ("infinity in one byte", of(Suite::P256, &[0])),
        ("another suite's cipher", aes128),
        ("cut off", good[..70].to_vec()),
        ("too long", [good.as_slice(), b"x"].concat()),
        ("empty", Vec::new()),
        ("no key", good[..6].to_vec()),
        ("a lattice key out of range", bad_lattice),
        ("a curve key of an X-Wing key's name", of(Suite::XWing, &good[6..])),
    ];
    // every point of small order on Curve25519 and its other spellings (RFC 7748 §6.1, §7)
    for point in vectors::SMALL_ORDER {
        refused.push(("small order", of(Suite::X25519, &hex::decode(point).unwrap())));
    }
    for (what, key) in refused {
        assert!(
            matches!(PouchKey::decode(&key), Err(VaultError::Key(_) | VaultError::Malformed)),
            "{what}"
        );
    }
    // and in the place of what the vault sends
    let opener = PouchOpener::generate(Suite::X25519).unwrap();
    let mut pouch = seal(opener.public(), &context(), TEXT).unwrap();
    pouch[12..44].fill(0);
    assert_eq!(opener.open(&pouch, &expected()).unwrap_err(), VaultError::Integrity);
}

#[test]
fn names_have_limits_and_so_have_documents() {
    let key = PouchOpener::generate(Suite::P256).unwrap().public().clone();
    let (longest, longer) = ("a".repeat(MAX_NAME), "a".repeat(MAX_NAME + 1));
    for (name, good) in
        [(longest.as_str(), true), (&longer, false), ("", false), ("a\nb", false), ("é", false)]
    {
        let named = PouchContext { content_id: name, ..context() };
        assert_eq!(seal(&key, &named, TEXT).is_ok(), good, "{}", name.len());
        let typed = PouchContext { media_type: name, ..context() };
        assert_eq!(seal(&key, &typed, TEXT).is_ok(), good, "{}", name.len());
    }
    let huge = vec![0; MAX_TEXT + 1];
    assert!(matches!(seal(&key, &context(), &huge), Err(VaultError::Malformed)));
    let opener = PouchOpener::generate(Suite::P256).unwrap();
    let pouch = seal(opener.public(), &context(), &huge[1..]).unwrap();
    assert_eq!(opener.open(&pouch, &expected()).unwrap().text.len(), MAX_TEXT);
}

#[test]
fn secrets_and_documents_are_not_in_debug_output() {
    let opener = PouchOpener::generate(Suite::X25519).unwrap();
    let key = opener.public();
    let said = format!("{opener:?}");
    assert_eq!(said, format!("PouchOpener(PouchKey(X25519, {}))", hex::encode(key.digest())));
    let pouch = seal(key, &context(), TEXT).unwrap();
    let said = format!("{:?}", opener.open(&pouch, &expected()).unwrap());
    assert!(!said.contains("Agnete") && said.contains("43 bytes"), "{said}");
}

/// The `hpke` crate, which is not ours, opens what we seal and seals what we open.
fn agrees_with_rust_hpke<K: Kem>(suite: Suite) {
    let (private, public) = K::gen_keypair();
    let key = PouchKey { suite, public: public.to_bytes().to_vec() };
    let pouch = seal(&key, &context(), TEXT).unwrap();
    let (head, at) = Head::decode(&pouch).unwrap();
    let enc = K::EncappedKey::from_bytes(head.encapsulated).unwrap();
    let mode = OpModeR::Base;
    let mut theirs =
        hpke::setup_receiver::<AesGcm256, HkdfSha256, K>(&mode, &private, &enc, INFO).unwrap();
    assert_eq!(theirs.open(&pouch[at..], &pouch[..at]).unwrap(), TEXT);

    let opener = PouchOpener::generate(suite).unwrap();
    let public = K::PublicKey::from_bytes(&opener.public().encode()[6..]).unwrap();
    let (enc, mut theirs) =
        hpke::setup_sender::<AesGcm256, HkdfSha256, K>(&OpModeS::Base, &public, INFO).unwrap();
    let head = Head { suite, encapsulated: &enc.to_bytes(), context: context() }.encode(0).unwrap();
    let sealed = theirs.seal(TEXT, &head).unwrap();
    let pouch = [head, sealed].concat();
    assert_eq!(opener.open(&pouch, &expected()).unwrap().text, TEXT);
}

#[test]
fn another_implementation_of_hpke_agrees() {
    agrees_with_rust_hpke::<X25519HkdfSha256>(Suite::X25519);
    agrees_with_rust_hpke::<XWing>(Suite::XWing);
}

proptest! {
    #[test]
    fn contexts_have_one_spelling(
        from in "[A-Z]{2}", to in "[A-Z]{2}", place in 0..4_usize, txid: [u8; 16], part: u16,
        content_id in "[ -~]{1,255}", media_type in "[ -~]{1,255}",
    ) {
        let (Ok(from), Ok(to)) = (Country::parse(&from), Country::parse(&to)) else { return Ok(()) };
        let transaction = Transaction::ALL[place];
        let address = Address { from, to, transaction, txid: TransactionId(txid) };
        let context = PouchContext { address, part, content_id: &content_id, media_type: &media_type };
        let bytes = context.encode().unwrap();
        prop_assert_eq!(PouchContext::decode(&bytes), Ok(context));
    }

    #[test]
    fn foreign_bytes_do_not_panic_and_what_is_read_is_written_the_same(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..140_usize, value: u8,
    ) {
        let _ = (Head::decode(&bytes), PouchKey::decode(&bytes));
        let head = Head { suite: Suite::X25519, encapsulated: &[5; 32], context: context() };
        let mut near = head.encode(0).unwrap();
        near.extend_from_slice(&[0; 30]);
        let at = at % near.len();
        near[at] = value;
        if let Ok((head, length)) = Head::decode(&near) {
            prop_assert_eq!(head.to_bytes().unwrap(), &near[..length]);
        }
    }
}
