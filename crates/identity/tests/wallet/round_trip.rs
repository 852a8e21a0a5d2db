//! A person shows a PID and is identified.

use exchange::Country;
use identity::Assurance;
use identity::wallet::dcql::Format;
use identity::wallet::status::fresh_until;
use identity::wallet::{Naming, Presented, Refused, Scheme};
use jiff::SignedDuration;
use serde_json::json;

use crate::answer::Answer;
use crate::holder::{Asked, Holder};
use crate::issuer::SdJwtDraft;
use crate::parts::{map, member};
use crate::scene::{List, Scene};

const STATUS: &str = "https://pid.example/status/1";

pub fn is_agnete(presented: &Presented) {
    let person = presented.person();
    assert_eq!(person.identifier.text(), "DK/ES/7402539902");
    assert_eq!(person.family.latin, "Havgaard-Test");
    assert_eq!(person.given.latin, "Agnete");
    assert_eq!(person.birth.to_string(), "1953-02-14");
    assert_eq!(person.more["PlaceOfBirth"].latin, "Aarhus, DK");
    assert_eq!(presented.naming(), Naming::Administrative);
    assert_eq!(presented.country(), Country::parse("DK").unwrap());
    assert_eq!(presented.assurance(), Assurance::High);
}

#[test]
fn a_person_is_identified_by_either_form_of_the_pid() {
    let scene = Scene::new();
    let holder = scene.holder();
    for format in Format::ALL {
        let session = scene.session();
        let asked = scene.ask(&session);
        assert_eq!(asked.relying_party, "Invented PID provider");
        let body = match format {
            Format::SdJwt => holder.answer_sd_jwt(&asked, scene.now),
            Format::Mdoc => holder.answer_mdoc(&asked),
        };
        let presented = scene.finish(session, &body).unwrap();
        is_agnete(&presented);
        assert_eq!(presented.format(), format);
    }
}

#[test]
fn both_ciphers_open() {
    let scene = Scene::new();
    let holder = scene.holder();
    for enc in ["A128GCM", "A256GCM"] {
        let session = scene.session();
        let asked = scene.ask(&session);
        let shown = holder.show_sd_jwt(&asked, scene.now, |_| {});
        let mut answer = Answer::new(&asked, json!({"pid_sd_jwt": [shown]}));
        answer.header["enc"] = enc.into();
        is_agnete(&scene.finish(session, &answer.post()).unwrap());
    }
}

#[test]
fn links_and_pictures_say_where_the_request_is() {
    let scene = Scene::new();
    let session = scene.session();
    let link = scene.verifier.link(&session, Scheme::OpenId4Vp);
    let expected = "&request_uri=https%3A%2F%2Fes.example%2Feid%2Fwallet%2F1%2Frequest&request_uri_method=post";
    assert!(link.starts_with("openid4vp://?client_id=x509_hash%3A") && link.ends_with(expected));
    assert!(scene.verifier.link(&session, Scheme::Haip).starts_with("haip-vp://?"));
    assert!(scene.verifier.picture(&session, Scheme::OpenId4Vp).unwrap().starts_with("<svg"));
}

/// OpenID4VP 1.0 §5.10.1; a wallet that comes by GET sends none.
#[test]
fn the_nonce_of_the_wallet_goes_back_to_it() {
    let scene = Scene::new();
    let session = scene.session();
    let read = |jar: &str, nonce| {
        Asked::read(scene.verifier.client_id(), jar, &scene.register, nonce, scene.now)
    };
    let by_get = scene.verifier.request(&session, None, scene.now).unwrap();
    assert!(read(&by_get, None).is_some() && read(&by_get, Some("mine")).is_none());
    let by_post = scene.verifier.request(&session, Some("mine"), scene.now).unwrap();
    assert!(read(&by_post, Some("mine")).is_some() && read(&by_post, Some("yours")).is_none());
}

#[test]
fn what_was_not_asked_for_is_not_shown_and_not_read() {
    let scene = Scene::new();
    let (holder, session) = (scene.holder(), scene.session());
    let asked = scene.ask(&session);
    let shown = holder.show_sd_jwt(&asked, scene.now, |_| {});
    assert_eq!(shown.split('~').count(), 8, "six of seven claims");
    // a wallet that shows more: nothing of it reaches the person
    let chatty = Holder::of(
        &scene.issuer,
        &Scene::bearer(),
        |draft| draft.payload["email"] = "a@b.example".into(),
        |_| {},
    );
    let shown = chatty.show_sd_jwt(&asked, scene.now, |_| {});
    let body = Answer::new(&asked, json!({"pid_sd_jwt": [shown]})).post();
    let presented = scene.finish(session, &body).unwrap();
    assert_eq!(presented.person().more.len(), 1);
}

/// A PID without a number: the same person gets the same identifier from each PID and each form.
#[test]
fn a_person_without_a_number_is_known_again() {
    let scene = Scene::new();
    let mut bearer = Scene::bearer();
    bearer.number = None;
    let mut identifiers = Vec::new();
    for place in ["Aarhus", "Aarhus", "Odense"] {
        bearer.place = place.into();
        let holder = Holder::new(&scene.issuer, &bearer);
        for format in Format::ALL {
            let session = scene.session();
            let asked = scene.ask(&session);
            let body = match format {
                Format::SdJwt => holder.answer_sd_jwt(&asked, scene.now),
                Format::Mdoc => holder.answer_mdoc(&asked),
            };
            let presented = scene.finish(session, &body).unwrap();
            assert_eq!(presented.naming(), Naming::Derived);
            identifiers.push(presented.person().identifier.text());
        }
    }
    assert!(identifiers[0].starts_with("DK/ES/pid:"));
    assert!(identifiers[..4].iter().all(|id| *id == identifiers[0]));
    assert!(identifiers[4] == identifiers[5] && identifiers[4] != identifiers[0]);
}

