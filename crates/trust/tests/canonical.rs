//! Our own canonicalization of the plain form against the engine's, on documents made by chance and on all
//! sample files. Builds with debug assertions, such as tests, also compare at each signature that is verified.

#[path = "../../testbed/samples.rs"]
mod samples;

use std::path::Path;

use trust::signature::canonical_forms_agree;
use trust::xml::{Element, Limits, Xml};

/// Chance that is the same each time (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    /// An element with declarations, attributes and content in every order.
    fn element(&mut self, depth: usize) -> String {
        let name = format!("{}{}", self.of(&["", "", "p:", "q:", "s:"]), self.of(&["a", "b", "é"]));
        let mut inside: Vec<String> = Vec::new();
        for prefix in ["", ":p", ":q", ":s"] {
            if self.below(4) == 0 {
                // an empty name takes the default namespace away
                let rare = if prefix.is_empty() && self.below(8) == 0 { "" } else { "urn:d" };
                let uri = self.of(&["urn:1", "urn:2", "urn:1", "urn:3", rare]);
                if !uri.is_empty() || prefix.is_empty() {
                    inside.push(format!("xmlns{prefix}='{uri}'"));
                }
            }
        }
        for attribute in ["b", "a", "p:a", "q:b", "s:a", "aa", "A", "é"] {
            if self.below(4) == 0 {
                let value = self.of(&VALUES);
                inside.push(format!("{attribute}='{value}'"));
            }
        }
        if self.below(60) == 0 {
            inside.push("xml:lang='da'".to_owned());
        }
        for at in (1..inside.len()).rev() {
            let other = self.below(at + 1);
            inside.swap(at, other);
        }
        let mut content = String::new();
        for _ in 0..self.below(5) {
            match self.below(20) {
                0 => content.push_str(self.of(&["<!--c-->", "<![CDATA[<]]>"])),
                1..8 => content.push_str(self.of(&VALUES)),
                _ if depth > 0 => content.push_str(&self.element(depth - 1)),
                _ => {}
            }
        }
        let space = self.of(&[" ", "\n", "  "]);
        let inside: String = inside.iter().map(|one| format!("{space}{one}")).collect();
        if content.is_empty() && self.below(2) == 0 {
            return format!("<{name}{inside}/>");
        }
        format!("<{name}{inside}>{content}</{name} >")
    }
}

/// As attribute values and as text.
const VALUES: [&str; 12] = [
    "",
    "x",
    "&amp;",
    "&lt;&gt;",
    "\"",
    "&apos;&quot;",
    "&#13;\r\n",
    "&#9;\t&#10;\n",
    "æøå €𝄞",
    "]]&gt;",
    "a long run of letters that are what they are, and then &amp; more of them",
    "&#x41;]",
];

const INCLUSIVE: [&[&str]; 6] =
    [&[], &["p"], &["q", "s", "none"], &["p", "p", "xsd", "xs", "xsi"], &["#default"], &["xml"]];

/// How many elements we canonicalized, and how many we left to the engine.
#[derive(Debug, Default, PartialEq)]
struct Count {
    ours: usize,
    left: usize,
}

/// Compares an element with and without one of the elements in it, with these inclusive prefixes.
fn compare(element: Element<'_, '_>, inclusive: &[&str], count: &mut Count) {
    let children = element.children().last();
    for without in [None, children] {
        match canonical_forms_agree(element, without, inclusive) {
            Some(agree) => {
                assert!(agree, "{inclusive:?} without {without:?}: {}", element.source());
                count.ours += 1;
            }
            None => count.left += 1,
        }
    }
}

#[test]
fn documents_made_by_chance_have_the_engines_canonical_form() {
    let (mut chance, mut count) = (Chance(0x5eed), Count::default());
    let mut read = 0;
    while read < 4000 {
        let text =
            format!("<r xmlns:p='urn:1' xmlns:q='urn:2' xmlns:s='urn:3'>{}</r>", chance.element(5));
        // two attributes of one namespace and name are not well-formed
        let Ok(xml) = Xml::parse(&text, &Limits::ASSERTION) else { continue };
        read += 1;
        for element in [xml.root()].into_iter().chain(xml.root().descendants().take(8)) {
            compare(element, INCLUSIVE[chance.below(INCLUSIVE.len())], &mut count);
        }
    }
    println!("{count:?}");
    assert!(count.ours > 10_000 && count.left > 1_000, "{count:?}");
}

#[test]
fn each_element_of_the_samples_has_the_engines_canonical_form() {
    let (mut count, mut files) = (Count::default(), 0);
    for folder in [samples::openncp(), samples::identity()].into_iter().flatten() {
        walk(&folder, &mut |text| {
            let Ok(xml) = Xml::parse_bytes(text, &Limits::MESSAGE) else { return };
            files += 1;
            let lists: [&[&str]; 3] = [&[], &["xs", "xsd", "xsi", "saml2"], &["ds", "hl7", "ns2"]];
            // the whole, and what stands near its top: each comparison walks all that is below
            let near = xml.root().descendants().take(60);
            for element in [xml.root()].into_iter().chain(near) {
                lists.iter().for_each(|list| compare(element, list, &mut count));
            }
        });
    }
    println!("{files} files, {count:?}");
    assert!(files == 0 || count.ours > 10 * files, "{count:?}");
}

fn walk(folder: &Path, visit: &mut impl FnMut(&[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, visit);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        if bytes.len() < 200_000 && bytes.trim_ascii_start().starts_with(b"<") {
            visit(bytes.trim_ascii_start());
        }
    }
}
