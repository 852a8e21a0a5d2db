//! SGX and TDX quotes (Intel DCAP), through dcap-qvl on our own cryptography.

mod fault;
pub(super) mod known;
mod provider;

use std::collections::BTreeMap;

use dcap_qvl::intel::parse_pck_extension_with;
use dcap_qvl::quote::{EnclaveReport, Quote, Report, TDReport10};
use dcap_qvl::verify::QuoteVerifier;
use dcap_qvl::{PckCertFlag, QuoteClaims, QuoteCollateralV3, QuotePolicy, TcbStatus};
use jiff::Timestamp;

use super::claims::{Claims, Platform, Revocation, Tcb};
use super::collateral::Collateral;
use super::evidence::Kind;
use super::reason::{Reason, Refusal};
use super::roots::Roots;

/// Verifies a quote and says what it says. Debug is a fact here; no policy takes it.
pub(super) fn verify(
    kind: Kind,
    quote: &[u8],
    collateral: &Collateral,
    roots: &Roots,
    now: Timestamp,
) -> Result<Claims, Refusal> {
    header(kind, quote)?;
    let Collateral::Intel(collateral) = collateral else {
        return Err(Reason::CollateralMissing.into());
    };
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let claims = QuoteVerifier::<provider::AwsLc>::new_with_config(roots.intel.clone())
        .allow_debug(true)
        .verify_with_policy(
            quote,
            QuoteCollateralV3::clone(collateral),
            seconds,
            &QuotePolicy::claims_only(seconds),
        )
        .map_err(|error| fault::refusal(&format!("{error:#}")))?;
    translate(kind, &claims)
}

/// As at the start of a process.
pub(super) fn forget(roots: &Roots) {
    provider::KEPT.forget();
    known::verify(&roots.intel);
}

/// Version and type are looked at before anything else reads the quote (Intel DCAP library API,
/// appendix A): version 3 is SGX's, 4 and 5 are TDX'.
fn header(kind: Kind, quote: &[u8]) -> Result<(), Refusal> {
    let [v0, v1, _, _, t0, t1, t2, t3, ..] = quote else { return Err(Reason::Malformed.into()) };
    let version = u16::from_le_bytes([*v0, *v1]);
    let tee = u32::from_le_bytes([*t0, *t1, *t2, *t3]);
    let expected = match tee {
        TEE_SGX => (Kind::Sgx, &[3][..]),
        TEE_TDX => (Kind::Tdx, &[4, 5][..]),
        _ => return Err(Refusal::new(Reason::Version, format!("TEE type {tee:#x}"))),
    };
    if !expected.1.contains(&version) {
        return Err(Refusal::new(Reason::Version, format!("quote version {version}")));
    }
    if expected.0 != kind {
        let detail = format!("a quote of {}, sent as one of {}", expected.0.name(), kind.name());
        return Err(Refusal::new(Reason::Malformed, detail));
    }
    Ok(())
}

/// What a quote says, with nothing verified.
pub(super) fn preview(kind: Kind, quote: &[u8]) -> Result<Claims, Refusal> {
    header(kind, quote)?;
    let parsed = Quote::parse(quote)
        .map_err(|error| Refusal::new(Reason::Malformed, format!("{error:#}")))?;
    let mut out = body(kind, &parsed.report)?;
    out.platform = certified(&parsed).unwrap_or_default();
    Ok(out)
}

/// The machine that the quote's own certificate names, where it brings one.
fn certified(quote: &Quote) -> Option<Platform> {
    let chain = dcap_qvl::intel::extract_cert_chain(quote).ok()?;
    let said = parse_pck_extension_with::<provider::AwsLc>(chain.first()?).ok()?;
    let instance =
        said.platform_instance_id.map(|id| format!("intel-instance:{}", hex::encode(id)));
    Some(Platform {
        id: Some(format!("intel-ppid:{}", hex::encode(&said.ppid))),
        others: instance.into_iter().collect(),
        product: hex::encode(said.fmspc),
        dynamic: said.dynamic_platform,
        smt: said.smt_enabled,
    })
}

fn translate(kind: Kind, claims: &QuoteClaims) -> Result<Claims, Refusal> {
    let mut out = body(kind, &claims.report)?;
    out.tcb.svn.insert("pcesvn", u64::from(claims.platform.pck.pce_svn));
    out.tcb.status = Some(claims.tcb.status.to_string());
    out.tcb.date = Some(date(claims)?);
    out.tcb.advisories.clone_from(&claims.tcb.advisory_ids);
    out.tcb.evaluation = Some(claims.tcb.eval_data_number);
    out.platform = platform(claims);
    out.revocation = Revocation::Checked;
    out.valid_from = time(claims.latest_issue_date)?;
    out.valid_until = time(claims.earliest_expiration_date)?;
    Ok(out)
}

