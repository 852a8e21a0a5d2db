//! Genuine evidence, changed in one place or looked at in the wrong moment: refused, each for its
//! own reason.

use enclave::attest::{Collateral, Evidence, Kind, Product, Roots, verify};

use crate::samples::{self, Cut, check, collateral, read, verdict};

/// A genuine quote, and when its collateral is valid, to the second.
struct Quote {
    kind: Kind,
    path: &'static str,
    collateral: &'static str,
    from: &'static str,
    until: &'static str,
    /// What of it ends first.
    ends: &'static str,
    /// Bytes of the report body that are not the debug flag.
    body: usize,
}

static QUOTES: &[Quote] = &[
    Quote {
        kind: Kind::Sgx,
        path: "intel/dcap-qvl/sgx_quote",
        collateral: "intel/dcap-qvl/sgx_quote_collateral.json",
        from: "2025-06-19T10:56:11Z",
        until: "2025-07-19T10:01:18Z",
        ends: "collateral.expired",
        body: 48 + 64,
    },
    Quote {
        kind: Kind::Tdx,
        path: "intel/dcap-qvl/tdx_quote",
        collateral: "intel/dcap-qvl/tdx_quote_collateral.json",
        from: "2025-06-19T10:32:27Z",
        // a revocation list has ended when its next update is due
        until: "2025-07-19T10:00:34Z",
        ends: "crl.time",
        body: 48 + 136,
    },
];

type Json = serde_json::Value;

fn flip(field: &str, at: usize) -> impl Fn(&mut Json) {
    move |json| {
        let mut bytes = hex::decode(json[field].as_str().unwrap()).unwrap();
        bytes[at] ^= 1;
        json[field] = hex::encode(bytes).into();
    }
}

impl Quote {
    fn verdict(&self, blob: &[u8], now: &str, edit: impl Fn(&mut Json)) -> String {
        let mut json: Json = serde_json::from_slice(&read(self.collateral)).unwrap();
        edit(&mut json);
        let result = Collateral::parse(self.kind, json.to_string().as_bytes())
            .and_then(|brought| check(self.kind, blob, &brought, &Roots::pinned(), now));
        verdict(&result)
    }
}

#[test]
fn intels_quotes_are_refused_when_one_thing_about_them_is_wrong() {
    let Some(_) = samples::folder() else { return };
    let now = "2025-07-01T00:00:00Z";
    let keep = |_: &mut Json| {};
    for quote in QUOTES {
        let blob = read(quote.path);
        let with = |at: usize| {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            quote.verdict(&changed, now, keep)
        };
        let signed = if quote.kind == Kind::Sgx { 48 + 384 } else { 48 + 584 };
        assert!(quote.verdict(&blob, now, keep).starts_with("ok"));
        assert_eq!(with(quote.body), "attest.signature", "body");
        assert_eq!(with(signed + 4 + 10), "attest.signature", "signature");
        assert_eq!(quote.verdict(&blob[..blob.len() / 2], now, keep), "attest.malformed");

        // the first and the last second of the collateral, and one second beyond each
        let shift = |time: &str, seconds: i64| {
            let time: jiff::Timestamp = time.parse().unwrap();
            (time + jiff::SignedDuration::from_secs(seconds)).to_string()
        };
        assert!(quote.verdict(&blob, quote.from, keep).starts_with("ok"));
        assert!(quote.verdict(&blob, quote.until, keep).starts_with("ok"));
        assert_eq!(quote.verdict(&blob, &shift(quote.until, 1), keep), quote.ends);
        assert_eq!(quote.verdict(&blob, &shift(quote.from, -1), keep), "collateral.early");
        let today = quote.verdict(&blob, "2026-11-21T00:00:00Z", keep);
        assert_eq!(today, "crl.time", "a list ends first");

        let edited = |json: &mut Json| {
            let text = json["tcb_info"].as_str().unwrap().replacen("OutOfDate", "UpToDate ", 1);
            let text = text.replacen("\"UpToDate \"", "\"UpToDate\" ", 1);
            assert_ne!(json["tcb_info"], text.as_str());
            json["tcb_info"] = text.into();
        };
        assert_eq!(quote.verdict(&blob, now, edited), "collateral.signature", "TCB info");
        let qe = flip("qe_identity_signature", 40);
        assert_eq!(quote.verdict(&blob, now, qe), "collateral.signature", "QE identity");
        let tampered = quote.verdict(&blob, now, flip("pck_crl", 150));
        assert_eq!(tampered, "crl.untrusted");
        assert_eq!(quote.verdict(&blob, now, flip("root_ca_crl", 100)), "crl.untrusted");
        let other = |json: &mut Json| {
            let other = QUOTES.iter().find(|other| other.kind != quote.kind).unwrap();
            let theirs: Json = serde_json::from_slice(&read(other.collateral)).unwrap();
            json["pck_crl"] = theirs["pck_crl"].clone();
        };
        assert_eq!(quote.verdict(&blob, now, other), "crl.untrusted", "list of the other CA");
    }
    let mut debug = read(QUOTES[0].path);
    debug[48 + 48] |= 2;
    assert_eq!(QUOTES[0].verdict(&debug, now, keep), "attest.signature", "debug bit");
}

