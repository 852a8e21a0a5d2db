//! The SGX extension of a processor's certificate (Intel's PCK certificate profile §1.3.5).

use super::super::der;

/// OID of the extension; what it holds stands below it.
pub(super) const OID: &str = "1.2.840.113741.1.13.1";

/// The components of the processor's TCB, as its certificate names them.
pub const CPU_SVN: [u8; 16] = [3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
/// The version of the provisioning enclave.
pub const PCE_SVN: u16 = 11;
/// Family, model, stepping, platform and custom SKU: an invented one.
pub const FMSPC: [u8; 6] = [0x00, 0xc0, 0xff, 0xee, 0, 0];

/// What the extension says. All fields may be changed.
#[derive(Debug, Clone)]
pub struct Pck {
    /// The platform's provisioning id.
    pub ppid: Vec<u8>,
    /// Versions of the TCB's components.
    pub cpu_svn: [u8; 16],
    /// Version of the provisioning enclave.
    pub pce_svn: u16,
    /// Id of the provisioning enclave.
    pub pce_id: Vec<u8>,
    /// Which TCB info belongs to it.
    pub fmspc: Vec<u8>,
    /// 0 standard, 1 scalable, 2 scalable with integrity.
    pub sgx_type: u8,
    /// Platform instance, of multi-package platforms.
    pub instance: Option<[u8; 16]>,
    /// Dynamic platform, cached keys, SMT enabled: only below the Platform authority.
    pub configuration: Option<[bool; 3]>,
}

impl Default for Pck {
    fn default() -> Self {
        Self {
            ppid: b"invented ppid 01".to_vec(),
            cpu_svn: CPU_SVN,
            pce_svn: PCE_SVN,
            pce_id: vec![0, 0],
            fmspc: FMSPC.to_vec(),
            sgx_type: 1,
            instance: Some(*b"invented machine"),
            configuration: Some([false; 3]),
        }
    }
}

impl Pck {
    pub(super) fn der(&self) -> Vec<u8> {
        let entry = |at: &str, value| der::sequence(&[der::oid(&format!("{OID}.{at}")), value]);
        let mut tcb: Vec<_> = self
            .cpu_svn
            .iter()
            .enumerate()
            .map(|(n, svn)| entry(&format!("2.{}", n + 1), der::number((*svn).into())))
            .collect();
        tcb.push(entry("2.17", der::number(self.pce_svn.into())));
        tcb.push(entry("2.18", der::octets(&self.cpu_svn)));
        let mut parts = vec![
            entry("1", der::octets(&self.ppid)),
            entry("2", der::sequence(&tcb)),
            entry("3", der::octets(&self.pce_id)),
            entry("4", der::octets(&self.fmspc)),
            entry("5", der::enumerated(self.sgx_type)),
        ];
        parts.extend(self.instance.map(|id| entry("6", der::octets(&id))));
        parts.extend(self.configuration.map(|flags| {
            let flag = |n: usize| entry(&format!("7.{}", n + 1), der::boolean(flags[n]));
            entry("7", der::sequence(&[flag(0), flag(1), flag(2)]))
        }));
        der::sequence(&parts)
    }
}
