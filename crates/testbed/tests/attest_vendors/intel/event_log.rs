//! Event logs of trust domains: replayed, and programs named by what was measured.

use enclave::attest::{
    Collateral, Evidence, Kind as Claimed, MAX_EVENT_LOG, MAX_EVENTS, Policy, Question, Reason,
    Refusal, verify,
};
use exchange::Country;
use testbed::vendors::intel::event_log::{Event, EventLog, SHA256_ID, SHA384_ID, sha384};
use testbed::vendors::intel::{Kind, Maker};
use testbed::vendors::now;

use super::roots;
use crate::{POLICY, Row, hold};

/// What arrives: a quote over `measured`, and the bytes of a log.
fn evidence(measured: &EventLog, log: Vec<u8>) -> (Evidence, Collateral) {
    let mut maker = Maker::new(Kind::Tdx15);
    measured.measured(&mut maker);
    let made = maker.make();
    let collateral = made.collateral.json();
    let collateral = Collateral::parse(Claimed::Tdx, collateral.as_bytes()).unwrap();
    (Evidence { event_log: log, ..Evidence::new(Claimed::Tdx, made.quote) }, collateral)
}

fn appraise(evidence: &(Evidence, Collateral), policy: &str) -> Result<String, Refusal> {
    let verified = verify(&evidence.0, &evidence.1, roots(), now())?;
    let policy = Policy::danger_unsigned(policy.as_bytes()).unwrap();
    let country = Country::parse("DK").unwrap();
    let question = Question { country, report_data: &[0xda; 64], now: now() };
    policy.appraise(verified, &question).map(|taken| taken.release().to_owned())
}

/// Names the registers of firmware by value, those of loader and kernel by events.
fn policy(log: &EventLog, optional: &str) -> String {
    let registers = log.registers();
    let list = |register| {
        let digests = log.digests(register);
        digests.iter().map(|digest| format!("'{}',", hex::encode(digest))).collect::<String>()
    };
    let old = POLICY.find("[[program]]\nname = \"vault in a trust domain\"").unwrap();
    let rest = POLICY[old + 1..].find("[[program]]").unwrap() + old + 1;
    format!(
        "{}[[program]]\nname = 'by events'\nkind = 'tdx'\n\
         registers = {{ mrtd = '{}', rtmr0 = '{}', rtmr3 = '{}' }}\n\
         events.rtmr1 = [{}]\nevents.rtmr2 = [{}]\n{optional}\n{}",
        &POLICY[..old],
        "3e".repeat(48),
        hex::encode(registers[0]),
        hex::encode(registers[3]),
        list(2),
        list(3),
        &POLICY[rest..]
    )
}

#[test]
fn a_log_that_gives_the_registers_names_what_was_started() {
    let log = EventLog::default();
    let sent = evidence(&log, log.bytes());
    let verified = verify(&sent.0, &sent.1, roots(), now()).unwrap();
    let events = verified.claims().events.as_ref().unwrap();
    let said: Vec<_> = events.iter().map(|event| (event.register, event.says.as_str())).collect();
    assert_eq!(
        said,
        [
            ("rtmr0", "variable SecureBoot"),
            ("rtmr0", ""),
            ("rtmr1", "a boot loader"),
            ("rtmr1", ""),
            ("rtmr2", "a kernel"),
            ("rtmr2", "kernel_cmdline: console=ttyS0"),
        ]
    );
    assert_eq!(appraise(&sent, &policy(&log, "")).as_deref(), Ok("by events"));
    // a log of two hash algorithms, not filled up, with nothing in one register
    let mut other = EventLog { filling: 0, ..log.clone() };
    other.algorithms.push((SHA256_ID, 32));
    let sent = evidence(&other, other.bytes());
    assert_eq!(appraise(&sent, &policy(&log, "")).as_deref(), Ok("by events"));
    // and it travels
    let again = Evidence::decode(&sent.0.encode()).unwrap();
    assert_eq!(again, sent.0);
}

type Damage = fn(&mut EventLog) -> Vec<u8>;

#[test]
fn each_damage_to_a_log_is_refused_for_its_own_reason() {
    hold(&rows(), |damage| {
        let measured = EventLog::default();
        let bytes = damage(&mut measured.clone());
        appraise(&evidence(&measured, bytes), &policy(&measured, ""))
    });
}

