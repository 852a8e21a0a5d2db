//! Disclosures put back where their digests stand (RFC 9901 §7.1). Each is used exactly once.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::wallet::jose::{decode, encode, sha256};
use crate::wallet::{Refused, json};

/// `[salt, value]` or `[salt, name, value]`.
struct Disclosure {
    name: Option<String>,
    value: Value,
}

impl Disclosure {
    fn parse(text: &str) -> Option<Self> {
        let Some(Value::Array(parts)) = decode(text).and_then(|bytes| json::read(&bytes)) else {
            return None;
        };
        let mut parts = parts.into_iter();
        let (salt, second, third) = (parts.next()?, parts.next()?, parts.next());
        let (name, value) = match (second, third) {
            (value, None) => (None, value),
            (Value::String(name), Some(value)) => (Some(name), value),
            _ => return None,
        };
        (salt.is_string() && parts.next().is_none()).then_some(Self { name, value })
    }
}

/// What the issuer signed with what the holder disclosed of it.
pub fn expand(
    open: &Map<String, Value>,
    disclosures: &[&str],
) -> Result<Map<String, Value>, Refused> {
    if open.get("_sd_alg").is_some_and(|alg| alg != "sha-256") {
        return Err(Refused::Hash);
    }
    let mut given = HashMap::with_capacity(disclosures.len());
    for text in disclosures {
        let disclosure = Disclosure::parse(text).ok_or(Refused::Disclosure)?;
        if given.insert(encode(&sha256(text.as_bytes())), disclosure).is_some() {
            return Err(Refused::DigestTwice);
        }
    }
    let mut expansion = Expansion { given, seen: HashSet::new() };
    let mut claims = open.clone();
    claims.remove("_sd_alg");
    let claims = expansion.object(claims, 0)?;
    // what nobody's digest stands for was not signed
    if expansion.given.is_empty() { Ok(claims) } else { Err(Refused::Undeclared) }
}

struct Expansion {
    given: HashMap<String, Disclosure>,
    seen: HashSet<String>,
}

impl Expansion {
    fn value(&mut self, value: Value, depth: usize) -> Result<Value, Refused> {
        if depth > MAX_DEPTH {
            return Err(Refused::Disclosure);
        }
        Ok(match value {
            Value::Object(object) => Value::Object(self.object(object, depth)?),
            Value::Array(items) => Value::Array(self.array(items, depth)?),
            other => other,
        })
    }

    fn object(
        &mut self,
        mut object: Map<String, Value>,
        depth: usize,
    ) -> Result<Map<String, Value>, Refused> {
        let digests = object.remove("_sd");
        let mut out = Map::new();
        for (name, value) in object {
            if name == "..." || name == "_sd_alg" {
                return Err(Refused::Disclosure);
            }
            out.insert(name, self.value(value, depth + 1)?);
        }
        let Some(digests) = digests else { return Ok(out) };
        for digest in digests.as_array().ok_or(Refused::Disclosure)? {
            let Some(Disclosure { name, value }) = self.take(digest)? else { continue };
            let name = name.ok_or(Refused::Disclosure)?;
            let top = depth == 0 && OPEN.contains(&name.as_str());
            if top || RESERVED.contains(&name.as_str()) {
                return Err(Refused::ReservedName);
            }
            let value = self.value(value, depth + 1)?;
            if out.insert(name, value).is_some() {
                return Err(Refused::ClaimTwice);
            }
        }
        Ok(out)
    }

    fn array(&mut self, items: Vec<Value>, depth: usize) -> Result<Vec<Value>, Refused> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let Some(digest) = item.get("...") else {
                out.push(self.value(item, depth + 1)?);
                continue;
            };
            if item.as_object().is_none_or(|only| only.len() != 1) {
                return Err(Refused::Disclosure);
            }
            let Some(disclosure) = self.take(digest)? else { continue };
            if disclosure.name.is_some() {
                return Err(Refused::Disclosure);
            }
            out.push(self.value(disclosure.value, depth + 1)?);
        }
        Ok(out)
    }

    /// The disclosure of a digest, which may stand in one place only; decoys have none.
    fn take(&mut self, digest: &Value) -> Result<Option<Disclosure>, Refused> {
        let digest = digest.as_str().ok_or(Refused::Disclosure)?;
        if !self.seen.insert(digest.to_owned()) {
            return Err(Refused::DigestTwice);
        }
        Ok(self.given.remove(digest))
    }
}

