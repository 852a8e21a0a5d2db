//! What was found, as lines for people or as JSON.

use std::fmt::Write as _;
use std::io::Write as _;

use enclave::attest::{Claims, Event, Refusal};
use serde_json::{Map, Value, json};

/// The claims that have a value; what only a verification tells is left out of a preview.
pub fn claims(claims: &Claims, verified: bool) -> Value {
    let mut out = Map::new();
    let hexadecimal = |bytes: &[u8]| Value::String(hex::encode(bytes));
    let measurements: Map<String, Value> = claims
        .measurements
        .iter()
        .map(|(name, value)| ((*name).to_owned(), hexadecimal(value)))
        .collect();
    out.insert("debug".into(), claims.debug.into());
    out.insert("migratable".into(), claims.migratable.into());
    out.insert("measurements".into(), measurements.into());
    out.insert("report_data".into(), hexadecimal(&claims.report_data));
    if let Some(events) = &claims.events {
        out.insert("events".into(), events.iter().map(event).collect());
    }
    let platform = &claims.platform;
    for (name, value) in [("platform", &platform.id), ("tcb_status", &claims.tcb.status)] {
        if let Some(value) = value {
            out.insert(name.into(), value.as_str().into());
        }
    }
    if !platform.others.is_empty() {
        out.insert("platform_also".into(), platform.others.clone().into());
    }
    if !platform.product.is_empty() {
        out.insert("product".into(), platform.product.as_str().into());
    }
    for (name, value) in [("dynamic_platform", platform.dynamic), ("smt", platform.smt)] {
        if let Some(value) = value {
            out.insert(name.into(), value.into());
        }
    }
    let svn: Map<String, Value> =
        claims.tcb.svn.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    if !svn.is_empty() {
        out.insert("svn".into(), svn.into());
    }
    if verified {
        if let Some(date) = claims.tcb.date {
            out.insert("tcb_date".into(), date.to_string().into());
        }
        out.insert("advisories".into(), claims.tcb.advisories.clone().into());
        if let Some(evaluation) = claims.tcb.evaluation {
            out.insert("evaluation".into(), evaluation.into());
        }
        out.insert("revocation".into(), claims.revocation.name().into());
        out.insert("valid_from".into(), claims.valid_from.to_string().into());
        out.insert("valid_until".into(), claims.valid_until.to_string().into());
    }
    out.into()
}

/// Register and digest are proven by the quote, the words are the guest's.
fn event(event: &Event) -> Value {
    let digest = hex::encode(event.digest);
    let kind = event.kind_name();
    let said = format!("{} {digest}, said to be {kind} {}", event.register, event.says);
    Value::String(said.trim_end().into())
}

/// Refusals, by their codes.
pub fn reasons(refusals: &[Refusal]) -> Value {
    let row = |refusal: &Refusal| json!({ "code": refusal.reason.code(), "says": refusal.reason.text(), "detail": refusal.detail });
    refusals.iter().map(row).collect()
}

/// Writes values to stdout.
pub fn print(as_json: bool, value: &Value) {
    let mut out = String::new();
    if as_json {
        out = format!("{value:#}\n");
    } else {
        lines("", value, &mut out);
    }
    write(&out);
}

/// Writes text to stdout.
pub fn write(text: &str) {
    // a reader who has seen enough may go
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// One line a value, the names of nested ones joined by dots; what matters most comes first.
fn lines(name: &str, value: &Value, out: &mut String) {
    let mut line = |text: &str| {
        let zeros = text.len() >= 32 && text.bytes().all(|byte| byte == b'0');
        let text = if zeros { "all zero" } else { text };
        let _ = writeln!(out, "{name:<40} {text}");
    };
    match value {
        Value::Object(fields) => {
            let rank = |key: &str| FIRST.iter().position(|first| *first == key);
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| rank(key).unwrap_or(FIRST.len()));
            for (key, value) in fields {
                let nested = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                lines(&nested, value, out);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().for_each(|item| lines(name, item, out));
        }
        Value::Array(items) if items.is_empty() => line("none"),
        Value::Array(items) if name.ends_with("events") => {
            items.iter().filter_map(Value::as_str).for_each(line);
        }
        Value::Array(items) => {
            let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            line(&words.join(", "));
        }
        Value::String(text) => line(text),
        other => line(&other.to_string()),
    }
}

/// What people look for, in this order; the rest follows by name.
static FIRST: [&str; 17] = [
    "verdict",
    "verified",
    "reasons",
    "code",
    "says",
    "detail",
    "kind",
    "class",
    "vouched for by",
    "keeps away",
    "does not keep away",
    "to verify it",
    "policy",
    "at",
    "bytes",
    "report_data",
    "debug",
];
