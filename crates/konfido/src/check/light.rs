//! The files of `[eid.light]`.

use gateway::eid::{End, Stamp};
use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::bytes;
use crate::config::{Faults, Light, Stamp as Written};
use crate::eid::LightSetup;

pub(super) fn light(light: &Light, faults: &Faults) -> Option<LightSetup> {
    let ends = light.ends.iter().map(|end| {
        let (request, response) = (stamp(&end.request, faults), stamp(&end.response, faults));
        Some(End {
            place: end.place,
            part: end.part,
            url: end.url.clone(),
            countries: end.countries.clone(),
            request: request?,
            response: response?,
        })
    });
    Some(LightSetup {
        client: light.client.clone(),
        life: SignedDuration::from_secs(light.token_seconds),
        ends: ends.collect::<Option<_>>()?,
    })
}

/// The digest of a token is a plain hash: a short secret would be found by trying.
fn stamp(written: &Written, faults: &Faults) -> Option<Stamp> {
    let read = Zeroizing::new(bytes(&written.secret, faults)?);
    let text = std::str::from_utf8(&read).unwrap_or("").trim_end_matches(['\r', '\n']);
    if text.len() < SHORTEST {
        let message = format!("the secret is shorter than {SHORTEST} characters");
        faults.add(&written.secret.span, message, Some("as in: openssl rand -hex 32"));
        return None;
    }
    Some(Stamp { issuer: written.issuer.clone(), secret: Zeroizing::new(text.to_owned()) })
}

const SHORTEST: usize = 16;
