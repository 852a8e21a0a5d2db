//! Levels of firmware, quoting enclaves and TDX modules; attributes of trust domains.

use enclave::attest::Reason;
use testbed::vendors::intel::{Field, Maker};

use super::{Change, sgx, tdx, tdx15};
use crate::Row;

pub fn platform() -> Vec<Row<Change>> {
    use Reason::{TcbRevoked, TcbStatus, TcbUnknown};
    vec![
        sgx("firmware out of date", TcbStatus, "OutOfDate", |m| m.svn(2)),
        sgx("firmware revoked", TcbRevoked, "Revoked", |m| m.svn(1)),
        sgx("firmware older than any level", TcbUnknown, "No matching", |m| m.svn(0)),
        tdx("firmware under a trust domain out of date", TcbStatus, "OutOfDate", |m| m.svn(2)),
        sgx("provisioning enclave older than any level", TcbUnknown, "No matching", |m| {
            m.sgx.as_mut().unwrap().pce_svn = 0;
        }),
        sgx("configuration needed", TcbStatus, "ConfigurationNeeded", |m| {
            m.platform_status("ConfigurationNeeded");
        }),
        sgx("hardening needed", TcbStatus, "SWHardeningNeeded", |m| {
            m.platform_status("SWHardeningNeeded");
        }),
        sgx("all levels revoked", TcbRevoked, "Revoked", |m| m.platform_status("Revoked")),
        sgx("quoting enclave revoked", TcbRevoked, "Revoked", |m| m.qe_status("Revoked")),
        sgx("quoting enclave out of date", TcbStatus, "OutOfDate", |m| {
            m.set_qe(Field::IsvSvn, &[5, 0]);
        }),
        sgx("quoting enclave older than any level", TcbUnknown, "QE ISVSVN 3", |m| {
            m.set_qe(Field::IsvSvn, &[3, 0]);
        }),
    ]
}

pub fn trust_domain() -> Vec<Row<Change>> {
    use Reason::{Attributes, CollateralMalformed, Debug, Migration, Module, Reserved, TcbUnknown};
    vec![
        tdx("debug", Debug, "", Maker::debug),
        tdx15("debug 1.5", Debug, "", Maker::debug),
        tdx("profiling", Debug, "", |m| m.set(Field::Attributes, &[0x10])),
        tdx("reserved attribute", Reserved, "", |m| m.set(Field::Attributes, &[0, 0x80])),
        tdx("pages can be taken away", Attributes, "SEPT_VE", |m| {
            m.set(Field::Attributes, &[0, 0, 0, 0]);
        }),
        tdx("migratable", Migration, "TD migration", |m| {
            m.set(Field::Attributes, &[0, 0, 0, 0x30]);
        }),
        tdx("service domains", Attributes, "SERVTD", |m| m.set(Field::Attributes, &[0, 0, 2])),
        tdx15("bound to a service domain", Attributes, "service TD", |m| {
            m.set(Field::ServiceTd, &[1]);
        }),
        tdx15("firmware replaced while running", TcbUnknown, "TEE_TCB_SVN2", |m| {
            m.set(Field::Svn2, &[5, 1, 0]);
            m.tcb_info["tcbLevels"].as_array_mut().unwrap().truncate(1);
        }),
        tdx("module of another signer", Module, "MRSIGNER", |m| m.set(Field::MrSigner, &[1])),
        tdx("module with attributes", Module, "SEAMATTRIBUTES", |m| {
            m.set(Field::SeamAttributes, &[1]);
        }),
        tdx("module of an unknown version", Module, "identity", |m| m.set(Field::Svn, &[5, 9, 2])),
        tdx("module out of date", Reason::TcbStatus, "OutOfDate", |m| {
            m.set(Field::Svn, &[3, 1, 2]);
        }),
        tdx("module older than any level", TcbUnknown, "below minimum", |m| {
            m.set(Field::Svn, &[1, 1, 2]);
        }),
        tdx("TCB info without the module", CollateralMalformed, "tdxModule", |m| {
            m.tcb_info.as_object_mut().unwrap().remove("tdxModule");
        }),
        tdx("TCB info with a component less", CollateralMalformed, "component", |m| {
            for level in m.tcb_info["tcbLevels"].as_array_mut().unwrap() {
                level["tcb"]["tdxtcbcomponents"].as_array_mut().unwrap().pop();
            }
        }),
    ]
}
