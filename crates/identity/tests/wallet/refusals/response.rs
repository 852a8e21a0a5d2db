//! What is around a presentation: the post, its encryption, the answer in it.

use identity::wallet::{Refused, Session};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Row, row};
use crate::answer::Answer;
use crate::holder::{Asked, Holder};
use crate::scene::{List, Scene};

/// A sound answer, changed before it is encrypted.
fn answered(what: &'static str, refused: Refused, edit: fn(&mut Answer)) -> Row {
    posted(what, refused, move |answer| {
        edit(answer);
        answer.post()
    })
}

/// A sound answer, posted in another way.
fn posted(
    what: &'static str,
    refused: Refused,
    post: impl Fn(&mut Answer) -> Vec<u8> + 'static,
) -> Row {
    row(what, refused, move |scene| {
        let (session, mut answer) = sound(scene);
        scene.finish(session, &post(&mut answer))
    })
}

fn sound(scene: &Scene) -> (Session, Answer) {
    let holder = scene.holder();
    let session = scene.session();
    let asked = scene.ask(&session);
    let token = token(scene, &asked, &holder);
    (session, Answer::new(&asked, token))
}

fn token(scene: &Scene, asked: &Asked, holder: &Holder) -> Value {
    json!({"pid_sd_jwt": [holder.show_sd_jwt(asked, scene.now, |_| {})]})
}

/// The five parts of a JWE, one of them changed.
fn part(answer: &Answer, number: usize, edit: impl Fn(&mut String)) -> Vec<u8> {
    let text = answer.seal();
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    edit(&mut parts[number]);
    format!("response={}", parts.join(".")).into_bytes()
}

fn flip(text: &mut String) {
    let first = if text.starts_with('A') { "B" } else { "A" };
    text.replace_range(..1, first);
}

fn at(seconds: i64) -> impl Fn(&Scene) -> Result<identity::wallet::Presented, Refused> {
    move |scene| {
        let (session, answer) = sound(scene);
        let now = scene.now + SignedDuration::from_secs(seconds);
        session.finish(&scene.verifier, &answer.post(), &List(None), now)
    }
}

pub fn rows() -> Vec<Row> {
    use Refused as R;
    let cipher = "response.undecipherable: all of these say and look the same";
    assert!(R::Undecipherable.name() == cipher.split(':').next().unwrap());
    vec![
        row("a stored session of another kind", R::SessionForm, |scene| {
            scene.finish(Session::from_bytes(&[2; 64])?, b"")
        }),
        row("ten minutes later", R::SessionExpired, at(600)),
        row("two minutes before", R::SessionExpired, at(-120)),
        posted("no form", R::ResponseForm, |answer| answer.seal().into_bytes()),
        posted("two responses", R::ResponseForm, |a| [a.post(), a.post()].join(&b'&')),
        posted("not encrypted", R::ResponseForm, |answer| {
            format!("vp_token={}", answer.payload["vp_token"]).into_bytes()
        }),
        posted("an error in the open", R::Declined, |_| b"error=access_denied&state=s".to_vec()),
        answered("an error, encrypted", R::Declined, |a| {
            a.payload = json!({"error": "access_denied", "state": a.payload["state"]});
        }),
        answered("a token beside an error", R::Declined, |a| a.payload["error"] = "x".into()),
        answered("compressed", R::Undecipherable, |a| a.header["zip"] = "DEF".into()),
        answered("critical", R::Undecipherable, |a| a.header["crit"] = json!(["exp"])),
        answered("unknown member", R::Undecipherable, |a| a.header["p2c"] = 1.into()),
        answered("another key", R::Undecipherable, |a| a.header["kid"] = "1".into()),
        answered("no key named", R::Undecipherable, |a| a.header["kid"] = Value::Null),
        answered("a wrapped key", R::Undecipherable, |a| a.header["alg"] = "ECDH-ES+A256KW".into()),
        answered("another algorithm", R::Undecipherable, |a| a.header["alg"] = "dir".into()),
        answered("another cipher", R::Undecipherable, |a| a.header["enc"] = "A256CBC-HS512".into()),
        answered("no ephemeral key", R::Undecipherable, |a| a.header["epk"] = Value::Null),
        answered("ephemeral key off the curve", R::Undecipherable, |a| {
            a.header["epk"]["x"] = a.header["epk"]["y"].clone();
        }),
        answered("ephemeral key with its private part", R::Undecipherable, |a| {
            a.header["epk"]["d"] = a.header["epk"]["y"].clone();
        }),
        answered("ephemeral key of another curve", R::Undecipherable, |a| {
            a.header["epk"]["crv"] = "P-384".into();
        }),
        answered("apu that is no base64", R::Undecipherable, |a| a.header["apu"] = "=".into()),
        answered("apu too long", R::Undecipherable, |a| a.header["apu"] = "A".repeat(800).into()),
        posted("header changed", R::Undecipherable, |a| {
            let before = a.seal();
            a.header["apu"] = "AAAA".into();
            let after = a.seal();
            let header = after.split('.').next().unwrap();
            let rest = before.split_once('.').unwrap().1;
            format!("response={header}.{rest}").into_bytes()
        }),
        posted("an encrypted key", R::Undecipherable, |a| part(a, 1, |p| p.push_str("AAAA"))),
        posted("iv changed", R::Undecipherable, |a| part(a, 2, flip)),
        posted("iv too short", R::Undecipherable, |a| part(a, 2, |p| p.truncate(8))),
        posted("text changed", R::Undecipherable, |a| part(a, 3, flip)),
        posted("text gone", R::Undecipherable, |a| part(a, 3, String::clear)),
        posted("tag changed", R::Undecipherable, |a| part(a, 4, flip)),
        posted("tag cut", R::Undecipherable, |a| part(a, 4, |p| p.truncate(16))),
        posted("a sixth part", R::Undecipherable, |a| part(a, 4, |p| p.push_str(".AAAA"))),
        posted("too long", R::ResponseForm, |_| vec![b'a'; 300 << 10]),
        answered("no object", R::Payload, |a| a.payload = json!([1])),
        answered("no token", R::Payload, |a| {
            a.payload.as_object_mut().unwrap().remove("vp_token");
        }),
        answered("a token of another kind", R::Payload, |a| a.payload["vp_token"] = "a~b~".into()),
        answered("another state", R::State, |a| a.payload["state"] = "s".into()),
        answered("no state", R::State, |a| a.payload["state"] = Value::Null),
        answered("something else", R::NotAsked, |a| a.payload["vp_token"] = json!({"mdl": ["x"]})),
        answered("nothing", R::NotOne, |a| a.payload["vp_token"] = json!({})),
        answered("two of one", R::NotOne, |a| {
            let one = a.payload["vp_token"]["pid_sd_jwt"][0].clone();
            a.payload["vp_token"]["pid_sd_jwt"] = json!([one, one]);
        }),
        answered("one of each", R::NotOne, |a| a.payload["vp_token"]["pid_mdoc"] = json!(["x"])),
        answered("an object in place of a text", R::NotOne, |a| {
            a.payload["vp_token"]["pid_sd_jwt"] = json!([{}]);
        }),
    ]
}
