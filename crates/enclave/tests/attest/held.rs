//! Genuine hardware, held to a policy.

use enclave::attest::{AssuranceClass, Claims, Collateral, Kind, Question, Roots, Verified};
use exchange::DocumentClass;

use crate::policy::{HEAD, NOW, at, code, open, spain};
use crate::samples::{self, Cut, collateral, read};

/// A policy that takes exactly this evidence, in Spain, for patient summaries in a CVM.
fn exact(claims: &Claims, names: &[&str], firmware: &str, partner: &str) -> String {
    let registers: Vec<String> = names
        .iter()
        .map(|name| format!("{name} = '{}'", hex::encode(&claims.measurements[name])))
        .collect();
    let (kind, registers) = (claims.kind.name(), registers.join(", "));
    format!(
        "{HEAD}
[[program]]
name = 'sample'
kind = '{kind}'
registers = {{ {registers} }}
[[firmware]]
kind = '{kind}'
{firmware}
[[partner]]
country = 'ES'
platforms = ['{}']
{partner}
[[document]]
class = '60591-5'
floor = 'cvm'
",
        claims.platform.id.as_deref().unwrap_or("none")
    )
}

fn appraise(policy: &str, verified: &Verified<Claims>, now: &str) -> &'static str {
    let data = verified.claims().report_data.clone();
    let question = Question { country: spain(), report_data: &data, now: at(now) };
    let policy = open(policy);
    let result = policy.appraise(verified.clone(), &question);
    if let Ok(taken) = &result {
        let permitted = policy.permit(DocumentClass::PatientSummary, taken, at(now));
        assert_eq!(permitted.is_ok(), taken.class() == AssuranceClass::Cvm);
        assert!(taken.hardware().is_some());
    }
    code(result)
}

#[test]
fn a_tdx_guest_is_held_to_status_evaluation_advisories_and_platform() {
    let Some(_) = samples::folder() else { return };
    let names = ["mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"];
    let now = "2025-02-15T06:13:20Z";
    let brought = collateral(Kind::Tdx, &["derived/dcap-rs-tdx-2025-02_collateral.json"]).unwrap();
    let blob = read("intel/dcap-rs/quote_tdx_00806f050000.dat");
    let verified = samples::check(Kind::Tdx, &blob, &brought, &Roots::pinned(), now).unwrap();
    let claims = verified.claims();
    let good = "statuses = ['OutOfDate']";
    let policy = |firmware: &str, partner: &str| exact(claims, &names, firmware, partner);
    let dynamic = "dynamic_platform = true";
    assert_eq!(appraise(&policy(good, dynamic), &verified, now), "taken");
    for (firmware, partner, reason) in [
        (good, "", "policy.dynamic-platform"),
        ("statuses = ['UpToDate']", dynamic, "policy.tcb-status"),
        ("statuses = ['OutOfDate']\nevaluation = 99", dynamic, "policy.evaluation"),
        (
            "statuses = ['OutOfDate']\nrefused_advisories = ['INTEL-SA-00986']",
            dynamic,
            "policy.advisory",
        ),
        ("statuses = ['OutOfDate']\nsvn = { pcesvn = 9999 }", dynamic, "policy.tcb-floor"),
        ("statuses = ['OutOfDate']\nproduct = 'ffffffffffff'", dynamic, "policy.tcb-status"),
    ] {
        let found = appraise(&policy(firmware, partner), &verified, now);
        let expected = if firmware.contains("product") { "policy.tcb-floor" } else { reason };
        assert_eq!(found, expected, "{firmware} {partner}");
    }
    let stranger = policy(good, dynamic).replace("intel-ppid:", "intel-ppid:00");
    assert_eq!(appraise(&stranger, &verified, now), "policy.platform");
    let register = hex::encode(&claims.measurements["rtmr2"]);
    let other = policy(good, dynamic).replace(&register, &hex::encode([1; 48]));
    assert_eq!(appraise(&other, &verified, now), "policy.measurement");
}

