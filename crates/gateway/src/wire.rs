//! What travels sealed between two KONFIDO nodes.
//!
//! The SOAP envelope stays as OpenNCP wrote it; only the content of its Body and the MTOM parts
//! move into one ciphertext. [`Inner`] is that plaintext: the content and the parts, with the
//! evidence that belongs to them. Its first piece is the head, with everything but the bytes of the
//! parts; each part is a piece of its own, so that a document is neither copied nor, where a vault
//! keeps it to itself, seen.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use enclave::{Label, Piece};
use exchange::Malformed;
use ihe::mtom::{Package, Part};

/// Namespace of the element that stands in the Body of a sealed message.
pub const NAMESPACE: &str = "urn:konfido:sealed:1";

/// Content-ID of the ciphertext part.
pub const CIPHERTEXT_CID: &str = "sealed@konfido";

/// The Body content of a sealed message.
pub const SEALED_BODY: &str = "<ks:SealedBody xmlns:ks=\"urn:konfido:sealed:1\">\
    <xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:sealed@konfido\"/></ks:SealedBody>";

/// The plaintext of a sealed message. Health data: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Inner {
    /// NRO of a request, signed joint statement of an answer; empty on a refusal.
    pub evidence: Bytes,
    /// The salts that open the commitments in the evidence.
    pub secrets: Bytes,
    /// What stands between the Body tags.
    pub content: Bytes,
    /// MTOM parts that the content refers to.
    pub parts: Vec<Part>,
}

impl Inner {
    /// Writes the first piece: the labels of the parts, then fields with their lengths (big-endian
    /// u32).
    pub fn head(&self) -> Vec<u8> {
        let parts: usize = self.parts.iter().map(|p| 8 + p.cid.len() + p.mime.len()).sum();
        let length = 16 + self.evidence.len() + self.secrets.len() + self.content.len() + parts;
        let mut out = BytesMut::with_capacity(length);
        let labels = self.parts.iter();
        let labels = labels.map(|part| Label { content_id: &part.cid, media_type: &part.mime });
        let labels: Vec<_> = labels.collect();
        Label::write(&labels, &mut out);
        for field in [&self.evidence, &self.secrets, &self.content] {
            put(&mut out, field);
        }
        out.into()
    }

    /// All pieces; `head` is [`Inner::head`].
    pub fn pieces<'a>(&'a self, head: &'a [u8]) -> Vec<Piece<'a>> {
        let parts = self.parts.iter().map(|part| Piece::Clear(&part.bytes));
        std::iter::once(Piece::Clear(head)).chain(parts).collect()
    }

    /// Reads the pieces; every slice shares their buffer.
    pub fn decode(pieces: Vec<Bytes>) -> Result<Self, Malformed> {
        let mut pieces = pieces.into_iter();
        let mut from = pieces.next().ok_or(MALFORMED)?;
        let (labels, length) = Label::read(&from).map_err(|_| MALFORMED)?;
        let mut parts = Vec::with_capacity(labels.len());
        for Label { content_id, media_type } in labels {
            let (cid, mime) = (content_id.to_owned(), media_type.to_owned());
            let part = Part { cid, mime, bytes: pieces.next().ok_or(MALFORMED)? };
            let repeated = parts.iter().any(|known: &Part| known.cid == part.cid);
            if repeated || !part.is_in_form() {
                return Err(MALFORMED);
            }
            parts.push(part);
        }
        from.advance(length);
        let evidence = take(&mut from)?;
        let secrets = take(&mut from)?;
        let content = take(&mut from)?;
        if from.has_remaining() || pieces.next().is_some() {
            return Err(MALFORMED);
        }
        Ok(Self { evidence, secrets, content, parts })
    }
}

fn put(out: &mut BytesMut, field: &[u8]) {
    out.put_u32(u32::try_from(field.len()).expect("because message limits are far below 4 GiB"));
    out.put_slice(field);
}

fn take(from: &mut Bytes) -> Result<Bytes, Malformed> {
    if from.remaining() < 4 {
        return Err(MALFORMED);
    }
    let length = from.get_u32() as usize;
    if from.remaining() < length {
        return Err(MALFORMED);
    }
    Ok(from.split_to(length))
}

