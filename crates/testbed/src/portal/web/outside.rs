//! For browsers of other makers: where a patient signs in, and how (`interop/webdriver.py`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::WebPortal;
use crate::idp::{Idp, Resident};
use crate::world::Land;

impl WebPortal {
    /// What somebody does who signs in here as a patient at this identity provider, by one-time code and by
    /// passkey. `nodes`: the addresses of the nodes on the way. Holds the person's secrets: invented people
    /// only.
    pub fn for_browsers(&self, idp: &Idp, patient: &Resident, nodes: &[&str]) -> Value {
        let country = Land::of(idp.country()).map_or("", |land| land.name);
        let here = format!("{}/", self.base_url());
        let servers = [&[self.base_url(), idp.base_url()], nodes].concat();
        json!({
            "begin": here,
            "first": [["#patient-country", country], ["#patient button", "click"]],
            "end": here,
            "says": patient.family,
            "last": [["#logout-patient button", "click"]],
            "servers": servers,
            "ways": ["code", "passkey"],
            "login": patient.login,
            "pin": patient.pin(),
            "otpauth": patient.authenticator().uri("testbed", &patient.login),
            "passkey": {
                "id": patient.passkey().id(),
                "key": URL_SAFE_NO_PAD.encode(patient.passkey().pkcs8()),
            },
        })
    }
}
