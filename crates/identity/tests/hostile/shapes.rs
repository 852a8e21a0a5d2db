//! Changes that an attacker can make to a signed element without the key: the same for every kind.

/// One kind of signed element.
pub struct Target<'w> {
    pub kind: &'static str,
    /// Validly signed.
    pub good: String,
    /// What the attacker wants to be read instead: unsigned, under the same ID, with EVIL in it.
    pub evil: String,
    /// The same, well signed by the attacker's own key.
    pub forged: String,
    /// Reads a text as this node does.
    pub judge: Box<dyn Fn(&str) -> Result<(), String> + 'w>,
    /// Whether a lost signature is an attack: not inside of what is signed outside.
    pub signature_needed: bool,
}

pub struct Case {
    pub family: &'static str,
    pub name: String,
    pub text: String,
}

/// Where a child is put into a parent's text.
#[derive(Clone, Copy)]
enum At {
    First,
    Second,
    Last,
}

fn put(parent: &str, at: At, child: &str) -> String {
    let start = parent.find('>').unwrap() + 1;
    let at = match at {
        At::First => start,
        At::Second => start + after_first_child(&parent[start..]),
        At::Last => parent.rfind("</").unwrap(),
    };
    format!("{}{child}{}", &parent[..at], &parent[at..])
}

/// Behind the first child; each of ours begins with a leaf or the signature.
fn after_first_child(content: &str) -> usize {
    let name_end = content.find([' ', '>', '/']).unwrap();
    let close = format!("</{}>", &content[1..name_end]);
    content.find(&close).map_or(0, |at| at + close.len())
}

