//! SD-JWT: what an issuer may get wrong, and what a holder or a thief may try.

use identity::wallet::Refused;
use rcgen::ExtendedKeyUsagePurpose as Eku;
use serde_json::{Value, json};

use super::{Row, issued, presented, row, shown};
use crate::answer::Answer;
use crate::holder::Holder;
use crate::issuer::{PidIssuer, SdJwtDraft};
use crate::parts::{disclosure, encode, hash};
use crate::scene::Scene;

/// Puts a disclosure and its digest in.
fn disclose(draft: &mut SdJwtDraft, parts: &Value) {
    let text = disclosure(parts);
    draft.payload["_sd"].as_array_mut().unwrap().push(hash(&text).into());
    draft.disclosures.push(text);
}

/// Puts another value in place of a claim's.
fn claim(draft: &mut SdJwtDraft, name: &str, value: Value) {
    let of = |text: &str| -> Value { serde_json::from_slice(&decode(text)).unwrap() };
    let place = draft.disclosures.iter().position(|text| of(text)[1] == name).unwrap();
    let gone = hash(&draft.disclosures.remove(place));
    draft.payload["_sd"].as_array_mut().unwrap().retain(|digest| *digest != gone);
    if !value.is_null() {
        disclose(draft, &json!(["salt", name, value]));
    }
}

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn later(draft: &SdJwtDraft, hours: i64) -> Value {
    (draft.payload["iat"].as_i64().unwrap() + hours * 3600).into()
}

/// A sound credential whose first part is replaced, bound again.
fn forged(what: &'static str, refused: Refused, forge: fn(&Scene, &str) -> String) -> Row {
    presented(what, refused, move |scene, asked, holder| {
        holder.show_sd_jwt(asked, scene.now, |show| {
            let (issued, rest) = show.shown.split_once('~').unwrap();
            show.shown = format!("{}~{rest}", forge(scene, issued));
            show.payload["sd_hash"] = hash(&show.shown).into();
        })
    })
}

/// A credential of another issuer, whose certificates are these.
fn from(what: &'static str, refused: Refused, issuer: fn(&Scene) -> PidIssuer) -> Row {
    row(what, refused, move |scene| {
        let holder = Holder::new(&issuer(scene), &Scene::bearer());
        let session = scene.session();
        let asked = scene.ask(&session);
        scene.finish(session, &holder.answer_sd_jwt(&asked, scene.now))
    })
}

fn under(usage: Eku) -> impl Fn(&Scene, &str) -> String {
    use base64::Engine as _;
    move |scene, issued| {
        let other = scene.issuer.other("DK", vec![usage.clone()]);
        let mut parts = issued.split('.').map(decode);
        let mut part = || -> Value { serde_json::from_slice(&parts.next().unwrap()).unwrap() };
        let (mut header, payload) = (part(), part());
        let der = base64::engine::general_purpose::STANDARD.encode(&other.chain[0]);
        header["x5c"] = json!([der]);
        other.jwt(&header, &payload)
    }
}

