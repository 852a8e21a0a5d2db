//! mdoc: what an issuer may get wrong, and what a holder or a thief may try.

use ciborium::Value;
use coset::iana::Algorithm;
use identity::wallet::Refused;
use jiff::SignedDuration;
use serde_json::json;

use super::{Row, issued_mdoc, responded, row, shown_mdoc};
use crate::answer::Answer;
use crate::holder::{Holder, MdocShow};
use crate::issuer::{MdocDraft, PID, PidIssuer};
use crate::parts::{bytes_of, digest_of, encode, item, map, member};
use crate::scene::Scene;

fn time(draft: &mut MdocDraft, name: &str, hours: i64) {
    let value = member(member(&mut draft.security, "validityInfo"), name);
    let Value::Tag(0, text) = value else { panic!("no date") };
    let at: jiff::Timestamp = text.as_text().unwrap().parse().unwrap();
    **text = (at + SignedDuration::from_hours(hours)).to_string().into();
}

fn device_key(draft: &mut MdocDraft, label: i64, value: Value) {
    let key = member(member(&mut draft.security, "deviceKeyInfo"), "deviceKey");
    let Value::Map(entries) = key else { panic!("no key") };
    entries.retain(|(of, _)| *of != label.into());
    entries.push((label.into(), value));
}

/// Puts an item and its digest in place of the one with this number.
fn element(draft: &mut MdocDraft, number: i64, name: &str, value: Value) {
    let new = item(number, name, value);
    let digests = member(member(&mut draft.security, "valueDigests"), PID);
    let Value::Map(digests) = digests else { panic!("no digests") };
    digests.retain(|(of, _)| *of != number.into());
    digests.push((number.into(), digest_of(&new).into()));
    draft.items[usize::try_from(number).unwrap()] = new;
}

fn items(show: &mut MdocShow) -> &mut Vec<Value> {
    match member(member(&mut show.issuer_signed, "nameSpaces"), PID) {
        Value::Array(items) => items,
        _ => panic!("no items"),
    }
}

fn handover(show: &mut MdocShow, of: [&str; 3]) {
    let [client, nonce, uri] = of;
    show.transcript = identity::wallet::mdoc::transcript(client, nonce, None, uri);
}

fn document(response: &mut Value) -> &mut Value {
    match member(response, "documents") {
        Value::Array(all) => &mut all[0],
        _ => panic!("no documents"),
    }
}

/// A text in place of the whole response.
fn text(what: &'static str, text: String) -> Row {
    row(what, Refused::MdocForm, move |scene| {
        let session = scene.session();
        let asked = scene.ask(&session);
        scene.finish(session, &Answer::new(&asked, json!({"pid_mdoc": [text]})).post())
    })
}

fn with_chain(what: &'static str, refused: Refused, chain: fn(&Scene) -> PidIssuer) -> Row {
    row(what, refused, move |scene| {
        let holder = Holder::new(&chain(scene), &Scene::bearer());
        let session = scene.session();
        let asked = scene.ask(&session);
        scene.finish(session, &holder.answer_mdoc(&asked))
    })
}

pub fn rows() -> Vec<Row> {
    let mut rows = issued_rows();
    rows.extend(shown_rows());
    rows
}

