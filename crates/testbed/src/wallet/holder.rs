//! A wallet: it checks who asks before it answers, as HAIP 1.0 wants, and answers encrypted.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ciborium::Value as Cbor;
use coset::{CoseSign1Builder, HeaderBuilder, iana};
use jiff::Timestamp;
use serde_json::{Value, json};
use trust::certificate::{Anchors, Certificate, Usage};

use super::answer::Answer;
use super::issuer::{Bearer, MdocDraft, PID, PidIssuer, SdJwtDraft};
use super::parts::{bytes_of, cose_value, encode, fresh_key, hash, jwt, map, member, sign};

/// A person's wallet with a PID in both forms.
pub struct Holder {
    key: EcdsaKeyPair,
    sd_jwt: String,
    issuer_signed: Cbor,
}

/// What a relying party asked, after the wallet checked its signature.
#[derive(Clone)]
pub struct Asked {
    /// Claims of the request object.
    pub request: Value,
    /// Who asks, for the person to see.
    pub relying_party: String,
}

/// The parts of a presentation that the holder signs.
pub struct SdJwtShow {
    /// Header of the key binding JWT.
    pub header: Value,
    /// Its payload.
    pub payload: Value,
    /// All before it.
    pub shown: String,
    /// Whether it is sent.
    pub bound: bool,
}

/// The parts of a `DeviceResponse` that the holder makes.
pub struct MdocShow {
    /// What is signed over.
    pub transcript: Cbor,
    /// `docType` of the document.
    pub doc_type: String,
    /// Algorithm in the protected header.
    pub algorithm: iana::Algorithm,
    /// `IssuerSigned`.
    pub issuer_signed: Cbor,
}

impl Holder {
    /// Issued by `issuer` to `bearer`.
    pub fn new(issuer: &PidIssuer, bearer: &Bearer) -> Self {
        Self::of(issuer, bearer, |_| {}, |_| {})
    }

    /// [`Holder::new`] with changed credentials.
    pub fn of(
        issuer: &PidIssuer,
        bearer: &Bearer,
        sd_jwt: impl FnOnce(&mut SdJwtDraft),
        mdoc: impl FnOnce(&mut MdocDraft),
    ) -> Self {
        let (key, _) = fresh_key();
        let point = key.public_key().as_ref().to_vec();
        let public = (&point[1..33], &point[33..]);
        Self {
            sd_jwt: issuer.sd_jwt(bearer, public, sd_jwt),
            issuer_signed: issuer.mdoc(bearer, public, mdoc),
            key,
        }
    }

    /// Shows the PID as SD-JWT: only the disclosures that were asked for.
    pub fn show_sd_jwt(
        &self,
        asked: &Asked,
        now: Timestamp,
        edit: impl FnOnce(&mut SdJwtShow),
    ) -> String {
        let wanted = asked.wanted("pid_sd_jwt");
        let parts: Vec<&str> = self.sd_jwt.split('~').collect();
        let mut shown = parts[0].to_owned() + "~";
        for disclosure in parts[1..].iter().filter(|part| !part.is_empty()) {
            // a test may have put anything here: what cannot be read is shown
            let name = URL_SAFE_NO_PAD.decode(disclosure).ok();
            let name = name.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            let name = name.and_then(|parts| Some(parts.get(1)?.as_str()?.to_owned()));
            if name.is_none_or(|name| !HIDDEN.contains(&name.as_str()) || wanted.contains(&name)) {
                shown.push_str(disclosure);
                shown.push('~');
            }
        }
        let mut show = SdJwtShow {
            header: json!({"alg": "ES256", "typ": "kb+jwt"}),
            payload: json!({
                "iat": now.as_second(),
                "aud": asked.request["client_id"],
                "nonce": asked.request["nonce"],
                "sd_hash": hash(&shown),
            }),
            shown,
            bound: true,
        };
        edit(&mut show);
        let binding =
            if show.bound { jwt(&self.key, &show.header, &show.payload) } else { String::new() };
        show.shown + &binding
    }

    /// Shows the PID as mdoc.
    pub fn show_mdoc(&self, asked: &Asked, edit: impl FnOnce(&mut MdocShow)) -> Cbor {
        let text = |name: &str| asked.request[name].as_str().unwrap_or_default();
        let thumbprint = asked.thumbprint();
        let info = Cbor::Array(vec![
            text("client_id").into(),
            text("nonce").into(),
            thumbprint.as_slice().into(),
            text("response_uri").into(),
        ]);
        let info = digest(&SHA256, &bytes_of(&info));
        let handover = Cbor::Array(vec!["OpenID4VPHandover".into(), info.as_ref().into()]);
        let mut show = MdocShow {
            transcript: Cbor::Array(vec![Cbor::Null, Cbor::Null, handover]),
            doc_type: PID.into(),
            algorithm: iana::Algorithm::ES256,
            issuer_signed: self.issuer_signed.clone(),
        };
        hide(&mut show.issuer_signed, &asked.wanted("pid_mdoc"));
        edit(&mut show);
        let name_spaces = Cbor::Tag(24, Box::new(bytes_of(&Cbor::Map(vec![])).into()));
        let authentication = Cbor::Array(vec![
            "DeviceAuthentication".into(),
            show.transcript,
            show.doc_type.as_str().into(),
            name_spaces.clone(),
        ]);
        let payload = bytes_of(&Cbor::Tag(24, Box::new(bytes_of(&authentication).into())));
        let signature = CoseSign1Builder::new()
            .protected(HeaderBuilder::new().algorithm(show.algorithm).build())
            .create_detached_signature(&payload, &[], |data| sign(&self.key, data))
            .build();
        let device_auth = map([("deviceSignature", cose_value(signature))]);
        let document = map([
            ("docType", show.doc_type.as_str().into()),
            ("issuerSigned", show.issuer_signed),
            ("deviceSigned", map([("nameSpaces", name_spaces), ("deviceAuth", device_auth)])),
        ]);
        let documents = Cbor::Array(vec![document]);
        map([("version", "1.0".into()), ("documents", documents), ("status", 0.into())])
    }

