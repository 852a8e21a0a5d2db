//! An authority of AMD's shape with keys of our own: what no genuine sample shows. Revocation lists,
//! VLEKs, Turin, privilege levels, firmware that is not the certificate's.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PSS_SHA384,
};
use enclave::attest::{Collateral, Evidence, Kind, Product, Revocation, Roots, verify};

use crate::samples::{check, verdict};

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        length @ 0..=0x7f => out.push(length as u8),
        length @ 0x80..=0xff => out.extend([0x81, length as u8]),
        length => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(content);
    out
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

fn oid(text: &str) -> Vec<u8> {
    tlv(6, &[x509_cert::der::asn1::ObjectIdentifier::new(text).unwrap().as_bytes()])
}

fn name(common: &str) -> Vec<u8> {
    let pair = sequence(&[&oid("2.5.4.3"), &tlv(0x0c, &[common.as_bytes()])]);
    sequence(&[&tlv(0x31, &[&pair])])
}

fn pss() -> Vec<u8> {
    let sha = sequence(&[&oid("2.16.840.1.101.3.4.2.2"), &[5, 0]]);
    let mgf = sequence(&[&oid("1.2.840.113549.1.1.8"), &sha]);
    let parameters =
        sequence(&[&tlv(0xa0, &[&sha]), &tlv(0xa1, &[&mgf]), &tlv(0xa2, &[&[2, 1, 48]])]);
    sequence(&[&oid("1.2.840.113549.1.1.10"), &parameters])
}

fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&oid(id), flag, &tlv(4, &[value])])
}

fn utc(text: &str) -> Vec<u8> {
    tlv(0x17, &[text.as_bytes()])
}

struct Authority {
    common: String,
    key: RsaKey,
}

impl Authority {
    fn new(common: &str) -> Self {
        Self { common: common.into(), key: RsaKey::generate(KeySize::Rsa2048).unwrap() }
    }

    fn sign(&self, tbs: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PSS_SHA384, &SystemRandom::new(), tbs, &mut signature).unwrap();
        sequence(&[tbs, &pss(), &tlv(3, &[&[0], &signature])])
    }

    fn spki(&self) -> Vec<u8> {
        let algorithm = sequence(&[&oid("1.2.840.113549.1.1.1"), &[5, 0]]);
        sequence(&[&algorithm, &tlv(3, &[&[0], self.key.public_key().as_ref()])])
    }

    fn issue(&self, serial: u8, subject: &str, spki: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
        let all: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        let validity = sequence(&[&utc("260101000000Z"), &utc("270101000000Z")]);
        self.sign(&sequence(&[
            &[0xa0, 3, 2, 1, 2],
            &[2, 1, serial],
            &pss(),
            &name(&self.common),
            &validity,
            &name(subject),
            spki,
            &tlv(0xa3, &[&sequence(&all)]),
        ]))
    }

    fn list(&self, next: &str, serials: &[u8], critical: bool) -> Vec<u8> {
        let rows: Vec<Vec<u8>> = serials
            .iter()
            .map(|serial| sequence(&[&[2, 1, *serial], &utc("260601000000Z")]))
            .collect();
        let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        let rows = if rows.is_empty() { Vec::new() } else { sequence(&rows) };
        let indicator = extension("2.5.29.27", critical, &[2, 1, 1]);
        self.sign(&sequence(&[
            &[2, 1, 1],
            &pss(),
            &name(&self.common),
            &utc("260601000000Z"),
            &utc(next),
            &rows,
            &tlv(0xa0, &[&sequence(&[&indicator])]),
        ]))
    }
}

fn authority_extensions() -> Vec<Vec<u8>> {
    vec![
        extension("2.5.29.19", true, &sequence(&[&[1, 1, 0xff]])),
        extension("2.5.29.15", true, &[3, 2, 2, 4]),
    ]
}

/// What a certificate says of its chip.
#[derive(Clone)]
struct Chip {
    product: &'static str,
    /// OID's last part, level
    levels: Vec<(u8, u8)>,
    id: Option<Vec<u8>>,
}

