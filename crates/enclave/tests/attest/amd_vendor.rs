//! An authority of AMD's shape with keys of our own: certificates, revocation lists and reports, in
//! DER by hand, as no library writes the wrong ones.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PSS_SHA384,
};
use enclave::attest::{Collateral, Kind, Product, Roots};

use crate::samples::{check, verdict};

pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
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

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
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

pub fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&oid(id), flag, &tlv(4, &[value])])
}

fn utc(text: &str) -> Vec<u8> {
    tlv(0x17, &[text.as_bytes()])
}

pub struct Authority {
    common: String,
    key: RsaKey,
}

impl Authority {
    pub fn new(common: &str) -> Self {
        Self { common: common.into(), key: RsaKey::generate(KeySize::Rsa2048).unwrap() }
    }

    pub fn sign(&self, tbs: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PSS_SHA384, &SystemRandom::new(), tbs, &mut signature).unwrap();
        sequence(&[tbs, &pss(), &tlv(3, &[&[0], &signature])])
    }

    pub fn spki(&self) -> Vec<u8> {
        let algorithm = sequence(&[&oid("1.2.840.113549.1.1.1"), &[5, 0]]);
        sequence(&[&algorithm, &tlv(3, &[&[0], self.key.public_key().as_ref()])])
    }

    pub fn issue(&self, serial: u8, subject: &str, spki: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
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

    pub fn list(&self, next: &str, serials: &[u8], critical: bool) -> Vec<u8> {
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

pub fn authority_extensions() -> Vec<Vec<u8>> {
    vec![
        extension("2.5.29.19", true, &sequence(&[&[1, 1, 0xff]])),
        extension("2.5.29.15", true, &[3, 2, 2, 4]),
    ]
}

/// What a certificate says of its chip.
#[derive(Clone)]
pub struct Chip {
    pub product: &'static str,
    /// OID's last part, level
    pub levels: Vec<(u8, u8)>,
    pub id: Option<Vec<u8>>,
}

pub struct Vendor {
    pub ark: Authority,
    pub ask: Authority,
    pub roots: Roots,
    pub ask_der: Vec<u8>,
    chip_key: EcdsaKeyPair,
}

impl Vendor {
    pub fn new(product: Product, ask: &str) -> Self {
        let (ark, ask) = (Authority::new("ARK-Ours"), Authority::new(ask));
        let root = ark.issue(1, "ARK-Ours", &ark.spki(), &authority_extensions());
        let ask_der = ark.issue(2, &ask.common, &ask.spki(), &authority_extensions());
        let mut roots = Roots::pinned();
        roots.amd = vec![(product, root)];
        let chip_key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        Self { ark, ask, roots, ask_der, chip_key }
    }

    pub fn chip(&self, subject: &str, chip: &Chip) -> Vec<u8> {
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

    pub fn report(&self, edit: impl Fn(&mut [u8])) -> Vec<u8> {
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

    pub fn said(&self, report: &[u8], objects: &[&[u8]]) -> String {
        let result = Collateral::parse(Kind::Snp, &objects.concat())
            .and_then(|brought| check(Kind::Snp, report, &brought, &self.roots, NOW));
        verdict(&result)
    }
}

/// Within the validity of all that is made here.
pub const NOW: &str = "2026-11-21T00:00:00Z";

pub fn turin() -> Chip {
    let levels = vec![(9, 1), (1, 2), (2, 3), (3, 4), (8, 5)];
    Chip { product: "Turin", levels, id: Some(vec![7; 8]) }
}