#[rustfmt::skip]
pub fn rows() -> Vec<Row<Damage>> {
    use Reason::{EventLogMalformed, EventLogMismatch, EventLogTooLarge};
    let row = |name, reason, detail, change: Damage| Row { name, reason, detail, change };
    vec![
        row("a digest changed", EventLogMismatch, "rtmr1", |log| { log.events[3].digest[0] ^= 1; log.bytes() }),
        row("an event left out", EventLogMismatch, "rtmr0", |log| { log.events.remove(1); log.bytes() }),
        row("an event more", EventLogMismatch, "rtmr3", |log| { log.events.push(Event::of(4, 0xd, b"more")); log.bytes() }),
        row("two events exchanged", EventLogMismatch, "rtmr2", |log| { log.events.swap(5, 6); log.bytes() }),
        row("an event in another register", EventLogMismatch, "rtmr0", |log| { log.events[2].register = 2; log.bytes() }),
        row("an event that says it extends nothing", EventLogMismatch, "rtmr2", |log| { log.events[5].kind = 3; log.bytes() }),
        row("no events", EventLogMismatch, "rtmr0", |log| { log.events.clear(); log.bytes() }),
        row("an event of the build-time register", EventLogMalformed, "event 1", |log| { log.events[1].register = 0; log.bytes() }),
        row("an event of a fifth register", EventLogMalformed, "event 2", |log| { log.events[2].register = 5; log.bytes() }),
        row("a log without SHA-384", EventLogMalformed, "SHA-384", |log| { log.algorithms = vec![(SHA256_ID, 32)]; log.bytes() }),
        row("SHA-384 of another length", EventLogMalformed, "SHA-384", |log| { log.algorithms = vec![(SHA384_ID, 32)]; log.bytes() }),
        row("an algorithm twice", EventLogMalformed, "header", |log| { log.algorithms.push((SHA384_ID, 48)); log.bytes() }),
        row("no algorithms", EventLogMalformed, "header", |log| { log.algorithms.clear(); log.bytes() }),
        row("cut in an event", EventLogMalformed, "event 6", |log| { log.filling = 0; let mut b = log.bytes(); b.pop(); b }),
        row("cut in the header", EventLogMalformed, "header", |log| log.bytes()[..40].to_vec()),
        row("another signature", EventLogMalformed, "header", |log| { let mut b = log.bytes(); b[32] = b's'; b }),
        row("an event longer than the log", EventLogMalformed, "event 0", |log| { let mut b = log.bytes(); let at = 65 + 12 + 50 + 3; b[at] = 0x7f; b }),
        row("something behind the filling", EventLogMalformed, "event 7", |log| { let mut b = log.bytes(); b.push(1); b }),
        row("a log of another boot", EventLogMismatch, "rtmr2", |log| { log.events[5].digest = sha384(b"yesterday's kernel"); log.bytes() }),
        row("longer than any area", EventLogTooLarge, "bytes", |log| { log.filling = MAX_EVENT_LOG; log.bytes() }),
        row("more events than any boot", EventLogTooLarge, "events", |log| { let one = log.events[0].clone(); log.events = vec![one; MAX_EVENTS + 1]; log.bytes() }),
    ]
}

#[test]
fn only_a_trust_domain_has_an_event_log() {
    let made = Maker::new(Kind::Sgx).make();
    let collateral = made.collateral.json();
    let collateral = Collateral::parse(Claimed::Sgx, collateral.as_bytes()).unwrap();
    let log = EventLog::default().bytes();
    let sent = Evidence { event_log: log, ..Evidence::new(Claimed::Sgx, made.quote) };
    let refusal = verify(&sent, &collateral, roots(), now()).unwrap_err();
    assert_eq!(refusal.reason, Reason::EventLogMalformed, "{refusal}");
}

/// The machine is genuine and its log is its own: what was started is not what is released.
#[test]
fn other_events_than_the_released_ones_are_refused() {
    let released = EventLog::default();
    let changes: [(&str, fn(&mut EventLog)); 6] = [
        ("another kernel", |log| log.events[5] = Event::of(3, 0xd, b"another kernel")),
        ("another command line", |log| log.events[6] = Event::of(3, 0xd, b"init=/bin/sh")),
        ("the good kernel is measured after another was started", |log| {
            log.events.insert(5, Event::of(3, 0xd, b"another kernel"));
        }),
        ("something more behind", |log| log.events.push(Event::of(3, 0xd, b"a module"))),
        ("no kernel", |log| log.events.truncate(5)),
        ("in another order", |log| log.events.swap(5, 6)),
    ];
    for (name, change) in changes {
        let mut log = released.clone();
        change(&mut log);
        let refusal =
            appraise(&evidence(&log, log.bytes()), &policy(&released, "")).expect_err(name);
        assert_eq!(refusal.reason, Reason::Events, "{name}: {refusal}");
        assert!(refusal.detail.starts_with("rtmr2"), "{name}: {refusal}");
    }
    let alone = evidence(&released, Vec::new());
    let refusal = appraise(&alone, &policy(&released, "")).unwrap_err();
    assert_eq!(refusal.reason, Reason::EventLogMissing);
    // a register that is named by its value is held to it, whatever the log says
    let mut log = released.clone();
    log.events[1] = Event::of(1, 0x8000_0001, b"no secure boot");
    let refusal =
        appraise(&evidence(&log, log.bytes()), &policy(&released, "")).expect_err("firmware");
    assert_eq!(refusal.reason, Reason::Measurement);
}

#[test]
fn an_optional_event_may_be_there_and_nothing_else_may() {
    let released = EventLog::default();
    let extra = Event::of(3, 0xd, b"a splash screen");
    let optional = format!("optional_events.rtmr2 = ['{}']", hex::encode(extra.digest));
    let mut log = released.clone();
    log.events.insert(5, extra);
    let with = evidence(&log, log.bytes());
    let taken = |sent: &_, optional: &str| appraise(sent, &policy(&released, optional));
    assert_eq!(taken(&with, &optional).as_deref(), Ok("by events"));
    assert_eq!(taken(&with, "").unwrap_err().reason, Reason::Events);
    let without = evidence(&released, released.bytes());
    assert_eq!(taken(&without, &optional).as_deref(), Ok("by events"));
}