    /// The whole answer with the PID as SD-JWT: the body of the post.
    pub fn answer_sd_jwt(&self, asked: &Asked, now: Timestamp) -> Vec<u8> {
        let shown = self.show_sd_jwt(asked, now, |_| {});
        Answer::new(asked, json!({"pid_sd_jwt": [shown]})).post()
    }

    /// The whole answer with the PID as mdoc.
    pub fn answer_mdoc(&self, asked: &Asked) -> Vec<u8> {
        let shown = encode(&bytes_of(&self.show_mdoc(asked, |_| {})));
        Answer::new(asked, json!({"pid_mdoc": [shown]})).post()
    }
}

impl Asked {
    /// The `client_id` and `request_uri` of a link.
    pub fn link(link: &str) -> Option<(String, String)> {
        let (_, query) = link.split_once("://?")?;
        let field = |name: &str| {
            let field = query.split('&').find_map(|field| field.strip_prefix(name))?;
            Some(field.replace("%3A", ":").replace("%2F", "/"))
        };
        Some((field("client_id=")?, field("request_uri=")?))
    }

    /// Reads a request object as a wallet must: certificate to a register's anchor, `client_id` its
    /// hash, signature, and that the answer goes where it says. `None` when anything is off.
    pub fn read(
        client_id: &str,
        jar: &str,
        register: &Anchors,
        wallet_nonce: Option<&str>,
        now: Timestamp,
    ) -> Option<Self> {
        let (signed, signature) = jar.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let json = |text: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
        };
        let (header, request) = (json(header)?, json(payload)?);
        let chain: Vec<Certificate> = header["x5c"]
            .as_array()?
            .iter()
            .map(|der| Certificate::from_der(&STANDARD.decode(der.as_str()?).ok()?).ok())
            .collect::<Option<_>>()?;
        let (leaf, above) = chain.split_first()?;
        register.verify(leaf, above, Usage::Seal, now).ok()?;
        let named = format!("x509_hash:{}", encode(&leaf.fingerprint().0));
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let sound = header["typ"] == "oauth-authz-req+jwt"
            && header["alg"] == "ES256"
            && trust::jws::verifies(leaf, signed.as_bytes(), &signature)
            && client_id == named
            && request["client_id"] == named
            && request["aud"] == "https://self-issued.me/v2"
            && request["response_type"] == "vp_token"
            && request["response_mode"] == "direct_post.jwt"
            && request["exp"].as_i64()? > now.as_second()
            && wallet_nonce.is_none_or(|nonce| request["wallet_nonce"] == nonce)
            && request["response_uri"].as_str()?.starts_with("https://");
        sound.then(|| Self { request, relying_party: leaf.common_name().to_owned() })
    }

    /// The members that a query wants.
    fn wanted(&self, id: &str) -> Vec<String> {
        let credentials = self.request["dcql_query"]["credentials"].as_array();
        let query = credentials.and_then(|all| all.iter().find(|query| query["id"] == id));
        let claims = query.and_then(|query| query["claims"].as_array());
        claims
            .into_iter()
            .flatten()
            .filter_map(|c| Some(c["path"].as_array()?.last()?.as_str()?.to_owned()))
            .collect()
    }

    pub(super) fn encryption_key(&self) -> &Value {
        &self.request["client_metadata"]["jwks"]["keys"][0]
    }

    fn thumbprint(&self) -> Vec<u8> {
        let key = self.encryption_key();
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, key["x"], key["y"]);
        digest(&SHA256, text.as_bytes()).as_ref().to_vec()
    }
}

/// Leaves out the elements that were not asked for.
fn hide(issuer_signed: &mut Cbor, wanted: &[String]) {
    let Cbor::Array(items) = member(member(issuer_signed, "nameSpaces"), PID) else { return };
    items.retain(|item| {
        let Cbor::Tag(24, inner) = item else { return true };
        let item = inner.as_bytes().and_then(|bytes| ciborium::from_reader(bytes.as_slice()).ok());
        let Some(Cbor::Map(entries)) = item else { return true };
        let name = entries.iter().find(|(key, _)| key.as_text() == Some("elementIdentifier"));
        let name = name.and_then(|(_, value)| value.as_text()).unwrap_or_default();
        !HIDDEN.contains(&name) || wanted.iter().any(|wanted| wanted == name)
    });
}

/// What a person shows only when it was asked for.
const HIDDEN: [&str; 2] = ["personal_administrative_number", "sex"];