#[test]
fn amds_reports_are_refused_when_one_thing_about_them_is_wrong() {
    let Some(_) = samples::folder() else { return };
    let (now, kind, pinned) = ("2026-11-21T00:00:00Z", Kind::Snp, Roots::pinned());
    let ask = "snp/roots/milan-ask.pem";
    let report = Cut::Hex.read("snp/virtee-sev/report_milan.hex");
    let right = collateral(kind, &["snp/virtee-sev/vcek_milan.der", ask]).unwrap();
    let with = |at: usize, bits: u8| {
        let mut changed = report.clone();
        changed[at] ^= bits;
        verdict(&check(kind, &changed, &right, &pinned, now))
    };
    assert_eq!(with(0x90, 1), "attest.signature", "measurement");
    assert_eq!(with(0x50, 1), "attest.signature", "report data");
    assert_eq!(with(0x2a0, 1), "attest.signature", "signature");
    assert_eq!(with(0x1a0, 1), "attest.signature", "chip");
    assert_eq!(with(0x00, 8), "attest.version", "version 10");
    assert_eq!(with(0x34, 2), "attest.algorithm", "algorithm");
    assert_eq!(with(0x4d, 1), "attest.reserved", "reserved");
    assert_eq!(with(0x2a0 + 60, 1), "attest.reserved", "signature is too large");
    assert_eq!(with(0x48, 4), "collateral.missing", "says it was signed by a VLEK");
    let short = check(kind, &report[..1183], &right, &pinned, now);
    assert_eq!(verdict(&short), "attest.malformed");

    let mut wrong = pinned.clone();
    let genoa = pinned.amd.iter().find(|row| row.0 == Product::Genoa).unwrap().1.clone();
    wrong.amd = vec![(Product::Milan, genoa)];
    assert_eq!(verdict(&check(kind, &report, &right, &wrong, now)), "chain.untrusted", "root");
    let neighbour = collateral(kind, &["snp/extracted/dstack-vek.der", ask]).unwrap();
    assert_eq!(verdict(&check(kind, &report, &neighbour, &pinned, now)), "attest.signature");
    let genoas = collateral(kind, &["snp/virtee-sev/vcek_milan.der", "snp/roots/genoa-ask.pem"]);
    assert_eq!(verdict(&check(kind, &report, &genoas.unwrap(), &pinned, now)), "chain.untrusted");
    let alone = collateral(kind, &["snp/virtee-sev/vcek_milan.der"]).unwrap();
    assert_eq!(verdict(&check(kind, &report, &alone, &pinned, now)), "chain.untrusted", "no ASK");
    for time in ["2023-04-03T19:23:42Z", "2030-04-03T19:23:44Z"] {
        assert_eq!(verdict(&check(kind, &report, &right, &pinned, time)), "chain.time", "{time}");
    }
    let none = check(kind, &report, &Collateral::None, &pinned, now);
    assert_eq!(verdict(&none), "collateral.missing");
    // version 3 says which processor it is
    let (newer, genoas) = (
        read("snp/extracted/oak-milan-rk-report.bin"),
        collateral(kind, &["snp/extracted/oak-genoa-vek.der", "snp/roots/genoa-ask.pem"]).unwrap(),
    );
    assert_eq!(verdict(&check(kind, &newer, &genoas, &pinned, now)), "product.mismatch");
}

