//! The 119 answer codes of eHDSI (OpenNCP 9.0.0-SNAPSHOT, `OpenNCPErrorCode`).

use std::fmt;

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

/// (code, constant, wire value): openncp-protocol §1.12.
static TABLE: [(Code, &str, &str); 119] = [
    (Code::ErrorGeneric, "ERROR_GENERIC", "ERROR_GENERIC"),
    (Code::WarningGeneric, "WARNING_GENERIC", "WARNING_GENERIC"),
    (
        Code::ErrorGenericConnectionNotPossible,
        "ERROR_GENERIC_CONNECTION_NOT_POSSIBLE",
        "ERROR_GENERIC_CONNECTION_NOT_POSSIBLE",
    ),
    (
        Code::ErrorGenericDocumentMissing,
        "ERROR_GENERIC_DOCUMENT_MISSING",
        "ERROR_GENERIC_DOCUMENT_MISSING",
    ),
    (
        Code::ErrorGenericServiceSignifierUnknown,
        "ERROR_GENERIC_SERVICE_SIGNIFIER_UNKNOWN",
        "ERROR_GENERIC_SERVICE_SIGNIFIER_UNKNOWN",
    ),
    (Code::ErrorHpiGeneric, "ERROR_HPI_GENERIC", "ERROR_HPI_GENERIC"),
    (Code::WarningHpiGeneric, "WARNING_HPI_GENERIC", "WARNING_HPI_GENERIC"),
    (Code::ErrorHpiNoInformation, "ERROR_HPI_NO_INFORMATION", "ERROR_HPI_NO_INFORMATION"),
    (
        Code::ErrorHpiInsufficientInformation,
        "ERROR_HPI_INSUFFICIENT_INFORMATION",
        "ERROR_HPI_INSUFFICIENT_INFORMATION",
    ),
    (
        Code::ErrorHpiHaiNoInformation,
        "ERROR_HPI_HAI_NO_INFORMATION",
        "ERROR_HPI_HAI_NO_INFORMATION",
    ),
    (
        Code::ErrorHpiPocNoInformation,
        "ERROR_HPI_POC_NO_INFORMATION",
        "ERROR_HPI_POC_NO_INFORMATION",
    ),
    (
        Code::ErrorHpiAuthenticationNotReceived,
        "ERROR_HPI_AUTHENTICATION_NOT_RECEIVED",
        "ERROR_HPI_AUTHENTICATION_NOT_RECEIVED",
    ),
    (Code::ErrorPiGeneric, "ERROR_PI_GENERIC", "ERROR_PI_GENERIC"),
    (Code::WarningPiGeneric, "WARNING_PI_GENERIC", "WARNING_PI_GENERIC"),
    (Code::ErrorPiNoMatch, "ERROR_PI_NO_MATCH", "ERROR_PI_NO_MATCH"),
    (Code::ErrorPiMultipleMatches, "ERROR_PI_MULTIPLE_MATCHES", "ERROR_PI_MULTIPLE_MATCHES"),
    (
        Code::ErrorPiIncorrectFormatting,
        "ERROR_PI_INCORRECT_FORMATTING",
        "ERROR_PI_INCORRECT_FORMATTING",
    ),
    (
        Code::ErrorPiMissingRequiredFields,
        "ERROR_PI_MISSING_REQUIRED_FIELDS",
        "ERROR_PI_MISSING_REQUIRED_FIELDS",
    ),
    (
        Code::ErrorPiRegistryNotAvailable,
        "ERROR_PI_REGISTRY_NOT_AVAILABLE",
        "ERROR_PI_REGISTRY_NOT_AVAILABLE",
    ),
    (Code::ErrorPiInternalError, "ERROR_PI_INTERNAL_ERROR", "ERROR_PI_INTERNAL_ERROR"),
    (Code::WarningPiNoConsent, "WARNING_PI_NO_CONSENT", "WARNING_PI_NO_CONSENT"),
    (Code::ErrorPsGeneric, "ERROR_PS_GENERIC", "ERROR_PS_GENERIC"),
    (Code::WarningPsGeneric, "WARNING_PS_GENERIC", "WARNING_PS_GENERIC"),
    (
        Code::ErrorPsMissingBasicSections,
        "ERROR_PS_MISSING_BASIC_SECTIONS",
        "ERROR_PS_MISSING_BASIC_SECTIONS",
    ),
    (
        Code::WarningPsMissingBasicData,
        "WARNING_PS_MISSING_BASIC_DATA",
        "WARNING_PS_MISSING_BASIC_DATA",
    ),
    (
        Code::ErrorPsMissingExpectedMapping,
        "ERROR_PS_MISSING_EXPECTED_MAPPING",
        "ERROR_PS_MISSING_EXPECTED_MAPPING",
    ),
    (
        Code::WarningPsMissingExpectedMapping,
        "WARNING_PS_MISSING_EXPECTED_MAPPING",
        "WARNING_PS_MISSING_EXPECTED_MAPPING",
    ),
    (
        Code::WarningPsMissingExpectedTranslation,
        "WARNING_PS_MISSING_EXPECTED_TRANSLATION",
        "EHDSI_WARNING_PS_MISSING_EXPECTED_TRANSLATION",
    ),
    (
        Code::ErrorPsPdfFormatNotProvided,
        "ERROR_PS_PDF_FORMAT_NOT_PROVIDED",
        "ERROR_PS_PDF_FORMAT_NOT_PROVIDED",
    ),
    (
        Code::ErrorPsIncorrectFormatting,
        "ERROR_PS_INCORRECT_FORMATTING",
        "ERROR_PS_INCORRECT_FORMATTING",
    ),
    (
        Code::ErrorPsMissingRequiredFields,
        "ERROR_PS_MISSING_REQUIRED_FIELDS",
        "ERROR_PS_MISSING_REQUIRED_FIELDS",
    ),
    (Code::ErrorPsInternalError, "ERROR_PS_INTERNAL_ERROR", "ERROR_PS_INTERNAL_ERROR"),
    (
        Code::ErrorPsRegistryNotAvailable,
        "ERROR_PS_REGISTRY_NOT_AVAILABLE",
        "ERROR_PS_REGISTRY_NOT_AVAILABLE",
    ),
    (Code::ErrorPsMissingBasicData, "ERROR_PS_MISSING_BASIC_DATA", "ERROR_PS_MISSING_BASIC_DATA"),
    (Code::ErrorPsNoConsent, "ERROR_PS_NO_CONSENT", "ERROR_PS_NO_CONSENT"),
    (Code::ErrorPsNotFound, "ERROR_PS_NOT_FOUND", "ERROR_PS_NOT_FOUND"),
    (Code::ErrorEpGeneric, "ERROR_EP_GENERIC", "ERROR_EP_GENERIC"),
    (Code::WarningEpGeneric, "WARNING_EP_GENERIC", "WARNING_EP_GENERIC"),
    (
        Code::WarningEpMissingBasicData,
        "WARNING_EP_MISSING_BASIC_DATA",
        "WARNING_EP_MISSING_BASIC_DATA",
    ),
    (
        Code::ErrorEpMissingExpectedMapping,
        "ERROR_EP_MISSING_EXPECTED_MAPPING",
        "ERROR_EP_MISSING_EXPECTED_MAPPING",
    ),
    (
        Code::WarningEpMissingExpectedMapping,
        "WARNING_EP_MISSING_EXPECTED_MAPPING",
        "WARNING_EP_MISSING_EXPECTED_MAPPING",
    ),
    (
        Code::WarningEpMissingExpectedTranslation,
        "WARNING_EP_MISSING_EXPECTED_TRANSLATION",
        "WARNING_EP_MISSING_EXPECTED_TRANSLATION",
    ),
    (
        Code::ErrorEpPdfFormatNotProvided,
        "ERROR_EP_PDF_FORMAT_NOT_PROVIDED",
        "ERROR_EP_PDF_FORMAT_NOT_PROVIDED",
    ),
    (
        Code::ErrorEpIncorrectFormatting,
        "ERROR_EP_INCORRECT_FORMATTING",
        "ERROR_EP_INCORRECT_FORMATTING",
    ),
    (
        Code::ErrorEpMissingRequiredFields,
        "ERROR_EP_MISSING_REQUIRED_FIELDS",
        "ERROR_EP_MISSING_REQUIRED_FIELDS",
    ),
    (Code::ErrorEpInternalError, "ERROR_EP_INTERNAL_ERROR", "ERROR_EP_INTERNAL_ERROR"),
    (Code::ErrorEpMissingBasicData, "ERROR_EP_MISSING_BASIC_DATA", "ERROR_EP_MISSING_BASIC_DATA"),
    (Code::ErrorEpNoConsent, "ERROR_EP_NO_CONSENT", "ERROR_EP_NO_CONSENT"),
    (Code::ErrorEpNotFound, "ERROR_EP_NOT_FOUND", "ERROR_EP_NOT_FOUND"),
    (
        Code::ErrorEpListIncorrectFormatting,
        "ERROR_EP_LIST_INCORRECT_FORMATTING",
        "ERROR_EP_INCORRECT_FORMATTING",
    ),
    (
        Code::ErrorEpListMissingRequiredFields,
        "ERROR_EP_LIST_MISSING_REQUIRED_FIELDS",
        "ERROR_EP_MISSING_REQUIRED_FIELDS",
    ),
    (
        Code::ErrorEpListRegistryNotAvailable,
        "ERROR_EP_LIST_REGISTRY_NOT_AVAILABLE",
        "ERROR_EP_REGISTRY_NOT_AVAILABLE",
    ),
    (Code::ErrorEpListInternalError, "ERROR_EP_LIST_INTERNAL_ERROR", "ERROR_EP_INTERNAL_ERROR"),
    (Code::ErrorEpListNoConsent, "ERROR_EP_LIST_NO_CONSENT", "ERROR_EP_NO_CONSENT"),
    (Code::ErrorEdGeneric, "ERROR_ED_GENERIC", "ERROR_ED_GENERIC"),
    (Code::WarningEdGeneric, "WARNING_ED_GENERIC", "WARNING_ED_GENERIC"),
    (
        Code::ErrorEdNotDispensableEprescription,
        "ERROR_ED_NOT_DISPENSABLE_EPRESCRIPTION",
        "ERROR_ED_NOT_DISPENSABLE_EPRESCRIPTION",
    ),
    (
        Code::ErrorEdSubstitutionInformationNotAllowed,
        "ERROR_ED_SUBSTITUTION_INFORMATION_NOT_ALLOWED",
        "ERROR_ED_SUBSTITUTION_INFORMATION_NOT_ALLOWED",
    ),
    (
        Code::ErrorEdEprescriptionNotIdentifiable,
        "ERROR_ED_EPRESCRIPTION_NOT_IDENTIFIABLE",
        "ERROR_ED_EPRESCRIPTION_NOT_IDENTIFIABLE",
    ),
    (
        Code::WarningEdMissingBasicData,
        "WARNING_ED_MISSING_BASIC_DATA",
        "WARNING_ED_MISSING_BASIC_DATA",
    ),
    (
        Code::ErrorEdInformationNotStore,
        "ERROR_ED_INFORMATION_NOT_STORE",
        "ERROR_ED_INFORMATION_NOT_STORE",
    ),
    (
        Code::ErrorEdMissingExpectedMapping,
        "ERROR_ED_MISSING_EXPECTED_MAPPING",
        "ERROR_ED_MISSING_EXPECTED_MAPPING",
    ),
    (
        Code::WarningEdMissingExpectedMapping,
        "WARNING_ED_MISSING_EXPECTED_MAPPING",
        "WARNING_ED_MISSING_EXPECTED_MAPPING",
    ),
    (
        Code::ErrorEdEdispensationAckNotReceived,
        "ERROR_ED_EDISPENSATION_ACK_NOT_RECEIVED",
        "ERROR_ED_EDISPENSATION_ACK_NOT_RECEIVED",
    ),
    (
        Code::ErrorEdEprescriptionNotUpdated,
        "ERROR_ED_EPRESCRIPTION_NOT_UPDATED",
        "ERROR_ED_EPRESCRIPTION_NOT_UPDATED",
    ),
    (
        Code::ErrorEdEdispensationNotStored,
        "ERROR_ED_EDISPENSATION_NOT_STORED",
        "ERROR_ED_EDISPENSATION_NOT_STORED",
    ),
    (
        Code::ErrorEdDiscardServiceNotAvailable,
        "ERROR_ED_DISCARD_SERVICE_NOT_AVAILABLE",
        "ERROR_ED_DISCARD_SERVICE_NOT_AVAILABLE",
    ),
    (Code::ErrorEdDiscardFailed, "ERROR_ED_DISCARD_FAILED", "ERROR_ED_DISCARD_FAILED"),
    (
        Code::WarningEdDiscardMissingMandatoryData,
        "WARNING_ED_DISCARD_MISSING_MANDATORY_DATA",
        "WARNING_ED_DISCARD_MISSING_MANDATORY_DATA",
    ),
    (
        Code::ErrorEdIncorrectFormatting,
        "ERROR_ED_INCORRECT_FORMATTING",
        "ERROR_ED_INCORRECT_FORMATTING",
    ),
    (
        Code::ErrorEdMissingRequiredFields,
        "ERROR_ED_MISSING_REQUIRED_FIELDS",
        "ERROR_ED_MISSING_REQUIRED_FIELDS",
    ),
    (Code::ErrorEdInternalError, "ERROR_ED_INTERNAL_ERROR", "ERROR_ED_INTERNAL_ERROR"),
    (Code::ErrorEdMissingBasicData, "ERROR_ED_MISSING_BASIC_DATA", "ERROR_ED_MISSING_BASIC_DATA"),
    (
        Code::ErrorEdRegistryNotAvailable,
        "ERROR_ED_REGISTRY_NOT_AVAILABLE",
        "ERROR_ED_REGISTRY_NOT_AVAILABLE",
    ),
    (Code::ErrorEdNoConsent, "ERROR_ED_NO_CONSENT", "ERROR_ED_NO_CONSENT"),
    (Code::ErrorOrcdGeneric, "ERROR_ORCD_GENERIC", "ERROR_ORCD_GENERIC"),
    (Code::WarningOrcdGeneric, "WARNING_ORCD_GENERIC", "WARNING_ORCD_GENERIC"),
    (
        Code::ErrorOrcdServiceNotAvailable,
        "ERROR_ORCD_SERVICE_NOT_AVAILABLE",
        "ERROR_ORCD_SERVICE_NOT_AVAILABLE",
    ),
    (
        Code::WarningOrcdMissingMandatoryData,
        "WARNING_ORCD_MISSING_MANDATORY_DATA",
        "WARNING_ORCD_MISSING_MANDATORY_DATA",
    ),
    (Code::ErrorOrcdIncorrectFormat, "ERROR_ORCD_INCORRECT_FORMAT", "ERROR_ORCD_INCORRECT_FORMAT"),
    (
        Code::WarningOrcdMissingMandatoryMetadata,
        "WARNING_ORCD_MISSING_MANDATORY_METADATA",
        "WARNING_ORCD_MISSING_MANDATORY_METADATA",
    ),
    (Code::ErrorHqiGeneric, "ERROR_HQI_GENERIC", "ERROR_HQI_GENERIC"),
    (Code::WarningHqiGeneric, "WARNING_HQI_GENERIC", "WARNING_HQI_GENERIC"),
    (
        Code::WarningHqiBInformationNotProperlyStructured,
        "WARNING_HQI_B_INFORMATION_NOT_PROPERLY_STRUCTURED",
        "WARNING_HQI_B_INFORMATION_NOT_PROPERLY_STRUCTURED",
    ),
    (
        Code::WarningHqiAInformationNotProperlyStructured,
        "WARNING_HQI_A_INFORMATION_NOT_PROPERLY_STRUCTURED",
        "WARNING_HQI_A_INFORMATION_NOT_PROPERLY_STRUCTURED",
    ),
    (Code::ErrorSecGeneric, "ERROR_SEC_GENERIC", "ERROR_SEC_GENERIC"),
    (Code::WarningSecGeneric, "WARNING_SEC_GENERIC", "WARNING_SEC_GENERIC"),
    (
        Code::ErrorSecDataIntegrityNotEnsured,
        "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED",
        "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED",
    ),
    (
        Code::WarningSecUnexpectedNumberOfRequestsForUniquePatient,
        "WARNING_SEC_UNEXPECTED_NUMBER_OF_REQUESTS_FOR_UNIQUE_PATIENT",
        "WARNING_SEC_UNEXPECTED_NUMBER_OF_REQUESTS_FOR_UNIQUE_PATIENT",
    ),
    (
        Code::WarningSecUnexpectedNumberOfRequestsForUniquePointOfCare,
        "WARNING_SEC_UNEXPECTED_NUMBER_OF_REQUESTS_FOR_UNIQUE_POINT_OF_CARE",
        "WARNING_SEC_UNEXPECTED_NUMBER_OF_REQUESTS_FOR_UNIQUE_POINT_OF_CARE",
    ),
    (
        Code::WarningSecUnexpectedNumberOfRequests,
        "WARNING_SEC_UNEXPECTED_NUMBER_OF_REQUESTS",
        "WARNING_SEC_UNEXPECTED_NUMBER_OF_REQUESTS",
    ),
    (Code::ErrorUiTransformation, "ERROR_UI_TRANSFORMATION", "ERROR_UI_TRANSFORMATION"),
    (Code::ErrorNotValidAssertion, "ERROR_NOT_VALID_ASSERTION", "1001"),
    (Code::ErrorNotValidTrcAssertion, "ERROR_NOT_VALID_TRC_ASSERTION", "1002"),
    (Code::ErrorDocumentNotFound, "ERROR_DOCUMENT_NOT_FOUND", "1100"),
    (Code::ErrorMroNoData, "ERROR_MRO_NO_DATA", "1103"),
    (Code::ErrorOrcdNotFound, "ERROR_ORCD_NOT_FOUND", "1104"),
    (Code::ErrorDocumentNotProcessed, "ERROR_DOCUMENT_NOT_PROCESSED", "2201"),
    (Code::ErrorRenderingIncomplete, "ERROR_RENDERING_INCOMPLETE", "4101"),
    (Code::ErrorCollectionIncomplete, "ERROR_COLLECTION_INCOMPLETE", "4102"),
    (Code::ErrorEpRegistryNotAccessible, "ERROR_EP_REGISTRY_NOT_ACCESSIBLE", "4103"),
    (Code::ErrorEpNotAvailable, "ERROR_EP_NOT_AVAILABLE", "4104"),
    (Code::ErrorEpNotMatching, "ERROR_EP_NOT_MATCHING", "4105"),
    (Code::ErrorEpAlreadyDispensed, "ERROR_EP_ALREADY_DISPENSED", "4106"),
    (Code::ErrorOriginalDataMissing, "ERROR_ORIGINAL_DATA_MISSING", "4107"),
    (Code::ErrorPivotMissing, "ERROR_PIVOT_MISSING", "4108"),
    (Code::ErrorUnsupportedFeature, "ERROR_UNSUPPORTED_FEATURE", "4201"),
    (Code::ErrorUnknownSignifier, "ERROR_UNKNOWN_SIGNIFIER", "4202"),
    (Code::ErrorTranscodingError, "ERROR_TRANSCODING_ERROR", "4203"),
    (Code::ErrorUnknownFilter, "ERROR_UNKNOWN_FILTER", "4204"),
    (Code::ErrorUnknownOption, "ERROR_UNKNOWN_OPTION", "4205"),
    (Code::ErrorUnknownPatientIdentifier, "ERROR_UNKNOWN_PATIENT_IDENTIFIER", "4206"),
    (Code::Error4207, "ERROR_4207", "4207"),
    (Code::ErrorNoConsent, "ERROR_NO_CONSENT", "4701"),
    (Code::ErrorWeakAuthentication, "ERROR_WEAK_AUTHENTICATION", "4702"),
    (Code::ErrorInsufficientRights, "ERROR_INSUFFICIENT_RIGHTS", "4703"),
    (Code::ErrorNoSignature, "ERROR_NO_SIGNATURE", "4704"),
    (Code::ErrorPolicyViolation, "ERROR_POLICY_VIOLATION", "4705"),
    (Code::ErrorUnknownPolicy, "ERROR_UNKNOWN_POLICY", "4706"),
];

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