/// A sealed message as it travels: the envelope around [`SEALED_BODY`], the ciphertext as its part.
pub fn seal_package(root: &Bytes, content: std::ops::Range<usize>, ciphertext: Bytes) -> Package {
    let mut sealed = BytesMut::with_capacity(root.len() - content.len() + SEALED_BODY.len());
    sealed.put_slice(&root[..content.start]);
    sealed.put_slice(SEALED_BODY.as_bytes());
    sealed.put_slice(&root[content.end..]);
    let part = Part {
        cid: CIPHERTEXT_CID.to_owned(),
        mime: "application/octet-stream".to_owned(),
        bytes: ciphertext,
    };
    Package { root: sealed.freeze(), parts: vec![part] }
}

/// Finds the sealed Body and its ciphertext; the Body must stand there exactly once.
pub fn split_package(package: &Package) -> Result<(std::ops::Range<usize>, Bytes), Malformed> {
    let root = &package.root;
    let mut found = memchr::memmem::find_iter(root, SEALED_BODY);
    let (Some(at), None) = (found.next(), found.next()) else { return Err(MALFORMED) };
    match package.parts.as_slice() {
        [part] if part.cid == CIPHERTEXT_CID => {
            Ok((at..at + SEALED_BODY.len(), part.bytes.clone()))
        }
        _ => Err(MALFORMED),
    }
}

/// The message as it was before it was sealed.
pub fn restore(root: &Bytes, sealed: std::ops::Range<usize>, inner: &Inner) -> Package {
    let mut whole = BytesMut::with_capacity(root.len() + inner.content.len());
    whole.put_slice(&root[..sealed.start]);
    whole.put_slice(&inner.content);
    whole.put_slice(&root[sealed.end..]);
    Package { root: whole.freeze(), parts: inner.parts.clone() }
}

/// SHA-256 of the envelope without its Body content: binds the SOAP header to the ciphertext.
pub fn bound(root: &[u8], content: std::ops::Range<usize>) -> [u8; 32] {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    digest.update(&(content.start as u64).to_be_bytes());
    digest.update(&root[..content.start]);
    digest.update(&root[content.end..]);
    digest.finish().as_ref().try_into().expect("because SHA-256 has 32 bytes")
}

/// Two byte strings in one: evidence and the certificates of its signer, leaf first.
pub fn pair(first: &[u8], second: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(8 + first.len() + second.len());
    put(&mut out, first);
    put(&mut out, second);
    out.freeze()
}

/// Reads [`pair`].
pub fn unpair(mut from: Bytes) -> Result<(Bytes, Bytes), Malformed> {
    let first = take(&mut from)?;
    let second = take(&mut from)?;
    if from.is_empty() { Ok((first, second)) } else { Err(MALFORMED) }
}

const MALFORMED: Malformed = Malformed { what: "sealed plaintext" };

#[cfg(test)]
mod tests {
    use super::*;

    fn inner() -> Inner {
        Inner {
            evidence: Bytes::from_static(b"nro"),
            secrets: Bytes::from_static(b"salts"),
            content: Bytes::from_static(b"<a/>"),
            parts: vec![Part {
                cid: "1@x".into(),
                mime: "text/xml".into(),
                bytes: Bytes::from_static(b"document"),
            }],
        }
    }

    #[test]
    fn a_sealed_part_whose_name_writes_headers_is_refused() {
        let hostile = |cid: &str| {
            let mut inner = inner();
            inner.parts[0].cid = cid.into();
            Inner::decode(taken_apart(&inner))
        };
        assert!(hostile("2@x").is_ok());
        assert!(hostile("2@x>\r\nContent-ID: <root.message@konfido").is_err());
        let mut twice = inner();
        twice.parts.push(twice.parts[0].clone());
        assert!(Inner::decode(taken_apart(&twice)).is_err());
    }

    fn taken_apart(inner: &Inner) -> Vec<Bytes> {
        let parts = inner.parts.iter().map(|part| part.bytes.clone());
        std::iter::once(Bytes::from(inner.head())).chain(parts).collect()
    }

    #[test]
    fn plaintexts_round_trip_and_every_cut_is_refused() {
        let pieces = taken_apart(&inner());
        assert!(Inner::decode(pieces.clone()).unwrap() == inner());
        let [head, document] = pieces.as_slice() else { panic!("two pieces") };
        for cut in 0..head.len() {
            let cut_short = vec![head.slice(..cut), document.clone()];
            assert!(Inner::decode(cut_short).is_err(), "cut at {cut}");
        }
        let mut longer = head.to_vec();
        longer.push(0);
        assert!(Inner::decode(vec![longer.into(), document.clone()]).is_err());
        assert!(Inner::decode(vec![head.clone()]).is_err(), "a part without its piece");
        let three = [&pieces[..], std::slice::from_ref(document)].concat();
        assert!(Inner::decode(three).is_err(), "a piece without its part");
    }
}
