//! TCB info, QE identity, revocation lists.

use enclave::attest::Reason;
use testbed::vendors::in_seconds;
use testbed::vendors::key::Key;

use super::{Change, sgx};
use crate::Row;

pub fn rows() -> Vec<Row<Change>> {
    use Reason::{
        CollateralEarly, CollateralExpired, CollateralMalformed, CollateralMismatch,
        CollateralSignature, RevocationList, RevocationListTime,
    };
    vec![
        sgx("TCB info by a stranger", CollateralSignature, "tcb_info", |m| {
            m.tcb_info_signer = Key::stranger();
        }),
        sgx("TCB info edited", CollateralSignature, "tcb_info", |m| {
            m.tamper = |e| e.collateral.tcb_info = e.collateral.tcb_info.replace(":17", ":18");
        }),
        sgx("QE identity by a stranger", CollateralSignature, "qe_identity", |m| {
            m.qe_identity_signer = Key::stranger();
        }),
        sgx("QE identity edited", CollateralSignature, "qe_identity", |m| {
            m.tamper =
                |e| e.collateral.qe_identity = e.collateral.qe_identity.replace(":17", ":18");
        }),
        sgx("TCB info expired a second ago", CollateralExpired, "TCBInfo", |m| {
            m.tcb_info["nextUpdate"] = in_seconds(-1).to_string().into();
        }),
        sgx("TCB info of a second later", CollateralEarly, "TCBInfo", |m| {
            m.tcb_info["issueDate"] = in_seconds(1).to_string().into();
        }),
        sgx("QE identity expired a second ago", CollateralExpired, "QE Identity", |m| {
            m.qe_identity["nextUpdate"] = in_seconds(-1).to_string().into();
        }),
        sgx("QE identity of a second later", CollateralEarly, "QE Identity", |m| {
            m.qe_identity["issueDate"] = in_seconds(1).to_string().into();
        }),
        sgx("root's list expired a second ago", RevocationListTime, "CrlExpired", |m| {
            m.root_crl.next_update = Some(in_seconds(-1));
        }),
        sgx("processors' list expired a second ago", RevocationListTime, "CrlExpired", |m| {
            m.pck_crl.next_update = Some(in_seconds(-1));
        }),
        sgx("root's list without an end", RevocationList, "root CA CRL", |m| {
            m.root_crl.next_update = None;
        }),
        sgx("processors' list without an end", RevocationList, "PCK CRL", |m| {
            m.pck_crl.next_update = None;
        }),
        sgx("root's list by a stranger", RevocationList, "root CA CRL", |m| {
            m.root_crl.signer = Key::stranger();
        }),
        sgx("processors' list by a stranger", RevocationList, "InvalidCrlSignature", |m| {
            m.pck_crl.signer = Key::stranger();
        }),
        sgx("root's list changed after signing", RevocationList, "InvalidCrlSignature", |m| {
            m.tamper = |e| *e.collateral.root_ca_crl.last_mut().unwrap() ^= 1;
        }),
        sgx("processors' list changed after signing", RevocationList, "InvalidCrlSignature", |m| {
            m.tamper = |e| *e.collateral.pck_crl.last_mut().unwrap() ^= 1;
        }),
        sgx("list of the other authority", RevocationList, "Unknown", |m| {
            m.pck_crl.issuer = "Intel SGX PCK Processor CA".into();
        }),
        sgx("TCB info of the other kind", CollateralMismatch, "non-SGX", |m| {
            m.tcb_info["id"] = "TDX".into();
        }),
        sgx("TCB info of version 1", CollateralMismatch, "non-SGX", |m| {
            m.tcb_info["version"] = 1.into();
        }),
        sgx("QE identity of the other kind", CollateralMismatch, "QE Identity id", |m| {
            m.qe_identity["id"] = "TD_QE".into();
        }),
        sgx("QE identity of version 1", CollateralMismatch, "QE Identity id", |m| {
            m.qe_identity["version"] = 1.into();
        }),
        sgx("TCB info of another family", CollateralMismatch, "Fmspc", |m| {
            m.tcb_info["fmspc"] = "00C0FFEE0001".into();
        }),
        sgx("TCB info that is no JSON", CollateralMalformed, "TcbInfo", |m| {
            m.tamper = |e| e.collateral.tcb_info.truncate(20);
        }),
        sgx("no certificates for TCB info", CollateralMalformed, "too short", |m| {
            m.tamper = |e| e.collateral.tcb_info_issuer_chain.clear();
        }),
        sgx("no certificates for QE identity", CollateralMalformed, "too short", |m| {
            m.tamper = |e| e.collateral.qe_identity_issuer_chain.clear();
        }),
        sgx("a status that nobody knows", CollateralMalformed, "TcbInfo", |m| {
            m.platform_status("Splendid");
        }),
        sgx("a status that platforms do not have", CollateralMalformed, "Unrecognized", |m| {
            m.platform_status("TDRelaunchAdvised");
        }),
    ]
}