#[test]
fn an_snp_guest_is_held_to_committed_firmware_and_revocation_lists() {
    let Some(_) = samples::folder() else { return };
    let ask = "snp/roots/milan-ask.pem";
    let brought = collateral(Kind::Snp, &["snp/virtee-sev/vcek_milan.der", ask]).unwrap();
    let blob = Cut::Hex.read("snp/virtee-sev/report_milan.hex");
    let verified = samples::check(Kind::Snp, &blob, &brought, &Roots::pinned(), NOW).unwrap();
    let svn = &verified.claims().tcb.svn;
    let floor = |part: &str, more: u64| -> String {
        let least = |name: &str| svn[name].min(svn[format!("committed.{name}").as_str()]);
        let floors: Vec<String> = ["bootloader", "tee", "snp", "microcode"]
            .iter()
            .map(|name| format!("{name} = {}", least(name) + if *name == part { more } else { 0 }))
            .collect();
        format!(
            "product = 'milan'\ndanger_without_revocation_lists = true\nsvn = {{ {} }}",
            floors.join(", ")
        )
    };
    let policy = |firmware: &str| exact(verified.claims(), &["measurement"], firmware, "");
    assert_eq!(appraise(&policy(&floor("snp", 0)), &verified, NOW), "taken");
    for part in ["bootloader", "tee", "snp", "microcode"] {
        assert_eq!(appraise(&policy(&floor(part, 1)), &verified, NOW), "policy.tcb-floor");
    }
    let genoa = floor("snp", 0).replace("milan", "genoa");
    assert_eq!(appraise(&policy(&genoa), &verified, NOW), "policy.tcb-floor", "no row for Milan");
    let lists = floor("snp", 0).replace("danger_without_revocation_lists = true\n", "");
    assert_eq!(appraise(&policy(&lists), &verified, NOW), "policy.revocation-unknown");

    let brought = collateral(Kind::Snp, &["snp/go-sev-guest/vcek.testcer", ask]).unwrap();
    let debug = read("snp/go-sev-guest/attestation.bin");
    let debug = samples::check(Kind::Snp, &debug, &brought, &Roots::pinned(), NOW).unwrap();
    let firmware = floor("snp", 0);
    let named = exact(debug.claims(), &["measurement"], &firmware, "");
    assert_eq!(appraise(&named, &debug, NOW), "policy.debug");
}

#[test]
fn a_nitro_enclave_in_debug_mode_is_refused_and_another_is_no_cvm() {
    let Some(_) = samples::folder() else { return };
    let names = ["pcr0", "pcr1", "pcr2"];
    for (file, now, verdict) in [
        ("nitro/extracted/nitro_attestation.cose", "2025-12-25T14:00:00Z", "taken"),
        (
            "nitro/extracted/dstack_attest_nitro_attestation_dbg.cose",
            "2025-12-25T10:00:00Z",
            "policy.debug",
        ),
        ("nitro/fortanix/request_proper.bin", "2021-09-09T11:00:00Z", "policy.debug"),
    ] {
        let blob = read(file);
        let none = Collateral::None;
        let found = samples::check(Kind::Nitro, &blob, &none, &Roots::pinned(), now).unwrap();
        let claims = found.claims();
        let policy = exact(claims, &names, "", "");
        if claims.report_data.len() >= 32 {
            assert_eq!(appraise(&policy, &found, now), verdict, "{file}");
        } else {
            let objections = open(&policy).objections(
                &found,
                &Question { country: spain(), report_data: &[0; 32], now: at(now) },
            );
            let codes: Vec<_> = objections.iter().map(|refusal| refusal.reason.code()).collect();
            let mut expected = vec!["policy.report-data"];
            if verdict != "taken" {
                expected.insert(0, verdict);
            }
            assert_eq!(codes, expected, "{file}");
        }
    }
}
