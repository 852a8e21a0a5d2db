//! The policy: who may sign one, what it takes, and that it takes nothing else.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use enclave::attest::{
    AssuranceClass, Claims, Collateral, Evidence, Floor, Kind, Policy, Question, Refusal,
    ReleaseKeys, Roots, Verified, verify,
};
use exchange::{Country, DocumentClass};
use jiff::Timestamp;

use crate::samples::{self, Cut, collateral, read};

fn signer(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn keys(threshold: usize, seeds: &[u8]) -> Option<ReleaseKeys> {
    let key = |seed: &u8| {
        let public = signer(*seed).public_key().as_ref().try_into().unwrap();
        (format!("release-{seed}"), public)
    };
    ReleaseKeys::new(threshold, seeds.iter().map(key).collect())
}

fn sign(text: &str, seeds: &[u8]) -> String {
    let line =
        |seed: &u8| ReleaseKeys::signature_line(text, &format!("release-{seed}"), &signer(*seed));
    format!("{text}\n{}", seeds.iter().map(line).collect::<String>())
}

const HEAD: &str = "# konfido attestation policy v1
version = 7
valid_from = \"2020-01-01T00:00:00Z\"
valid_until = \"2027-01-01T00:00:00Z\"
";
const NOW: &str = "2026-11-21T12:00:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn open(text: &str) -> Policy {
    let keys = keys(2, &[1, 2, 3]).unwrap();
    Policy::open(sign(text, &[1, 3]).as_bytes(), &keys, at(NOW), 0).unwrap()
}

fn code<T>(result: Result<T, Refusal>) -> &'static str {
    result.err().map_or("taken", |refusal| refusal.reason.code())
}

#[test]
fn a_policy_holds_with_a_quorum_of_signatures_in_its_time_and_never_goes_back() {
    let two_of_three = keys(2, &[1, 2, 3]).unwrap();
    let open = |note: &str, now: &str, seen: u64| {
        code(Policy::open(note.as_bytes(), &two_of_three, at(now), seen))
    };
    let good = sign(HEAD, &[1, 2]);
    assert_eq!(open(&good, NOW, 7), "taken");
    assert_eq!(open(&sign(HEAD, &[3, 9, 1]), NOW, 0), "taken", "a stranger's signature is ignored");
    for (seeds, why) in [
        (&[1][..], "one"),
        (&[1, 1], "the same twice"),
        (&[1, 9], "one and a stranger"),
        (&[8, 9], "two strangers"),
    ] {
        assert_eq!(open(&sign(HEAD, seeds), NOW, 0), "policy.quorum", "{why}");
    }
    let changed = good.replace("version = 7", "version = 8");
    assert_eq!(open(&changed, NOW, 0), "policy.quorum", "changed after it was signed");
    // the holder of key 1 signs under the name of key 2
    let under = ReleaseKeys::signature_line(HEAD, "release-2", &signer(1));
    let stolen = format!("{}{under}", sign(HEAD, &[1]));
    assert_eq!(open(&stolen, NOW, 0), "policy.quorum", "another's name");
    assert_eq!(open(&good, NOW, 8), "policy.rollback");
    assert_eq!(open(&good, "2027-01-01T00:00:00Z", 0), "policy.time");
    assert_eq!(open(&good, "2019-12-31T23:59:59Z", 0), "policy.time");
    assert_eq!(open(HEAD, NOW, 0), "policy.malformed", "no signatures");
    assert_eq!(open(&HEAD[..HEAD.len() - 1], NOW, 0), "policy.malformed");
    let other = sign(&HEAD.replace("attestation policy", "release list"), &[1, 2]);
    assert_eq!(open(&other, NOW, 0), "policy.malformed", "signed for something else");
    let unknown = sign(&format!("{HEAD}anything = 1\n"), &[1, 2]);
    assert_eq!(open(&unknown, NOW, 0), "policy.malformed", "unknown key");
    let large = sign(&format!("{HEAD}# {}\n", "x".repeat(300_000)), &[1, 2]);
    assert_eq!(open(&large, NOW, 0), "attest.too-large");

    for (threshold, seeds) in [(0, &[1, 2][..]), (3, &[1, 2]), (1, &[]), (2, &[1, 1])] {
        assert!(keys(threshold, seeds).is_none(), "{threshold} of {seeds:?}");
    }
}

