//! Verifies or explains, and prints what was found.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use enclave::attest::{
    Claims, Collateral, Evidence, Kind, Policy, Question, Refusal, ReleaseKeys, Roots, Verified,
    preview, verify,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Attest, Explain, Verify, words};

/// `konfido attest ...`.
pub fn run(command: &Attest) -> anyhow::Result<()> {
    match command {
        Attest::Verify(args) => verify_file(args),
        Attest::Explain(args) => explain(args),
    }
}

fn verify_file(args: &Verify) -> anyhow::Result<()> {
    let evidence = read(&args.file, args.kind.as_deref())?;
    let now = args.at.unwrap_or_else(Timestamp::now);
    let collateral = match &args.collateral {
        Some(file) => Collateral::parse(evidence.kind, &bytes(file)?),
        None => Ok(Collateral::None),
    };
    let result = collateral.and_then(|brought| verify(&evidence, &brought, &Roots::pinned(), now));
    let mut out = Map::new();
    out.insert("kind".into(), evidence.kind.name().into());
    out.insert("bytes".into(), evidence.blob.len().into());
    out.insert("at".into(), now.to_string().into());
    let objections = match result {
        Err(refusal) => {
            out.insert("verdict".into(), "refused".into());
            out.insert("reasons".into(), reasons(std::slice::from_ref(&refusal)));
            vec![refusal]
        }
        Ok(verified) => {
            out.insert("verdict".into(), "genuine".into());
            out.insert("class".into(), evidence.kind.class().name().into());
            out.insert("claims".into(), claims(verified.claims(), true));
            held_to_policy(args, &verified, now, &mut out)?
        }
    };
    print(args.json, &Value::Object(out));
    if let Some(first) = objections.first() {
        bail!("refused: {first}");
    }
    Ok(())
}

fn held_to_policy(
    args: &Verify,
    verified: &Verified<Claims>,
    now: Timestamp,
    out: &mut Map<String, Value>,
) -> anyhow::Result<Vec<Refusal>> {
    let bound = &verified.claims().report_data;
    let asked = match &args.report_data {
        Some(text) => hex::decode(text).context("--report-data is not hexadecimal")?,
        None => bound.clone(),
    };
    let compared = if args.report_data.is_some() { "compared" } else { "not compared" };
    out.insert("report_data".into(), compared.into());
    let (Some(file), Some(country)) = (&args.policy, args.country) else {
        out.insert("policy".into(), "not asked for".into());
        // genuine, and about something else than was asked for
        let same = asked == *bound;
        return if same { Ok(Vec::new()) } else { bail!("the evidence is not about this data") };
    };
    let text = bytes(file)?;
    let policy = match &args.release_keys {
        Some(keys) => {
            let text_of_keys = fs::read_to_string(keys)
                .with_context(|| format!("cannot read {}", keys.display()))?;
            let parsed = ReleaseKeys::parse(&text_of_keys)
                .ok_or_else(|| anyhow!("{}: not a list of release keys", keys.display()))?;
            Policy::open(&text, &parsed, now, 0)
        }
        None => Policy::danger_unsigned(&text),
    }
    .map_err(|refusal| anyhow!("{}: {refusal}", file.display()))?;
    let question = Question { country, report_data: &asked, now };
    let objections = policy.objections(verified, &question);
    let signers = match &args.release_keys {
        Some(_) => policy.signers().join(", "),
        None => "NOT LOOKED AT: no release keys were given".into(),
    };
    let taken = if objections.is_empty() { "takes it" } else { "refuses it" };
    out.insert(
        "policy".into(),
        json!({ "version": policy.version(), "signatures": signers, "verdict": taken,
                "reasons": reasons(&objections) }),
    );
    Ok(objections)
}

fn explain(args: &Explain) -> anyhow::Result<()> {
    let evidence = read(&args.file, args.kind.as_deref())?;
    let words = words::of(evidence.kind);
    let said = preview(&evidence).map_err(|refusal| anyhow!("{refusal}"))?;
    let out = json!({
        "kind": evidence.kind.name(),
        "bytes": evidence.blob.len(),
        "verified": "NO: this only says what the bytes claim",
        "class": format!("{}, if it verifies", evidence.kind.class().name()),
        "vouched for by": words.vendor,
        "keeps away": words.keeps,
        "does not keep away": words.leaves,
        "to verify it": words.needs,
        "claims": claims(&said, false),
    });
    print(args.json, &out);
    Ok(())
}

/// The claims that have a value; what only a verification tells is left out of a preview.
fn claims(claims: &Claims, verified: bool) -> Value {
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

fn reasons(refusals: &[Refusal]) -> Value {
    let row = |refusal: &Refusal| json!({ "code": refusal.reason.code(), "says": refusal.reason.text(), "detail": refusal.detail });
    refusals.iter().map(row).collect()
}

fn read(file: &Path, kind: Option<&str>) -> anyhow::Result<Evidence> {
    let mut blob = bytes(file)?;
    let text = std::str::from_utf8(&blob).ok();
    if let Some(Ok(decoded)) = text.map(|text| hex::decode(text.trim().trim_start_matches("0x"))) {
        blob = decoded;
    }
    if let Ok(evidence) = Evidence::decode(&blob) {
        return Ok(evidence);
    }
    let kind = kind.and_then(Kind::parse).or_else(|| Evidence::guess(&blob)).ok_or_else(|| {
        anyhow!("{} looks like no evidence that we know; say which with --kind", file.display())
    })?;
    Ok(Evidence::new(kind, blob))
}

fn bytes(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn print(as_json: bool, value: &Value) {
    if as_json {
        println!("{value:#}");
    } else {
        lines("", value);
    }
}

/// One line a value, the names of nested ones joined by dots.
fn lines(name: &str, value: &Value) {
    let under = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| lines(&under(key), value)),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().for_each(|item| lines(name, item));
        }
        Value::Array(items) => {
            let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            println!("{name:<32} {}", words.join(", "));
        }
        Value::String(text) => println!("{name:<32} {text}"),
        other => println!("{name:<32} {other}"),
    }
}
