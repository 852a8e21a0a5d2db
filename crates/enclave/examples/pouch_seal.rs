//! A vault for openers of other makers (`interop/browser`): for each line of its input, which is a
//! key in base64, one line of JSON with pouches, what their opener expects, and which of them open.

use std::io::{self, BufRead as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enclave::Address;
use enclave::pouch::{Head, PouchContext, PouchKey, PouchOpener, seal};
use exchange::{Country, Transaction, TransactionId};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let bytes = STANDARD.decode(line?.trim()).map_err(io::Error::other)?;
        let key = PouchKey::decode(&bytes).map_err(io::Error::other)?;
        let answer = json!({ "digest": hex::encode(key.digest()), "cases": cases(&key) });
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(())
}

fn cases(key: &PouchKey) -> Vec<Value> {
    let [from, to] = ["DK", "ES"].map(|code| Country::parse(code).expect("because it is one"));
    let txid = TransactionId([7; 16]);
    let address = Address { from, to, transaction: Transaction::Retrieve, txid };
    let context = PouchContext { address, part: 1, content_id: CID, media_type: "text/xml" };
    let sealed = |key: &PouchKey, text: &[u8]| seal(key, &context, text).expect("because it fits");
    let good = sealed(key, TEXT);
    let at = Head::decode(&good).expect("because we wrote it").1;
    let changed = |at: usize| {
        let mut bad = good.clone();
        bad[at] ^= 1;
        bad
    };
    let other = PouchOpener::generate(key.suite()).expect("because there is entropy");
    let mut small_order = good.clone();
    small_order[12..at - 2 - CONTEXT].fill(0);
    let long = vec![9; 100_000];
    let opens = [
        ("a document", good.clone(), TEXT.to_vec()),
        ("no document", sealed(key, b""), Vec::new()),
        ("100 kB", sealed(key, &long), long),
    ];
    let refused = [
        ("magic", changed(3)),
        ("suite", changed(5)),
        ("encapsulated key", changed(20)),
        ("no encapsulated key", small_order),
        ("exchange", changed(at - CONTEXT + 6)),
        ("media type", changed(at - 1)),
        ("ciphertext", changed(at)),
        ("tag", changed(good.len() - 1)),
        ("cut off", good[..good.len() - 1].to_vec()),
        ("nothing but a head", good[..at].to_vec()),
        ("half a head", good[..40].to_vec()),
        ("nothing", Vec::new()),
        ("longer", [good.as_slice(), b"x"].concat()),
        ("another key", sealed(other.public(), TEXT)),
    ];
    let expected = json!({
        "from": "DK", "to": "ES", "transaction": "ITI-39", "part": 1, "contentId": CID,
    });
    let case = |name: &str, pouch: &[u8], expected: &Value, text: Option<&[u8]>| {
        let text = text.map(|text| STANDARD.encode(text));
        json!({ "name": name, "pouch": STANDARD.encode(pouch), "expected": expected, "text": text })
    };
    let mut cases: Vec<Value> = opens
        .iter()
        .map(|(name, pouch, text)| case(name, pouch, &expected, Some(text)))
        .chain(refused.iter().map(|(name, pouch)| case(name, pouch, &expected, None)))
        .collect();
    let mut known = expected.clone();
    known["txid"] = json!(txid.to_string());
    cases.push(case("the exchange is known", &good, &known, Some(TEXT)));
    let others = [
        ("from", json!("IT")),
        ("to", json!("DK")),
        ("transaction", json!("ITI-38")),
        ("part", json!(0)),
        ("contentId", json!("document0@konfido")),
        ("txid", json!("08".repeat(16))),
        ("part", Value::Null),
    ];
    for (name, value) in others {
        let mut other = expected.clone();
        other[name] = value;
        cases.push(case(&format!("another {name}"), &good, &other, None));
    }
    cases
}

const CID: &str = "document1@konfido";
const TEXT: &[u8] = "<ClinicalDocument>Agnete, æøå</ClinicalDocument>".as_bytes();
/// Bytes of the context above.
const CONTEXT: usize = 2 + 2 + 1 + 16 + 2 + 1 + CID.len() + 1 + 8;