#[test]
fn a_credential_with_a_status_is_taken_when_its_list_says_valid() {
    let scene = Scene::new();
    let index = |n: u64| json!({"status_list": {"idx": n, "uri": STATUS}});
    for (bits, statuses, place) in [
        (1, vec![0b1111_1011], 2),
        (2, vec![0b1100_1111], 2),
        (4, vec![0xff, 0xf0], 2),
        (8, vec![9, 9, 0], 2),
    ] {
        let holder = Holder::of(
            &scene.issuer,
            &Scene::bearer(),
            |draft| draft.payload["status"] = index(place),
            |draft| {
                let list = map([("idx", place.into()), ("uri", STATUS.into())]);
                let ciborium::Value::Map(entries) = &mut draft.security else { unreachable!() };
                entries.push(("status".into(), map([("status_list", list)])));
            },
        );
        let list = scene.issuer.status_list(STATUS, bits, &statuses, |_, _| {});
        assert_eq!(fresh_until(&list, scene.now), scene.now + SignedDuration::from_secs(600));
        for format in Format::ALL {
            let session = scene.session();
            let asked = scene.ask(&session);
            let body = match format {
                Format::SdJwt => holder.answer_sd_jwt(&asked, scene.now),
                Format::Mdoc => holder.answer_mdoc(&asked),
            };
            let lists = List(Some(list.clone()));
            let presented = session.finish(&scene.verifier, &body, &lists, scene.now);
            is_agnete(&presented.unwrap_or_else(|refused| panic!("{bits} bits: {refused}")));
        }
    }
}

/// Seen in the field: Germany's PID has a type of its own (preprod.pid-provider.bundesdruckerei.de).
#[test]
fn a_pid_of_the_country_s_own_type_is_taken() {
    let scene = Scene::new();
    let edit = |draft: &mut SdJwtDraft| draft.payload["vct"] = "urn:eudi:pid:dk:1".into();
    let holder = Holder::of(&scene.issuer, &Scene::bearer(), edit, |_| {});
    let session = scene.session();
    let asked = scene.ask(&session);
    let types = &asked.request["dcql_query"]["credentials"][0]["meta"]["vct_values"];
    assert_eq!(*types, json!(["urn:eudi:pid:1", "urn:eudi:pid:dk:1", "urn:eudi:pid:it:1"]));
    is_agnete(&scene.finish(session, &holder.answer_sd_jwt(&asked, scene.now)).unwrap());
}

/// Seen in the field: an issuer that wants no end writes the last second of the calendar.
#[test]
fn a_pid_until_the_end_of_time_is_taken() {
    let scene = Scene::new();
    let holder = Holder::of(
        &scene.issuer,
        &Scene::bearer(),
        |draft| draft.payload["exp"] = 253_402_300_799_i64.into(),
        |draft| {
            let until = member(member(&mut draft.security, "validityInfo"), "validUntil");
            *until = ciborium::Value::Tag(0, Box::new("9999-12-31T23:59:59Z".into()));
        },
    );
    for format in Format::ALL {
        let session = scene.session();
        let asked = scene.ask(&session);
        let body = match format {
            Format::SdJwt => holder.answer_sd_jwt(&asked, scene.now),
            Format::Mdoc => holder.answer_mdoc(&asked),
        };
        is_agnete(&scene.finish(session, &body).unwrap());
    }
}

/// A trusted list may name the signing certificate itself instead of its authority.
#[test]
fn an_issuer_may_be_listed_by_its_own_certificate() {
    use identity::wallet::Issuers;
    use trust::certificate::Anchors;
    let scene = Scene::new();
    let listed = Anchors::from_pem(scene.issuer.signer().chain_pem().as_bytes()).unwrap();
    let denmark = Country::parse("DK").unwrap();
    let issuers = Issuers::new([(denmark, listed)].into()).unwrap();
    let chain = &scene.issuer.signer().chain;
    assert_eq!(issuers.recognise(chain, scene.now).unwrap().country(), denmark);
    let later = scene.now + SignedDuration::from_hours(24 * 400);
    assert_eq!(issuers.recognise(chain, later).err(), Some(Refused::Untrusted));
    let other = scene.issuer.other("DK", vec![]).chain;
    assert_eq!(issuers.recognise(&other, scene.now).err(), Some(Refused::Untrusted));
}

#[test]
fn a_key_that_wallets_would_refuse_is_refused_at_start() {
    use std::sync::Arc;

    use identity::wallet::{Issuers, Verifier, WalletError};
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
    use trust::seal::SealKey;
    let spain = Country::parse("ES").unwrap();
    for (kind, expected) in [
        (&PKCS_ECDSA_P256_SHA256, WalletError::SelfSigned),
        (&PKCS_ECDSA_P384_SHA384, WalletError::Key),
    ] {
        let key = KeyPair::generate_for(kind).unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap().pem();
        let key = SealKey::from_pem(key.serialize_pem().as_bytes(), certificate.as_bytes());
        let made = Verifier::new(Arc::new(key.unwrap()), spain, Issuers::default());
        assert_eq!(made.err(), Some(expected));
    }
    let scene = Scene::new();
    let shared = [("DK", scene.issuer.anchors()), ("IT", scene.issuer.anchors())]
        .map(|(code, anchors)| (Country::parse(code).unwrap(), anchors));
    assert!(matches!(Issuers::new(shared.into()), Err(WalletError::SharedAnchor(..))));
}
