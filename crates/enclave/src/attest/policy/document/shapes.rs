//! Which registers a program of each kind has: those that name it, and those that may.

use crate::attest::evidence::Kind;

/// The registers of one kind of evidence, each with its length in bytes.
pub(super) struct Shape {
    pub kind: Kind,
    /// A measurement must name them.
    pub needed: &'static [(&'static str, usize)],
    /// It may name these.
    pub further: &'static [(&'static str, usize)],
}

impl Shape {
    pub(super) fn of(kind: Kind) -> &'static Self {
        SHAPES.iter().find(|shape| shape.kind == kind).expect("because each kind has a row")
    }
}

/// No fixed length.
pub(super) const ANY: usize = 0;

static SHAPES: &[Shape] = &[
    Shape { kind: Kind::Software, needed: &[("binary", 32)], further: &[] },
    Shape { kind: Kind::Tpm, needed: &[("pcrselection", ANY), ("pcrdigest", 32)], further: &[] },
    Shape {
        kind: Kind::Sgx,
        needed: &[("mrenclave", 32)],
        further: &[("mrsigner", 32), ("isvprodid", 2), ("attributes", 16), ("miscselect", 4)],
    },
    Shape {
        kind: Kind::Tdx,
        needed: &[("mrtd", 48), ("rtmr0", 48), ("rtmr1", 48), ("rtmr2", 48), ("rtmr3", 48)],
        further: &[
            ("mrconfigid", 48),
            ("mrowner", 48),
            ("mrownerconfig", 48),
            ("mrseam", 48),
            ("tdattributes", 8),
            ("xfam", 8),
            ("mrservicetd", 48),
        ],
    },
    Shape {
        kind: Kind::Snp,
        needed: &[("measurement", 48)],
        further: &[
            ("hostdata", 32),
            ("idkeydigest", 48),
            ("authorkeydigest", 48),
            ("familyid", 16),
            ("imageid", 16),
            ("guestpolicy", ANY),
        ],
    },
    Shape {
        kind: Kind::Nitro,
        needed: &[("pcr0", 48), ("pcr1", 48), ("pcr2", 48)],
        further: &[("pcr3", 48), ("pcr4", 48), ("pcr8", 48)],
    },
];