struct Vendor {
    ark: Authority,
    ask: Authority,
    roots: Roots,
    ask_der: Vec<u8>,
    chip_key: EcdsaKeyPair,
}

impl Vendor {
    fn new(product: Product, ask: &str) -> Self {
        let (ark, ask) = (Authority::new("ARK-Ours"), Authority::new(ask));
        let root = ark.issue(1, "ARK-Ours", &ark.spki(), &authority_extensions());
        let ask_der = ark.issue(2, &ask.common, &ask.spki(), &authority_extensions());
        let mut roots = Roots::pinned();
        roots.amd = vec![(product, root)];
        let chip_key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        Self { ark, ask, roots, ask_der, chip_key }
    }

    fn chip(&self, subject: &str, chip: &Chip) -> Vec<u8> {
        let curve = sequence(&[&oid("1.2.840.10045.2.1"), &oid("1.3.132.0.34")]);
        let spki = sequence(&[&curve, &tlv(3, &[&[0], self.chip_key.public_key().as_ref()])]);
        let mut extensions =
            vec![extension("1.3.6.1.4.1.3704.1.2", false, &tlv(0x16, &[chip.product.as_bytes()]))];
        for (part, level) in &chip.levels {
            let id = format!("1.3.6.1.4.1.3704.1.3.{part}");
            extensions.push(extension(&id, false, &[2, 1, *level]));
        }
        if let Some(id) = &chip.id {
            extensions.push(extension("1.3.6.1.4.1.3704.1.4", false, id));
        }
        self.ask.issue(9, subject, &spki, &extensions)
    }

    fn report(&self, edit: impl Fn(&mut [u8])) -> Vec<u8> {
        let mut report = vec![0; 1184];
        report[0] = 3;
        report[0x0a] = 3;
        report[0x34] = 1;
        // Turin: fmc, bootloader, tee, snp, then microcode
        for at in [0x38, 0x180, 0x1e0, 0x1f0] {
            report[at..at + 8].copy_from_slice(&[1, 2, 3, 4, 0, 0, 0, 5]);
        }
        report[0x188] = 0x1a;
        report[0x189] = 2;
        report[0x1a0..0x1a8].fill(7);
        edit(&mut report);
        let signature = self.chip_key.sign(&SystemRandom::new(), &report[..0x2a0]).unwrap();
        for (half, at) in [(0, 0x2a0), (48, 0x2a0 + 72)] {
            let number = signature.as_ref()[half..half + 48].iter().rev();
            report[at..at + 48].iter_mut().zip(number).for_each(|(to, from)| *to = *from);
        }
        report
    }

    fn said(&self, report: &[u8], objects: &[&[u8]]) -> String {
        let result = Collateral::parse(Kind::Snp, &objects.concat())
            .and_then(|brought| check(Kind::Snp, report, &brought, &self.roots, NOW));
        verdict(&result)
    }
}

const NOW: &str = "2026-11-21T00:00:00Z";

fn turin() -> Chip {
    let levels = vec![(9, 1), (1, 2), (2, 3), (3, 4), (8, 5)];
    Chip { product: "Turin", levels, id: Some(vec![7; 8]) }
}

