//! The wallet's answer: opened, checked, and a person at the end.

use exchange::Country;
use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use super::dcql::{self, Format};
use super::jose::PublicKey;
use super::mdoc::{self, transcript};
use super::person::{Claims, Naming, place};
use super::request::{escape, unescape};
use super::sd_jwt::{Binding, Presentation};
use super::status::Reference;
use super::{Refused, Session, Verifier, json, jwe};
use crate::Assurance;
use crate::eidas::person::Person;

/// Where status lists come from: a cache, and the network behind it. Called at most once a login.
pub trait StatusLists {
    /// The token behind this URI, or `None` when it cannot be had in time.
    fn list(&self, uri: &str) -> Option<Vec<u8>>;
}

/// Proof that a person showed a PID for this login. Personal: no `Debug`.
pub struct Presented {
    person: Person,
    naming: Naming,
    format: Format,
    holder: PublicKey,
    redirect: Option<Zeroizing<String>>,
}

/// An answer of which all holds but the status, which has to be fetched first.
pub struct Opened {
    presented: Presented,
    status: Option<Reference>,
}

impl Presented {
    /// Who.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// What the person's identifier is made of.
    pub fn naming(&self) -> Naming {
        self.naming
    }

    /// Of which country.
    pub fn country(&self) -> Country {
        self.person.identifier.of
    }

    /// A PID is issued at level high only (Regulation (EU) 910/2014 Art. 5a(11)).
    pub fn assurance(&self) -> Assurance {
        Assurance::High
    }

    /// In which form it was shown.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The key that the wallet holds for this credential.
    pub fn holder(&self) -> &PublicKey {
        &self.holder
    }

    /// What the wallet is answered, `application/json`: on the same device, where it sends the
    /// browser. The code in it shows that this browser is the one of the wallet, against a login
    /// that somebody else began (OpenID4VP 1.0 §8.2, §13.3).
    pub fn answer(&self) -> String {
        match &self.redirect {
            Some(redirect) => serde_json::json!({"redirect_uri": **redirect}).to_string(),
            None => "{}".to_owned(),
        }
    }
}

impl Opened {
    /// The list that has to be fetched; `None` when the credential names none.
    pub fn status_list(&self) -> Option<&str> {
        self.status.as_ref().map(|status| status.uri.as_str())
    }

    /// Checks the status by the list that was fetched.
    pub fn accept(
        self,
        verifier: &Verifier,
        list: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Presented, Refused> {
        if let Some(status) = &self.status {
            status.check(list, &verifier.issuers, self.presented.country(), now)?;
        }
        Ok(self.presented)
    }
}

impl Session {
    /// Checks the wallet's post from beginning to end, the status list fetched on the way.
    pub fn finish(
        self,
        verifier: &Verifier,
        body: &[u8],
        lists: &dyn StatusLists,
        now: Timestamp,
    ) -> Result<Presented, Refused> {
        let opened = self.open(verifier, body, now)?;
        let list = opened.status_list().and_then(|uri| lists.list(uri));
        opened.accept(verifier, list.as_deref(), now)
    }

    /// Checks all but the status: for a caller who fetches without blocking.
    pub fn open(self, verifier: &Verifier, body: &[u8], now: Timestamp) -> Result<Opened, Refused> {
        if now < self.begun - super::sd_jwt::SKEW || self.expires() <= now {
            return Err(Refused::SessionExpired);
        }
        let response = form(body)?;
        let plain = jwe::open(&response, &self.key, &self.kid())?;
        let payload = json::read_object(&plain).ok_or(Refused::Payload)?;
        if payload.get("state").and_then(Value::as_str) != Some(&self.state) {
            return Err(Refused::State);
        }
        if payload.contains_key("error") {
            return Err(Refused::Declined);
        }
        let token = payload.get("vp_token").and_then(Value::as_object).ok_or(Refused::Payload)?;
        let (format, text) = dcql::answer(token)?;
        let (claims, country, holder, status) = match format {
            Format::SdJwt => self.sd_jwt(verifier, text, now)?,
            Format::Mdoc => self.mdoc(verifier, text, now)?,
        };
        let (person, naming) = claims.person(country, verifier.country)?;
        let redirect = self.redirect();
        Ok(Opened { presented: Presented { person, naming, format, holder, redirect }, status })
    }

