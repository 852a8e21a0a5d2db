//! What a store says of itself: deterministic CBOR (RFC 8949 §4.2.1), a map of small numbers.

use ciborium::Value;
use exchange::Country;
use zeroize::Zeroizing;

use super::{Contents, Kept, Seen, StoreError};
use crate::ring::Use;

/// The one encoding; of the keys, use and name.
pub(super) fn encode(store: &Contents) -> Vec<u8> {
    let number = |n: u64| Value::Integer(n.into());
    let seen = store.seen.as_ref().map_or(Value::Null, |seen| {
        let root = Value::Bytes(seen.root.to_vec());
        Value::Array(vec![Value::Text(seen.origin.clone()), number(seen.size), root])
    });
    let keys = store.keys.iter().map(|key| {
        let purpose = Use::ALL.iter().position(|known| *known == key.purpose);
        let purpose = number(purpose.expect("because these are all") as u64);
        Value::Array(vec![purpose, Value::Text(key.name.clone())])
    });
    let fields = [
        number(VERSION),
        Value::Text(store.country.as_str().to_owned()),
        number(store.counter),
        seen,
        store.ticks.map_or(Value::Null, number),
        Value::Array(keys.collect()),
    ];
    let fields = (1..).zip(fields).map(|(key, value)| (number(key), value)).collect();
    let mut out = Vec::new();
    ciborium::into_writer(&Value::Map(fields), &mut out).expect("because a vector takes all bytes");
    out
}

/// Reads [`encode`], and nothing that is encoded otherwise; `keys` are the bytes, in their order.
pub(super) fn decode(bytes: &[u8], keys: Vec<Zeroizing<Vec<u8>>>) -> Result<Contents, StoreError> {
    let contents = fields(bytes, keys).ok_or(StoreError::Malformed)?;
    if encode(&contents) == bytes { Ok(contents) } else { Err(StoreError::Malformed) }
}

fn fields(bytes: &[u8], keys: Vec<Zeroizing<Vec<u8>>>) -> Option<Contents> {
    let value: Value = ciborium::from_reader(bytes).ok()?;
    let mut values = value.into_map().ok()?.into_iter().map(|(_, value)| value);
    if number(&values.next()?)? != VERSION {
        return None;
    }
    let country = Country::parse(values.next()?.as_text()?).ok()?;
    let counter = number(&values.next()?)?;
    let seen = match values.next()? {
        Value::Null => None,
        seen => Some(read_seen(seen)?),
    };
    let ticks = match values.next()? {
        Value::Null => None,
        ticks => Some(number(&ticks)?),
    };
    let named = values.next()?.into_array().ok()?;
    if named.len() != keys.len() {
        return None;
    }
    let keys = named.into_iter().zip(keys).map(|(named, bytes)| {
        let [purpose, name] = <[Value; 2]>::try_from(named.into_array().ok()?).ok()?;
        let purpose = *Use::ALL.get(usize::try_from(number(&purpose)?).ok()?)?;
        Some(Kept { purpose, name: name.into_text().ok()?, bytes })
    });
    Some(Contents { country, counter, seen, ticks, keys: keys.collect::<Option<_>>()? })
}

fn read_seen(value: Value) -> Option<Seen> {
    let [origin, size, root] = <[Value; 3]>::try_from(value.into_array().ok()?).ok()?;
    let root = root.into_bytes().ok()?.try_into().ok()?;
    Some(Seen { origin: origin.into_text().ok()?, size: number(&size)?, root })
}

fn number(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|n| u64::try_from(n).ok())
}

const VERSION: u64 = 1;