fn signature(signed: &str) -> &str {
    let start = signed.find("<ds:Signature ").unwrap();
    let end = signed.rfind("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    &signed[start..end]
}

pub fn id(text: &str) -> &str {
    text.split(" ID=\"").nth(1).unwrap().split('"').next().unwrap()
}

pub fn all(target: &Target<'_>) -> Vec<Case> {
    let mut cases = Vec::new();
    wrapped(target, &mut cases);
    identified(target, &mut cases);
    hidden(target, &mut cases);
    documents(target, &mut cases);
    algorithms(target, &mut cases);
    structures(target, &mut cases);
    keys(target, &mut cases);
    cut(target, &mut cases);
    cases
}

/// Signature wrapping, XSW 1 to 8 (Somorovsky et al. 2012) and more, each under three IDs.
fn wrapped(target: &Target<'_>, cases: &mut Vec<Case>) {
    let good = &target.good;
    let seal = signature(good);
    let bare = good.replacen(seal, "", 1);
    let object = |inner: &str| format!("<ds:Object xmlns:ds=\"{DS}\">{inner}</ds:Object>");
    let sealing = |inner: &str| put(seal, At::Last, inner);
    let extension = |inner: &str| format!("<x:Extensions xmlns:x=\"urn:x\">{inner}</x:Extensions>");
    let own = format!(" ID=\"{}\"", id(good));
    for (ids, evil) in [
        ("same id", target.evil.clone()),
        ("own id", target.evil.replacen(&own, " ID=\"_evil\"", 1)),
        ("no id", target.evil.replacen(&own, "", 1)),
    ] {
        let evil = &evil;
        let shapes = [
            ("xsw1", put(evil, At::Second, &sealing(&object(&bare)))),
            ("xsw2", put(evil, At::Second, &format!("{bare}{seal}"))),
            ("xsw3", put(evil, At::First, good)),
            ("xsw4", put(evil, At::Last, good)),
            ("xsw5", put(&put(evil, At::Second, seal), At::Last, &bare)),
            ("xsw6", put(evil, At::Second, &sealing(&bare))),
            ("xsw7", put(evil, At::Second, &extension(good))),
            ("xsw8", put(&put(evil, At::Second, seal), At::Last, &object(&bare))),
            ("evil last in the good", put(good, At::Last, evil)),
            ("evil first in the good", put(good, At::First, evil)),
            ("evil in an extension of the good", put(good, At::Second, &extension(evil))),
            ("evil in the seal", good.replacen(seal, &sealing(&object(evil)), 1)),
            ("one after the other", format!("{evil}{good}")),
            ("both in a third", format!("<x:r xmlns:x=\"urn:x\">{evil}{good}</x:r>")),
            ("the good seal on the evil", put(evil, At::Second, seal)),
            ("the good seal, first", put(evil, At::First, seal)),
            ("the good seal, last", put(evil, At::Last, seal)),
        ];
        for (name, text) in shapes {
            cases.push(Case { family: "wrapping", name: format!("{name}, {ids}"), text });
        }
    }
}

/// IDs that two readers may see differently.
fn identified(target: &Target<'_>, cases: &mut Vec<Case>) {
    let (good, seal) = (&target.good, signature(&target.good));
    let id = id(good);
    let own = format!(" ID=\"{id}\"");
    for name in ["xml:id", "x:ID", "Id", "id", "AssertionID", "x:Id"] {
        let polluted = format!(" ID=\"_evil\" xmlns:x=\"urn:x\" {name}=\"{id}\"");
        let evil = target.evil.replacen(&own, &polluted, 1);
        let evil = put(&put(&evil, At::Second, seal), At::Last, &good.replacen(seal, "", 1));
        cases.push(Case { family: "ids", name: format!("{name} on the evil"), text: evil });
        let second = format!("<x:y xmlns:x=\"urn:x\" {name}=\"{id}\"/>");
        let text = put(good, At::Last, &second);
        cases.push(Case { family: "ids", name: format!("{name} on a second"), text });
        let text = good.replacen(&own, &format!(" xmlns:x=\"urn:x\" {name}=\"{id}\""), 1);
        cases.push(Case { family: "ids", name: format!("{name} instead"), text });
    }
    let twice = put(good, At::Last, &format!("<x:y xmlns:x=\"urn:x\" ID=\"{id}\"/>"));
    cases.push(Case { family: "ids", name: "the same ID twice".into(), text: twice });
}

/// Comments, CDATA and instructions in every text: canonicalization drops the first two.
fn hidden(target: &Target<'_>, cases: &mut Vec<Case>) {
    let text = &target.good;
    let mut from = 0;
    while let Some(at) = text[from..].find('>').map(|at| from + at + 1) {
        from = at;
        let end = text[at..].find('<').map_or(text.len(), |end| at + end);
        let value = &text[at..end];
        if value.trim().is_empty() {
            continue;
        }
        let name = text[..at].rsplit('<').next().unwrap().split([' ', '>']).next().unwrap();
        let half = (1..=value.len() / 2).rev().find(|half| value.is_char_boundary(*half));
        let (first, second) = value.split_at(half.unwrap_or(value.len()));
        for (what, changed) in [
            ("comment", format!("{first}<!---->{second}")),
            ("comment before", format!("<!--EVIL-->{value}")),
            ("instruction", format!("{first}<?x?>{second}")),
            ("cdata", format!("{first}<![CDATA[{second}]]>")),
        ] {
            let text = format!("{}{changed}{}", &text[..at], &text[end..]);
            cases.push(Case { family: "hidden", name: format!("{what} in {name} at {at}"), text });
        }
    }
}

/// Document types, entities, relative namespaces.
fn documents(target: &Target<'_>, cases: &mut Vec<Case>) {
    let good = &target.good;
    let root = good[1..].split([' ', '>']).next().unwrap();
    let head = |insert: &str| good.replacen(root, &format!("{root} {insert}"), 1);
    let entity =
        "<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    let inside = |reference: &str| put(good, At::Last, reference);
    for (name, text) in [
        ("dtd", format!("<!DOCTYPE r>{good}")),
        ("dtd, lower case", format!("<!doctype r>{good}")),
        ("dtd with id attribute", format!("<!DOCTYPE r [<!ATTLIST {root} Id ID #IMPLIED>]>{good}")),
        ("dtd with default", format!("<!DOCTYPE r [<!ATTLIST {root} EVIL CDATA \"EVIL\">]>{good}")),
        ("dtd, external", format!("<!DOCTYPE r SYSTEM \"https://evil.example/\">{good}")),
        (
            "parameter entity",
            format!("<!DOCTYPE r [<!ENTITY % p SYSTEM \"file:///p\"> %p;]>{good}"),
        ),
        ("entity", format!("{entity}{}", inside("&b;"))),
        (
            "external entity",
            format!("<!DOCTYPE r [<!ENTITY e SYSTEM \"file:///e\">]>{}", inside("&e;")),
        ),
        ("entity of nobody", inside("&nobody;")),
        ("stylesheet", format!("<?xml-stylesheet href=\"https://evil.example/\"?>{good}")),
        ("relative namespace", head("xmlns:void=\"1\"")),
        ("relative namespace, path", head("xmlns:void=\"../void\"")),
        ("namespace with a line break", head("xmlns:void=\"urn:&#10;void\"")),
        ("prefix to nothing", head("xmlns:void=\"\"")),
        ("xml prefix elsewhere", head("xmlns:xml=\"urn:void\"")),
        ("utf-16 said", format!("<?xml version=\"1.0\" encoding=\"UTF-16\"?><!---->{good}<x/>")),
        ("nul", inside("\u{0}")),
        ("attribute twice", head("ID=\"_a\"")),
    ] {
        cases.push(Case { family: "documents", name: name.into(), text });
    }
    // beside an assertion in a SOAP header, text is nothing
    if target.kind != "clinician" {
        let text = format!("{good}EVIL");
        cases.push(Case { family: "documents", name: "text behind".into(), text });
    }
}

/// Weaker or other algorithms than those that were used.
fn algorithms(target: &Target<'_>, cases: &mut Vec<Case>) {
    let good = &target.good;
    let mut swap = |name: String, from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        cases.push(Case { family: "algorithms", name, text: good.replace(from, to) });
    };
    let own = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
    for method in [
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "none",
        "",
    ] {
        swap(format!("method {method}"), own, method);
    }
    for digest in
        ["http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmldsig-more#md5"]
    {
        swap(
            format!("digest {digest}"),
            "http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestV",
            &format!("{digest}\"/><ds:DigestV"),
        );
    }
    let exclusive =
        "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>";
    for other in [
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "http://www.w3.org/2006/12/xml-c14n11",
    ] {
        let to = format!("<ds:CanonicalizationMethod Algorithm=\"{other}\"/>");
        swap(format!("canonicalization {other}"), exclusive, &to);
    }
    let enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
    for transform in [
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/2000/09/xmldsig#base64",
    ] {
        swap(format!("transform {transform}"), enveloped, transform);
    }
}

