//! What no genuine sample of AMD's shows: revocation lists, VLEKs, Turin, privilege levels, firmware
//! that is not the certificate's.

use enclave::attest::{Collateral, Evidence, Kind, Product, Revocation, verify};

use crate::amd_vendor::{
    Authority, Chip, NOW, Vendor, authority_extensions, extension, sequence, tlv, turin,
};
use crate::samples::{check, verdict};

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
