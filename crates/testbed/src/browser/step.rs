//! What a person's or a page's doing asks for: the next request.

use http::Method;

use super::html::FormTag;
use super::policy::Policy;
use super::{BrowserError, Page};
use crate::web::{encode, origin};

/// A request about to be made.
pub(super) struct Step {
    pub method: Method,
    pub url: String,
    pub body: String,
    /// Origin of the page that led there; empty when a person typed the address.
    pub from: String,
    /// Policy of the form that led there.
    pub policy: Option<Policy>,
}

/// What sending a form asks for.
pub(super) fn filled(
    page: &Page,
    form: &FormTag,
    values: &[(&str, &str)],
) -> Result<Step, BrowserError> {
    for (name, _) in values {
        if !form.fields.iter().any(|field| field.name == *name) {
            return Err(BrowserError::NoField((*name).to_owned()));
        }
    }
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for field in form.fields.iter().filter(|field| !field.name.is_empty()) {
        let given = values.iter().find(|(name, _)| *name == field.name).map(|(_, value)| *value);
        let value = match field.kind.as_str() {
            "radio" | "checkbox" => match given {
                Some(given) => Some(given).filter(|given| *given == field.value),
                None => field.chosen.then_some(field.value.as_str()),
            },
            "submit" => given.filter(|given| *given == field.value),
            "button" | "reset" => None,
            _ => Some(given.unwrap_or(&field.value)),
        };
        pairs.extend(value.map(|value| (field.name.as_str(), value)));
    }
    let target = resolve(&page.url, &form.action)?;
    let (from, policy) = (origin(&page.url).to_owned(), Some(page.policy.clone()));
    let data = encode(&pairs);
    Ok(if form.method == "post" {
        Step { method: Method::POST, url: target, body: data, from, policy }
    } else {
        let target = target.split('?').next().unwrap_or_default();
        let url = format!("{target}?{data}");
        Step { method: Method::GET, url, body: String::new(), from, policy }
    })
}

/// An address as a page means it.
pub(super) fn resolve(base: &str, reference: &str) -> Result<String, BrowserError> {
    let reference = reference.split('#').next().unwrap_or("");
    if reference.contains("://") {
        return Ok(reference.to_owned());
    }
    let path_end = base.find(['?', '#']).unwrap_or(base.len());
    match reference.chars().next() {
        None => Ok(base.to_owned()),
        Some('/') if !reference.starts_with("//") => Ok(format!("{}{reference}", origin(base))),
        Some('?') => Ok(format!("{}{reference}", &base[..path_end])),
        _ => Err(BrowserError::Address),
    }
}

/// The address with the names of its query, not their values.
pub(super) fn without_values(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let names: Vec<_> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    format!("{path}?{}", names.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_resolved_and_printed_without_values() {
        let base = "https://localhost:1/a/b?x=1";
        for (reference, expected) in [
            ("", base),
            ("/c", "https://localhost:1/c"),
            ("?y=2", "https://localhost:1/a/b?y=2"),
            ("https://other/d#e", "https://other/d"),
        ] {
            assert_eq!(resolve(base, reference).unwrap(), expected);
        }
        assert!(resolve(base, "//evil").is_err());
        assert_eq!(without_values("https://h/p?code=secret&state=s"), "https://h/p?code&state");
    }
}
