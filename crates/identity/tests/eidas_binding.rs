//! Messages in URLs: what was signed is what is read, and nothing of a URL can be taken for more.

mod eidas_world;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eidas_world::{CONNECTOR, SSO, World};
use identity::eidas::binding::{Field, Redirected, read_redirect, redirect_url};
use identity::eidas::request::Request;
use identity::eidas::{EidasError, MAX_MESSAGE};
use trust::certificate::Certificate;
use trust::signature::{Profile, SignatureError, verify_detached};

fn query(url: &str) -> &str {
    url.strip_prefix(SSO).unwrap().strip_prefix('?').unwrap()
}

/// Refused, when it is read or when it is verified.
fn verdict(query: &str, signers: &[Certificate]) -> Result<(), EidasError> {
    read_redirect(query)?.verify(signers, Profile::Eidas).map(|_| ())
}

/// The request without its signature inside, as the standard wants it in a signed URL.
fn bare(world: &World) -> String {
    let text = world.request.sign(&world.connector.key).unwrap();
    let (start, rest) = text.split_once("<ds:Signature").unwrap();
    format!("{start}{}", rest.split_once("</ds:Signature>").unwrap().1)
}

#[test]
fn a_request_comes_through_a_url_with_either_kind_of_key() {
    for rsa in [true, false] {
        let world = World::new(rsa);
        let others = World::new(!rsa);
        let signers = [others.connector.certificate(), world.connector.certificate()];
        let asked = World::asked(&signers);
        let key = &world.connector.key;
        for relay in [None, Some("a b+c/ü&=%")] {
            let url = redirect_url(SSO, Field::Request, &bare(&world), relay, key).unwrap();
            assert!(url.is_ascii() && !url.contains(' '));
            let came = read_redirect(query(&url)).unwrap();
            assert!(came.is_signed() && came.field == Field::Request);
            assert_eq!(came.relay.as_deref(), relay);
            assert_eq!(came.verify(&signers, Profile::Eidas), Ok(&signers[1]));
            assert!(Request::verify_redirected(&came, &asked).unwrap() == world.request);
            let strangers = [others.connector.certificate()];
            assert!(came.verify(&strangers, Profile::Eidas).is_err());
        }
        let long = "x".repeat(81);
        let refused = redirect_url(SSO, Field::Request, "<a/>", Some(&long), key);
        assert_eq!(refused, Err(EidasError::Malformed("relay state")));
    }
}

#[test]
fn a_url_needs_one_signature_and_every_signature_must_hold() {
    let world = World::new(false);
    let signers = [world.connector.certificate()];
    let asked = World::asked(&signers);
    let key = &world.connector.key;
    let read = |message: &str, keep: bool| -> Result<Request, EidasError> {
        let url = redirect_url(SSO, Field::Request, message, None, key).unwrap();
        let query = query(&url);
        let query = if keep { query } else { query.split("&SigAlg").next().unwrap() };
        Request::verify_redirected(&read_redirect(query).unwrap(), &asked)
    };
    let signed = world.request.sign(key).unwrap();
    // as eIDAS nodes send it, as the standard has it, and both
    assert!(read(&signed, false).is_ok());
    assert!(read(&bare(&world), true).is_ok());
    assert!(read(&signed, true).is_ok());
    assert_eq!(read(&bare(&world), false), Err(EidasError::Signature(SignatureError::Missing)));
    let tampered = signed.replace("Hospital", "Burglars");
    for keep in [true, false] {
        let invalid = EidasError::Signature(SignatureError::Invalid);
        assert_eq!(read(&tampered, keep), Err(invalid));
    }
    let hidden = bare(&world).replacen(CONNECTOR, &format!("{CONNECTOR}<!-- -->.evil"), 1);
    assert_eq!(read(&hidden, true), Err(EidasError::Malformed("message: hidden nodes")));
    let answer = redirect_url(SSO, Field::Response, &bare(&world), None, key).unwrap();
    let answer = read_redirect(query(&answer)).unwrap();
    let refused = Request::verify_redirected(&answer, &asked);
    assert_eq!(refused, Err(EidasError::Rule("request.element")));
}

#[test]
fn every_changed_octet_of_a_url_is_noticed() {
    let world = World::new(false);
    let signers = [world.connector.certificate()];
    let url =
        redirect_url(SSO, Field::Request, &bare(&world), Some("state 1"), &world.connector.key);
    let url = url.unwrap();
    let query = query(&url);
    assert_eq!(verdict(query, &signers), Ok(()));
    for at in 0..query.len() {
        let (start, rest) = query.split_at(at);
        let other = if rest.starts_with('A') { "B" } else { "A" };
        let changed = format!("{start}{other}{}", &rest[1..]);
        assert!(verdict(&changed, &signers).is_err(), "{at}: {}", &query[at..]);
    }
    // the same value in other octets is not what was signed
    let changes: [(&str, &str); 9] = [
        ("state%201", "state+1"),
        ("state%201", "state%201&RelayState=state%202"),
        ("&RelayState=state%201", ""),
        ("SAMLRequest=", "SAMLResponse=AA&SAMLRequest="),
        ("SAMLRequest=", "samlrequest=AA&SAMLRequest="),
        ("SAMLRequest=", "SAMLRequest=AA&SAMLRequest="),
        ("SAMLRequest=", "SAML%52equest="),
        ("SAMLRequest=", "SAMLResponse="),
        ("&SigAlg", "&SAMLEncoding=none&SigAlg"),
    ];
    for (from, to) in changes {
        assert!(query.contains(from), "{from}");
        assert!(verdict(&query.replacen(from, to, 1), &signers).is_err(), "{from} -> {to}");
    }
    // the order of the parameters is the standard's, wherever they stood; others do not matter
    let mut parameters: Vec<&str> = query.split('&').collect();
    parameters.reverse();
    let reversed = format!("utm=1&{}&&SAMLEncoding={DEFLATE}", parameters.join("&"));
    assert_eq!(verdict(&reversed, &signers), Ok(()));
}

