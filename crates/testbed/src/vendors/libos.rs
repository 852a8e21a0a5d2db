//! What Gramine shows to the program in an SGX enclave, invented: `/dev/attestation`.

use std::io;
use std::sync::Mutex;

use enclave::tsm::Tree;

use super::intel;

/// The library OS around one process.
pub struct LibraryOs {
    scheme: &'static str,
    data: Mutex<[u8; 64]>,
}

impl LibraryOs {
    /// One whose manifest says `sgx.remote_attestation = scheme`: none, epid or dcap.
    pub fn new(scheme: &'static str) -> Self {
        Self { scheme, data: Mutex::new([0; 64]) }
    }
}

impl Tree for LibraryOs {
    fn create(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn write(&self, _: &str, attribute: &str, value: &[u8]) -> io::Result<()> {
        let invalid = || io::Error::from_raw_os_error(22);
        match attribute {
            "user_report_data" => {
                *self.data.lock().expect("because no test panics while it holds the lock") =
                    value.try_into().map_err(|_| invalid())?;
                Ok(())
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The quote is made when its file is opened, of what was written last.
    fn read(&self, _: &str, attribute: &str) -> io::Result<Vec<u8>> {
        match (attribute, self.scheme) {
            ("attestation_type", scheme) => Ok(scheme.as_bytes().to_vec()),
            ("quote", "dcap") => {
                let mut maker = intel::Maker::new(intel::Kind::Sgx);
                let data = self.data.lock().expect("because no test panics while it holds it");
                maker.set(intel::Field::ReportData, &*data);
                Ok(maker.make().quote)
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn simulated(&self) -> bool {
        true
    }
}