/// Names that no disclosure may have (RFC 9901 §4.2.1).
const RESERVED: [&str; 3] = ["_sd", "...", "_sd_alg"];
/// Claims that stand open in every credential (SD-JWT VC §3.2.2.2).
const OPEN: [&str; 7] = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status"];
/// Deepest nesting of objects, arrays and disclosures in one another.
const MAX_DEPTH: usize = 16;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(disclosure: &str) -> String {
        encode(&sha256(disclosure.as_bytes()))
    }

    fn write(disclosure: &Value) -> String {
        encode(disclosure.to_string().as_bytes())
    }

    fn expanded(open: Value, disclosures: &[String]) -> Result<Value, Refused> {
        let texts: Vec<&str> = disclosures.iter().map(String::as_str).collect();
        expand(open.as_object().unwrap(), &texts).map(Value::Object)
    }

    #[test]
    fn disclosures_within_disclosures_come_to_their_places() {
        let street = write(&json!(["s1", "street", "Opdigtet Allé 14"]));
        let address =
            write(&json!(["s2", "address", {"_sd": [digest(&street)], "city": "Aarhus"}]));
        let nation = write(&json!(["s3", "DK"]));
        let open = json!({
            "_sd_alg": "sha-256",
            "_sd": [digest(&address), "decoy"],
            "nationalities": [{"...": digest(&nation)}, {"...": "decoy2"}, "ES"],
        });
        let all = [nation.clone(), address.clone(), street.clone()];
        let expected = json!({
            "address": {"street": "Opdigtet Allé 14", "city": "Aarhus"},
            "nationalities": ["DK", "ES"],
        });
        assert_eq!(expanded(open.clone(), &all), Ok(expected));
        assert_eq!(
            expanded(open.clone(), &[address]),
            Ok(json!({"address": {"city": "Aarhus"}, "nationalities": ["ES"]}))
        );
        assert_eq!(expanded(open, &[street]), Err(Refused::Undeclared), "without its parent");
    }

    #[test]
    fn kinds_and_names_are_those_of_the_place() {
        let item = write(&json!(["s", "value"]));
        let member = write(&json!(["s", "name", "value"]));
        let rows = [
            (json!({"_sd": [digest(&item)]}), &item, Refused::Disclosure),
            (json!({"a": [{"...": digest(&member)}]}), &member, Refused::Disclosure),
            (json!({"a": [{"...": digest(&item), "b": 1}]}), &item, Refused::Disclosure),
            (json!({"_sd": digest(&member)}), &member, Refused::Disclosure),
            (json!({"_sd": [1, digest(&member)]}), &member, Refused::Disclosure),
            (json!({"...": 1, "_sd": [digest(&member)]}), &member, Refused::Disclosure),
            (json!({"_sd": [digest(&member)], "name": 1}), &member, Refused::ClaimTwice),
            (json!({"_sd": [digest(&member), digest(&member)]}), &member, Refused::DigestTwice),
            (
                json!({"_sd": [digest(&member)], "b": {"_sd": [digest(&member)]}}),
                &member,
                Refused::DigestTwice,
            ),
        ];
        for (open, disclosure, refused) in rows {
            let text = open.to_string();
            assert_eq!(expanded(open, std::slice::from_ref(disclosure)), Err(refused), "{text}");
        }
        for name in ["_sd", "...", "_sd_alg", "cnf", "vct", "exp"] {
            let disclosure = write(&json!(["s", name, 1]));
            let open = json!({"_sd": [digest(&disclosure)]});
            assert_eq!(expanded(open, &[disclosure]), Err(Refused::ReservedName), "{name}");
        }
        let malformed =
            ["[]", r#"["s"]"#, r#"[1,"n","v"]"#, r#"["s",1,"v"]"#, r#"["s","n",1,1]"#, "{}"];
        for bad in malformed.map(|text| encode(text.as_bytes())).into_iter().chain(["=".into()]) {
            assert_eq!(expanded(json!({"_sd": [digest(&bad)]}), &[bad]), Err(Refused::Disclosure));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let mut deep = json!(1);
        for _ in 0..40 {
            deep = json!([deep]);
        }
        assert_eq!(expanded(json!({"a": deep}), &[]), Err(Refused::Disclosure));
        let mut inner = write(&json!(["s", "a", 1]));
        let mut all = vec![inner.clone()];
        for n in 0..40 {
            inner = write(&json!([n.to_string(), "a", {"_sd": [digest(&inner)]}]));
            all.push(inner.clone());
        }
        assert_eq!(expanded(json!({"_sd": [digest(&inner)]}), &all), Err(Refused::Disclosure));
    }
}