#[test]
fn a_bomb_is_refused_and_so_is_what_is_no_message() {
    let bomb = |size: usize| {
        let world = World::new(false);
        let message = "x".repeat(size);
        let url = redirect_url(SSO, Field::Request, &message, None, &world.connector.key).unwrap();
        read_redirect(query(&url)).map(|came: Redirected| came.message.len())
    };
    assert_eq!(bomb(MAX_MESSAGE), Ok(MAX_MESSAGE));
    assert_eq!(bomb(MAX_MESSAGE + 1), Err(EidasError::Malformed("message: too long")));
    assert_eq!(bomb(50_000_000), Err(EidasError::Malformed("message: too long")));
    let long = format!("SAMLRequest={}", "A".repeat(MAX_MESSAGE));
    for refused in
        ["", "SAMLRequest", "SAMLRequest=%", "SAMLRequest=%4", "SAMLRequest=%zz", "x=1", &long]
    {
        assert!(read_redirect(refused).is_err());
    }
    let relay = format!("SAMLRequest=AwA=&RelayState={}", "x".repeat(81));
    assert!(matches!(read_redirect(&relay), Err(EidasError::Malformed("relay state"))));
}

#[test]
fn weak_methods_are_refused_whoever_signed() {
    let world = World::new(true);
    let signers = [world.connector.certificate()];
    let url = redirect_url(SSO, Field::Request, "<a/>", None, &world.connector.key).unwrap();
    let own = "http%3A%2F%2Fwww.w3.org%2F2007%2F05%2Fxmldsig-more%23sha256-rsa-MGF1";
    assert!(url.contains(own));
    for method in [
        "http://www.w3.org/2000/09/xmldsig%23rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig%23hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more%23hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more%23rsa-sha256",
        "none",
        "",
    ] {
        let refused = verdict(&query(&url).replace(own, method), &signers);
        let forbidden = SignatureError::Forbidden("signature method");
        assert_eq!(refused, Err(EidasError::Signature(forbidden)), "{method}");
    }
    let half = query(&url).split("&Signature").next().unwrap();
    assert_eq!(verdict(half, &signers), Err(EidasError::Malformed("query: half a signature")));
}

/// Made by `openssl dgst -sha512 -sign` with P-256 keys: nodes sign with SHA-512, whatever the curve.
#[test]
fn openssl_signs_with_a_hash_that_is_longer_than_the_curve() {
    for (curve, hash, certificate, signature) in VECTORS {
        let certificates = Certificate::from_pem(certificate.as_bytes()).unwrap();
        let method = format!("http://www.w3.org/2001/04/xmldsig-more#ecdsa-{hash}");
        let signature = STANDARD.decode(signature).unwrap();
        let verify = |message: &[u8], method: &str| {
            verify_detached(message, method, &signature, &certificates, Profile::Eidas).map(|_| ())
        };
        assert_eq!(verify(b"konfido", &method), Ok(()), "{curve} {hash}");
        assert_eq!(verify(b"konfidp", &method), Err(SignatureError::Invalid));
        let other = if hash == "sha256" { "sha512" } else { "sha256" };
        let other = format!("http://www.w3.org/2001/04/xmldsig-more#ecdsa-{other}");
        assert_eq!(verify(b"konfido", &other), Err(SignatureError::Invalid));
    }
}

/// Some nodes have keys on Brainpool curves. Without the feature nobody believes them; brainpoolP512r1
/// is believed by nobody.
#[test]
fn brainpool_keys_are_believed_where_the_feature_is_on() {
    for (curve, hash, certificate, signature) in BRAINPOOL {
        let certificates = Certificate::from_pem(certificate.as_bytes()).unwrap();
        let method = format!("http://www.w3.org/2001/04/xmldsig-more#ecdsa-{hash}");
        let signature = STANDARD.decode(signature).unwrap();
        let verify = |message: &[u8], signature: &[u8]| {
            let profile = Profile::Eidas;
            verify_detached(message, &method, signature, &certificates, profile).map(|_| ())
        };
        let unfit = Err(SignatureError::Forbidden("key for the signature method"));
        if cfg!(feature = "brainpool") && curve != "brainpoolP512r1" {
            assert_eq!(verify(b"konfido", &signature), Ok(()), "{curve} {hash}");
            let invalid = Err(SignatureError::Invalid);
            assert_eq!(verify(b"konfidp", &signature), invalid, "{curve} {hash}");
            assert_eq!(verify(b"konfido", &[&signature[..], &[0]].concat()), invalid);
            assert_eq!(verify(b"konfido", &vec![0; signature.len()]), invalid);
            assert!(certificates[0].key_bits().is_some());
        } else {
            assert_eq!(verify(b"konfido", &signature), unfit, "{curve} {hash}");
            assert_eq!(certificates[0].key_bits(), None);
        }
    }
}

const DEFLATE: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";
include!("eidas_world/vectors.rs");
