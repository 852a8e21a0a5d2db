//! What an answer is written from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A piece of an answer, as the node says it.
#[derive(Debug, Clone, Copy)]
pub enum Segment<'s> {
    /// These bytes.
    Bytes(&'s [u8]),
    /// Bytes of a document that the vault holds.
    Document(Place),
}

/// Where bytes of an answer come from, as the vault is told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Number of the document among those of the answer; `None`: so many of the given bytes.
    pub document: Option<u8>,
    /// As base64 text, which `start` and `length` then count.
    pub base64: bool,
    /// From here on.
    pub start: usize,
    /// So many.
    pub length: usize,
}

impl Place {
    /// The bytes of the next segment.
    pub(crate) fn given(length: usize) -> Self {
        Self { document: None, base64: false, start: 0, length }
    }
}

/// Some characters of a document's base64 text (RFC 4648 §4, padded).
pub(super) fn base64(document: &[u8], start: usize, length: usize) -> Option<String> {
    let end = start.checked_add(length)?;
    let (first, last) = (start / 4, end.div_ceil(4));
    let from = first.checked_mul(3)?;
    let to = last.checked_mul(3)?.min(document.len());
    let text = STANDARD.encode(document.get(from..to)?);
    text.get(start - 4 * first..end - 4 * first).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_piece_of_the_text_is_the_one_of_the_whole(
            document in proptest::collection::vec(any::<u8>(), 0..200), start in 0..300_usize, length in 0..300_usize
        ) {
            let whole = STANDARD.encode(&document);
            prop_assert_eq!(base64(&document, start, length), whole.get(start..start + length).map(str::to_owned));
        }
    }
}