pub fn issued_rows() -> Vec<Row> {
    use Refused as R;
    vec![
        issued("no certificates", R::Certificates, |d| drop(d.header["x5c"].take())),
        issued("empty chain", R::Certificates, |d| d.header["x5c"] = json!([])),
        issued("no certificate in it", R::Certificates, |d| d.header["x5c"] = json!(["AAAA"])),
        issued("a chain without end", R::Certificates, |d| {
            let one = d.header["x5c"][0].clone();
            d.header["x5c"] = json!([one, one, one, one, one]);
        }),
        from("an authority with the same name", R::Untrusted, |s| PidIssuer::new("DK", s.now)),
        forged("a TLS server of the authority", R::Untrusted, |s, issued| {
            under(Eku::ServerAuth)(s, issued)
        }),
        forged("a TLS client of the authority", R::Untrusted, |s, issued| {
            under(Eku::ClientAuth)(s, issued)
        }),
        forged("an mdoc reader of the authority", R::Untrusted, |s, issued| {
            under(Eku::Other(vec![1, 0, 18013, 5, 1, 6]))(s, issued)
        }),
        row("Italy speaks for Denmark", R::IssuingCountry, |scene| {
            let holder = Holder::new(&scene.italy, &Scene::bearer());
            let session = scene.session();
            let asked = scene.ask(&session);
            scene.finish(session, &holder.answer_sd_jwt(&asked, scene.now))
        }),
        issued("another country in the claim", R::IssuingCountry, |d| {
            claim(d, "issuing_country", "IT".into());
        }),
        issued("another type", R::Type, |d| d.payload["vct"] = "urn:eudi:pid:2".into()),
        issued("the type of another country", R::Type, |d| {
            d.payload["vct"] = "urn:eudi:pid:it:1".into();
        }),
        issued("no type", R::Type, |d| drop(d.payload["vct"].take())),
        issued("not yet valid", R::NotYetValid, |d| d.payload["nbf"] = later(d, 3)),
        issued("nbf is a text", R::NotYetValid, |d| d.payload["nbf"] = "1".into()),
        issued("over", R::Expired, |d| d.payload["exp"] = d.payload["iat"].clone()),
        issued("without end", R::Expired, |d| {
            d.payload.as_object_mut().unwrap().remove("exp");
        }),
        issued("exp out of all time", R::Expired, |d| d.payload["exp"] = json!(1e300)),
        issued("issued tomorrow", R::IssuedLater, |d| d.payload["iat"] = later(d, 24)),
        issued("vc+sd-jwt of old drafts", R::SdJwtHeader, |d| d.header["typ"] = "vc+sd-jwt".into()),
        issued("no algorithm", R::SdJwtHeader, |d| d.header["alg"] = "none".into()),
        issued("a shared secret", R::SdJwtHeader, |d| d.header["alg"] = "HS256".into()),
        issued("critical", R::SdJwtHeader, |d| d.header["crit"] = json!(["b64"])),
        issued("another hash", R::Hash, |d| d.payload["_sd_alg"] = "sha-512".into()),
        issued("disclosure is no base64", R::Disclosure, |d| d.disclosures.push("=".into())),
        issued("disclosure is no array", R::Disclosure, |d| disclose(d, &json!({"a": 1}))),
        issued("disclosure of an item for a member", R::Disclosure, |d| {
            disclose(d, &json!(["salt", "value"]));
        }),
        issued("digest that is a number", R::Disclosure, |d| d.payload["_sd"] = json!([1])),
        issued("digests of one claim twice", R::DigestTwice, |d| {
            let first = d.payload["_sd"][0].clone();
            d.payload["_sd"].as_array_mut().unwrap().push(first);
        }),
        issued("disclosure named _sd", R::ReservedName, |d| disclose(d, &json!(["s", "_sd", []]))),
        issued("disclosure named ...", R::ReservedName, |d| disclose(d, &json!(["s", "...", 1]))),
        issued("the holder's key disclosed", R::ReservedName, |d| {
            disclose(d, &json!(["s", "cnf", {}]));
        }),
        issued("the end disclosed", R::ReservedName, |d| disclose(d, &json!(["s", "exp", 1]))),
        issued("the status disclosed", R::ReservedName, |d| {
            disclose(d, &json!(["s", "status", {}]));
        }),
        issued("a claim open and disclosed", R::ClaimTwice, |d| {
            d.payload["family_name"] = "Evil".into();
        }),
        issued("a claim disclosed twice", R::ClaimTwice, |d| {
            disclose(d, &json!(["s", "family_name", "Evil"]));
        }),
        issued("no key of the holder", R::HolderKey, |d| drop(d.payload["cnf"].take())),
        issued("a key of another curve", R::HolderKey, |d| {
            d.payload["cnf"]["jwk"]["crv"] = "P-384".into();
        }),
        issued("a key too short", R::HolderKey, |d| d.payload["cnf"]["jwk"]["x"] = "AAAA".into()),
        issued("a private key", R::HolderKey, |d| d.payload["cnf"]["jwk"]["d"] = "AAAA".into()),
        issued("no birthdate", R::Incomplete, |d| claim(d, "birthdate", Value::Null)),
        issued("no country", R::Incomplete, |d| claim(d, "issuing_country", Value::Null)),
        issued("birthdate of another calendar", R::Claim, |d| {
            claim(d, "birthdate", "14.02.1953".into());
        }),
        issued("family name is a number", R::Claim, |d| claim(d, "family_name", 1.into())),
        issued("given name is empty", R::Claim, |d| claim(d, "given_name", " ".into())),
        issued("given name without end", R::Claim, |d| {
            claim(d, "given_name", "a".repeat(2000).into());
        }),
        issued("place without any part", R::Claim, |d| claim(d, "place_of_birth", json!({}))),
    ]
}

