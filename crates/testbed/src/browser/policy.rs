//! What a page allows (Content Security Policy 3): as much as logins need, `script-src` hashes and
//! `form-action`.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::web::origin;

/// One page's policy.
#[derive(Debug, Clone, Default)]
pub(super) struct Policy {
    scripts: Option<Vec<String>>,
    forms: Option<Vec<String>>,
}

impl Policy {
    /// Reads the header; an empty one allows everything.
    pub fn read(text: &str) -> Self {
        let directive = |name: &str| {
            text.split(';').find_map(|directive| {
                let mut words = directive.split_whitespace();
                (words.next()? == name).then(|| words.map(str::to_owned).collect())
            })
        };
        let scripts = directive("script-src").or_else(|| directive("default-src"));
        Self { scripts, forms: directive("form-action") }
    }

    /// Whether an inline script runs.
    pub fn runs(&self, script: &str) -> bool {
        let digest = digest::digest(&digest::SHA256, script.as_bytes());
        let hash = format!("'sha256-{}'", STANDARD.encode(digest));
        self.scripts.as_ref().is_none_or(|allowed| {
            allowed.iter().any(|word| *word == hash || word == "'unsafe-inline'")
        })
    }

    /// Whether a form of a page of this origin may be sent there. Browsers ask again at each redirect
    /// that follows.
    pub fn sends_to(&self, from: &str, url: &str) -> bool {
        let target = origin(url);
        self.forms.as_ref().is_none_or(|allowed| {
            allowed.iter().any(|word| match word.as_str() {
                "'self'" => target == from,
                "https:" => target.starts_with("https://"),
                word => target == word || url == word,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_forms_go_by_the_policy() {
        let open = Policy::read("");
        assert!(open.runs("x") && open.sends_to("https://a", "https://b/c"));
        let closed = Policy::read("default-src 'none'; form-action 'self' https://b");
        assert!(!closed.runs("x"));
        assert!(closed.sends_to("https://a", "https://a/x"));
        assert!(closed.sends_to("https://a", "https://b/x"));
        assert!(!closed.sends_to("https://a", "https://c/x"));
        let hash = identity::eidas::binding::SCRIPT_HASH;
        let posting = Policy::read(&format!("default-src 'none'; script-src {hash}"));
        assert!(posting.runs("document.forms[0].submit()") && !posting.runs("alert(1)"));
    }
}
