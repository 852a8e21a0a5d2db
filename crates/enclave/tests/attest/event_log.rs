//! A real guest's event log, and its quote: Container-Optimized OS 113 on Google's cloud.

use enclave::attest::{
    Claims, Collateral, Evidence, Kind, Question, Roots, Verified, preview, verify,
};

use crate::policy::{HEAD, at, code, open, spain};
use crate::samples::{self, collateral, read};

const NOW: &str = "2025-02-15T06:13:20Z";

fn sample() -> (Evidence, Collateral) {
    let quote = read("intel/go-tdx-guest/ccel-cos-113-tdx-quote.dat");
    // as the firmware gives it: the area of 256 KiB, filled up behind 18 kB of log
    let event_log = read("intel/go-tdx-guest/ccel-ccel_data.dat");
    let brought = collateral(Kind::Tdx, &["derived/dcap-rs-tdx-2025-02_collateral.json"]).unwrap();
    (Evidence { event_log, ..Evidence::new(Kind::Tdx, quote) }, brought)
}

/// Boot loader, kernel and command line by their events, the firmware's settings by their register.
fn policy(claims: &Claims, change: impl Fn(&str, usize) -> Option<[u8; 48]>) -> String {
    let register = |name: &str| hex::encode(&claims.measurements[name]);
    let list = |name: &str| {
        let events = claims.events.as_ref().unwrap().iter().filter(|event| event.register == name);
        let digests = events.enumerate().map(|(number, event)| {
            format!("'{}'", hex::encode(change(name, number).unwrap_or(event.digest)))
        });
        digests.collect::<Vec<_>>().join(", ")
    };
    format!(
        "{HEAD}
[[program]]
name = 'COS 113'
kind = 'tdx'
registers = {{ mrtd = '{}', rtmr0 = '{}', rtmr3 = '{}' }}
events.rtmr1 = [{}]
events.rtmr2 = [{}]
[[firmware]]
kind = 'tdx'
statuses = ['UpToDate']
[[partner]]
country = 'ES'
platforms = ['{}']
dynamic_platform = true
",
        register("mrtd"),
        register("rtmr0"),
        register("rtmr3"),
        list("rtmr1"),
        list("rtmr2"),
        claims.platform.id.as_deref().unwrap()
    )
}

fn appraise(policy: &str, verified: &Verified<Claims>) -> &'static str {
    let data = verified.claims().report_data.clone();
    let question = Question { country: spain(), report_data: &data, now: at(NOW) };
    code(open(policy).appraise(verified.clone(), &question))
}

#[test]
fn a_real_guests_log_gives_the_registers_of_its_quote_and_its_kernel_can_be_named() {
    let Some(_) = samples::folder() else { return };
    let (evidence, brought) = sample();
    let verified = verify(&evidence, &brought, &Roots::pinned(), at(NOW)).unwrap();
    let claims = verified.claims();
    let events = claims.events.as_ref().unwrap();
    assert_eq!(events.len(), 43);
    let count = |name: &str| events.iter().filter(|event| event.register == name).count();
    assert_eq!(["rtmr0", "rtmr1", "rtmr2", "rtmr3"].map(count), [16, 7, 20, 0]);
    let kernel = events.iter().find(|event| event.says.starts_with("kernel_cmdline: ")).unwrap();
    assert_eq!((kernel.register, kernel.kind_name()), ("rtmr2", "EV_IPL"));
    let variable = events.iter().find(|event| event.says == "variable SecureBoot").unwrap();
    assert_eq!(variable.register, "rtmr0");
    assert_eq!(preview(&evidence).unwrap().events, claims.events);

    assert_eq!(appraise(&policy(claims, |_, _| None), &verified), "taken");
    let last = count("rtmr2") - 1;
    let other = |name: &str, at: usize| (name == "rtmr2" && at == last).then_some([7; 48]);
    assert_eq!(appraise(&policy(claims, other), &verified), "policy.events", "command line");
    let silent = Evidence { event_log: Vec::new(), ..evidence.clone() };
    let silent = verify(&silent, &brought, &Roots::pinned(), at(NOW)).unwrap();
    assert_eq!(appraise(&policy(claims, |_, _| None), &silent), "policy.event-log");
}

#[test]
fn a_real_guests_log_is_refused_when_one_bit_of_a_digest_differs_or_it_is_anothers() {
    let Some(_) = samples::folder() else { return };
    let (evidence, brought) = sample();
    let said = |evidence: &Evidence| code(verify(evidence, &brought, &Roots::pinned(), at(NOW)));
    assert_eq!(said(&evidence), "taken");
    let change = |at: usize, bits: u8| {
        let mut changed = evidence.clone();
        changed.event_log[at] ^= bits;
        said(&changed)
    };
    // the header has 65 bytes; register, type, count and algorithm stand before a digest
    assert_eq!(change(65 + 14, 1), "event-log.mismatch", "the first digest");
    assert_eq!(change(65, 3), "event-log.mismatch", "its register");
    assert_eq!(change(65, 1), "event-log.malformed", "a register that there is not");
    assert_eq!(change(65 + 8, 2), "event-log.malformed", "how many digests");
    assert_eq!(change(0x20, 1), "event-log.malformed", "what it is");
    assert_eq!(change(evidence.event_log.len() - 1, 1), "event-log.malformed", "the filling");
    // what an event says of itself is bound to nothing
    assert_eq!(change(65 + 14 + 48 + 4 + 5, 1), "taken");
    // the same quote as another machine's
    let other = read("intel/dcap-rs/quote_tdx_00806f050000.dat");
    let other =
        Evidence { event_log: evidence.event_log.clone(), ..Evidence::new(Kind::Tdx, other) };
    assert_eq!(said(&other), "event-log.mismatch");
}
