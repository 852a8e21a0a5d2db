//! Each row of the table, broken at least once; and bytes flipped everywhere.

mod document;
mod presentation;
mod response;
mod status;

use std::collections::BTreeSet;

use identity::wallet::refused::REFUSALS;
use identity::wallet::{Presented, Refused};
use serde_json::json;

use crate::answer::Answer;
use crate::holder::{Asked, Holder, MdocShow, SdJwtShow};
use crate::issuer::{MdocDraft, SdJwtDraft};
use crate::parts::{bytes_of, encode};
use crate::scene::Scene;

/// What is done, what the verifier must say, and how it is done.
type Row = (&'static str, Refused, Box<dyn Fn(&Scene) -> Result<Presented, Refused>>);

fn row(
    what: &'static str,
    refused: Refused,
    attack: impl Fn(&Scene) -> Result<Presented, Refused> + 'static,
) -> Row {
    (what, refused, Box::new(attack))
}

/// Another credential as SD-JWT.
fn issued(what: &'static str, refused: Refused, edit: fn(&mut SdJwtDraft)) -> Row {
    row(what, refused, move |scene| {
        let holder = Holder::of(&scene.issuer, &Scene::bearer(), edit, |_| {});
        let session = scene.session();
        let asked = scene.ask(&session);
        scene.finish(session, &holder.answer_sd_jwt(&asked, scene.now))
    })
}

/// Another presentation of a sound SD-JWT.
fn shown(what: &'static str, refused: Refused, edit: fn(&mut SdJwtShow)) -> Row {
    presented(what, refused, move |scene, asked, holder| holder.show_sd_jwt(asked, scene.now, edit))
}

/// Another text in place of a sound SD-JWT with its binding.
fn presented(
    what: &'static str,
    refused: Refused,
    text: impl Fn(&Scene, &Asked, &Holder) -> String + 'static,
) -> Row {
    row(what, refused, move |scene| {
        let holder = scene.holder();
        let session = scene.session();
        let asked = scene.ask(&session);
        let text = text(scene, &asked, &holder);
        scene.finish(session, &Answer::new(&asked, json!({"pid_sd_jwt": [text]})).post())
    })
}

/// Another credential as mdoc.
fn issued_mdoc(what: &'static str, refused: Refused, edit: fn(&mut MdocDraft)) -> Row {
    row(what, refused, move |scene| {
        let holder = Holder::of(&scene.issuer, &Scene::bearer(), |_| {}, edit);
        let session = scene.session();
        let asked = scene.ask(&session);
        scene.finish(session, &holder.answer_mdoc(&asked))
    })
}

/// Another presentation of a sound mdoc.
fn shown_mdoc(what: &'static str, refused: Refused, edit: fn(&mut MdocShow)) -> Row {
    responded(what, refused, move |asked, holder| holder.show_mdoc(asked, edit))
}

/// Another `DeviceResponse` in place of a sound one.
fn responded(
    what: &'static str,
    refused: Refused,
    response: impl Fn(&Asked, &Holder) -> ciborium::Value + 'static,
) -> Row {
    row(what, refused, move |scene| {
        let holder = scene.holder();
        let session = scene.session();
        let asked = scene.ask(&session);
        let text = encode(&bytes_of(&response(&asked, &holder)));
        scene.finish(session, &Answer::new(&asked, json!({"pid_mdoc": [text]})).post())
    })
}

#[test]
fn every_row_is_broken_and_says_so() {
    let scene = Scene::new();
    let tables = [
        response::rows(),
        presentation::issued_rows(),
        presentation::shown_rows(),
        document::rows(),
        status::rows(),
    ];
    let rows: Vec<Row> = tables.into_iter().flatten().collect();
    let mut broken = BTreeSet::new();
    let mut faults = Vec::new();
    for (what, refused, attack) in &rows {
        match attack(&scene).err() {
            Some(said) if said == *refused => drop(broken.insert(said)),
            Some(said) => faults.push(format!("{what}: {} is not {}", said.name(), refused.name())),
            None => faults.push(format!("{what}: taken")),
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    let never: Vec<&str> =
        REFUSALS.iter().filter(|row| !broken.contains(&row.0)).map(|row| row.1).collect();
    assert!(never.is_empty(), "never broken: {never:?}");
    println!("{} attacks on {} rows", rows.len(), REFUSALS.len());
    assert!(rows.len() >= 120);
}

/// No byte of a presentation can be changed: 1 in 7 of them, each bit in turn.
#[test]
fn no_flipped_bit_is_taken() {
    let scene = Scene::new();
    let holder = scene.holder();
    let mut tried = 0;
    for mdoc in [false, true] {
        let session = scene.session();
        let asked = scene.ask(&session);
        let stored = session.to_bytes();
        let bytes = if mdoc {
            bytes_of(&holder.show_mdoc(&asked, |_| {}))
        } else {
            holder.show_sd_jwt(&asked, scene.now, |_| {}).into_bytes()
        };
        for place in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << (place % 8);
            let token = match String::from_utf8(damaged) {
                Ok(text) if !mdoc => json!({"pid_sd_jwt": [text]}),
                Err(damaged) if mdoc => json!({"pid_mdoc": [encode(damaged.as_bytes())]}),
                Ok(text) => json!({"pid_mdoc": [encode(text.as_bytes())]}),
                Err(_) => continue,
            };
            let session = identity::wallet::Session::from_bytes(&stored).unwrap();
            let outcome = scene.finish(session, &Answer::new(&asked, token).post());
            assert!(outcome.is_err(), "bit {} of byte {place} (mdoc: {mdoc})", place % 8);
            tried += 1;
        }
    }
    println!("{tried} bits");
    assert!(tried > 300);
}