fn issued_rows() -> Vec<Row> {
    use Refused as R;
    vec![
        issued_mdoc("no chain", R::Certificates, |d| d.chain.clear()),
        issued_mdoc("chain of no certificate", R::Certificates, |d| d.chain = vec![vec![0x30]]),
        with_chain("another authority", R::Untrusted, |s| PidIssuer::new("DK", s.now)),
        row("Italy speaks for Denmark", R::IssuingCountry, |scene| {
            let holder = Holder::new(&scene.italy, &Scene::bearer());
            let session = scene.session();
            let asked = scene.ask(&session);
            scene.finish(session, &holder.answer_mdoc(&asked))
        }),
        row("another certificate of the authority", R::IssuerSignature, |scene| {
            let other = scene.issuer.other("DK", vec![]).chain;
            let edit = |d: &mut MdocDraft| d.chain = other;
            let holder = Holder::of(&scene.issuer, &Scene::bearer(), |_| {}, edit);
            let session = scene.session();
            let asked = scene.ask(&session);
            scene.finish(session, &holder.answer_mdoc(&asked))
        }),
        issued_mdoc("algorithm of another curve", R::MdocAlgorithm, |d| {
            d.algorithm = Algorithm::ES384;
        }),
        issued_mdoc("algorithm of another family", R::MdocAlgorithm, |d| {
            d.algorithm = Algorithm::EdDSA;
        }),
        issued_mdoc("another hash", R::MdocAlgorithm, |d| {
            *member(&mut d.security, "digestAlgorithm") = "SHA-1".into();
        }),
        issued_mdoc("another version", R::MdocForm, |d| {
            *member(&mut d.security, "version") = "2.0".into();
        }),
        issued_mdoc("a driving licence", R::Type, |d| {
            *member(&mut d.security, "docType") = "org.iso.18013.5.1.mDL".into();
        }),
        issued_mdoc("not yet valid", R::NotYetValid, |d| time(d, "validFrom", 3)),
        issued_mdoc("over", R::Expired, |d| time(d, "validUntil", -24 * 14 - 1)),
        issued_mdoc("issued tomorrow", R::IssuedLater, |d| time(d, "signed", 24)),
        issued_mdoc("signed before there was a certificate", R::Certificates, |d| {
            time(d, "signed", -24 * 3);
        }),
        issued_mdoc("a time without its tag", R::MdocForm, |d| {
            *member(member(&mut d.security, "validityInfo"), "signed") =
                "2026-01-01T00:00:00Z".into();
        }),
        issued_mdoc("a device key of another curve", R::HolderKey, |d| device_key(d, -1, 2.into())),
        issued_mdoc("a device key of another kind", R::HolderKey, |d| device_key(d, 1, 1.into())),
        issued_mdoc("a compressed device key", R::HolderKey, |d| device_key(d, -3, true.into())),
        issued_mdoc("a private device key", R::HolderKey, |d| {
            device_key(d, -4, vec![1u8; 32].as_slice().into());
        }),
        issued_mdoc("a name that is a number", R::Claim, |d| {
            element(d, 0, "family_name", 1.into());
        }),
        issued_mdoc("a date that is a time", R::Claim, |d| {
            element(d, 2, "birth_date", Value::Tag(1, Box::new(1.into())));
        }),
        issued_mdoc("a place without parts", R::Claim, |d| {
            element(d, 3, "place_of_birth", Value::Map(vec![]));
        }),
        issued_mdoc("an element twice", R::MdocDigest, |d| {
            element(d, 1, "family_name", "Evil".into());
        }),
        issued_mdoc("too little chance", R::MdocDigest, |d| {
            let inner = map([
                ("digestID", 0.into()),
                ("random", [1u8; 8].as_slice().into()),
                ("elementIdentifier", "family_name".into()),
                ("elementValue", "Short".into()),
            ]);
            let new = Value::Tag(24, Box::new(bytes_of(&inner).into()));
            let digests = member(member(&mut d.security, "valueDigests"), PID);
            let Value::Map(digests) = digests else { panic!("no digests") };
            digests[0].1 = digest_of(&new).into();
            d.items[0] = new;
        }),
    ]
}