#[test]
fn a_turin_chip_is_known_by_eight_bytes_and_five_versions() {
    let vendor = Vendor::new(Product::Turin, "SEV-Turin");
    let report = vendor.report(|_| {});
    let with =
        |chip: &Chip| vendor.said(&report, &[&vendor.chip("SEV-VCEK", chip), &vendor.ask_der]);
    assert_eq!(with(&turin()), "ok");
    let wrapped = Chip { id: Some(tlv(4, &[&[7; 8]])), ..turin() };
    assert_eq!(with(&wrapped), "ok", "in an OCTET STRING of its own");
    assert_eq!(with(&Chip { id: Some(vec![8; 8]), ..turin() }), "chip.mismatch");
    assert_eq!(with(&Chip { id: Some(vec![7; 7]), ..turin() }), "chip.mismatch");
    assert_eq!(with(&Chip { id: Some(vec![7; 64]), ..turin() }), "chip.mismatch");
    assert_eq!(with(&Chip { id: None, ..turin() }), "chip.mismatch");
    assert_eq!(with(&Chip { product: "Milan-B0", ..turin() }), "chain.untrusted", "no such root");
    for part in 0..5 {
        let mut chip = turin();
        chip.levels[part].1 += 1;
        assert_eq!(with(&chip), "tcb.mismatch", "part {part} is newer");
        chip.levels.remove(part);
        assert_eq!(with(&chip), "tcb.mismatch", "part {part} is missing");
    }
    let longer = vendor.report(|report| report[0x1a8] = 7);
    let chain = [vendor.chip("SEV-VCEK", &turin()), vendor.ask_der.clone()];
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    assert_eq!(vendor.said(&longer, &chain), "chip.mismatch", "more than eight bytes");
    assert_eq!(vendor.said(&vendor.report(|r| r[0x30] = 1), &chain), "attest.vmpl");
    assert_eq!(vendor.said(&vendor.report(|r| r[0x0a] = 3 | 8), &chain), "ok debug");
    assert_eq!(vendor.said(&vendor.report(|r| r[0x0b] = 4), &chain), "attest.reserved", "policy");
    assert_eq!(vendor.said(&vendor.report(|r| r[0x0a] = 1), &chain), "attest.reserved", "bit 17");
    assert_eq!(vendor.said(&vendor.report(|r| r[0x188] = 0x19), &chain), "product.mismatch");
    assert_eq!(vendor.said(&vendor.report(|r| r[0x180] = 0), &chain), "tcb.mismatch", "older");
}

#[test]
fn a_withdrawn_intermediate_is_refused_and_every_list_must_hold() {
    let vendor = Vendor::new(Product::Turin, "SEV-Turin");
    let (report, leaf) = (vendor.report(|_| {}), vendor.chip("SEV-VCEK", &turin()));
    let with = |list: &[u8]| vendor.said(&report, &[&leaf, &vendor.ask_der, list]);
    let good = vendor.ark.list("270101000000Z", &[77], false);
    assert_eq!(with(&good), "ok");
    assert_eq!(with(&vendor.ark.list("270101000000Z", &[], false)), "ok", "empty");
    assert_eq!(with(&vendor.ark.list("270101000000Z", &[77, 2], false)), "chain.revoked");
    assert_eq!(with(&vendor.ask.list("270101000000Z", &[9], false)), "chain.revoked", "the chip");
    assert_eq!(with(&vendor.ark.list("261121000000Z", &[], false)), "crl.time", "over now");
    assert_eq!(with(&vendor.ark.list("270101000000Z", &[], true)), "crl.untrusted", "a delta");
    let stranger = Authority::new("ARK-Ours");
    assert_eq!(with(&stranger.list("270101000000Z", &[], false)), "crl.untrusted", "forged");
    let other = Authority::new("ARK-Theirs");
    assert_eq!(with(&other.list("270101000000Z", &[], false)), "crl.untrusted", "another's");
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(with(&changed), "crl.untrusted");

    // whether anybody looked is a claim, and the lists' end is the evidence's
    let claims = |objects: &[&[u8]]| {
        let brought = Collateral::parse(Kind::Snp, &objects.concat()).unwrap();
        check(Kind::Snp, &report, &brought, &vendor.roots, NOW).unwrap().claims().clone()
    };
    let short = vendor.ark.list("261122000000Z", &[], false);
    let checked = claims(&[&leaf, &vendor.ask_der, &short]);
    assert_eq!(checked.revocation, Revocation::Checked);
    assert_eq!(checked.valid_until.to_string(), "2026-11-22T00:00:00Z");
    assert_eq!(claims(&[&leaf, &vendor.ask_der]).revocation, Revocation::NotChecked);
    // a sender who leaves the list out does not get around the verifier's own
    let brought = [&leaf[..], &vendor.ask_der].concat();
    let evidence = Evidence { collateral: brought, ..Evidence::new(Kind::Snp, report.as_slice()) };
    let withdrawn = vendor.ark.list("270101000000Z", &[2], false);
    for (ours, verdict_of) in [(&short, "ok"), (&withdrawn, "chain.revoked")] {
        let ours = Collateral::parse(Kind::Snp, ours).unwrap();
        let found = verify(&evidence, &ours, &vendor.roots, NOW.parse().unwrap());
        assert_eq!(verdict(&found), verdict_of);
    }
    let half = vendor.ask.list("270101000000Z", &[], false);
    let half = claims(&[&leaf, &vendor.ask_der, &half]);
    assert_eq!(
        half.revocation,
        Revocation::NotChecked,
        "the root's own list is the one that counts"
    );
}

