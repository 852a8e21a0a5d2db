use coset::{
    CborSerializable as _, CoseSign, CoseSignBuilder, CoseSignatureBuilder, Header, HeaderBuilder,
    iana,
};
use exchange::{Country, Transaction, TransactionId};
use proptest::prelude::*;
use trust::cose;

use super::strict::{SEALED_KEY, Terms, key_commitment, reads_as_text, sealed_form};
use super::*;
use crate::commitment::{Bytes32, Commitments};
use crate::evidence::{EXCHANGE, JointStatement, encode};
use crate::fixtures::shared::{Shared, statement};
use crate::member::{Change, Name, govern};

const T: TxId = [0xb7; 16];
/// What must stand in no entry, 32 bytes long.
const TEXT: &[u8; 32] = b"Agnete Lund, 1958-04-17, Odense ";

fn form(kind: Kind, body: &[u8]) -> Result<Entry, EntryError> {
    Entry::of(kind, body)
}

fn refused(kind: Kind, body: &[u8], what: &str) {
    assert_eq!(form(kind, body), Err(EntryError::Form(kind)), "{what}");
}

#[test]
fn an_envelope_has_one_form() {
    let whole = Shared::fast().whole(T, "ES", "DK");
    let bytes = whole.encode();
    assert_eq!(Entry::decode(bytes), Ok(whole.clone()));
    for cut in 0..bytes.len() {
        assert_eq!(Entry::decode(&bytes[..cut]), Err(EntryError::Envelope), "cut at {cut}");
    }
    for (at, what) in [(0, "version"), (1, "kind"), (2, "length")] {
        let mut other = bytes.to_vec();
        other[at] = 0x7f;
        assert_eq!(Entry::decode(&other), Err(EntryError::Envelope), "{what}");
    }
    let grown = |bytes: &[u8], length: usize, fill: u8| {
        let mut bytes = bytes.to_vec();
        bytes.resize(length, fill);
        Entry::decode(&bytes)
    };
    assert_eq!(grown(bytes, 1024, 1), Err(EntryError::Envelope), "words in the padding");
    assert_eq!(grown(bytes, 1023, 0), Err(EntryError::Envelope), "padding of any length");
    assert_eq!(grown(bytes, MAX_ENTRY + PAD, 0), Err(EntryError::Long));
    assert_eq!(grown(bytes, MAX_ENTRY, 0), Ok(whole.clone().padded(usize::MAX)));
    let padded = grown(bytes, 1024, 0).unwrap();
    assert_eq!((padded.body(), padded.txid()), (whole.body(), Some(T)));
    assert_eq!(padded, whole.clone().padded(1000));
    assert_ne!(padded.digest(), whole.digest());
    assert_eq!(form(Kind::Whole, &[0; MAX_ENTRY]), Err(EntryError::Long));
    assert_eq!(form(Kind::Whole, &vec![0; 1 << 16]), Err(EntryError::Long));
}

#[test]
fn unsigned_entries_are_a_number_and_nothing_else() {
    for (kind, entry) in [(Kind::Open, Entry::open(T)), (Kind::Default, Entry::default_of(T))] {
        assert_eq!((entry.kind(), entry.txid(), entry.encode().len()), (kind, Some(T), 20));
        for body in [&[][..], &T[1..], &[0; 17]] {
            refused(kind, body, "another length");
        }
    }
}

/// A `COSE_Sign` that its signer made as it liked.
fn as_one_likes(
    shared: &Shared,
    payload: Vec<u8>,
    external: &str,
    outer: Header,
    inner: impl Fn(HeaderBuilder) -> HeaderBuilder,
) -> CoseSign {
    let seal = &shared.seals["DK"];
    let kid = seal.certificate().fingerprint().0.to_vec();
    let header = HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).key_id(kid);
    let signature = CoseSignatureBuilder::new().protected(inner(header).build()).build();
    let mut message = CoseSignBuilder::new().protected(outer).payload(payload).build();
    let made = CoseSign::from_slice(&cose::sign(seal, b"", external.as_bytes()).unwrap()).unwrap();
    message.signatures =
        vec![coset::CoseSignature { signature: made.signatures[0].signature.clone(), ..signature }];
    message
}

fn half_of(shared: &Shared, record: &[u8]) -> Result<Entry, EntryError> {
    Half::entry(record, 20, &shared.seals["DK"])
}

