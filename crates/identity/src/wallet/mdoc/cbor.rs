//! CBOR (RFC 8949) of foreign origin: bounded in depth and size, and no key twice.

use std::collections::HashSet;

use ciborium::Value;
use ciborium::de::from_reader_with_recursion_limit;

/// Reads one item and nothing behind it.
pub fn read(bytes: &[u8]) -> Option<Value> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    let mut rest = bytes;
    let value: Value = from_reader_with_recursion_limit(&mut rest, MAX_DEPTH).ok()?;
    (rest.is_empty() && keys_are_unique(&value)).then_some(value)
}

/// Reads what stands in a `#6.24(bstr .cbor x)`.
pub fn read_tag_24(value: &Value) -> Option<Value> {
    read(only_tag_24(value)?)
}

/// The bytes of a `#6.24(bstr)`.
pub fn only_tag_24(value: &Value) -> Option<&Vec<u8>> {
    match value {
        Value::Tag(24, inner) => inner.as_bytes(),
        _ => None,
    }
}

/// As it is hashed and signed: the shortest form of each head. What came in a longer form does not
/// match its digest, and is refused.
pub fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("because a vector takes every byte");
    out
}

/// A member of a map by its text key.
pub fn text_member<'v>(map: &'v Value, name: &str) -> Option<&'v Value> {
    member(map, |key| key.as_text() == Some(name))
}

/// A member of a map by its integer key.
pub fn int_member(map: &Value, name: i64) -> Option<&Value> {
    member(map, |key| key.as_integer() == Some(name.into()))
}

fn member(map: &Value, is: impl Fn(&Value) -> bool) -> Option<&Value> {
    map.as_map()?.iter().find(|(key, _)| is(key)).map(|(_, value)| value)
}

/// No map has a key twice, at any depth, and each key is a text or an integer.
fn keys_are_unique(value: &Value) -> bool {
    match value {
        Value::Map(entries) => {
            let (mut texts, mut integers) = (HashSet::new(), HashSet::new());
            entries.iter().all(|(key, value)| {
                let new = match key {
                    Value::Text(text) => texts.insert(text.as_str()),
                    Value::Integer(integer) => integers.insert(*integer),
                    _ => false,
                };
                new && keys_are_unique(value)
            })
        }
        Value::Array(items) => items.iter().all(keys_are_unique),
        Value::Tag(_, inner) => keys_are_unique(inner),
        _ => true,
    }
}

/// Deepest nesting; a response of the field has nine levels.
const MAX_DEPTH: usize = 24;
/// Longest item; portraits are not asked for, but may be tested with.
const MAX_BYTES: usize = 192 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deep_long_or_ambiguous_is_refused() {
        assert!(read(&[0xa1, 0x61, b'a', 0x81, 1]).is_some());
        let bad: [&[u8]; 6] = [
            &[0xa2, 0x61, b'a', 1, 0x61, b'a', 2],
            &[0x81, 0xa2, 1, 1, 1, 2],
            &[0xa1, 0x41, 1, 1],
            &[1, 1],
            &[],
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        ];
        for bytes in bad {
            assert!(read(bytes).is_none(), "{bytes:?}");
        }
        assert!(read(&[0x81; 10_000]).is_none());
        assert!(read(&vec![0xc1; 100_000]).is_none());
        assert!(read(&vec![0; MAX_BYTES + 1]).is_none());
    }
}
