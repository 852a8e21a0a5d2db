//! Wrapping: a good signature, and another assertion beside it.

use super::*;

/// XSW 1-8 (Somorovsky et al., USENIX Security 2012), and their kin. All keep the valid signature.
fn wrapping_attacks() -> Vec<(&'static str, String)> {
    let (signed, unsigned, sig) = (&WORLD.signed, unsigned(), signature());
    let response =
        |inner: &str| format!("<p:Response xmlns:p='urn:p' ID='_r'>{inner}</p:Response>");
    let sig_with = |inner: &str| {
        sig.replace("</ds:Signature>", &format!("<ds:Object>{inner}</ds:Object></ds:Signature>"))
    };
    vec![
        ("1: original in the signature of an evil root", {
            let root = after_issuer(&evil("_e"), &sig_with(&unsigned));
            response(&root)
        }),
        (
            "2: signature detached beside the original",
            response(&format!("{}{sig}{unsigned}", evil("_e"))),
        ),
        ("3: evil sibling before", response(&format!("{}{signed}", evil("_e")))),
        ("3b: evil sibling after", response(&format!("{signed}{}", evil("_e")))),
        ("4: original inside evil", response(&at_end(&evil("_e"), signed))),
        ("5: signature moved to evil, original at the end", {
            response(&format!("{}{unsigned}", after_issuer(&evil("_e"), sig)))
        }),
        ("6: original inside the moved signature", {
            response(&after_issuer(&evil("_e"), &sig_with(&unsigned)))
        }),
        ("7: evil in Extensions", {
            response(&format!("<p:Extensions>{}</p:Extensions>{signed}", evil("_e")))
        }),
        ("8: original in the Object of evil's signature", {
            let own = sig.replace("</ds:Signature>", "");
            let moved = format!("{own}<ds:Object>{unsigned}</ds:Object></ds:Signature>");
            response(&after_issuer(&evil(ID), &moved))
        }),
        ("9: the same ID twice", response(&format!("{}{signed}", evil(ID)))),
        ("evil with the signature copied, same ID", response(&after_issuer(&evil(ID), sig))),
        ("evil inside the original", response(&at_end(signed, &evil("_e")))),
        ("same ID inside", at_end(signed, &format!("<x ID='{ID}'/>"))),
        ("same Id inside", at_end(signed, &format!("<x Id='{ID}'/>"))),
        ("same xml:id inside", at_end(signed, &format!("<x xml:id='{ID}'/>"))),
    ]
}

#[test]
fn wrapped_signatures_never_yield_evil() {
    let mut good = 0;
    for (what, message) in wrapping_attacks() {
        for name in read_all(&message).into_iter().flatten() {
            assert_eq!(name, "GOOD", "{what}");
            good += 1;
        }
    }
    // 3, 3b, 4, 7 and 9 leave the original whole, and it is still what was signed
    assert_eq!(good, 5);
}