/// Signatures that hold more, less or other than they should.
fn structures(target: &Target<'_>, cases: &mut Vec<Case>) {
    let good = &target.good;
    let part = |name: &str| {
        let (open, close) = (format!("<ds:{name}"), format!("</ds:{name}>"));
        let start = good.find(&open).unwrap();
        &good[start..good[start..].find(&close).unwrap() + start + close.len()]
    };
    let (info, reference) = (part("SignedInfo"), part("Reference"));
    let (value, digest, keys) = (part("SignatureValue"), part("DigestValue"), part("KeyInfo"));
    let seal = signature(good);
    let uri = format!("URI=\"#{}\"", id(good));
    let twice = |part: &str| part.repeat(2);
    let mut table = vec![
        ("two infos", info, twice(info)),
        ("an evil info first", info, format!("{}{info}", info.replace(&uri, "URI=\"#_evil\""))),
        ("two references", reference, twice(reference)),
        ("no reference", reference, String::new()),
        ("reference to all", &uri, "URI=\"\"".into()),
        ("reference to nothing", &uri, String::new()),
        ("reference to another", &uri, "URI=\"#_other\"".into()),
        ("reference by xpointer", &uri, format!("URI=\"#xpointer(id('{}'))\"", id(good))),
        ("reference to the web", &uri, "URI=\"https://evil.example/\"".into()),
        ("two digests", digest, twice(digest)),
        ("no digest", digest, "<ds:DigestValue></ds:DigestValue>".into()),
        ("two values", value, twice(value)),
        ("no value", value, "<ds:SignatureValue></ds:SignatureValue>".into()),
        ("half a value", value, value.replacen("Value>", "Value>AAAA", 1)),
        (
            "value of zeros",
            value,
            format!("<ds:SignatureValue>{}</ds:SignatureValue>", "A".repeat(86) + "=="),
        ),
        ("two key infos", keys, twice(keys)),
        ("no key info", keys, String::new()),
        ("a key name", keys, "<ds:KeyInfo><ds:KeyName>EVIL</ds:KeyName></ds:KeyInfo>".into()),
        (
            "a retrieval",
            keys,
            "<ds:KeyInfo><ds:RetrievalMethod URI=\"https://evil.example/\"/></ds:KeyInfo>".into(),
        ),
        ("an object", keys, format!("{keys}<ds:Object>EVIL</ds:Object>")),
        (
            "a manifest",
            keys,
            format!("{keys}<ds:Object><ds:Manifest>{reference}</ds:Manifest></ds:Object>"),
        ),
        ("two seals", seal, twice(seal)),
        ("a seal in the seal", keys, format!("{keys}{seal}")),
    ];
    if target.signature_needed {
        table.push(("no seal", seal, String::new()));
        table.push(("a seal of another namespace", DS, DS.replace("09", "10")));
    }
    for (name, from, to) in table {
        assert!(good.contains(from), "{name}");
        let text = good.replacen(from, &to, 1 + usize::from(from == DS) * 9);
        cases.push(Case { family: "structures", name: name.into(), text });
    }
}

