//! `konfido attest verify`.

use anyhow::{Context as _, anyhow, bail};
use enclave::attest::{
    Claims, Collateral, Policy, Question, Refusal, ReleaseKeys, Roots, Verified, verify,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Verify;
use super::input::{bytes, text};
use super::output::{claims, print, reasons};

/// Verifies, holds it to a policy where there is one, and prints what was found.
pub fn verify_file(args: &Verify) -> anyhow::Result<()> {
    let evidence = args.evidence.read()?;
    let now = args.at.unwrap_or_else(Timestamp::now);
    let collateral = match &args.collateral {
        Some(file) => Collateral::parse(evidence.kind, &bytes(file)?),
        None => Ok(Collateral::None),
    };
    let policy = policy(args, now)?;
    let pinned = Roots::pinned();
    let roots = policy.as_ref().map_or(pinned.clone(), |policy| pinned.registered(policy));
    let result = collateral.and_then(|brought| verify(&evidence, &brought, &roots, now));
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
            held_to_policy(args, policy.as_ref(), &verified, now, &mut out)?
        }
    };
    print(args.json, &Value::Object(out));
    if let Some(first) = objections.first() {
        bail!("refused: {first}");
    }
    Ok(())
}

fn policy(args: &Verify, now: Timestamp) -> anyhow::Result<Option<Policy>> {
    let Some(file) = &args.policy else { return Ok(None) };
    let signed = bytes(file)?;
    let opened = match &args.release_keys {
        Some(keys) => {
            let listed = text(keys)?;
            let parsed = ReleaseKeys::read(&listed).map_err(|fault| {
                anyhow!("{}: line {}: {fault}", keys.display(), fault.line(&listed))
            })?;
            Policy::open(&signed, &parsed, now, 0)
        }
        None => Policy::danger_unsigned(&signed),
    };
    opened.map(Some).map_err(|refusal| anyhow!("{}: {refusal}", file.display()))
}

fn held_to_policy(
    args: &Verify,
    policy: Option<&Policy>,
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
    let (Some(policy), Some(country)) = (policy, args.country) else {
        out.insert("policy".into(), "not asked for".into());
        // genuine, and about something else than was asked for
        let same = asked == *bound;
        return if same { Ok(Vec::new()) } else { bail!("the evidence is not about this data") };
    };
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
