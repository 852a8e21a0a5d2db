//! Nitro.

use std::sync::OnceLock;

use ciborium::Value;
use enclave::attest::{Collateral, Evidence, Kind, Reason, Refusal, Roots};
use testbed::vendors::key::Key;
use testbed::vendors::nitro::{Evidence as Made, Keys, Maker};
use testbed::vendors::{in_seconds, now};

use super::{Row, hold, judge};

/// What is changed.
pub type Change = fn(&mut Maker);

fn roots() -> &'static Roots {
    static ROOTS: OnceLock<Roots> = OnceLock::new();
    ROOTS.get_or_init(|| Roots { nitro: Maker::new().root.der(), ..Roots::pinned() })
}

pub fn verdict(made: &Made) -> Result<String, Refusal> {
    judge(&Evidence::new(Kind::Nitro, made.document.clone()), &Collateral::None, roots())
}

#[test]
fn good_documents_are_taken() {
    let good: [fn(&mut Maker); 4] = [
        |_| {},
        |m| m.tagged = true,
        |m| m.set("nonce", Value::Bytes(vec![1; 32])),
        // the root that the document brings is not looked at
        |m| m.carried_root = Some(Maker::with(Keys::other()).root),
    ];
    for change in good {
        let mut maker = Maker::new();
        change(&mut maker);
        assert_eq!(verdict(&maker.make()).as_deref(), Ok("vault beside an instance"));
    }
}

#[test]
fn good_documents_are_refused_under_aws_own_root() {
    let evidence = Evidence::new(Kind::Nitro, Maker::new().make().document);
    let refusal = judge(&evidence, &Collateral::None, &Roots::pinned()).unwrap_err();
    assert_eq!(refusal.reason, Reason::Chain, "{refusal}");
}

#[test]
fn each_change_is_refused_for_its_own_reason() {
    hold(&rows(), |change| {
        let mut maker = Maker::new();
        change(&mut maker);
        verdict(&maker.make())
    });
}

pub fn rows() -> Vec<Row<Change>> {
    let mut rows = document();
    rows.extend(form());
    rows.extend(chain());
    rows.extend(policy());
    rows
}

fn row(
    name: &'static str,
    reason: Reason,
    detail: &'static str,
    change: fn(&mut Maker),
) -> Row<Change> {
    Row { name, reason, detail, change }
}

fn document() -> Vec<Row<Change>> {
    use Reason::{Algorithm, Malformed, Signature, TooLarge};
    vec![
        row("signature changed", Signature, "", |m| {
            m.tamper = |e| *e.document.last_mut().unwrap() ^= 1;
        }),
        row("payload changed after signing", Signature, "", |m| {
            m.tamper = |e| {
                let at = e.document.windows(64).position(|part| part == [0xda; 64]).unwrap();
                e.document[at] ^= 1;
            };
        }),
        row("by a stranger", Signature, "", |m| m.signer = Key::stranger_p384()),
        row("by the authority above the leaf", Signature, "", |m| {
            m.signer = &Keys::ours().authorities[2];
        }),
        row("another algorithm", Algorithm, "", |m| m.algorithm = -7),
        row("a byte more", Malformed, "", |m| m.tamper = |e| e.document.push(0)),
        row("cut off", Malformed, "", |m| m.tamper = |e| e.document.truncate(3000)),
        row("empty", Malformed, "", |m| m.tamper = |e| e.document.clear()),
        row("longer than any document", TooLarge, "", |m| {
            m.tamper = |e| e.document.resize(64 << 10, 0);
        }),
    ]
}

