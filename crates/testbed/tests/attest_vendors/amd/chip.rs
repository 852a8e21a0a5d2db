//! What the chip's certificate says of the chip, and what revocation lists say of certificates.

use enclave::attest::Reason;
use testbed::vendors::amd::{Field, Keys, Product};
use testbed::vendors::in_seconds;
use testbed::vendors::key::Key;

use super::{CLOUD, Change, GENOA, MILAN, TURIN, row};
use crate::Row;

pub fn rows() -> Vec<Row<Change>> {
    use Reason::{Chain, ChipMismatch, CollateralMalformed, ProductMismatch, TcbMismatch};
    vec![
        row("another chip's certificate", ChipMismatch, "", MILAN, |m| {
            m.chip.as_mut().unwrap().hardware_id = Some(vec![0xc5; 64]);
        }),
        row("another chip's certificate, of Turin", ChipMismatch, "", TURIN, |m| {
            m.chip.as_mut().unwrap().hardware_id = Some(vec![0xc5; 8]);
        }),
        row("more id than Turin has", ChipMismatch, "", TURIN, |m| {
            m.set(Field::ChipId, &[0xc4; 9]);
        }),
        row("chip's id in short", ChipMismatch, "length", MILAN, |m| {
            m.chip.as_mut().unwrap().hardware_id = Some(vec![0xc4; 8]);
        }),
        row("chip's id of no length", ChipMismatch, "length", MILAN, |m| {
            m.chip.as_mut().unwrap().hardware_id = Some(vec![]);
        }),
        row("chip's certificate without an id", ChipMismatch, "VCEKs name", MILAN, |m| {
            m.chip.as_mut().unwrap().hardware_id = None;
        }),
        row("cloud's certificate with an id", ChipMismatch, "VCEKs name", CLOUD, |m| {
            m.chip.as_mut().unwrap().hardware_id = Some(vec![0; 64]);
        }),
        row("report hides its chip", ChipMismatch, "", MILAN, |m| {
            m.set(Field::ChipId, &[0; 64]);
        }),
        row("certificate of another boot loader", TcbMismatch, "bootloader", MILAN, |m| {
            m.chip.as_mut().unwrap().tcb.boot_loader = 11;
        }),
        row("certificate of another secure OS", TcbMismatch, "tee", MILAN, |m| {
            m.chip.as_mut().unwrap().tcb.tee = 2;
        }),
        row("certificate of another SNP firmware", TcbMismatch, "snp", MILAN, |m| {
            m.chip.as_mut().unwrap().tcb.snp = 26;
        }),
        row("certificate of another microcode", TcbMismatch, "microcode", GENOA, |m| {
            m.chip.as_mut().unwrap().tcb.microcode = 85;
        }),
        row("certificate of another FMC", TcbMismatch, "fmc", TURIN, |m| {
            m.chip.as_mut().unwrap().tcb.fmc = 2;
        }),
        row("certificate without the FMC", TcbMismatch, "fmc", TURIN, |m| {
            m.chip.as_mut().unwrap().has_fmc = false;
        }),
        row("cloud's certificate of other firmware", TcbMismatch, "snp", CLOUD, |m| {
            m.chip.as_mut().unwrap().tcb.snp = 26;
        }),
        row("certificate without AMD's extensions", ProductMismatch, "", MILAN, |m| {
            m.chip = None;
        }),
        row("product that nobody knows", ProductMismatch, "", MILAN, |m| {
            m.chip.as_mut().unwrap().product = "Naples".into();
        }),
        row("another product's name in the chain", Chain, "no intermediate", MILAN, |m| {
            m.chip.as_mut().unwrap().product = "Genoa".into();
        }),
        row("a Genoa's report below Milan's root", ProductMismatch, "", MILAN, |m| {
            m.set(Field::Cpuid, &Product::Genoa.cpuid());
        }),
        row("an extension twice", CollateralMalformed, "twice", MILAN, |m| {
            m.vek.extensions.push(("1.3.6.1.4.1.3704.1.3.3".into(), false, vec![2, 1, 99]));
        }),
    ]
}

pub fn lists() -> Vec<Row<Change>> {
    use Reason::{RevocationList, RevocationListTime, RevocationUnknown, Revoked};
    vec![
        row("signer revoked", Revoked, "", MILAN, |m| m.crl.revoked.push(m.ask.serial.clone())),
        row("chip revoked by its signer", Revoked, "", MILAN, |m| {
            m.vek.serial = vec![0x2a];
            (m.crl.issuer, m.crl.signer) = (m.ask.subject.clone(), m.ask.key);
            m.crl.revoked.push(m.vek.serial.clone());
        }),
        row("list expired a second ago", RevocationListTime, "", MILAN, |m| {
            m.crl.next_update = Some(in_seconds(-1));
        }),
        row("list of a second later", RevocationListTime, "", MILAN, |m| {
            m.crl.this_update = in_seconds(1);
        }),
        row("list without an end", RevocationList, "end", MILAN, |m| m.crl.next_update = None),
        row("list by another root", RevocationList, "not signed", MILAN, |m| {
            m.crl.signer = &Keys::other().ark;
        }),
        row("list signed with ECDSA", RevocationList, "another way", MILAN, |m| {
            m.crl.signer = Key::stranger_p384();
        }),
        row("list of another product's root", RevocationList, "another authority", MILAN, |m| {
            m.crl.issuer = "ARK-Genoa".into();
        }),
        row("list that is none", RevocationList, "", MILAN, |m| {
            m.tamper = |e| e.crl.truncate(50);
        }),
        row("no list", RevocationUnknown, "", MILAN, |m| m.tamper = |e| e.crl.clear()),
        row("only the signer's list", RevocationUnknown, "", MILAN, |m| {
            (m.crl.issuer, m.crl.signer) = (m.ask.subject.clone(), m.ask.key);
        }),
    ]
}
