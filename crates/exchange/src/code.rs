//! The 119 answer codes of eHDSI (OpenNCP 9.0.0-SNAPSHOT, `OpenNCPErrorCode`).

mod table;

use std::fmt;

use table::TABLE;

/// An eHDSI answer code. The variant is OpenNCP's constant, [`Code::wire`] what travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the standard's and say all there is to say")]
pub enum Code {
    ErrorGeneric,
    WarningGeneric,
    ErrorGenericConnectionNotPossible,
    ErrorGenericDocumentMissing,
    ErrorGenericServiceSignifierUnknown,
    ErrorHpiGeneric,
    WarningHpiGeneric,
    ErrorHpiNoInformation,
    ErrorHpiInsufficientInformation,
    ErrorHpiHaiNoInformation,
    ErrorHpiPocNoInformation,
    ErrorHpiAuthenticationNotReceived,
    ErrorPiGeneric,
    WarningPiGeneric,
    ErrorPiNoMatch,
    ErrorPiMultipleMatches,
    ErrorPiIncorrectFormatting,
    ErrorPiMissingRequiredFields,
    ErrorPiRegistryNotAvailable,
    ErrorPiInternalError,
    WarningPiNoConsent,
    ErrorPsGeneric,
    WarningPsGeneric,
    ErrorPsMissingBasicSections,
    WarningPsMissingBasicData,
    ErrorPsMissingExpectedMapping,
    WarningPsMissingExpectedMapping,
    WarningPsMissingExpectedTranslation,
    ErrorPsPdfFormatNotProvided,
    ErrorPsIncorrectFormatting,
    ErrorPsMissingRequiredFields,
    ErrorPsInternalError,
    ErrorPsRegistryNotAvailable,
    ErrorPsMissingBasicData,
    ErrorPsNoConsent,
    ErrorPsNotFound,
    ErrorEpGeneric,
    WarningEpGeneric,
    WarningEpMissingBasicData,
    ErrorEpMissingExpectedMapping,
    WarningEpMissingExpectedMapping,
    WarningEpMissingExpectedTranslation,
    ErrorEpPdfFormatNotProvided,
    ErrorEpIncorrectFormatting,
    ErrorEpMissingRequiredFields,
    ErrorEpInternalError,
    ErrorEpMissingBasicData,
    ErrorEpNoConsent,
    ErrorEpNotFound,
    ErrorEpListIncorrectFormatting,
    ErrorEpListMissingRequiredFields,
    ErrorEpListRegistryNotAvailable,
    ErrorEpListInternalError,
    ErrorEpListNoConsent,
    ErrorEdGeneric,
    WarningEdGeneric,
    ErrorEdNotDispensableEprescription,
    ErrorEdSubstitutionInformationNotAllowed,
    ErrorEdEprescriptionNotIdentifiable,
    WarningEdMissingBasicData,
    ErrorEdInformationNotStore,
    ErrorEdMissingExpectedMapping,
    WarningEdMissingExpectedMapping,
    ErrorEdEdispensationAckNotReceived,
    ErrorEdEprescriptionNotUpdated,
    ErrorEdEdispensationNotStored,
    ErrorEdDiscardServiceNotAvailable,
    ErrorEdDiscardFailed,
    WarningEdDiscardMissingMandatoryData,
    ErrorEdIncorrectFormatting,
    ErrorEdMissingRequiredFields,
    ErrorEdInternalError,
    ErrorEdMissingBasicData,
    ErrorEdRegistryNotAvailable,
    ErrorEdNoConsent,
    ErrorOrcdGeneric,
    WarningOrcdGeneric,
    ErrorOrcdServiceNotAvailable,
    WarningOrcdMissingMandatoryData,
    ErrorOrcdIncorrectFormat,
    WarningOrcdMissingMandatoryMetadata,
    ErrorHqiGeneric,
    WarningHqiGeneric,
    WarningHqiBInformationNotProperlyStructured,
    WarningHqiAInformationNotProperlyStructured,
    ErrorSecGeneric,
    WarningSecGeneric,
    ErrorSecDataIntegrityNotEnsured,
    WarningSecUnexpectedNumberOfRequestsForUniquePatient,
    WarningSecUnexpectedNumberOfRequestsForUniquePointOfCare,
    WarningSecUnexpectedNumberOfRequests,
    ErrorUiTransformation,
    ErrorNotValidAssertion,
    ErrorNotValidTrcAssertion,
    ErrorDocumentNotFound,
    ErrorMroNoData,
    ErrorOrcdNotFound,
    ErrorDocumentNotProcessed,
    ErrorRenderingIncomplete,
    ErrorCollectionIncomplete,
    ErrorEpRegistryNotAccessible,
    ErrorEpNotAvailable,
    ErrorEpNotMatching,
    ErrorEpAlreadyDispensed,
    ErrorOriginalDataMissing,
    ErrorPivotMissing,
    ErrorUnsupportedFeature,
    ErrorUnknownSignifier,
    ErrorTranscodingError,
    ErrorUnknownFilter,
    ErrorUnknownOption,
    ErrorUnknownPatientIdentifier,
    Error4207,
    ErrorNoConsent,
    ErrorWeakAuthentication,
    ErrorInsufficientRights,
    ErrorNoSignature,
    ErrorPolicyViolation,
    ErrorUnknownPolicy,
}

impl Code {
    /// Every code, in OpenNCP's order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The value that is sent on the wire: a name, or four digits for the legacy epSOS codes.
    pub fn wire(self) -> &'static str {
        self.row().2
    }

    /// OpenNCP's constant name.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The first code with this wire value (five list codes share theirs with the document codes).
    pub fn of_wire(wire: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.2 == wire).map(|row| row.0)
    }

    /// Whether the code is a warning: the answer still holds data.
    pub fn is_warning(self) -> bool {
        self.name().starts_with("WARNING")
    }

    fn row(self) -> &'static (Self, &'static str, &'static str) {
        &TABLE[self as usize]
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wire())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_their_number_says() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.0 as usize, index);
            let found = Code::of_wire(row.2).expect("every wire value is found");
            assert_eq!(found.wire(), row.2);
        }
        assert_eq!(TABLE.len(), 119);
    }
}