#[test]
fn a_policys_rows_are_read_strictly() {
    let keys = keys(1, &[1]).unwrap();
    let open = |rows: &str| {
        let text = format!("{HEAD}{rows}");
        code(Policy::open(sign(&text, &[1]).as_bytes(), &keys, at(NOW), 0))
    };
    assert_eq!(open(""), "taken");
    for rows in [
        "[[program]]\nname='a'\nkind='sgx'\nregisters={mrsigner='00'}\n",
        "[[program]]\nname='a'\nkind='tdx'\nregisters={mrtd='00'}\n",
        "[[program]]\nname='a'\nkind='sgx'\nregisters={mrenclave='0'}\n",
        "[[program]]\nname='a'\nkind='sgx'\nregisters={mrenclave='00', pcr0='00'}\n",
        "[[program]]\nname='a'\nkind='magic'\nregisters={}\n",
        "[[firmware]]\nkind='tdx'\n",
        "[[firmware]]\nkind='snp'\nproduct='milan'\nsvn={snp=1}\n",
        "[[firmware]]\nkind='snp'\nsvn={bootloader=1,tee=0,snp=1,microcode=1}\n",
        "[[firmware]]\nkind='nitro'\n[[firmware]]\nkind='nitro'\n",
        "[[partner]]\ncountry='ES'\n",
        "[[partner]]\ncountry='ES'\nplatforms=['x']\ndanger_any_platform=true\n",
        "[[partner]]\ncountry='Spain'\nplatforms=['x']\n",
        "[[document]]\nclass='60591-5'\nfloor='best'\n",
        "[[document]]\nclass='unknown'\nfloor='cvm'\n",
        "[[document]]\nclass='60591-5'\nfloor='cvm'\n[[document]]\nclass='60591-5'\nfloor='sgx'\n",
    ] {
        assert_eq!(open(rows), "policy.malformed", "{rows}");
    }
}

const DATA: [u8; 64] = [5; 64];

fn software() -> Verified<Claims> {
    let evidence = Evidence::software(&[9; 32], &DATA);
    verify(&evidence, &Collateral::None, &Roots::pinned(), at(NOW)).unwrap()
}

fn spain() -> Country {
    Country::parse("ES").unwrap()
}

fn ask(country: Country) -> Question<'static> {
    Question { country, report_data: &DATA, now: at(NOW) }
}

fn software_policy(floor: &str) -> String {
    let binary = hex::encode([9; 32]);
    format!(
        "{HEAD}
[[program]]
name = 'vault 0.1.0'
kind = 'software'
registers = {{ binary = '{binary}' }}
[[firmware]]
kind = 'software'
[[partner]]
country = 'ES'
danger_any_platform = true
[[document]]
class = '60591-5'
floor = '{floor}'
"
    )
}

#[test]
fn what_the_policy_does_not_name_is_refused() {
    let text = software_policy("software");
    let taken = open(&text).appraise(software(), &ask(spain())).unwrap();
    assert_eq!((taken.release(), taken.policy()), ("vault 0.1.0", 7));
    assert_eq!(taken.valid_until(), at("2027-01-01T00:00:00Z"));

    let without = |row: &str, text: &str| {
        let (from, rest) = text.split_once(row).unwrap();
        let after = rest.find("\n[[").map_or("", |end| &rest[end..]);
        format!("{from}{after}")
    };
    for (policy, reason) in [
        (HEAD.to_owned(), "policy.kind"),
        (without("[[program]]", &text), "policy.measurement"),
        (without("[[firmware]]", &text), "policy.kind"),
        (without("[[partner]]", &text), "policy.country"),
        (text.replace("0909", "0908"), "policy.measurement"),
        (text.replace("'ES'", "'IT'"), "policy.country"),
        (
            text.replace("danger_any_platform = true", "platforms = ['snp-chip:00']"),
            "policy.platform",
        ),
    ] {
        assert_eq!(code(open(&policy).appraise(software(), &ask(spain()))), reason, "{policy}");
    }
    let other = Question { report_data: &[6; 64], ..ask(spain()) };
    assert_eq!(code(open(&text).appraise(software(), &other)), "policy.report-data");
    let nothing = Question { report_data: &[], ..ask(spain()) };
    assert_eq!(code(open(&text).appraise(software(), &nothing)), "policy.report-data");
    let late = Question { now: at("2027-01-01T00:00:00Z"), ..ask(spain()) };
    assert_eq!(code(open(&text).appraise(software(), &late)), "policy.time");
}

#[test]
fn software_never_satisfies_a_rule_that_asks_for_hardware() {
    let summary = DocumentClass::PatientSummary;
    for (floor, verdict) in [
        ("software", "taken"),
        ("tpm", "policy.assurance"),
        ("sgx", "policy.assurance"),
        ("cvm", "policy.assurance"),
    ] {
        let policy = open(&software_policy(floor));
        let taken = policy.appraise(software(), &ask(spain())).unwrap();
        assert!(taken.hardware().is_none(), "software has no such value");
        assert_eq!(taken.class(), AssuranceClass::Software);
        assert_eq!(policy.floor(summary).map(Floor::name), Some(floor));
        assert_eq!(code(policy.permit(summary, &taken, at(NOW))), verdict, "{floor}");
        let other = policy.permit(DocumentClass::Images, &taken, at(NOW));
        assert_eq!(code(other), "policy.document-class", "no rule, no document");
        let later = policy.permit(summary, &taken, at("2027-01-01T00:00:00Z"));
        assert_eq!(code(later), "attest.expired");
        let newer = open(&software_policy(floor).replace("version = 7", "version = 8"));
        assert_eq!(code(newer.permit(summary, &taken, at(NOW))), "policy.rollback");
    }
}

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