fn form() -> Vec<Row<Change>> {
    use Reason::Malformed;
    vec![
        row("an unknown field", Malformed, "unknown", |m| m.set("more", Value::Null)),
        row("a field twice", Malformed, "twice", |m| m.fields.push(m.fields[0].clone())),
        row("without its digest", Malformed, "missing", |m| m.without("digest")),
        row("another digest", Malformed, "form", |m| m.set("digest", "SHA256".into())),
        row("without a module", Malformed, "missing", |m| m.without("module_id")),
        row("a module without a name", Malformed, "form", |m| m.set("module_id", "".into())),
        row("without a time", Malformed, "missing", |m| m.without("timestamp")),
        row("at no time", Malformed, "form", |m| m.set("timestamp", 0.into())),
        row("user data too long", Malformed, "form", |m| {
            m.set("user_data", Value::Bytes(vec![0; 513]));
        }),
        row("nonce too long", Malformed, "form", |m| m.set("nonce", Value::Bytes(vec![0; 513]))),
        row("user data as text", Malformed, "form", |m| m.set("user_data", "text".into())),
        row("a register of 47 bytes", Malformed, "form", |m| m.pcrs[1].1.truncate(47)),
        row("register 32", Malformed, "form", |m| m.pcrs.push((32, vec![0; 48]))),
        row("a register twice", Malformed, "form", |m| m.pcrs.push((0, vec![0x50; 48]))),
        row("no registers", Malformed, "form", |m| m.pcrs.clear()),
    ]
}

fn chain() -> Vec<Row<Change>> {
    use Reason::{CertificateTime, Chain, Malformed};
    vec![
        row("all of another AWS", Chain, "InvalidSignature", |m| *m = Maker::with(Keys::other())),
        row("zone that may not certify", Chain, "", |m| m.authorities[1].usage = Some(0x80)),
        row("leaf expired a second ago", CertificateTime, "CertExpired", |m| m.leaf.expired()),
        row("leaf begins in a second", CertificateTime, "CertNotValidYet", |m| {
            m.leaf.not_yet_valid();
        }),
        row("zone expired a second ago", CertificateTime, "CertExpired", |m| {
            m.authorities[1].expired();
        }),
        row("region by a stranger", Chain, "InvalidSignature", |m| {
            m.authorities[0].signer = Key::stranger_p384();
        }),
        row("leaf by a stranger", Chain, "InvalidSignature", |m| {
            m.leaf.signer = Key::stranger_p384();
        }),
        row("zone that is no authority", Chain, "EndEntityUsedAsCa", |m| {
            m.authorities[1].authority = None;
        }),
        row("region below which nobody may stand", Chain, "PathLen", |m| {
            m.authorities[0].authority = Some(Some(0));
        }),
        row("zone left out", Chain, "UnknownIssuer", |m| {
            m.authorities.remove(1);
        }),
        row("leaf that is an authority", Chain, "CaUsedAsEndEntity", |m| {
            m.leaf = m.leaf.clone().authority(None);
        }),
        row("more authorities than AWS has", Malformed, "form", |m| {
            let more = m.authorities[0].clone();
            m.authorities.extend(vec![more; 6]);
        }),
        row("made before its leaf", CertificateTime, "own time", |m| {
            m.set("timestamp", in_seconds(-3600).as_millisecond().into());
        }),
        row("made in six minutes", CertificateTime, "own time", |m| {
            m.set("timestamp", in_seconds(360).as_millisecond().into());
        }),
        row("made after its leaf", CertificateTime, "own time", |m| {
            m.set("timestamp", (now().as_millisecond() + 4 * 3_600_000).into());
        }),
    ]
}

fn policy() -> Vec<Row<Change>> {
    use Reason::{Debug, Measurement, Platform, ReportData};
    vec![
        row("debug", Debug, "", Maker::debug),
        row("no image measured", Debug, "", |m| m.pcrs[0].1.fill(0)),
        row("image not said", Debug, "", |m| {
            m.pcrs.remove(0);
        }),
        row("another image", Measurement, "", |m| m.pcrs[0].1[0] ^= 1),
        row("another application", Measurement, "", |m| m.pcrs[2].1[0] ^= 1),
        row("about another key", ReportData, "", |m| {
            m.set("user_data", Value::Bytes(vec![0xdb; 64]));
        }),
        row("about no key", ReportData, "", |m| m.without("user_data")),
        row("about a key, and more", ReportData, "", |m| {
            m.set("user_data", Value::Bytes(vec![0xda; 65]));
        }),
        row("another country's instance", Platform, "nitro-instance", |m| {
            m.set("module_id", "i-0fffffffffffffff0-enc0123456789abcdef".into());
        }),
    ]
}
