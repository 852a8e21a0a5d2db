//! AMD-shaped evidence: ARK → ASK → VCEK, or ARK → ASVK → VLEK, and SEV-SNP reports.
//!
//! Shapes after AMD's "SEV Secure Nested Paging Firmware ABI" (56860, table 23) and "Versioned
//! Chip Endorsement Key Certificate and KDS Interface" (57230). The authorities have RSA keys of
//! 4096 bits, as AMD's: one pair is made for each process, and it takes a while.

mod chip;
mod report;

use std::sync::OnceLock;

use super::der;
use super::key::Key;
use super::x509::{Certificate, RevocationList};

pub use chip::{Chip, Product, Tcb};
pub use report::{Field, LEN};

/// The keys of one invented AMD. No `Debug`, on purpose.
pub struct Keys {
    /// Of the root.
    pub ark: Key,
    /// Of the signer of chips, and of the signer of clouds.
    pub ask: Key,
    /// Of the chip, or of the cloud.
    pub vek: Key,
}

impl Keys {
    fn new() -> Self {
        Self { ark: Key::rsa_4096(), ask: Key::rsa_4096(), vek: Key::p384() }
    }

    /// Those whose root the test trusts.
    pub fn ours() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(Self::new)
    }

    /// Those of another AMD, with the same names: a whole forged world.
    pub fn other() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(Self::new)
    }
}

/// Who vouches for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endorsement {
    /// The chip itself.
    Vcek,
    /// A cloud that AMD lent a key to: which chip it was stays unknown.
    Vlek,
}

/// What a verifier is given.
#[derive(Clone)]
pub struct Evidence {
    /// The report.
    pub report: Vec<u8>,
    /// VCEK or VLEK, DER.
    pub vek: Vec<u8>,
    /// ASK or ASVK, DER.
    pub ask: Vec<u8>,
    /// The root that the test trusts, DER.
    pub ark: Vec<u8>,
    /// The root's revocation list, DER.
    pub crl: Vec<u8>,
}

/// Makes a report and its chain. Everything may be changed before [`Maker::make`].
#[derive(Clone)]
pub struct Maker {
    /// The report without its signature, 672 bytes.
    pub body: Vec<u8>,
    /// Signs the report.
    pub report_signer: &'static Key,
    /// The root, self-signed.
    pub ark: Certificate,
    /// The authority of the chips.
    pub ask: Certificate,
    /// VCEK or VLEK, without AMD's extensions.
    pub vek: Certificate,
    /// What AMD's extensions in it say; `None` leaves them out.
    pub chip: Option<Chip>,
    /// The root's revocation list.
    pub crl: RevocationList,
    product: Product,
    /// A last touch, after everything is signed.
    pub tamper: fn(&mut Evidence),
}

impl Maker {
    /// Evidence that is in order: version 2 or 3 for Milan, 5 for Genoa and Turin.
    pub fn new(product: Product, endorsement: Endorsement, version: u32) -> Self {
        Self::with(product, endorsement, version, Keys::ours())
    }

    /// Evidence in order, of the AMD with these keys.
    pub fn with(
        product: Product,
        endorsement: Endorsement,
        version: u32,
        keys: &'static Keys,
    ) -> Self {
        let root = format!("ARK-{}", product.name());
        let (signer, leaf) = match endorsement {
            Endorsement::Vcek => (format!("SEV-{}", product.name()), "SEV-VCEK"),
            Endorsement::Vlek => (format!("SEV-VLEK-{}", product.name()), "SEV-VLEK"),
        };
        let mut vek = Certificate::new(leaf, &keys.vek, &signer, &keys.ask);
        // AMD's leaves carry neither keyUsage nor basicConstraints, and serial number 0
        (vek.usage, vek.constrained, vek.serial) = (None, false, vec![0]);
        Self {
            body: report::body(product, endorsement, version),
            report_signer: &keys.vek,
            ark: Certificate::new(&root, &keys.ark, &root, &keys.ark).authority(None),
            ask: Certificate::new(&signer, &keys.ask, &root, &keys.ark).authority(Some(0)),
            vek,
            chip: Some(Chip::new(product, endorsement)),
            crl: RevocationList::new(&root, &keys.ark),
            product,
            tamper: |_| {},
        }
    }

    /// The guest's policy allows the host to debug it.
    pub fn debug(&mut self) {
        self.policy_bit(19);
    }

    /// Sets a bit of the guest's policy: 16 SMT, 18 migration agent, 19 debug.
    pub fn policy_bit(&mut self, bit: u32) {
        let at = Field::Policy.offset();
        let policy = u64::from_le_bytes(self.body[at..at + 8].try_into().expect("because 8 = 8"));
        self.set(Field::Policy, &(policy | 1 << bit).to_le_bytes());
    }

    /// Reported, committed, current and launch TCB of the report.
    pub fn svn(&mut self, tcb: Tcb) {
        for field in [Field::Reported, Field::Committed, Field::Current, Field::Launch] {
            self.set(field, &tcb.raw(self.product));
        }
    }

    /// One of the report's TCB fields.
    pub fn tcb(&mut self, field: Field, tcb: Tcb) {
        self.set(field, &tcb.raw(self.product));
    }

    /// Overwrites the first bytes of a field of the report.
    pub fn set(&mut self, field: Field, value: &[u8]) {
        let at = field.offset();
        self.body[at..at + value.len()].copy_from_slice(value);
    }

    /// Signs everything and puts it together.
    pub fn make(self) -> Evidence {
        let mut vek = self.vek.clone();
        if let Some(chip) = &self.chip {
            vek.extensions.extend(chip.extensions());
        }
        let mut evidence = Evidence {
            report: report::signed(&self.body, self.report_signer),
            vek: vek.der(),
            ask: self.ask.der(),
            ark: self.ark.der(),
            crl: self.crl.der(),
        };
        (self.tamper)(&mut evidence);
        evidence
    }
}

/// An extension of AMD's: never critical.
fn entry(oid: &str, content: Vec<u8>) -> (String, bool, Vec<u8>) {
    (format!("1.3.6.1.4.1.3704.1.{oid}"), false, content)
}

fn svn(oid: &str, svn: u8) -> (String, bool, Vec<u8>) {
    entry(oid, der::number(svn.into()))
}
