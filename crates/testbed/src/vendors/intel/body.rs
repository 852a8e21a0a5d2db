//! Quotes: header, report, signature data. All numbers are little-endian.

use aws_lc_rs::digest::{SHA256, digest};

use super::Maker;
use super::pck::{CPU_SVN, PCE_SVN};

/// The kinds of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An enclave, quote version 3.
    Sgx,
    /// A trust domain of TDX 1.0, quote version 4.
    Tdx10,
    /// A trust domain of TDX 1.5, quote version 5, body type 3.
    Tdx15,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Sgx, Self::Tdx10, Self::Tdx15];

    /// `TDX` kinds have other fields.
    pub fn is_tdx(self) -> bool {
        self != Self::Sgx
    }

    fn version(self) -> u16 {
        match self {
            Self::Sgx => 3,
            Self::Tdx10 => 4,
            Self::Tdx15 => 5,
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Sgx => 384,
            Self::Tdx10 => 584,
            Self::Tdx15 => 648,
        }
    }
}

/// A field of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// CPUSVN (SGX) or TEE_TCB_SVN (TDX), 16 bytes.
    Svn,
    /// MISCSELECT (SGX), 4 bytes.
    MiscSelect,
    /// ATTRIBUTES (SGX, 16 bytes) or TDATTRIBUTES (TDX, 8 bytes); the debug bits are in byte 0.
    Attributes,
    /// MRENCLAVE (32 bytes) or MRTD (48 bytes).
    Measurement,
    /// MRSIGNER of the enclave (32 bytes) or of the TDX module (48 bytes).
    MrSigner,
    /// ISVPRODID (SGX), 2 bytes.
    IsvProdId,
    /// ISVSVN (SGX), 2 bytes.
    IsvSvn,
    /// SEAMATTRIBUTES (TDX), 8 bytes.
    SeamAttributes,
    /// MRCONFIGID (TDX), 48 bytes.
    ConfigId,
    /// RTMR n (TDX), 48 bytes.
    Rtmr(usize),
    /// 64 bytes of the quoted program's own.
    ReportData,
    /// TEE_TCB_SVN_2 (TDX 1.5), 16 bytes.
    Svn2,
    /// MRSERVICETD (TDX 1.5), 48 bytes.
    ServiceTd,
}

impl Field {
    /// Where it begins.
    ///
    /// # Panics
    /// When a quote of this kind has no such field.
    pub fn offset(self, kind: Kind) -> usize {
        match (self, kind.is_tdx()) {
            (Self::Svn, _) => 0,
            (Self::MiscSelect, false) => 16,
            (Self::Attributes, false) => 48,
            (Self::Measurement, false) => 64,
            (Self::MrSigner, false) => 128,
            (Self::IsvProdId, false) => 256,
            (Self::IsvSvn, false) => 258,
            (Self::ReportData, false) => 320,
            (Self::MrSigner, true) => 64,
            (Self::SeamAttributes, true) => 112,
            (Self::Attributes, true) => 120,
            (Self::Measurement, true) => 136,
            (Self::ConfigId, true) => 184,
            (Self::Rtmr(n), true) => 328 + 48 * n,
            (Self::ReportData, true) => 520,
            (Self::Svn2, true) => 584,
            (Self::ServiceTd, true) => 600,
            _ => panic!("a {kind:?} report has no {self:?}"),
        }
    }
}

/// Length of the quoting enclave's own data.
pub const QE_AUTH: usize = 32;
/// SEPT_VE_DISABLE, bit 28 of TDATTRIBUTES: the host cannot take a page away unseen.
const SEPT_VE_DISABLE: u8 = 0x10;
/// TDX module 1.5 (version 1), ISVSVN 5, late microcode 2.
const TEE_TCB_SVN: [u8; 3] = [5, 1, 2];
/// "Intel's quoting enclaves" in the header.
const VENDOR: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];

