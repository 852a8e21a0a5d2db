//! The root key as an object that only this TPM opens, and only with its registers as they were.

use std::fs;
use std::io::ErrorKind;

use tss_esapi::Error;
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{
    Digest, KeyedHashScheme, Private, Public, PublicBuilder, PublicKeyedHashParameters,
    SensitiveData,
};
use tss_esapi::traits::{Marshall as _, UnMarshall as _};
use zeroize::Zeroizing;

use super::Place;
use super::device::{Device, selection};
use crate::keyfile;
use crate::protocol::{Parts, Reader};

/// Seals it and writes the object.
pub(super) fn seal(place: &Place, root: &[u8]) -> Result<(), String> {
    let mut device = Device::open(&place.tcti)?;
    let (public, private) = make(&mut device, place, root)
        .map_err(|error| format!("the TPM does not seal the root key: {error}"))?;
    let parts = Parts(MAGIC.to_vec()).part(&place.pcrs).part(&public).part(&private);
    let told = |e| format!("cannot write {}: {e}", place.folder.join(FILE).display());
    fs::create_dir_all(&place.folder).map_err(told)?;
    keyfile::make(&place.folder, FILE, &parts.0).map_err(told)
}

fn make(device: &mut Device, place: &Place, root: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let policy = match place.pcrs.as_slice() {
        [] => Digest::default(),
        pcrs => {
            let trial = device.session(SessionType::Trial)?;
            bound(device, trial, pcrs)?;
            device.context.policy_get_digest(PolicySession::try_from(trial)?)?
        }
    };
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_no_da(true)
        .with_user_with_auth(place.pcrs.is_empty())
        .build()?;
    let public = PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::KeyedHash)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_auth_policy(policy)
        .with_keyed_hash_parameters(PublicKeyedHashParameters::new(KeyedHashScheme::Null))
        .with_keyed_hash_unique_identifier(Digest::default())
        .build()?;
    let (secret, storage) = (SensitiveData::try_from(root.to_vec())?, device.storage);
    let session = device.session(SessionType::Hmac)?;
    let made = device.context.execute_with_session(Some(session), |context| {
        context.create(storage, public, None, Some(secret), None, None)
    })?;
    Ok((made.out_public.marshall()?, made.out_private.value().to_vec()))
}

/// Opens the object; `None` where there is none.
pub(super) fn unseal(place: &Place) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let path = place.folder.join(FILE);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|e| format!("cannot read {}: {e}", path.display()))?,
    };
    let (pcrs, public, private) =
        object(&bytes).ok_or_else(|| format!("{} is damaged", path.display()))?;
    let mut device = Device::open(&place.tcti)?;
    let found = open(&mut device, &pcrs, public, private).map_err(|error| {
        let pcrs: Vec<String> = pcrs.iter().map(u8::to_string).collect();
        let pcrs = pcrs.join(", ");
        format!(
            "the TPM does not open {} ({error}): another TPM, or what was measured at boot changed \
             (registers {pcrs}). konfido vault recover seals the root key again",
            path.display()
        )
    });
    found.map(Some)
}

fn object(bytes: &[u8]) -> Option<(Vec<u8>, Public, Private)> {
    let bytes = Some(bytes).filter(|bytes| bytes.len() <= MAX)?.strip_prefix(MAGIC)?;
    let mut read = Reader::new(bytes, 0);
    let (pcrs, public) = (read.part().ok()?.to_vec(), read.part().ok()?);
    let private = read.part().ok()?;
    let public = Public::unmarshall(public).ok()?;
    (read.at == bytes.len()).then_some((pcrs, public, Private::try_from(private.to_vec()).ok()?))
}

fn open(
    device: &mut Device,
    pcrs: &[u8],
    public: Public,
    private: Private,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let storage = device.storage;
    let session = device.session(SessionType::Hmac)?;
    let object = device
        .context
        .execute_with_session(Some(session), |context| context.load(storage, private, public))?;
    let session = if pcrs.is_empty() {
        session
    } else {
        let policy = device.session(SessionType::Policy)?;
        bound(device, policy, pcrs)?;
        policy
    };
    let found = device
        .context
        .execute_with_session(Some(session), |context| context.unseal(object.into()))?;
    Ok(Zeroizing::new(found.value().to_vec()))
}

/// The session holds with the registers as they are now.
fn bound(device: &mut Device, session: AuthSession, pcrs: &[u8]) -> Result<(), Error> {
    let (session, pcrs) = (PolicySession::try_from(session)?, selection(pcrs)?);
    device.context.policy_pcr(session, Digest::default(), pcrs)
}

/// In the data folder.
pub(super) const FILE: &str = "root.tpm";
const MAGIC: &[u8] = b"konfido root tpm 1\n";
const MAX: usize = 4 << 10;
