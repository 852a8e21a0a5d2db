//! A counter in the TPM's non-volatile memory: it only grows, whoever copies files back.

use tss_esapi::Error;
use tss_esapi::attributes::NvIndexAttributesBuilder;
use tss_esapi::constants::{SessionType, nv_index_type::NvIndexType};
use tss_esapi::handles::{NvIndexHandle, NvIndexTpmHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::{NvAuth, Provision};
use tss_esapi::structures::NvPublicBuilder;

use super::Place;
use super::device::Device;

/// What it says; a new one is made where there is none.
pub(super) fn read(place: &Place) -> Result<Option<u64>, String> {
    with(place, Device::read)
}

/// Counts one further.
pub(super) fn tick(place: &Place) -> Result<Option<u64>, String> {
    with(place, |device, counter| {
        device.increment(counter)?;
        device.read(counter)
    })
}

fn with(
    place: &Place,
    act: impl FnOnce(&mut Device, NvIndexHandle) -> Result<u64, Error>,
) -> Result<Option<u64>, String> {
    let Some(index) = place.counter else { return Ok(None) };
    let mut device = Device::open(&place.tcti)?;
    let told = |error| format!("the TPM's counter (NV index {index:#x}) fails: {error}");
    let counter = device.counter(index).map_err(told)?;
    act(&mut device, counter).map(Some).map_err(told)
}

impl Device {
    fn counter(&mut self, index: u32) -> Result<NvIndexHandle, Error> {
        let index = NvIndexTpmHandle::new(index)?;
        let known = self.context.execute_without_session(|context| {
            context.tr_from_tpm_public(TpmHandle::NvIndex(index))
        });
        if let Ok(known) = known {
            return Ok(known.into());
        }
        let attributes = NvIndexAttributesBuilder::new()
            .with_owner_write(true)
            .with_owner_read(true)
            .with_no_da(true)
            .with_nv_index_type(NvIndexType::Counter)
            .build()?;
        let public = NvPublicBuilder::new()
            .with_nv_index(index)
            .with_index_name_algorithm(HashingAlgorithm::Sha256)
            .with_index_attributes(attributes)
            .with_data_area_size(8)
            .build()?;
        let session = self.session(SessionType::Hmac)?;
        let made = self.context.execute_with_session(Some(session), |context| {
            context.nv_define_space(Provision::Owner, None, public)
        })?;
        // it cannot be read before; it begins beyond every counter that this TPM had
        self.increment(made)?;
        Ok(made)
    }

    fn increment(&mut self, counter: NvIndexHandle) -> Result<(), Error> {
        let session = self.session(SessionType::Hmac)?;
        self.context.execute_with_session(Some(session), |context| {
            context.nv_increment(NvAuth::Owner, counter)
        })
    }

    fn read(&mut self, counter: NvIndexHandle) -> Result<u64, Error> {
        let session = self.session(SessionType::Hmac)?;
        let read = self.context.execute_with_session(Some(session), |context| {
            context.nv_read(NvAuth::Owner, counter, 8, 0)
        })?;
        let bytes = read.value().try_into().unwrap_or([0; 8]);
        Ok(u64::from_be_bytes(bytes))
    }
}