#[test]
fn words_in_headers_are_refused() {
    let shared = Shared::fast();
    let payload = encode(&statement(T, "ES", "DK", "answered")).unwrap();
    let make = |outer: Header, inner: &dyn Fn(HeaderBuilder) -> HeaderBuilder| {
        as_one_likes(&shared, payload.clone(), EXCHANGE, outer, inner)
    };
    let good = make(Header::default(), &|header| header);
    assert!(half_of(&shared, &good.clone().to_vec().unwrap()).is_ok());
    let words = || HeaderBuilder::new().content_type("Agnete Lund".to_owned()).build();
    let with = |edit: &dyn Fn(&mut CoseSign)| {
        let mut message = good.clone();
        edit(&mut message);
        message
    };
    let bad = [
        ("outer protected", make(words(), &|header| header)),
        ("inner protected", make(Header::default(), &|header| header.content_type(String::new()))),
        ("long kid", make(Header::default(), &|header| header.key_id([&TEXT[..], b"!"].concat()))),
        ("outer unprotected", with(&|message| message.unprotected = words())),
        ("inner unprotected", with(&|message| message.signatures[0].unprotected = words())),
        ("no payload", with(&|message| message.payload = None)),
        ("no signature", with(&|message| message.signatures.clear())),
        ("long signature", with(&|message| message.signatures[0].signature.push(0))),
        ("words as signature", with(&|message| message.signatures[0].signature = TEXT.to_vec())),
        (
            "one signature twice",
            with(&|message| {
                message.signatures.push(message.signatures[0].clone());
            }),
        ),
    ];
    for (what, message) in bad {
        let result = half_of(&shared, &message.to_vec().unwrap());
        assert_eq!(result, Err(EntryError::Form(Kind::Half)), "{what}");
    }
    use coset::TaggedCborSerializable as _;
    let tagged = good.clone().to_tagged_vec().unwrap();
    assert!(half_of(&shared, &tagged).is_err(), "tagged");
    let bytes = good.to_vec().unwrap();
    assert!(half_of(&shared, &[&bytes[..], TEXT].concat()).is_err(), "words behind it");
    // the same array with a length of indefinite form, and a length in two bytes
    assert!(half_of(&shared, &[&[0x9f], &bytes[1..], &[0xff]].concat()).is_err());
    let long = [&bytes[..3], &[0x5a, 0, 0], &bytes[4..]].concat();
    assert_eq!(bytes[3], 0x59, "the payload has 256 bytes or more");
    assert!(half_of(&shared, &long).is_err());
}

#[test]
fn a_text_where_a_hash_belongs_is_refused() {
    let shared = Shared::fast();
    let one = statement(T, "ES", "DK", "answered");
    let named = |name: &str| Commitments([(name.to_owned(), Bytes32(*TEXT))].into());
    for bad in [
        JointStatement { asked: named("patient"), ..one.clone() },
        JointStatement { answered: named("answer"), ..one.clone() },
        JointStatement { request: Some(Bytes32(*TEXT)), ..one.clone() },
    ] {
        let record = shared.sign(&bad, &["DK"]);
        assert_eq!(half_of(&shared, &record), Err(EntryError::Form(Kind::Half)), "{bad:?}");
    }
    assert!(half_of(&shared, &shared.sign(&one, &["DK"])).is_ok());
    assert!(reads_as_text(TEXT) && !reads_as_text(&TEXT[1..]));
    let mut inside = [0xc3; SEALED_KEY];
    inside[500..532].copy_from_slice(TEXT);
    assert!(reads_as_text(&inside));
}

fn terms() -> Terms {
    Terms {
        txid: TransactionId(T),
        transaction: Transaction::Query,
        requester: Country::parse("ES").unwrap(),
        provider: Country::parse("DK").unwrap(),
        ciphertext: sha256(b"ciphertext"),
        key: key_commitment(&[1; 32], &[2; 32]),
        recipient: sha256(b"vault"),
        deadline: 20,
    }
}

#[test]
fn strict_mode_is_offer_receipt_and_key_and_no_words() {
    let shared = Shared::fast();
    let (es, dk) = (&shared.seals["ES"], &shared.seals["DK"]);
    let entry = Offer::entry(&terms(), dk).unwrap();
    let Body::Offer(offer) = entry.body() else { panic!("an offer") };
    assert_eq!((offer.terms(), entry.txid()), (&terms(), Some(T)));
    assert!(offer.receipt(b"another", b"vault", es).is_none(), "not what was offered");
    assert!(offer.receipt(b"ciphertext", b"other", es).is_none(), "sealed for another");
    let receipt = offer.receipt(b"ciphertext", b"vault", es).unwrap().unwrap();
    let Body::Receipt(receipt) = receipt.body() else { panic!("a receipt") };
    assert_eq!(receipt.about(), &offer.about());
    let sealed = [0xc3; SEALED_KEY];
    let key = offer.release(&sealed, dk).unwrap();
    let Body::Key(release) = key.body() else { panic!("a key") };
    assert_eq!((release.about(), release.sealed()), (&offer.about(), &sealed[..]));
    assert!(offer.is_key(&[1; 32], &[2; 32]));
    assert!(!offer.is_key(&[1; 32], &[3; 32]), "R shows a wrong key");
    assert_eq!(sealed_form(&[1; 32], &[2; 32])[31..33], [1, 2]);
    let mut words = sealed;
    words[..32].copy_from_slice(TEXT);
    for bad in [&words[..], &sealed[1..], &[0xc3; SEALED_KEY + 1], TEXT, &[]] {
        assert_eq!(offer.release(bad, dk), Err(EntryError::Form(Kind::Key)));
    }
    for bad in [
        Terms { ciphertext: *TEXT, ..terms() },
        Terms { key: *TEXT, ..terms() },
        Terms { recipient: *TEXT, ..terms() },
        Terms { requester: terms().provider, ..terms() },
    ] {
        assert_eq!(Offer::entry(&bad, dk), Err(EntryError::Form(Kind::Offer)), "{bad:?}");
    }
}