    fn sd_jwt(
        &self,
        verifier: &Verifier,
        text: &str,
        now: Timestamp,
    ) -> Result<(Claims, Country, PublicKey, Option<Reference>), Refused> {
        let presentation = Presentation::parse(text)?;
        let issuer = presentation.issuer(&verifier.issuers, now)?;
        let credential = presentation.issued_by(&issuer)?;
        let domestic = dcql::domestic_vct(issuer.country());
        credential.is_current(&[dcql::VCT, &domestic], now)?;
        let audience = verifier.client_id();
        let binding = Binding { audience, nonce: &self.nonce, asked: self.begun, now };
        presentation.bound(&credential, &binding)?;
        let claims = Claims::read(|claim| match (claim.name, credential.claim(claim.member)) {
            (_, None) => Ok(None),
            (_, Some(Value::String(text))) => Ok(Some(text.clone())),
            ("place", Some(Value::Object(parts))) => {
                let text = place(|name| parts.get(name)?.as_str());
                text.map(Some).ok_or(Refused::Claim)
            }
            _ => Err(Refused::Claim),
        })?;
        let status = credential.open_claim("status").map(Reference::of_claim).transpose()?;
        Ok((claims, issuer.country(), credential.holder()?, status))
    }

    fn mdoc(
        &self,
        verifier: &Verifier,
        text: &str,
        now: Timestamp,
    ) -> Result<(Claims, Country, PublicKey, Option<Reference>), Refused> {
        let response = mdoc::Response::parse(text)?;
        let document = response.only()?;
        let issuer = document.issuer(&verifier.issuers, now)?;
        let credential = document.issued_by(&issuer)?;
        credential.is_current(dcql::DOC_TYPE, now)?;
        let transcript = transcript(
            verifier.client_id(),
            &self.nonce,
            Some(&self.public.thumbprint()),
            &self.addresses.response,
        );
        document.bound(&credential, &transcript)?;
        let claims = Claims::read(|claim| {
            let Some(value) = credential.element(dcql::DOC_TYPE, claim.element) else {
                return Ok(None);
            };
            let text = match claim.name {
                "place" => mdoc::place(value),
                "birth" => mdoc::date(value),
                _ => mdoc::text(value),
            };
            text.map(Some).ok_or(Refused::Claim)
        })?;
        let status = credential.status()?;
        Ok((claims, issuer.country(), credential.holder().clone(), status))
    }

    fn redirect(&self) -> Option<Zeroizing<String>> {
        let done = self.addresses.done.as_deref()?;
        let joint = if done.contains('?') { '&' } else { '?' };
        Some(format!("{done}{joint}response_code={}", escape(&self.response_code)).into())
    }
}

/// The one field `response` of `application/x-www-form-urlencoded`. A wallet that cannot encrypt an
/// error says it in the open (OpenID4VP 1.0 §8.3.1); the code stays with the wallet.
fn form(body: &[u8]) -> Result<String, Refused> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= jwe::MAX_BYTES);
    let mut response = None;
    for field in text.ok_or(Refused::ResponseForm)?.split('&') {
        let (name, value) = field.split_once('=').ok_or(Refused::ResponseForm)?;
        match name {
            "response" if response.is_none() => {
                response = Some(unescape(value).ok_or(Refused::ResponseForm)?);
            }
            "response" => return Err(Refused::ResponseForm),
            "error" => return Err(Refused::Declined),
            _ => {}
        }
    }
    response.ok_or(Refused::ResponseForm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_one_response() {
        assert_eq!(form(b"response=a.b%2E+c&state=x"), Ok("a.b. c".into()));
        for bad in
            ["", "response", "response=a&response=b", "state=x", "response=%zz", "response=%e"]
        {
            assert_eq!(form(bad.as_bytes()), Err(Refused::ResponseForm), "{bad}");
        }
        assert_eq!(form(b"\xff"), Err(Refused::ResponseForm));
        assert_eq!(form(b"error=access_denied&state=x"), Err(Refused::Declined));
    }
}
