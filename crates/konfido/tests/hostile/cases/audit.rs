//! The audit listener: for records of the country's own OpenNCP, and for nothing else.

use ihe::atna::{Coded, Record};
use ihe::syslog;
use jiff::Timestamp;
use siem::Kind;
use testbed::attacks::forgery::replaced;
use testbed::attacks::markup;
use testbed::pki::Role;

use crate::case::{Case, Want, case};
use crate::circle::Door;
use crate::stage::OPENNCP;
use crate::wire::{Caller, Shot, Then};

pub fn all() -> Vec<Case> {
    let of = |name: &str, caller: Caller, bytes: Vec<u8>| {
        case(name, ("ES", Door::Audit), Want::End, move |_| Shot {
            caller: caller.clone(),
            bytes: bytes.clone(),
            then: Then::Leave,
        })
    };
    let unreadable =
        |name: &str, bytes: Vec<u8>| of(name, OPENNCP, bytes).noted_as(Kind::AuditUnreadable);
    let text = |text: &str| text.as_bytes().to_vec();
    let bomb = markup::laughs(&record(), |record, inner| {
        replaced(record, "</AuditMessage>", &format!("{inner}</AuditMessage>"))
    });
    let framed = framed(&record());
    vec![
        unreadable("audit: garbage", text("hello, auditor\n")),
        unreadable("audit: a length that does not end", vec![b'9'; 10_000]),
        unreadable("audit: a length of 9 MB", text("9999999 <132>1 ")),
        unreadable("audit: a frame without a header", text("3 abc")),
        unreadable("audit: an XML bomb", self::framed(&bomb)),
        unreadable("audit: 100,000 levels", self::framed(&"<a>".repeat(80_000))),
        unreadable("audit: not XML", self::framed("nothing")),
        unreadable("audit: a record that breaks off", framed[..framed.len() / 2].to_vec()),
        of(
            "audit: a record of another country",
            Caller::Known("DK", Role::OpenncpClient),
            framed.clone(),
        ),
        of("audit: no client certificate", Caller::Nobody, framed),
    ]
}

fn framed(record: &str) -> Vec<u8> {
    syslog::frame(&Timestamp::now().to_string(), "hostile", record).to_vec()
}

fn record() -> String {
    let record = Record {
        event: Coded::new("110112", "DCM", "Query"),
        event_type: Coded::new("ITI-38", "IHE Transactions", "Cross Gateway Query"),
        action: "E".into(),
        time: Timestamp::now().to_string(),
        outcome: 0,
        participants: Vec::new(),
        source: "ES-1".into(),
        objects: Vec::new(),
        signed: false,
    };
    record.render()
}
