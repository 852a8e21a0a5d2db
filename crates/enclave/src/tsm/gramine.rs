//! Quotes of SGX enclaves, as Gramine gives them to the program inside (Gramine, "Attestation and
//! Secret Provisioning", `/dev/attestation`). The files belong to the process: there is no entry to
//! make, and no generation to watch; whoever else writes them is a thread of ours.

use std::io;

use super::{Provider, Report, Tree, TsmError};

/// Asks for a quote of this enclave that carries these 64 bytes.
pub fn enclave_report(tree: &impl Tree, data: &[u8; 64]) -> Result<Report, TsmError> {
    let read = |attribute: &'static str| {
        tree.read(HERE, attribute).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => TsmError::NotGramine,
            _ => TsmError::from_read(attribute, error),
        })
    };
    let scheme = read("attestation_type")?;
    if scheme.trim_ascii() != b"dcap" {
        let scheme = String::from_utf8_lossy(&scheme).chars().take(40).collect();
        return Err(TsmError::UnknownProvider(scheme));
    }
    tree.write(HERE, "user_report_data", data)
        .map_err(|error| TsmError::from_write("user_report_data", error))?;
    let quote = read("quote")?;
    if Provider::Sgx.report_data(&quote) != Some(data) {
        return Err(TsmError::OtherData);
    }
    let simulated = tree.simulated();
    Ok(Report { provider: Provider::Sgx, quote, auxiliary: vec![], event_log: vec![], simulated })
}

/// The files stand in the root of the tree.
const HERE: &str = "";
