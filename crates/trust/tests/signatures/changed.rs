//! Everything that may be changed in a signature.

use super::*;

#[test]
fn a_changed_signature_is_refused_before_any_cryptography() {
    use SignatureError::{Ambiguous, Forbidden, Missing, Reference};
    const REFERENCES: SignatureError = Ambiguous("not exactly one reference");
    const HIDDEN: SignatureError = Forbidden("comment, CDATA section or processing instruction");
    let (signed, sig) = (&WORLD.signed, signature());
    let part = |name: &str| {
        let end = format!("</ds:{name}>");
        let start = signed.find(&format!("<ds:{name}")).unwrap();
        &signed[start..signed.find(&end).unwrap() + end.len()]
    };
    let (info, reference, certificate) =
        (part("SignedInfo"), part("Reference"), part("X509Certificate"));
    let exc = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">";
    let no_exc = {
        let start = signed.find(exc).unwrap();
        let end = start + signed[start..].find("</ds:Transform>").unwrap() + 15;
        [&signed[..start], &signed[end..]].concat()
    };
    let twice = |part: &str| replaced(part, &part.repeat(2));
    let cases = [
        ("stripped", unsigned(), Missing),
        ("no SignedInfo", replaced(info, ""), Ambiguous("the signature holds more than it should")),
        ("two SignedInfo", twice(info), Ambiguous("the signature holds more than it should")),
        (
            "an Object",
            replaced("</ds:Signature>", "<ds:Object/></ds:Signature>"),
            Ambiguous("the signature holds more than it should"),
        ),
        ("two signatures", twice(sig), Ambiguous("more than one signature")),
        ("no Reference", replaced(reference, ""), REFERENCES),
        ("two References", twice(reference), REFERENCES),
        (
            "a foreign Reference",
            replaced("</ds:SignedInfo>", "<Reference/></ds:SignedInfo>"),
            REFERENCES,
        ),
        ("another element", replaced("URI=\"#_a1\"", "URI=\"#_b2\""), Reference),
        ("the whole document", replaced("URI=\"#_a1\"", "URI=\"\""), Reference),
        ("no URI", replaced(" URI=\"#_a1\"", ""), Reference),
        ("an xpointer", replaced("URI=\"#_a1\"", "URI=\"#xpointer(id('_a1'))\""), Reference),
        ("a file", replaced("URI=\"#_a1\"", "URI=\"/etc/passwd\""), Reference),
        ("an attachment", replaced("URI=\"#_a1\"", "URI=\"cid:a\""), Reference),
        ("two certificates", twice(certificate), Ambiguous("not exactly one certificate")),
        ("no certificate", replaced(certificate, ""), Ambiguous("not exactly one certificate")),
        (
            "SHA-1 signature",
            replaced("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1"),
            Forbidden("signature method"),
        ),
        (
            "HMAC",
            replaced("xmldsig-more#rsa-sha256", "xmldsig-more#hmac-sha256"),
            Forbidden("signature method"),
        ),
        (
            "SHA-1 digest",
            replaced("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1"),
            Forbidden("digest method"),
        ),
        (
            "ECDSA by an RSA key",
            replaced("#rsa-sha256", "#ecdsa-sha256"),
            Forbidden("key for the signature method"),
        ),
        (
            "inclusive canonicalization",
            replaced(
                "http://www.w3.org/2001/10/xml-exc-c14n#",
                "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
            ),
            Forbidden("canonicalization"),
        ),
        ("no exclusive transform", no_exc, Forbidden("transform")),
        (
            "a foreign transform",
            replaced("</ds:Transforms>", "<x:Transform xmlns:x='urn:x'/></ds:Transforms>"),
            Forbidden("transform"),
        ),
        (
            "xslt",
            replaced("2000/09/xmldsig#enveloped-signature", "TR/1999/REC-xslt-19991116"),
            Forbidden("transform"),
        ),
        // libxmlsec refuses these five (interop/differential.py)
        (
            "an element in the signature value",
            replaced("</ds:SignatureValue>", "<saml:Subject/></ds:SignatureValue>"),
            Ambiguous("a value holds an element"),
        ),
        (
            "an element before the signature value",
            replaced("<ds:SignatureValue>", "<ds:SignatureValue><saml:Subject/>"),
            Ambiguous("a value holds an element"),
        ),
        (
            "an element in the digest",
            replaced("</ds:DigestValue>", "<ds:DigestValue/></ds:DigestValue>"),
            Ambiguous("a value holds an element"),
        ),
        (
            "a no-break space in the signature value",
            replaced("</ds:SignatureValue>", "\u{a0}</ds:SignatureValue>"),
            Forbidden("letter in base64"),
        ),
        (
            "a no-break space in the digest",
            replaced("<ds:DigestValue>", "<ds:DigestValue>\u{a0}"),
            Forbidden("letter in base64"),
        ),
        ("comment in the name", replaced("GOOD", "GO<!---->OD"), HIDDEN),
        ("comment in the digest", replaced("<ds:DigestValue>", "<ds:DigestValue><!---->"), HIDDEN),
        ("CDATA", replaced("GOOD", "<![CDATA[GOOD]]>"), HIDDEN),
        (
            "signature not behind the Issuer",
            at_end(&unsigned(), sig),
            Ambiguous("the signature does not follow the Issuer"),
        ),
        (
            "something else before it",
            replaced("<saml:Issuer>urn:idp:DK</saml:Issuer>", "<saml:X/>"),
            Ambiguous("the signature does not follow the Issuer"),
        ),
        (
            "two equal ids that nothing refers to",
            replaced("GOOD</saml:NameID>", "GOOD</saml:NameID><x Id='q'/><y xml:id='q'/>"),
            Ambiguous("the ID is not unique"),
        ),
        ("an id that reads as a pointer", signed.replace("_a1", "xpointer(/)"), Reference),
        (
            "a foreign parameter of the transform",
            replaced(
                exc,
                &format!("{exc}<x:InclusiveNamespaces xmlns:x='urn:x' PrefixList='saml'/>"),
            ),
            Forbidden("canonicalization parameter"),
        ),
        (
            "a foreign parameter of the canonicalization",
            replaced(
                "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
                "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><x:X xmlns:x='urn:x'/></ds:CanonicalizationMethod>",
            ),
            Forbidden("canonicalization parameter"),
        ),
        (
            "a list of inclusive prefixes that takes minutes to walk",
            replaced("PrefixList=\"xsd\"", &format!("PrefixList=\"{}\"", "xsd ".repeat(33))),
            Forbidden("canonicalization parameter"),
        ),
        ("deeper", replaced(sig, &format!("<saml:X>{sig}</saml:X>")), Missing),
        (
            "no ID",
            replaced(" ID=\"_a1\"", ""),
            SignatureError::Xml(XmlError::Attribute { name: "ID" }),
        ),
        ("DTD", format!("<!DOCTYPE a>{signed}"), SignatureError::Xml(XmlError::DocumentType)),
        ("PI", replaced("GOOD", "GO<?x?>OD"), SignatureError::Xml(XmlError::ProcessingInstruction)),
        (
            "relative namespace",
            replaced(" Version=", " xmlns:v=\"1\" Version="),
            SignatureError::Xml(XmlError::RelativeNamespace),
        ),
    ];
    for (what, text, expected) in cases {
        assert_eq!(read(&text, Profile::Ehdsi), Err(expected), "{what}");
    }
}
