//! What a wallet sends: presentations signed again after they were damaged, as an issuer that lies
//! or errs may sign them; answers; status lists.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ciborium::Value as Cbor;
use coset::{AsCborValue as _, CoseSign1};
use exchange::{Country, SystemEntropy};
use identity::wallet::issuers::Issuer;
use identity::wallet::jose::PublicKey;
use identity::wallet::mdoc::{Response, transcript};
use identity::wallet::sd_jwt::{Binding, Presentation};
use identity::wallet::status::{StatusList, fresh_until};
use identity::wallet::{Addresses, Issuers, Session, Verifier, dcql, jwe as encrypted};
use serde_json::Value;
use trust::certificate::Anchors;
use trust::seal::SealKey;

use crate::seed;
use crate::wallet::PidIssuer;
use crate::wallet::parts::bytes_of;

/// SD-JWT VCs.
pub fn sd_jwt(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let world = &*WORLD;
    if let Ok(presentation) = Presentation::parse(text) {
        let _ = presentation.issuer(world.verifier.issuers(), seed::written());
    }
    let Some((issued, rest)) = text.split_once('~') else { return false };
    let Some((signed, _)) = issued.rsplit_once('.') else { return false };
    let signature = URL_SAFE_NO_PAD.encode(world.issuer.signer().sign(signed.as_bytes()));
    let text = format!("{signed}.{signature}~{rest}");
    let Ok(presentation) = Presentation::parse(&text) else { return false };
    let Ok(credential) = presentation.issued_by_key(&world.key) else { return false };
    let now = seed::written();
    let _ = (credential.is_current(&[dcql::VCT], now), credential.holder());
    let binding = Binding { audience: "a", nonce: "n", asked: now, now };
    let _ = presentation.bound(&credential, &binding);
    true
}

/// mdocs.
pub fn mdoc(data: &[u8]) -> bool {
    let world = &*WORLD;
    let Ok(response) = Response::from_cbor(data) else { return false };
    for document in response.documents() {
        let _ = document.issuer(world.verifier.issuers(), seed::written());
    }
    let signed = signed_again(data).unwrap_or_else(|| data.to_vec());
    let Ok(response) = Response::from_cbor(&signed) else { return false };
    let transcript = transcript("a", "n", None, "https://a.example");
    let mut taken = false;
    for document in response.documents() {
        let Ok(credential) = document.issued_by(&world.recognised) else { continue };
        let _ = (credential.is_current(dcql::DOC_TYPE, seed::written()), credential.status());
        let _ = document.bound(&credential, &transcript);
        taken = true;
    }
    taken
}

/// The same response with the first security object signed by the issuer of this run.
fn signed_again(data: &[u8]) -> Option<Vec<u8>> {
    fn member<'c>(map: &'c mut Cbor, name: &str) -> Option<&'c mut Cbor> {
        let mut entries = map.as_map_mut()?.iter_mut();
        Some(&mut entries.find(|(key, _)| key.as_text() == Some(name))?.1)
    }
    let mut root: Cbor = ciborium::de::from_reader_with_recursion_limit(data, 24).ok()?;
    let document = member(&mut root, "documents")?.as_array_mut()?.first_mut()?;
    let auth = member(member(document, "issuerSigned")?, "issuerAuth")?;
    let mut message = CoseSign1::from_cbor_value(auth.clone()).ok()?;
    message.payload.as_ref()?;
    message.signature = WORLD.issuer.signer().sign(&message.tbs_data(&[]));
    *auth = message.to_cbor_value().ok()?;
    Some(bytes_of(&root))
}

/// Encrypted answers, the forms around them, and stored logins.
pub fn jwe(data: &[u8]) -> bool {
    let world = &*WORLD;
    let mut taken = false;
    if let Ok(session) = Session::from_bytes(data) {
        assert_eq!(*session.to_bytes(), data, "one login has one encoding");
        taken = true;
    }
    if let Ok(text) = std::str::from_utf8(data) {
        taken |= encrypted::open(text, &world.decryption, "k").is_ok();
    }
    let session = Session::from_bytes(&world.session).expect("because we wrote it");
    taken | session.open(&world.verifier, data, seed::written()).is_ok()
}

/// Token status lists.
pub fn status(data: &[u8]) -> bool {
    let world = &*WORLD;
    let (now, denmark) = (seed::written(), Country::parse("DK").expect("because it is one"));
    assert!(fresh_until(data, now) >= now);
    let signed = signed_list(data).unwrap_or_else(|| data.to_vec());
    let issuers = world.verifier.issuers();
    let Ok(list) = StatusList::verify(&signed, STATUS_URI, issuers, denmark, now) else {
        return false;
    };
    let _ = (list.at(0), list.at(7), list.at(usize::MAX));
    true
}

/// The same list by the issuer of this run.
fn signed_list(data: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(data).ok()?;
    let (header, rest) = text.split_once('.')?;
    let (payload, _) = rest.split_once('.')?;
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let signer = WORLD.issuer.signer();
    let chain: Vec<String> = signer.chain.iter().map(|der| STANDARD.encode(der)).collect();
    header.as_object_mut()?.insert("x5c".into(), chain.into());
    let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(signer.sign(signed.as_bytes()));
    Some(format!("{signed}.{signature}").into_bytes())
}

/// The list of `fuzz/seeds/status`.
pub const STATUS_URI: &str = "https://pid.example/status/1";
/// The private key that `fuzz/seeds/jwe` is encrypted to: no secret.
pub const DECRYPTION_KEY: [u8; 32] = [1; 32];

struct World {
    issuer: PidIssuer,
    recognised: Issuer,
    key: PublicKey,
    verifier: Verifier,
    session: Vec<u8>,
    decryption: PrivateKey,
}

/// A Danish issuer and a Spanish verifier, made for this run.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let [denmark, spain] =
        ["DK", "ES"].map(|code| Country::parse(code).expect("because it is one"));
    let now = seed::written();
    let issuer = PidIssuer::new("DK", now);
    let anchors = Anchors::from_pem(issuer.authority_pem().as_bytes());
    let anchors = anchors.expect("because it is a certificate");
    let issuers = Issuers::new([(denmark, anchors)].into()).expect("because there is one");
    let signer = issuer.signer();
    let recognised = issuers.recognise(&signer.chain, now).expect("because it is trusted");
    let key = PublicKey::of_point(&signer.public()).expect("because it is on P-256");
    let access = SealKey::from_pem(signer.key_pem.as_bytes(), signer.chain_pem().as_bytes());
    let access = Arc::new(access.expect("because the key was made for the certificate"));
    let verifier = Verifier::new(access, spain, issuers).expect("because the key is on P-256");
    let addresses = Addresses {
        request: "https://es.example/1/request".into(),
        response: "https://es.example/1/response".into(),
        done: None,
    };
    let session = verifier.begin(addresses, now, &SystemEntropy).to_bytes().to_vec();
    let decryption = PrivateKey::from_private_key(&ECDH_P256, &DECRYPTION_KEY);
    let decryption = decryption.expect("because it is a scalar");
    World { issuer, recognised, key, verifier, session, decryption }
});