fn shown_rows() -> Vec<Row> {
    use Refused as R;
    let sound = |asked: &_, holder: &Holder| holder.show_mdoc(asked, |_| {});
    vec![
        text("no base64", "=".into()),
        text("no cbor", encode(&[0xff; 8])),
        text("nested without end", encode(&[0x81; 5000])),
        text("something else", encode(&bytes_of(&Value::Array(vec![])))),
        responded("another version", R::MdocForm, move |asked, holder| {
            let mut response = sound(asked, holder);
            *member(&mut response, "version") = "1.1".into();
            response
        }),
        responded("a failure", R::MdocStatus, move |asked, holder| {
            let mut response = sound(asked, holder);
            *member(&mut response, "status") = 10.into();
            response
        }),
        responded("no document", R::NotOne, move |asked, holder| {
            let mut response = sound(asked, holder);
            *member(&mut response, "documents") = Value::Array(vec![]);
            response
        }),
        responded("two documents", R::NotOne, move |asked, holder| {
            let mut response = sound(asked, holder);
            let one = document(&mut response).clone();
            *member(&mut response, "documents") = Value::Array(vec![one.clone(), one]);
            response
        }),
        responded("another document type outside", R::Type, move |asked, holder| {
            let mut response = sound(asked, holder);
            *member(document(&mut response), "docType") = "org.iso.18013.5.1.mDL".into();
            response
        }),
        responded("a mac in place of a signature", R::DeviceSignature, move |asked, holder| {
            let mut response = sound(asked, holder);
            let device = member(document(&mut response), "deviceSigned");
            let auth = member(device, "deviceAuth");
            let signature = member(auth, "deviceSignature").clone();
            *auth = map([("deviceMac", signature)]);
            response
        }),
        responded("a payload of one's own", R::DeviceSignature, move |asked, holder| {
            let mut response = sound(asked, holder);
            let device = member(document(&mut response), "deviceSigned");
            let auth = member(member(device, "deviceAuth"), "deviceSignature");
            let Value::Array(parts) = auth else { panic!("no signature") };
            parts[2] = Value::Bytes(b"payload".to_vec());
            response
        }),
        responded("device data added after signing", R::DeviceSignature, move |asked, holder| {
            let mut response = sound(asked, holder);
            let device = member(document(&mut response), "deviceSigned");
            let added = bytes_of(&map([(PID, map([("family_name", "Evil".into())]))]));
            *member(device, "nameSpaces") = Value::Tag(24, Box::new(added.into()));
            response
        }),
        responded("security object changed", R::IssuerSignature, move |asked, holder| {
            let mut response = sound(asked, holder);
            let issuer = member(document(&mut response), "issuerSigned");
            let Value::Array(parts) = member(issuer, "issuerAuth") else { panic!("no auth") };
            let Value::Bytes(payload) = &mut parts[2] else { panic!("no payload") };
            let place = payload.windows(4).position(|w| w == b"2026").unwrap();
            payload[place + 3] = b'7';
            response
        }),
        responded("no security object", R::IssuerSignature, move |asked, holder| {
            let mut response = sound(asked, holder);
            let issuer = member(document(&mut response), "issuerSigned");
            let Value::Array(parts) = member(issuer, "issuerAuth") else { panic!("no auth") };
            parts[2] = Value::Null;
            response
        }),
        shown_mdoc("an element changed", R::MdocDigest, |show| {
            items(show)[0] = item(0, "family_name", "Evil".into());
        }),
        shown_mdoc("an element added", R::MdocDigest, |show| {
            items(show).push(item(99, "personal_administrative_number", "EVIL".into()));
        }),
        shown_mdoc("an element twice", R::MdocDigest, |show| {
            let one = items(show)[0].clone();
            items(show).push(one);
        }),
        shown_mdoc("elements of another name space", R::MdocDigest, |show| {
            let Value::Map(spaces) = member(&mut show.issuer_signed, "nameSpaces") else {
                panic!()
            };
            spaces[0].0 = "eu.europa.ec.eudi.pid.2".into();
        }),
        shown_mdoc("an element withheld", R::Incomplete, |show| drop(items(show).remove(0))),
        shown_mdoc("nothing shown", R::Incomplete, |show| items(show).clear()),
        shown_mdoc("an item without tag", R::MdocForm, |show| items(show)[0] = Value::Null),
        shown_mdoc("device algorithm of another family", R::MdocAlgorithm, |show| {
            show.algorithm = Algorithm::EdDSA;
        }),
        shown_mdoc("for another verifier", R::DeviceSignature, |show| {
            handover(show, ["x509_hash:other", "n", "https://evil.example"]);
        }),
        shown_mdoc("no transcript", R::DeviceSignature, |show| show.transcript = Value::Null),
        row("replayed from another login", R::DeviceSignature, |scene| {
            let holder = scene.holder();
            let (one, two) = (scene.session(), scene.session());
            let old = holder.show_mdoc(&scene.ask(&one), |_| {});
            let text = encode(&bytes_of(&old));
            let asked = scene.ask(&two);
            scene.finish(two, &Answer::new(&asked, json!({"pid_mdoc": [text]})).post())
        }),
        row("a thief signs with another key", R::DeviceSignature, |scene| {
            let (holder, thief) = (scene.holder(), scene.holder());
            let session = scene.session();
            let asked = scene.ask(&session);
            let mut stolen = Value::Null;
            holder.show_mdoc(&asked, |show| stolen = show.issuer_signed.clone());
            let response = thief.show_mdoc(&asked, |show| show.issuer_signed = stolen);
            let text = encode(&bytes_of(&response));
            scene.finish(session, &Answer::new(&asked, json!({"pid_mdoc": [text]})).post())
        }),
    ]
}
