//! An answer to our own OpenNCP: with all its bytes, or with holes for documents that only the vault has.

use bytes::Bytes;
use exchange::Entropy;
use http::{Response, StatusCode};
use ihe::detach;
use ihe::mtom::{Package, Part, multipart};
use transport::hop::{Hole, Holes, hole};
use transport::problem::{Body, respond};

/// An answer to our own OpenNCP.
pub struct Released {
    /// Its envelope and its attachments; those that the vault holds have no bytes.
    pub package: Package,
    /// How long the documents are that the vault holds; empty when there are none.
    pub held: Vec<usize>,
}

impl From<Package> for Released {
    fn from(package: Package) -> Self {
        Self { package, held: Vec::new() }
    }
}

impl Released {
    /// Its content type and its body, with a hole for each document that the vault holds.
    pub(crate) fn response(&self, status: StatusCode, entropy: &dyn Entropy) -> Response<Body> {
        if self.held.is_empty() {
            let (content_type, body) = self.package.pieces("");
            return respond(status, &content_type, body);
        }
        let (content_type, body, holes) = self.with_holes(entropy);
        let mut response = respond(status, &content_type, body);
        response.extensions_mut().insert(Holes(holes));
        response
    }

    fn with_holes(&self, entropy: &dyn Entropy) -> (String, Vec<Bytes>, Vec<Hole>) {
        let (mut attached, mut inline) = (Vec::new(), Vec::new());
        for (document, (part, length)) in (0..).zip(self.package.parts.iter().zip(&self.held)) {
            match self.place(part) {
                Some(place) => {
                    let length = length.div_ceil(3) * 4;
                    inline.push((place, Hole { document, base64: true, length }));
                }
                None => attached.push((part, Hole { document, base64: false, length: *length })),
            }
        }
        inline.sort_by_key(|(place, _)| place.start);
        let (mut root, mut at) = (Vec::new(), 0);
        for (place, into) in &inline {
            root.push(self.package.root.slice(at..place.start));
            root.extend(hole(into.length));
            at = place.end;
        }
        root.push(self.package.root.slice(at..));
        let in_order = attached.iter().map(|(_, hole)| *hole);
        let holes = inline.iter().map(|(_, hole)| *hole).chain(in_order).collect();
        if attached.is_empty() {
            let (content_type, _) = Package::default().pieces("");
            return (content_type, root, holes);
        }
        // drawn after the documents were made, it stands in none of them
        let mut drawn = [0; 16];
        entropy.fill(&mut drawn);
        let boundary = format!("konfido-{}", hex::encode(drawn));
        let parts = attached.into_iter().map(|(part, of)| (part, hole(of.length).collect()));
        let (content_type, body) = multipart("", &boundary, root, parts.collect());
        (content_type, body, holes)
    }

    /// Where the document stood in the message, if the other country's node took it out of there so that it
    /// could be sealed by itself: an OpenNCP that is not sent attachments otherwise may read none.
    fn place(&self, part: &Part) -> Option<std::ops::Range<usize>> {
        let include = detach::include_of(&part.cid)?;
        let mut found = memchr::memmem::find_iter(&self.package.root, include.as_bytes());
        let (Some(at), None) = (found.next(), found.next()) else { return None };
        Some(at..at + include.len())
    }
}

#[cfg(test)]
mod tests {
    use exchange::SystemEntropy;

    use super::*;

    fn part(cid: &str) -> Part {
        Part { cid: cid.into(), mime: "text/xml".into(), bytes: Bytes::new() }
    }

    /// The body with `*` in the place of holes.
    fn shown(released: &Released) -> (String, String, Vec<Hole>) {
        let (content_type, body, holes) = released.with_holes(&SystemEntropy);
        let text = |piece: &Bytes| String::from_utf8(piece.to_vec()).unwrap().replace('\0', "*");
        (content_type, body.iter().map(text).collect(), holes)
    }

    #[test]
    fn attachments_become_holes_between_boundaries() {
        let package = Package { root: "<a/>".into(), parts: vec![part("1@x"), part("2@x")] };
        let (content_type, body, holes) = shown(&Released { package, held: vec![5, 0] });
        assert!(content_type.starts_with("multipart/related"), "{content_type}");
        assert!(body.contains("Content-ID: <1@x>\r\n\r\n*****\r\n--konfido-"), "{body}");
        let read = Package::parse(&content_type, body.into()).unwrap();
        assert_eq!(read.parts.iter().map(|part| part.bytes.len()).collect::<Vec<_>>(), [5, 0]);
        let of = |document, length| Hole { document, base64: false, length };
        assert_eq!(holes, [of(0, 5), of(1, 0)]);
    }

    #[test]
    fn documents_that_stood_in_the_message_stand_there_again() {
        let text = "<e xmlns:x='urn:ihe:iti:xds-b:2007'><x:Document>PGEvPg==</x:Document>\
                    <x:Document>JVBERg==</x:Document></e>";
        let detached = || detach::detach(Package { root: text.into(), parts: Vec::new() }).unwrap();
        let (content_type, body, holes) =
            shown(&Released { package: detached(), held: vec![4, 4] });
        assert_eq!(content_type, "application/soap+xml; charset=utf-8");
        assert_eq!(body, text.replace("PGEvPg==", "********").replace("JVBERg==", "********"));
        let of = |document| Hole { document, base64: true, length: 8 };
        assert_eq!(holes, [of(0), of(1)]);
        // some of each kind: those in the message come first
        let mut package = detached();
        package.parts.insert(0, part("1@x"));
        let (_, body, holes) = shown(&Released { package, held: vec![3, 4, 4] });
        let order: Vec<_> = holes.iter().map(|hole| (hole.document, hole.base64)).collect();
        assert_eq!(order, [(1, true), (2, true), (0, false)]);
        assert!(body.contains("\r\n\r\n***\r\n"), "{body}");
    }

    #[test]
    fn a_name_that_looks_detached_and_is_not_stays_an_attachment() {
        let parts = vec![part("document1@detached.konfido")];
        let package = Package { root: "<a/>".into(), parts };
        let (content_type, _, holes) = shown(&Released { package, held: vec![4] });
        assert!(content_type.starts_with("multipart/related") && !holes[0].base64);
    }
}