/// Keys that are not those of the sender.
fn keys(target: &Target<'_>, cases: &mut Vec<Case>) {
    let (good, forged) = (&target.good, &target.forged);
    let certificate = |text: &str| {
        let start = text.find("<ds:X509Certificate>").unwrap();
        let end = text.find("</ds:X509Certificate>").unwrap() + "</ds:X509Certificate>".len();
        text[start..end].to_owned()
    };
    let (ours, theirs) = (certificate(good), certificate(forged));
    for (name, text) in [
        ("signed by the attacker", forged.clone()),
        ("by the attacker under our certificate", forged.replacen(&theirs, &ours, 1)),
        ("by the attacker under both", forged.replacen(&theirs, &format!("{theirs}{ours}"), 1)),
        (
            "by the attacker under both, ours first",
            forged.replacen(&theirs, &format!("{ours}{theirs}"), 1),
        ),
        ("ours under the attacker's certificate", good.replacen(&ours, &theirs, 1)),
        ("the attacker's seal on the good", good.replacen(signature(good), signature(forged), 1)),
    ] {
        cases.push(Case { family: "keys", name: name.into(), text });
    }
}

/// Cut short, and changed by one letter.
fn cut(target: &Target<'_>, cases: &mut Vec<Case>) {
    let good = &target.good;
    for part in 0..12 {
        let at = good.len() * part / 12;
        let text = good[..at].to_owned();
        cases.push(Case { family: "cut", name: format!("at {at}"), text });
        let Some(found) = good[at..].find(|c: char| c.is_ascii_lowercase()) else { continue };
        let mut text = good.clone();
        let at = at + found;
        let other = if &text[at..=at] == "a" { "b" } else { "a" };
        text.replace_range(at..=at, other);
        cases.push(Case { family: "cut", name: format!("other letter at {at}"), text });
    }
}

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
