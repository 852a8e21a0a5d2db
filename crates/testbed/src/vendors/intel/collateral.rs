//! TCB info and QE identity, as Intel's Provisioning Certification Service (v4) answers them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::in_days;
use super::Kind;
use super::pck::{CPU_SVN, FMSPC, PCE_SVN};

/// Everything besides the quote, in the shape of dcap-qvl's `QuoteCollateralV3`.
#[derive(Clone)]
pub struct Collateral {
    /// PEM: authority above the PCK, root.
    pub pck_crl_issuer_chain: String,
    /// DER.
    pub root_ca_crl: Vec<u8>,
    /// DER.
    pub pck_crl: Vec<u8>,
    /// PEM: signer, root.
    pub tcb_info_issuer_chain: String,
    /// JSON, as signed.
    pub tcb_info: String,
    /// `r || s`.
    pub tcb_info_signature: Vec<u8>,
    /// PEM: signer, root.
    pub qe_identity_issuer_chain: String,
    /// JSON, as signed.
    pub qe_identity: String,
    /// `r || s`.
    pub qe_identity_signature: Vec<u8>,
}

impl Collateral {
    /// The JSON form in which collateral is kept in files: bytes as hex.
    pub fn json(&self) -> String {
        json!({
            "pck_crl_issuer_chain": self.pck_crl_issuer_chain,
            "root_ca_crl": hex(&self.root_ca_crl),
            "pck_crl": hex(&self.pck_crl),
            "tcb_info_issuer_chain": self.tcb_info_issuer_chain,
            "tcb_info": self.tcb_info,
            "tcb_info_signature": hex(&self.tcb_info_signature),
            "qe_identity_issuer_chain": self.qe_identity_issuer_chain,
            "qe_identity": self.qe_identity,
            "qe_identity_signature": hex(&self.qe_identity_signature),
        })
        .to_string()
    }
}

pub(super) const QE_SIGNER: [u8; 32] = [0x0e; 32];

/// The quoting enclaves of SGX and of TDX are two products.
pub(super) fn qe_product(kind: Kind) -> u16 {
    if kind.is_tdx() { 2 } else { 1 }
}

/// Three levels: up to date, out of date with an advisory, revoked.
pub(super) fn tcb_info(kind: Kind) -> Value {
    let mut levels = vec![];
    for (cpu_svn, pce_svn, tdx, date, status, advisories) in [
        (CPU_SVN, PCE_SVN, [5, 1, 2], "2026-02-11T00:00:00Z", "UpToDate", vec![]),
        ([2; 16], 2, [2, 1, 1], "2023-08-09T00:00:00Z", "OutOfDate", vec!["INTEL-SA-00837"]),
        ([1; 16], 1, [1, 1, 0], "2018-01-04T00:00:00Z", "Revoked", vec!["INTEL-SA-00106"]),
    ] {
        // a component that the best level does not know is none
        let known = |n: usize| if CPU_SVN[n] == 0 { 0 } else { cpu_svn[n].min(CPU_SVN[n]) };
        let mut tcb = json!({
            "sgxtcbcomponents": (0..16).map(|n| json!({"svn": known(n)})).collect::<Value>(),
            "pcesvn": pce_svn,
        });
        if kind.is_tdx() {
            let svn = |n: usize| tdx.get(n).copied().unwrap_or(0);
            tcb["tdxtcbcomponents"] = (0..16).map(|n| json!({"svn": svn(n)})).collect();
        }
        levels.push(json!({
            "tcb": tcb, "tcbDate": date, "tcbStatus": status, "advisoryIDs": advisories,
        }));
    }
    let mut info = json!({
        "id": if kind.is_tdx() { "TDX" } else { "SGX" },
        "version": 3,
        "issueDate": in_days(-10).to_string(),
        "nextUpdate": in_days(20).to_string(),
        "fmspc": hex(&FMSPC).to_uppercase(),
        "pceId": "0000",
        "tcbType": 0,
        "tcbEvaluationDataNumber": 17,
        "tcbLevels": levels,
    });
    if kind.is_tdx() {
        let module = json!({
            "mrsigner": "0".repeat(96),
            "attributes": "0000000000000000",
            "attributesMask": "FFFFFFFFFFFFFFFF",
        });
        let mut identity = module.clone();
        identity["id"] = "TDX_01".into();
        identity["tcbLevels"] = json!([
            {"tcb": {"isvsvn": 4}, "tcbDate": "2024-03-13T00:00:00Z", "tcbStatus": "UpToDate"},
            {"tcb": {"isvsvn": 2}, "tcbDate": "2023-08-09T00:00:00Z", "tcbStatus": "OutOfDate"},
        ]);
        info["tdxModule"] = module;
        info["tdxModuleIdentities"] = json!([identity]);
    }
    info
}

pub(super) fn qe_identity(kind: Kind) -> Value {
    json!({
        "id": if kind.is_tdx() { "TD_QE" } else { "QE" },
        "version": 2,
        "issueDate": in_days(-10).to_string(),
        "nextUpdate": in_days(20).to_string(),
        "tcbEvaluationDataNumber": 17,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": hex(&QE_SIGNER).to_uppercase(),
        "isvprodid": qe_product(kind),
        "tcbLevels": [
            {"tcb": {"isvsvn": 8}, "tcbDate": "2026-02-11T00:00:00Z", "tcbStatus": "UpToDate"},
            {"tcb": {"isvsvn": 4}, "tcbDate": "2023-08-09T00:00:00Z", "tcbStatus": "OutOfDate"},
        ],
    })
}

pub(super) fn status(levels: &mut Value, status: &str) {
    for level in levels.as_array_mut().into_iter().flatten() {
        level["tcbStatus"] = status.into();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