#[test]
fn a_statement_of_one_kind_is_none_of_another() {
    let shared = Shared::fast();
    let dk = &shared.seals["DK"];
    let entry = Offer::entry(&terms(), dk).unwrap();
    let Body::Offer(offer) = entry.body() else { panic!("an offer") };
    let whole = shared.whole(T, "ES", "DK");
    let half = shared.answered(T, ("ES", "DK"), 20);
    let receipt = offer.receipt(b"ciphertext", b"vault", dk).unwrap().unwrap();
    let key = offer.release(&[0xc3; SEALED_KEY], dk).unwrap();
    for entry in [&entry, &whole, &half, &receipt, &key, &Entry::open(T)] {
        let (own, body, _) = split(entry.encode()).unwrap();
        for (kind, _) in Kind::ALL {
            let alike = [(Kind::Whole, Kind::Close), (Kind::Open, Kind::Default)];
            let expected =
                kind == own || alike.contains(&(own, kind)) || alike.contains(&(kind, own));
            assert_eq!(form(kind, body).is_ok(), expected, "{own:?} as {kind:?}");
        }
    }
}

#[test]
fn governance_holds_no_words() {
    let shared = Shared::fast();
    let registry = shared.registry();
    let dk = Name::parse("DK").unwrap();
    let change = Change::Leave(dk);
    let statement = govern::Statement::new(&registry, 1, change).unwrap();
    let signed = statement.sign(&shared.seals["DK"]).unwrap();
    let good = cose::payload(&signed).unwrap();
    refused(Kind::Govern, b"", "nothing");
    assert!(form(Kind::Govern, &signed).is_ok(), "in form; the rules want a quorum");
    let name = good.windows(3).position(|bytes| bytes == b"\x62DK").unwrap();
    let renamed = |bytes: &[u8]| [&good[..name], bytes, &good[name + 3..]].concat();
    for (what, payload) in [
        ("a name with a blank", renamed(b"\x66Agnete")),
        ("a long name", renamed(&[&[0x71][..], &[b'A'; 17]].concat())),
        ("bytes behind it", [&good[..], TEXT].concat()),
        ("another form", {
            let mut other = good.clone();
            let at = other.windows(16).position(|bytes| bytes == b"konfido-govern/1").unwrap();
            other[at] = b'K';
            other
        }),
    ] {
        let signed = cose::sign(&shared.seals["DK"], &payload, b"konfido-govern/1").unwrap();
        refused(Kind::Govern, &signed, what);
    }
}

proptest! {
    #[test]
    fn foreign_bytes_are_read_as_what_they_are_or_refused(
        kind in 0..20u8, body in proptest::collection::vec(any::<u8>(), 0..300), pad in 0..3usize,
    ) {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        let mut bytes = [&[1, kind], &length[..], &body].concat();
        if pad > 0 {
            bytes.resize(bytes.len().next_multiple_of(PAD) * pad, 0);
        }
        if let Ok(entry) = Entry::decode(&bytes) {
            prop_assert_eq!(entry.encode(), bytes);
        }
    }

    #[test]
    fn damaged_entries_are_read_as_what_they_are_or_refused(
        which in 0..4usize, at in any::<usize>(), to in any::<u8>(), insert in any::<bool>(),
    ) {
        let mut bytes = SAMPLES[which].encode().to_vec();
        let at = at % bytes.len();
        if insert { bytes.insert(at, to) } else { bytes[at] = to }
        if let Ok(entry) = Entry::decode(&bytes) {
            prop_assert_eq!(entry.encode(), bytes);
        }
    }
}

static SAMPLES: std::sync::LazyLock<[Entry; 4]> = std::sync::LazyLock::new(|| {
    let shared = Shared::new();
    [
        shared.whole(T, "ES", "DK"),
        shared.answered(T, ("ES", "DK"), 20).padded(0),
        Offer::entry(&terms(), &shared.seals["DK"]).unwrap(),
        Entry::open(T),
    ]
});
