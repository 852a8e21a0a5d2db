//! An open TPM with its storage key.

use std::str::FromStr as _;

use tss_esapi::attributes::{ObjectAttributes, ObjectAttributesBuilder, SessionAttributesBuilder};
use tss_esapi::constants::{CapabilityType, SessionType};
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    CapabilityData, EccPoint, PcrSelectionList, PcrSlot, Public, PublicBuilder,
    PublicEccParameters, PublicEccParametersBuilder, SymmetricDefinition,
    SymmetricDefinitionObject,
};
use tss_esapi::tcti_ldr::TctiNameConf;
use tss_esapi::{Context, Error};

/// An open TPM.
pub(super) struct Device {
    pub(super) context: Context,
    /// The storage primary: the same each time, from the TPM's own seed.
    pub(super) storage: KeyHandle,
}

impl Device {
    pub(super) fn open(tcti: &str) -> Result<Self, String> {
        let told = |error: Error| format!("the TPM ({tcti}) does not answer: {error}");
        let name = TctiNameConf::from_str(tcti).map_err(told)?;
        let mut context = Context::new(name).map_err(told)?;
        flush_leftovers(&mut context);
        let public = storage().map_err(told)?;
        let made = context.execute_with_nullauth_session(|context| {
            context.create_primary(Hierarchy::Owner, public, None, None, None, None)
        });
        let storage = made.map_err(told)?.key_handle;
        Ok(Self { context, storage })
    }

    /// A session that is salted with the storage key and encrypts parameters.
    pub(super) fn session(&mut self, kind: SessionType) -> Result<AuthSession, Error> {
        let (aes, hash) = (SymmetricDefinition::AES_128_CFB, HashingAlgorithm::Sha256);
        let key = Some(self.storage);
        let session = self.context.start_auth_session(key, None, None, kind, aes, hash)?;
        let session = session.expect("because a session that was started has a handle");
        let (attributes, mask) =
            SessionAttributesBuilder::new().with_decrypt(true).with_encrypt(true).build();
        if kind != SessionType::Trial {
            self.context.tr_sess_set_attributes(session, attributes, mask)?;
        }
        Ok(session)
    }
}

/// What a process that was killed left in a TPM without a resource manager, which has room for three
/// sessions. Behind `/dev/tpmrm0` nobody sees what others have, and there is nothing.
fn flush_leftovers(context: &mut Context) {
    for kind in [LOADED_SESSIONS, TRANSIENT_OBJECTS] {
        let found = context.get_capability(CapabilityType::Handles, kind, 16);
        let Ok((CapabilityData::Handles(handles), _)) = found else { continue };
        for handle in handles.into_inner() {
            if let Ok(known) = context.tr_from_tpm_public(handle) {
                let _ = context.flush_context(known);
            }
        }
    }
}

/// `HMAC_SESSION_FIRST`, `TRANSIENT_FIRST` (TPM 2.0 Library, part 2, §7.5).
const LOADED_SESSIONS: u32 = 0x0200_0000;
const TRANSIENT_OBJECTS: u32 = 0x8000_0000;

/// ECC P-256, restricted to decryption: for nothing but what lies under it.
fn storage() -> Result<Public, Error> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_decrypt(true)
        .with_restricted(true)
        .build()?;
    let parameters = PublicEccParametersBuilder::new_restricted_decryption_key(
        SymmetricDefinitionObject::AES_128_CFB,
        EccCurve::NistP256,
    )
    .build()?;
    ecc(attributes, parameters)
}

/// The template of a key on P-256.
pub(super) fn ecc(
    attributes: ObjectAttributes,
    parameters: PublicEccParameters,
) -> Result<Public, Error> {
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}

/// Registers of the SHA-256 bank.
pub(super) fn selection(pcrs: &[u8]) -> Result<PcrSelectionList, Error> {
    let slots: Vec<PcrSlot> = pcrs
        .iter()
        .map(|pcr| PcrSlot::try_from(1_u32.checked_shl(u32::from(*pcr)).unwrap_or(0)))
        .collect::<Result<_, _>>()?;
    PcrSelectionList::builder().with_selection(HashingAlgorithm::Sha256, &slots).build()
}
