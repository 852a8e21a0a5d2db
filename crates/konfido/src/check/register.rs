//! The professional register of a configuration.

use exchange::Country;
use transport::tls::ClientTls;
use zeroize::Zeroizing;

use super::bytes;
use crate::config::{self, Faults};
use crate::register::{Directory, Place};

/// Its place, after it was looked at. `Some(None)`: it has none.
#[expect(clippy::option_option, reason = "outer: faults were told; inner: there is none")]
pub(super) fn register(
    found: Option<&config::Register>,
    country: Country,
    faults: &Faults,
) -> Option<Option<Place>> {
    let (place, span) = match found {
        None => return Some(None),
        Some(config::Register::File(at)) => (Place::File(at.value.clone()), &at.span),
        Some(config::Register::Database(at)) => (Place::Database(at.value.clone()), &at.span),
        Some(config::Register::Directory(at)) => {
            (Place::Directory(Box::new(directory(at, country, faults)?)), &at.span)
        }
    };
    if let Err(error) = place.clone().open() {
        faults.add(span, format!("no professional register: {error:#}"), None);
    }
    Some(Some(place))
}

fn directory(at: &config::Directory, country: Country, faults: &Faults) -> Option<Directory> {
    let (roots, password) = (bytes(&at.roots, faults), bytes(&at.password, faults));
    let (roots, password) = (roots?, Zeroizing::new(password?));
    if let Err(error) = ClientTls::anonymous(&roots) {
        faults.add(&at.roots.span, format!("no roots: {error}"), None);
        return None;
    }
    let text = std::str::from_utf8(&password).map(|text| text.trim_end_matches(['\r', '\n']));
    let Some(password) = text.ok().filter(|text| !text.is_empty()) else {
        faults.add(&at.password.span, "the file holds no password", None);
        return None;
    };
    Some(Directory {
        url: at.url.clone(),
        roots,
        bind: at.bind.clone(),
        password: Zeroizing::new(password.to_owned()),
        base: at.base.clone(),
        with_country: at.with_country,
        attributes: at.attributes.clone(),
        country,
    })
}