/// The date of the level that is out of date: the platform's, the quoting enclave's, or the older
/// one where both are (Intel DCAP appraisal: `platform_grace_period` and `qe_grace_period` both count
/// from `tcbDate`).
fn date(claims: &QuoteClaims) -> Result<Timestamp, Refusal> {
    let platform = time(claims.platform.tcb_date_tag)?;
    let level = &claims.qe.tcb_level;
    if level.tcb_status != TcbStatus::OutOfDate {
        return Ok(platform);
    }
    let enclave: Timestamp =
        level.tcb_date.parse().map_err(|_| Refusal::from(Reason::CollateralMalformed))?;
    let old = matches!(
        claims.platform.tcb_level.tcb_status,
        TcbStatus::OutOfDate | TcbStatus::OutOfDateConfigurationNeeded
    );
    Ok(if old { platform.min(enclave) } else { enclave })
}

/// What the signed body says.
fn body(kind: Kind, report: &Report) -> Result<Claims, Refusal> {
    let mut svn = BTreeMap::new();
    let (measurements, report_data, debug) = match report {
        Report::SgxEnclave(report) => {
            svn.insert("isvsvn", u64::from(report.isv_svn));
            (sgx(report), report.report_data, report.attributes[0] & SGX_DEBUG != 0)
        }
        report => {
            let td = report.as_td10().ok_or(Reason::Malformed)?;
            svn.insert("teetcbsvn", u64::from(td.tee_tcb_svn[0]));
            let mut measurements = tdx(td);
            if let Some(later) = report.as_td15() {
                measurements.insert("mrservicetd", later.mr_service_td.to_vec());
            }
            // the byte of the attributes that makes a guest untrusted (TDX Module 1.5 ABI §3.4.1)
            (measurements, td.report_data, td.td_attributes[0] != 0)
        }
    };
    Ok(Claims {
        measurements,
        report_data: report_data.to_vec(),
        debug,
        tcb: Tcb { svn, ..Tcb::default() },
        ..Claims::of(kind)
    })
}

fn sgx(report: &EnclaveReport) -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([
        ("mrenclave", report.mr_enclave.to_vec()),
        ("mrsigner", report.mr_signer.to_vec()),
        ("isvprodid", report.isv_prod_id.to_be_bytes().to_vec()),
        ("attributes", report.attributes.to_vec()),
        ("miscselect", report.misc_select.to_le_bytes().to_vec()),
    ])
}

fn tdx(report: &TDReport10) -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([
        ("mrtd", report.mr_td.to_vec()),
        ("rtmr0", report.rt_mr0.to_vec()),
        ("rtmr1", report.rt_mr1.to_vec()),
        ("rtmr2", report.rt_mr2.to_vec()),
        ("rtmr3", report.rt_mr3.to_vec()),
        ("mrconfigid", report.mr_config_id.to_vec()),
        ("mrowner", report.mr_owner.to_vec()),
        ("mrownerconfig", report.mr_owner_config.to_vec()),
        ("mrseam", report.mr_seam.to_vec()),
        ("tdattributes", report.td_attributes.to_vec()),
        ("xfam", report.xfam.to_vec()),
    ])
}

fn platform(claims: &QuoteClaims) -> Platform {
    let pck = &claims.platform.pck;
    let flag = |flag: PckCertFlag| match flag {
        PckCertFlag::True => Some(true),
        PckCertFlag::False => Some(false),
        PckCertFlag::Undefined => None,
    };
    let instance = pck.platform_instance_id.map(|id| format!("intel-instance:{}", hex::encode(id)));
    Platform {
        id: Some(format!("intel-ppid:{}", hex::encode(&pck.ppid))),
        others: instance.into_iter().collect(),
        product: hex::encode(pck.fmspc),
        dynamic: flag(pck.dynamic_platform),
        smt: flag(pck.smt_enabled),
    }
}

fn time(seconds: u64) -> Result<Timestamp, Refusal> {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).min(Timestamp::MAX.as_second());
    Timestamp::from_second(seconds).map_err(|_| Reason::CollateralMalformed.into())
}

const TEE_SGX: u32 = 0;
const TEE_TDX: u32 = 0x81;
/// `ATTRIBUTES.DEBUG` (Intel SDM vol. 3D, table 36-3).
const SGX_DEBUG: u8 = 0x02;
