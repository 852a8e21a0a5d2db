//! Status lists: what cannot be decided is refused.

use ciborium::Value as Cbor;
use identity::wallet::Refused;
use serde_json::{Value, json};

use super::{Row, issued, issued_mdoc, row};
use crate::holder::Holder;
use crate::issuer::MdocDraft;
use crate::parts::map;
use crate::scene::{List, Scene};

const URI: &str = "https://pid.example/status/1";

/// A credential at place 1 of a list that is made so.
fn listed(
    what: &'static str,
    refused: Refused,
    list: impl Fn(&Scene) -> Option<Vec<u8>> + 'static,
) -> Row {
    row(what, refused, move |scene| {
        let status = json!({"status_list": {"idx": 1, "uri": URI}});
        let edit = |draft: &mut crate::issuer::SdJwtDraft| draft.payload["status"] = status;
        let holder = Holder::of(&scene.issuer, &Scene::bearer(), edit, |_| {});
        let session = scene.session();
        let asked = scene.ask(&session);
        let body = holder.answer_sd_jwt(&asked, scene.now);
        session.finish(&scene.verifier, &body, &List(list(scene)), scene.now)
    })
}

/// A sound list of two bits each, changed.
fn edited(what: &'static str, refused: Refused, edit: fn(&mut Value, &mut Value)) -> Row {
    listed(what, refused, move |scene| Some(scene.issuer.status_list(URI, 2, &[0], edit)))
}

/// The status of an mdoc.
fn mdoc(draft: &mut MdocDraft, status: Cbor) {
    let Cbor::Map(entries) = &mut draft.security else { panic!("no map") };
    entries.push(("status".into(), status));
}

pub fn rows() -> Vec<Row> {
    use Refused as R;
    vec![
        issued("a mechanism that we do not know", R::StatusForm, |d| {
            d.payload["status"] = json!({"identifier_list": {"id": "1", "uri": URI}});
        }),
        issued("a list in the open", R::StatusForm, |d| {
            d.payload["status"] = json!({"status_list": {"idx": 1, "uri": "http://pid.example"}});
        }),
        issued("a place before the first", R::StatusForm, |d| {
            d.payload["status"] = json!({"status_list": {"idx": -1, "uri": URI}});
        }),
        issued("a status that is a text", R::StatusForm, |d| d.payload["status"] = "valid".into()),
        issued_mdoc("mdoc: unknown mechanism", R::StatusForm, |d| mdoc(d, map([]))),
        issued_mdoc("mdoc: no list to be had", R::StatusUnavailable, |d| {
            let list = map([("idx", 1.into()), ("uri", URI.into())]);
            mdoc(d, map([("status_list", list)]));
        }),
        listed("no list to be had", R::StatusUnavailable, |_| None),
        listed("no list", R::StatusList, |_| Some(b"<html>".to_vec())),
        listed("not text", R::StatusList, |_| Some(vec![0xff; 100])),
        listed("another country's list", R::StatusList, |s| {
            Some(s.italy.status_list(URI, 2, &[0], |_, _| {}))
        }),
        listed("a stranger's list", R::StatusList, |s| {
            let stranger = crate::issuer::PidIssuer::new("DK", s.now);
            Some(stranger.status_list(URI, 2, &[0], |_, _| {}))
        }),
        listed("a list changed", R::StatusList, |s| {
            let mut list = s.issuer.status_list(URI, 2, &[0], |_, _| {});
            let last = list.len() - 10;
            list[last] = if list[last] == b'A' { b'B' } else { b'A' };
            Some(list)
        }),
        edited("another list", R::StatusList, |_, list| list["sub"] = "https://other".into()),
        edited("another type", R::StatusList, |header, _| header["typ"] = "JWT".into()),
        edited("no signature", R::StatusList, |header, _| header["alg"] = "none".into()),
        edited("no certificates", R::StatusList, |header, _| drop(header["x5c"].take())),
        edited("no time", R::StatusList, |_, list| drop(list["iat"].take())),
        edited("three bits", R::StatusList, |_, list| list["status_list"]["bits"] = 3.into()),
        edited("not zlib", R::StatusList, |_, list| list["status_list"]["lst"] = "AAAA".into()),
        edited("no statuses", R::StatusList, |_, list| drop(list["status_list"].take())),
        edited("issued later", R::StatusExpired, |_, list| {
            list["iat"] = (list["iat"].as_i64().unwrap() + 3600).into();
        }),
        edited("over", R::StatusExpired, |_, list| list["exp"] = list["iat"].clone()),
        listed("beyond the end", R::StatusList, |s| {
            Some(s.issuer.status_list(URI, 8, &[0], |_, _| {}))
        }),
        listed("withdrawn", R::Revoked, |s| {
            Some(s.issuer.status_list(URI, 2, &[0b0100], |_, _| {}))
        }),
        listed("withdrawn, one bit", R::Revoked, |s| {
            Some(s.issuer.status_list(URI, 1, &[0b10], |_, _| {}))
        }),
        listed("suspended", R::Suspended, |s| {
            Some(s.issuer.status_list(URI, 2, &[0b1000], |_, _| {}))
        }),
        listed("a status of its own", R::Suspended, |s| {
            Some(s.issuer.status_list(URI, 8, &[0, 0x0c], |_, _| {}))
        }),
    ]
}