#[test]
fn a_providers_key_names_no_chip_and_has_an_intermediate_of_its_own() {
    let vendor = Vendor::new(Product::Turin, "SEV-VLEK-Turin");
    let chip = Chip { id: None, ..turin() };
    let leaf = vendor.chip("SEV-VLEK", &chip);
    let report = vendor.report(|report| report[0x48] = 1 << 2);
    assert_eq!(vendor.said(&report, &[&leaf, &vendor.ask_der]), "ok");
    let named = vendor.chip("SEV-VLEK", &turin());
    assert_eq!(vendor.said(&report, &[&named, &vendor.ask_der]), "chip.mismatch");
    let vcek = vendor.report(|_| {});
    assert_eq!(vendor.said(&vcek, &[&leaf, &vendor.ask_der]), "collateral.missing", "no VCEK");
    // a VCEK under the providers' intermediate
    let wrong = vendor.chip("SEV-VCEK", &turin());
    assert_eq!(vendor.said(&vcek, &[&wrong, &vendor.ask_der]), "chain.untrusted");
    let neither = vendor.report(|report| report[0x48] = 7 << 2);
    assert_eq!(vendor.said(&neither, &[&leaf, &vendor.ask_der]), "attest.algorithm");
}

#[test]
fn only_authorities_issue() {
    let mut vendor = Vendor::new(Product::Turin, "SEV-Turin");
    let (report, leaf) = (vendor.report(|_| {}), vendor.chip("SEV-VCEK", &turin()));
    let ca = extension("2.5.29.19", true, &sequence(&[&[1, 1, 0xff]]));
    let no_ca = extension("2.5.29.19", true, &sequence(&[]));
    let sign = extension("2.5.29.15", true, &[3, 2, 2, 4]);
    let encrypt = extension("2.5.29.15", true, &[3, 2, 5, 0x20]);
    let unknown = extension("1.2.3.4", true, &[5, 0]);
    for (extensions, reason) in [
        (vec![ca.clone(), sign.clone()], "ok"),
        (vec![no_ca, sign.clone()], "chain.untrusted"),
        (vec![sign.clone()], "chain.untrusted"),
        (vec![ca.clone(), encrypt], "chain.untrusted"),
        (vec![ca.clone()], "chain.untrusted"),
        (vec![ca.clone(), sign.clone(), unknown], "collateral.malformed"),
        (vec![ca.clone(), ca, sign], "collateral.malformed"),
    ] {
        vendor.ask_der = vendor.ark.issue(2, "SEV-Turin", &vendor.ask.spki(), &extensions);
        assert_eq!(vendor.said(&report, &[&leaf, &vendor.ask_der]), reason);
    }
    // the certificate table that a host hands to its guest
    vendor.ask_der = vendor.ark.issue(2, "SEV-Turin", &vendor.ask.spki(), &authority_extensions());
    let mut table = vec![0; 72];
    for (row, object) in [&leaf, &vendor.ask_der].into_iter().enumerate() {
        let at = table.len() as u32;
        table[row * 24..row * 24 + 16].fill(row as u8 + 1);
        table[row * 24 + 16..row * 24 + 20].copy_from_slice(&at.to_le_bytes());
        table[row * 24 + 20..row * 24 + 24].copy_from_slice(&(object.len() as u32).to_le_bytes());
        table.extend(object);
    }
    assert_eq!(vendor.said(&report, &[&table]), "ok");
    table[20] = 0xff;
    table[22] = 0xff;
    assert_eq!(vendor.said(&report, &[&table]), "collateral.malformed", "beyond its end");
}