#[test]
fn nitros_documents_are_refused_when_one_thing_about_them_is_wrong() {
    let Some(_) = samples::folder() else { return };
    let now = "2025-12-25T17:00:00Z";
    let blob = read("nitro/extracted/dstack_attest_nitro_attestation.cose");
    let pinned = Roots::pinned();
    let said = |blob: &[u8], roots: &Roots, now: &str| {
        verdict(&check(Kind::Nitro, blob, &Collateral::None, roots, now))
    };
    assert_eq!(said(&blob, &pinned, now), "ok");
    let tagged = [&[0xd2], &blob[..]].concat();
    let other = if blob[0] == 0xd2 { &blob[1..] } else { &tagged };
    assert_eq!(said(other, &pinned, now), "ok", "with and without the tag");
    for time in ["2025-12-25T16:04:15Z", "2025-12-25T19:04:20Z"] {
        assert_eq!(said(&blob, &pinned, time), "chain.time", "{time}");
    }
    let mut changed = blob.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(said(&changed, &pinned, now), "attest.signature");
    let at = blob.windows(6).position(|window| window == b"SHA384").unwrap();
    let mut changed = blob.clone();
    changed[at] = b's';
    assert_eq!(said(&changed, &pinned, now), "attest.malformed");
    let at = blob.windows(4).position(|window| window == b"pcrs").unwrap();
    let mut changed = blob.clone();
    changed[at + 20] ^= 1;
    assert_eq!(said(&changed, &pinned, now), "attest.signature", "PCR0");
    let longer = [&blob[..], &[0]].concat();
    assert_eq!(said(&longer, &pinned, now), "attest.malformed", "a byte behind it");

    // the root that the document brings is not looked at, the pinned one is
    let root = pinned.nitro.clone();
    let at = blob.windows(root.len()).position(|window| window == root).unwrap();
    let mut changed = blob.clone();
    changed[at + 100] ^= 1;
    assert_eq!(said(&changed, &pinned, now), "attest.signature", "chain holds, payload does not");
    let stranger = read("nitro/fortanix/unknown_ca.crt");
    let mut roots = pinned.clone();
    roots.nitro = pem(&stranger);
    assert_eq!(said(&blob, &roots, now), "chain.untrusted");
}

fn pem(text: &[u8]) -> Vec<u8> {
    use rustls_pki_types::pem::PemObject as _;
    rustls_pki_types::CertificateDer::from_pem_slice(text).unwrap().to_vec()
}

#[test]
fn evidence_is_verified_as_what_it_says_it_is_only() {
    let Some(_) = samples::folder() else { return };
    let quote = read("intel/dcap-qvl/tdx_quote");
    let brought = collateral(Kind::Tdx, &["intel/dcap-qvl/tdx_quote_collateral.json"]).unwrap();
    let now = "2025-07-01T00:00:00Z";
    for (kind, reason) in [
        (Kind::Sgx, "attest.malformed"),
        (Kind::Snp, "attest.malformed"),
        (Kind::Nitro, "attest.malformed"),
        (Kind::Tpm, "attest.malformed"),
        (Kind::Software, "attest.malformed"),
    ] {
        assert_eq!(verdict(&check(kind, &quote, &brought, &Roots::pinned(), now)), reason);
    }
    // what the sender brought is used by a verifier without collateral, and by no other
    let theirs = read("intel/dcap-qvl/tdx_quote_outdated_collateral.json");
    let sent = Evidence { collateral: theirs, ..Evidence::new(Kind::Tdx, quote.as_slice()) };
    let at = now.parse().unwrap();
    assert_eq!(verdict(&verify(&sent, &brought, &Roots::pinned(), at)), "ok UpToDate dynamic");
    let trusting = verify(&sent, &Collateral::None, &Roots::pinned(), at);
    assert_eq!(verdict(&trusting), "collateral.early");
    let none = check(Kind::Tdx, &quote, &Collateral::None, &Roots::pinned(), now);
    assert_eq!(verdict(&none), "collateral.missing");
    let long = vec![0; enclave::attest::MAX_BLOB + 1];
    let long = check(Kind::Tdx, &long, &brought, &Roots::pinned(), now);
    assert_eq!(verdict(&long), "attest.too-large");
}
