//! Evidence by a TPM: a quote of its registers about a key statement (TPM 2.0 Library, part 3, §18.4).

use ciborium::Value;
use tss_esapi::Error;
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::structures::{
    Data, EccParameter, EccScheme, HashScheme, Public, PublicEccParametersBuilder, Signature,
    SignatureScheme,
};
use tss_esapi::traits::Marshall as _;

use super::device::{Device, ecc, selection};
use crate::attest::{Evidence, Kind};
use crate::vault::Attester;

/// Makes quotes with an attestation key of this TPM, which is the same as long as its owner is.
#[derive(Debug, Clone)]
pub struct Quotes {
    /// How libtss2 finds the TPM.
    pub tcti: String,
    /// Which registers it quotes.
    pub pcrs: Vec<u8>,
}

impl Quotes {
    /// The attestation key: P-256, an uncompressed point. A country registers it with its peers.
    pub fn key(&self) -> Result<Vec<u8>, String> {
        let mut device = Device::open(&self.tcti)?;
        device.attestation_key().map(|made| made.1).map_err(told)
    }

    /// `[1, TPMS_ATTEST, signature, key]`, as `attest` reads it. A TPM has room for the first 32 bytes.
    fn quote(&self, report_data: &[u8; 64]) -> Result<Vec<u8>, String> {
        let mut device = Device::open(&self.tcti)?;
        let (attest, signature, key) =
            device.quote(&report_data[..32], &self.pcrs).map_err(told)?;
        let parts = [attest, signature, key].map(Value::Bytes);
        let fields = std::iter::once(Value::Integer(1.into())).chain(parts).collect();
        let mut out = Vec::new();
        ciborium::into_writer(&Value::Array(fields), &mut out)
            .expect("because a vector takes all bytes");
        Ok(out)
    }
}

impl Attester for Quotes {
    fn attest(&self, report_data: &[u8; 64]) -> Result<Evidence, String> {
        Ok(Evidence::new(Kind::Tpm, self.quote(report_data)?))
    }
}

fn told(error: Error) -> String {
    format!("the TPM makes no quote: {error}")
}

impl Device {
    fn attestation_key(&mut self) -> Result<(KeyHandle, Vec<u8>), Error> {
        let session = self.session(SessionType::Hmac)?;
        let public = template()?;
        let made = self.context.execute_with_session(Some(session), |context| {
            context.create_primary(Hierarchy::Owner, public, None, None, None, None)
        })?;
        let Public::Ecc { unique, .. } = &made.out_public else {
            return Ok((made.key_handle, Vec::new()));
        };
        let point = [vec![4], padded(unique.x()), padded(unique.y())].concat();
        Ok((made.key_handle, point))
    }

    fn quote(&mut self, about: &[u8], pcrs: &[u8]) -> Result<(Vec<u8>, Vec<u8>, Vec<u8>), Error> {
        let (handle, key) = self.attestation_key()?;
        let (about, pcrs) = (Data::try_from(about.to_vec())?, selection(pcrs)?);
        let session = self.session(SessionType::Hmac)?;
        let (attest, signature) = self.context.execute_with_session(Some(session), |context| {
            context.quote(handle, about, SignatureScheme::Null, pcrs)
        })?;
        let signature = match &signature {
            Signature::EcDsa(made) => {
                [padded(made.signature_r()), padded(made.signature_s())].concat()
            }
            _ => Vec::new(),
        };
        Ok((attest.marshall()?, signature, key))
    }
}

/// Restricted to signing: it signs nothing that the TPM did not make itself.
fn template() -> Result<Public, Error> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_sign_encrypt(true)
        .with_restricted(true)
        .build()?;
    let scheme = EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256));
    let parameters =
        PublicEccParametersBuilder::new_unrestricted_signing_key(scheme, EccCurve::NistP256)
            .with_restricted(true)
            .build()?;
    ecc(attributes, parameters)
}

/// 32 bytes: a TPM may leave zeros in front away.
fn padded(number: &EccParameter) -> Vec<u8> {
    let bytes = number.value();
    [vec![0; 32_usize.saturating_sub(bytes.len())], bytes.to_vec()].concat()
}
