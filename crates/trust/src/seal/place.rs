//! Where a key is that never leaves its token: a PKCS#11 URI (RFC 7512).

use std::path::PathBuf;

use crate::certificate::CertificateError;

/// A private key in a token. It names the file of the PIN, not the PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The token's driver: `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// Label of the private key.
    pub label: String,
    /// A file with the user's PIN.
    pub pin_file: PathBuf,
}

impl Place {
    /// Whether a key text is such a URI.
    pub fn is_uri(key: &[u8]) -> bool {
        key.trim_ascii_start().starts_with(SCHEME.as_bytes())
    }

    /// As a URI; [`crate::seal::SealKey::from_pem`] takes it in place of a key.
    pub fn uri(&self) -> String {
        format!(
            "{SCHEME}token={};object={};type=private?module-path={}&pin-source=file:{}",
            escape(&self.token),
            escape(&self.label),
            escape(&self.module.to_string_lossy()),
            escape(&self.pin_file.to_string_lossy()),
        )
    }

    /// Reads a URI with all four of its parts.
    pub fn parse(uri: &[u8]) -> Result<Self, CertificateError> {
        let malformed = || CertificateError::Key("pkcs11 uri is malformed".into());
        let text = std::str::from_utf8(uri).map_err(|_| malformed())?.trim();
        let text = text.strip_prefix(SCHEME).ok_or_else(malformed)?;
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let value = |name: &str| {
            let mut found = path
                .split(';')
                .chain(query.split('&'))
                .filter_map(|part| part.split_once('='))
                .filter(|part| part.0 == name);
            let (first, second) = (found.next(), found.next());
            let text = first.filter(|_| second.is_none()).and_then(|part| unescape(part.1));
            text.filter(|text| !text.is_empty())
                .ok_or_else(|| CertificateError::Key(format!("pkcs11 uri has not one {name}")))
        };
        let pin = value("pin-source")?;
        Ok(Self {
            module: value("module-path")?.into(),
            token: value("token")?,
            label: value("object")?,
            pin_file: pin.strip_prefix("file:").unwrap_or(&pin).into(),
        })
    }
}

fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/:".contains(&b);
    text.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

const SCHEME: &str = "pkcs11:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_round_trip_whatever_a_label_holds() {
        let place = Place {
            module: "/usr/lib/soft hsm/lib.so".into(),
            token: "Segl; 100% æ?&=".into(),
            label: "seal/2026".into(),
            pin_file: "/run/secrets/pin".into(),
        };
        assert!(Place::is_uri(place.uri().as_bytes()));
        assert_eq!(Place::parse(format!("{}\n", place.uri()).as_bytes()), Ok(place));
    }

    #[test]
    fn uris_that_name_no_key_are_refused() {
        let good = "pkcs11:token=t;object=o?module-path=/m&pin-source=file:/p";
        assert!(Place::parse(good.as_bytes()).is_ok());
        for bad in [
            good.replace("token=t", "token="),
            good.replace("object=o", "id=o"),
            good.replace("token=t", "token=t;token=u"),
            good.replace("module-path", "module-name"),
            good.replace("&pin-source=file:/p", ""),
            good.replace("=t", "=%zz"),
            good.replace("=t", "=%f"),
            good.replace("pkcs11", "file"),
        ] {
            assert!(Place::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(!Place::is_uri(b"-----BEGIN PRIVATE KEY-----"));
    }
}
