//! XML signature wrapping, XSW 1 to 8 (Somorovsky et al., USENIX Security 2012), and its kin.
//!
//! There the wrapper is a SAML response; here it is the WS-Security header, whose children are the
//! assertions of the message. All variants keep the valid signature somewhere.

use super::forgery::{id, replaced, signature, unsigned};

/// A variant, and what becomes of `signed` in it: the children of the WS-Security header.
pub struct Wrapped {
    /// Which one.
    pub name: &'static str,
    /// What goes in the assertion's place.
    pub security: String,
}

/// All variants of one signed assertion. `forge` writes the attacker's claims into a copy of it.
pub fn variants(signed: &str, forge: impl Fn(String) -> String) -> Vec<Wrapped> {
    let (sig, plain) = (signature(signed), unsigned(signed));
    let same = forge(plain.clone());
    assert_ne!(same, plain, "the attacker wants something else than what was signed");
    let other = replaced(&same, id(signed), "_evil");
    let holding = |inner: &str| {
        replaced(sig, "</ds:Signature>", &format!("<ds:Object>{inner}</ds:Object></ds:Signature>"))
    };
    let beside = |inner: &str| {
        replaced(sig, "</ds:SignatureValue>", &format!("</ds:SignatureValue>{inner}"))
    };
    let rows = [
        ("XSW1 original in the signature of the forgery", after_issuer(&other, &holding(&plain))),
        ("XSW2 signature detached beside both", format!("{other}{sig}{plain}")),
        ("XSW3 forgery before the original", format!("{other}{signed}")),
        ("XSW3 forgery behind the original", format!("{signed}{other}")),
        ("XSW4 original inside the forgery", at_end(&other, signed)),
        ("XSW5 signature moved, original at the end", {
            format!("{}{plain}", after_issuer(&other, sig))
        }),
        ("XSW6 original inside the moved signature", after_issuer(&other, &beside(&plain))),
        (
            "XSW7 forgery in an extension",
            format!("<x:Any xmlns:x=\"urn:x\">{other}</x:Any>{signed}"),
        ),
        ("XSW8 original in an Object, same ID", after_issuer(&same, &holding(&plain))),
        ("the same ID twice, forgery first", format!("{same}{signed}")),
        ("the signature copied to the forgery", after_issuer(&same, sig)),
        ("forgery inside the original", at_end(signed, &other)),
        ("the original's ID on an element inside", {
            at_end(signed, &format!("<x:Any xmlns:x=\"urn:x\" ID=\"{}\"/>", id(signed)))
        }),
    ];
    rows.map(|(name, security)| Wrapped { name, security }).into()
}

fn after_issuer(assertion: &str, inner: &str) -> String {
    replaced(assertion, "</saml2:Issuer>", &format!("</saml2:Issuer>{inner}"))
}

fn at_end(assertion: &str, inner: &str) -> String {
    replaced(assertion, "</saml2:Assertion>", &format!("{inner}</saml2:Assertion>"))
}