pub(super) fn header(kind: Kind) -> Vec<u8> {
    let mut out = vec![];
    out.extend(kind.version().to_le_bytes());
    out.extend(2u16.to_le_bytes()); // ECDSA on P-256
    out.extend(if kind.is_tdx() { 0x81u32 } else { 0 }.to_le_bytes());
    let (qe, pce) = if kind.is_tdx() { (0, 0) } else { (10, PCE_SVN) };
    out.extend(u16::to_le_bytes(qe));
    out.extend(pce.to_le_bytes());
    out.extend(VENDOR);
    out.extend([0; 20]);
    out
}

pub(super) fn body(kind: Kind) -> Vec<u8> {
    let mut out = vec![0; kind.len()];
    let mut set = |field: Field, value: &[u8]| {
        let at = field.offset(kind);
        out[at..at + value.len()].copy_from_slice(value);
    };
    set(Field::ReportData, &[0xda; 64]);
    if kind.is_tdx() {
        set(Field::Svn, &TEE_TCB_SVN);
        set(Field::Attributes, &[0, 0, 0, SEPT_VE_DISABLE]);
        set(Field::Measurement, &[0x3e; 48]);
        for n in 0..3 {
            set(Field::Rtmr(n), &[0x40 + n as u8; 48]);
        }
        if kind == Kind::Tdx15 {
            set(Field::Svn2, &TEE_TCB_SVN);
        }
    } else {
        set(Field::Svn, &CPU_SVN);
        set(Field::Attributes, &[0x05, 0, 0, 0, 0, 0, 0, 0, 0x07]);
        set(Field::Measurement, &[0x3e; 32]);
        set(Field::MrSigner, &[0x51; 32]);
        set(Field::IsvProdId, &1u16.to_le_bytes());
        set(Field::IsvSvn, &2u16.to_le_bytes());
    }
    out
}

/// The quoting enclave's report; both kinds of quoting enclaves are SGX enclaves.
pub(super) fn qe_report(kind: Kind) -> Vec<u8> {
    let mut out = vec![0; Kind::Sgx.len()];
    let mut set = |field: Field, value: &[u8]| {
        let at = field.offset(Kind::Sgx);
        out[at..at + value.len()].copy_from_slice(value);
    };
    set(Field::Svn, &CPU_SVN);
    set(Field::Attributes, &[0x11]);
    set(Field::Measurement, &[0x9e; 32]);
    set(Field::MrSigner, &super::collateral::QE_SIGNER);
    set(Field::IsvProdId, &super::collateral::qe_product(kind).to_le_bytes());
    set(Field::IsvSvn, &8u16.to_le_bytes());
    out
}

/// Signs and writes the quote.
pub(super) fn quote(maker: &Maker, pck_chain: &str) -> Vec<u8> {
    let mut out = maker.header.clone();
    if maker.kind == Kind::Tdx15 {
        out.extend(3u16.to_le_bytes());
        out.extend((maker.body.len() as u32).to_le_bytes());
    }
    out.extend(&maker.body);
    let signature = maker.quote_signer.sign_fixed(&out);
    let key = &maker.attestation.public()[1..]; // without the 0x04 of an uncompressed point
    let mut qe_report = maker.qe_report.clone();
    if maker.bound {
        let bound = digest(&SHA256, &[key, &maker.qe_auth].concat());
        let at = Field::ReportData.offset(Kind::Sgx);
        qe_report[at..at + 32].copy_from_slice(bound.as_ref());
    }
    let mut qe = qe_report.clone();
    qe.extend(maker.qe_signer.sign_fixed(&qe_report));
    qe.extend((maker.qe_auth.len() as u16).to_le_bytes());
    qe.extend(&maker.qe_auth);
    // Intel ends the chain with a NUL
    qe.extend(block(maker.certification, &[pck_chain.as_bytes(), &[0]].concat()));
    let mut data = signature;
    data.extend(key);
    // from version 4 on, the quoting enclave's part is a block of type 6
    if maker.kind.is_tdx() {
        data.extend(block(6, &qe));
    } else {
        data.extend(qe);
    }
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

fn block(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut out = kind.to_le_bytes().to_vec();
    out.extend((content.len() as u32).to_le_bytes());
    out.extend(content);
    out
}
