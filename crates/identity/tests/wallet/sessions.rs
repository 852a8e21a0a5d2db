//! What a login keeps, and what it is worth to others.

use exchange::SystemEntropy;
use identity::wallet::{Refused, Session};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::round_trip::is_agnete;
use crate::scene::Scene;

#[test]
fn a_session_lives_through_the_store() {
    let scene = Scene::new();
    let holder = scene.holder();
    let session = scene.session();
    let asked = scene.ask(&session);
    let stored = session.to_bytes();
    drop(session);
    let session = Session::from_bytes(&stored).unwrap();
    assert_eq!(session.addresses(), &Scene::addresses(true));
    assert!(session.is_same_device());
    is_agnete(&scene.finish(session, &holder.answer_mdoc(&asked)).unwrap());
    for length in 0..stored.len() {
        let cut = Session::from_bytes(&stored[..length]).err();
        assert_eq!(cut, Some(Refused::SessionForm), "{length}");
    }
    let longer = [&stored[..], &[0]].concat();
    assert_eq!(Session::from_bytes(&longer).err(), Some(Refused::SessionForm));
}

/// OpenID4VP 1.0 §13.3: who brings the code is at the device of the wallet; who began the login on
/// another device and sent the link to a victim never sees it.
#[test]
fn the_browser_comes_back_with_a_code_on_the_same_device_only() {
    let scene = Scene::new();
    let holder = scene.holder();
    for same_device in [true, false] {
        let session =
            scene.verifier.begin(Scene::addresses(same_device), scene.now, &SystemEntropy);
        let asked = scene.ask(&session);
        let kept = Session::from_bytes(&session.to_bytes()).unwrap();
        let body = holder.answer_sd_jwt(&asked, scene.now);
        let answer = scene.finish(session, &body).unwrap().answer();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let Some(to) = answer["redirect_uri"].as_str() else {
            assert!(!same_device && answer == json!({}));
            continue;
        };
        assert!(same_device);
        let (page, code) = to.split_once("?response_code=").unwrap();
        assert_eq!(page, "https://es.example/eid/wallet/1/done");
        assert!(kept.is_response_code(code) && !kept.is_response_code(&code[1..]));
        assert!(!asked.request.to_string().contains(code), "the code is not in the request");
    }
}

#[test]
fn each_login_has_secrets_of_its_own() {
    let scene = Scene::new();
    let [one, two] = [0; 2].map(|_| scene.ask(&scene.session()).request);
    for name in ["nonce", "state", "client_metadata"] {
        assert_ne!(one[name], two[name], "{name}");
    }
    assert_eq!(one["dcql_query"], two["dcql_query"]);
    let key = &one["client_metadata"]["jwks"]["keys"][0];
    assert!(key["use"] == "enc" && key["alg"] == "ECDH-ES" && key.get("d").is_none());
}

#[test]
fn a_stored_login_of_another_age_of_the_world_is_refused() {
    let scene = Scene::new();
    let mut stored = scene.session().to_bytes();
    let begun = scene.now.as_second().to_be_bytes();
    let place = stored.windows(8).position(|w| w == begun).unwrap();
    stored[place..place + 8].copy_from_slice(&Timestamp::MAX.as_second().to_be_bytes());
    assert_eq!(Session::from_bytes(&stored).err(), Some(Refused::SessionForm));
}

#[test]
fn the_answer_of_one_login_is_useless_in_another() {
    let scene = Scene::new();
    let holder = scene.holder();
    let (one, two) = (scene.session(), scene.session());
    let body = holder.answer_sd_jwt(&scene.ask(&one), scene.now);
    assert_eq!(scene.finish(two, &body).err(), Some(Refused::Undecipherable));
    is_agnete(&scene.finish(one, &body).unwrap());
}