pub fn shown_rows() -> Vec<Row> {
    use Refused as R;
    vec![
        presented("no tilde", R::SdJwtForm, |_, _, _| "a.b.c".into()),
        presented("no payload", R::SdJwtForm, |_, _, _| "YQ.YQ.YQ~".into()),
        presented("too long", R::SdJwtForm, |_, _, _| "a~".repeat(40_000)),
        presented("too many disclosures", R::SdJwtForm, |scene, asked, holder| {
            holder.show_sd_jwt(asked, scene.now, |_| {}).replacen('~', &"~YQ".repeat(129), 1)
        }),
        forged("claims named twice", R::SdJwtForm, |_, issued| {
            let (header, rest) = issued.split_once('.').unwrap();
            let payload = String::from_utf8(decode(rest.split_once('.').unwrap().0)).unwrap();
            let twice = payload.replacen('{', r#"{"vct":"urn:eudi:pid:1","#, 1);
            format!("{header}.{}.AAAA", encode(twice.as_bytes()))
        }),
        forged("payload changed", R::IssuerSignature, |_, issued| {
            let (header, rest) = issued.split_once('.').unwrap();
            let (payload, signature) = rest.split_once('.').unwrap();
            let payload =
                String::from_utf8(decode(payload)).unwrap().replacen("pid.exa", "pid.axe", 1);
            format!("{header}.{}.{signature}", encode(payload.as_bytes()))
        }),
        forged("header changed", R::IssuerSignature, |_, issued| {
            let (header, rest) = issued.split_once('.').unwrap();
            let header =
                String::from_utf8(decode(header)).unwrap().replacen('{', "{\"kid\":\"1\",", 1);
            format!("{}.{rest}", encode(header.as_bytes()))
        }),
        forged("signature too short", R::IssuerSignature, |_, issued| {
            format!("{}.{}", issued.rsplit_once('.').unwrap().0, encode(&[1; 63]))
        }),
        forged("signature of zeros", R::IssuerSignature, |_, issued| {
            format!("{}.{}", issued.rsplit_once('.').unwrap().0, encode(&[0; 64]))
        }),
        shown("a disclosure twice", R::DigestTwice, |show| {
            let first = show.shown.split('~').nth(1).unwrap().to_owned();
            show.shown = format!("{}{first}~", show.shown);
            show.payload["sd_hash"] = hash(&show.shown).into();
        }),
        shown("a disclosure of one's own", R::Undeclared, |show| {
            let own = disclosure(&json!(["salt", "personal_administrative_number", "EVIL"]));
            show.shown = format!("{}{own}~", show.shown);
            show.payload["sd_hash"] = hash(&show.shown).into();
        }),
        shown("a disclosure changed", R::Undeclared, |show| {
            let mut parts: Vec<String> = show.shown.split('~').map(str::to_owned).collect();
            parts[1] = disclosure(&json!(["salt", "family_name", "Evil"]));
            show.shown = parts.join("~");
            show.payload["sd_hash"] = hash(&show.shown).into();
        }),
        shown("a claim withheld", R::Incomplete, |show| {
            let keep =
                |part: &&str| part.contains('.') || !decode_lossy(part).contains("family_name");
            show.shown = show.shown.split('~').filter(keep).collect::<Vec<_>>().join("~");
            show.payload["sd_hash"] = hash(&show.shown).into();
        }),
        shown("without the holder", R::BindingMissing, |show| show.bound = false),
        presented("binding is no jwt", R::BindingHeader, |scene, asked, holder| {
            holder.show_sd_jwt(asked, scene.now, |show| show.bound = false) + "a.b"
        }),
        shown("binding of another type", R::BindingHeader, |s| s.header["typ"] = "JWT".into()),
        shown("binding without signature", R::BindingHeader, |s| s.header["alg"] = "none".into()),
        shown("binding with something critical", R::BindingHeader, |s| {
            s.header["crit"] = json!(["exp"]);
        }),
        row("a thief signs with another key", R::BindingSignature, |scene| {
            let (holder, thief) = (scene.holder(), scene.holder());
            let session = scene.session();
            let asked = scene.ask(&session);
            let mut stolen = String::new();
            holder.show_sd_jwt(&asked, scene.now, |show| stolen.clone_from(&show.shown));
            let text = thief.show_sd_jwt(&asked, scene.now, |show| {
                show.payload["sd_hash"] = hash(&stolen).into();
                show.shown = stolen;
            });
            scene.finish(session, &Answer::new(&asked, json!({"pid_sd_jwt": [text]})).post())
        }),
        shown("for another verifier", R::BindingAudience, |s| {
            s.payload["aud"] = "x509_hash:other".into();
        }),
        shown("for several verifiers", R::BindingAudience, |s| {
            s.payload["aud"] = json!([s.payload["aud"], "other"]);
        }),
        shown("another nonce", R::BindingNonce, |s| s.payload["nonce"] = "n".into()),
        shown("no nonce", R::BindingNonce, |s| drop(s.payload["nonce"].take())),
        shown("signed before we asked", R::BindingAge, |s| {
            s.payload["iat"] = (s.payload["iat"].as_i64().unwrap() - 120).into();
        }),
        shown("signed later", R::BindingAge, |s| {
            s.payload["iat"] = (s.payload["iat"].as_i64().unwrap() + 120).into();
        }),
        shown("signed at no time", R::BindingAge, |s| drop(s.payload["iat"].take())),
        shown("hash of something else", R::BindingHash, |s| {
            s.payload["sd_hash"] = hash("x").into();
        }),
        shown("another order after signing", R::BindingHash, |show| {
            let mut parts: Vec<&str> = show.shown.split('~').collect();
            parts.swap(1, 2);
            show.shown = parts.join("~");
        }),
        shown("a disclosure dropped after signing", R::BindingHash, |show| {
            let last = show.shown.trim_end_matches('~').rfind('~').unwrap();
            show.shown.truncate(last + 1);
        }),
    ]
}

fn decode_lossy(text: &str) -> String {
    String::from_utf8_lossy(&decode(text)).into_owned()
}
