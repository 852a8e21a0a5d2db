//! What is wrong with a document, in the codes of eHDSI: one rule a row.
//!
//! Findings inform and are recorded; whether one stops a document is the policy of the caller.
//! They never hold a value from the document.

use exchange::{Code, DocumentClass};

use crate::cda::{CdaError, Level, PHARMACY, Section, View, section};

/// One broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// What a peer is told.
    pub code: Code,
    /// Which rule, for the operator.
    pub rule: &'static str,
}

/// Whether a rule holds.
type Check = fn(&View<'_>) -> bool;

/// One rule: the documents that it applies to, its words, its check.
struct Rule {
    kind: Kind,
    level: Option<Level>,
    code: fn(&Codes) -> Code,
    words: &'static str,
    holds: Check,
}

/// Which classes a rule applies to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    Summary,
    Prescription,
    Dispensation,
}

/// How each kind of document names the same fault (OpenNCP 9, `OpenNCPErrorCode`).
struct Codes {
    kind: Kind,
    format: Code,
    fields: Code,
    data: Code,
    pdf: Code,
}

static CODES: [Codes; 4] = [
    Codes {
        kind: Kind::Summary,
        format: Code::ErrorPsIncorrectFormatting,
        fields: Code::ErrorPsMissingRequiredFields,
        data: Code::WarningPsMissingBasicData,
        pdf: Code::ErrorPsPdfFormatNotProvided,
    },
    Codes {
        kind: Kind::Prescription,
        format: Code::ErrorEpIncorrectFormatting,
        fields: Code::ErrorEpMissingRequiredFields,
        data: Code::WarningEpMissingBasicData,
        pdf: Code::ErrorEpPdfFormatNotProvided,
    },
    Codes {
        kind: Kind::Dispensation,
        format: Code::ErrorEdIncorrectFormatting,
        fields: Code::ErrorEdMissingRequiredFields,
        data: Code::WarningEdMissingBasicData,
        pdf: Code::ErrorEdIncorrectFormatting,
    },
    Codes {
        kind: Kind::Any,
        format: Code::ErrorOrcdIncorrectFormat,
        fields: Code::WarningOrcdMissingMandatoryData,
        data: Code::WarningOrcdMissingMandatoryData,
        pdf: Code::ErrorOrcdIncorrectFormat,
    },
];

/// The rules, in the order in which findings are reported.
static RULES: [Rule; 16] = [
    Rule {
        kind: Kind::Any,
        level: None,
        code: |codes| codes.format,
        words: "exactly one body that is wrapped or structured",
        holds: |view| view.level().is_ok(),
    },
    Rule {
        kind: Kind::Any,
        level: None,
        code: |codes| codes.fields,
        words: "document id",
        holds: |view| view.id().is_some(),
    },
    Rule {
        kind: Kind::Any,
        level: None,
        code: |codes| codes.fields,
        words: "patient identifier",
        holds: |view| !view.patient_ids().is_empty(),
    },
    Rule {
        kind: Kind::Any,
        level: None,
        code: |codes| codes.fields,
        words: "effective time",
        holds: |view| view.effective_time().is_some(),
    },
    Rule {
        kind: Kind::Any,
        level: None,
        code: |codes| codes.fields,
        words: "language code",
        holds: |view| view.language().is_some(),
    },
    Rule {
        kind: Kind::Any,
        level: None,
        code: |codes| codes.data,
        words: "patient name and birth time",
        holds: |view| view.patient().is_some_and(|p| !p.family().is_empty() && p.birth().is_some()),
    },
    Rule {
        kind: Kind::Any,
        level: None,
        code: |codes| codes.data,
        words: "author",
        holds: |view| view.author().is_some(),
    },
    Rule {
        kind: Kind::Any,
        level: Some(Level::One),
        code: |codes| codes.pdf,
        words: "wrapped file that decodes",
        holds: |view| {
            view.embedded().is_some_and(|file| {
                file.media_type != "application/pdf" || file.bytes.starts_with(b"%PDF-")
            })
        },
    },
    Rule {
        kind: Kind::Summary,
        level: Some(Level::Three),
        code: |codes| codes.format,
        words: "template of a patient summary",
        holds: |view| view.templates().any(|t| t == "1.3.6.1.4.1.12559.11.10.1.3.1.1.3"),
    },
    Rule {
        kind: Kind::Summary,
        level: Some(Level::Three),
        code: |_| Code::ErrorPsMissingBasicSections,
        words: "sections for medication, allergies, procedures, problems and devices",
        holds: |view| {
            let found: Vec<&str> = view.sections().map(Section::code).collect();
            section::MANDATORY.iter().all(|code| found.contains(code))
        },
    },
    Rule {
        kind: Kind::Prescription,
        level: Some(Level::Three),
        code: |codes| codes.format,
        words: "template of an ePrescription",
        holds: |view| view.templates().any(|t| t == "1.3.6.1.4.1.12559.11.10.1.3.1.1.1"),
    },
    Rule {
        kind: Kind::Prescription,
        level: Some(Level::Three),
        code: |codes| codes.fields,
        words: "prescription identifier and item",
        holds: |view| !view.prescriptions().is_empty() && !view.prescription_items().is_empty(),
    },
    Rule {
        kind: Kind::Prescription,
        level: Some(Level::Three),
        code: |_| Code::ErrorEpMissingBasicData,
        words: "medicine",
        holds: |view| !view.medications().is_empty(),
    },
    Rule {
        kind: Kind::Dispensation,
        level: Some(Level::Three),
        code: |codes| codes.format,
        words: "template of an eDispensation",
        holds: |view| view.templates().any(|t| t == "1.3.6.1.4.1.12559.11.10.1.3.1.1.2"),
    },
    Rule {
        kind: Kind::Dispensation,
        level: Some(Level::Three),
        code: |_| Code::ErrorEdEprescriptionNotIdentifiable,
        words: "the prescription that is fulfilled",
        holds: |view| !view.orders().is_empty(),
    },
    Rule {
        kind: Kind::Any,
        level: Some(Level::Three),
        code: |codes| codes.data,
        words: "pharmacy extension of the current wave",
        holds: |view| !view.root().descendants().any(|e| e.namespace() == PHARMACY[1]),
    },
];

/// All broken rules of a document that was asked for as `expected`; empty means none.
pub fn findings(bytes: &[u8], expected: DocumentClass) -> Vec<Finding> {
    match View::parse(bytes) {
        Ok(view) => of_view(&view, expected),
        Err(error) => vec![unreadable(&error, expected)],
    }
}

/// [`findings`] of a document that is already read.
pub fn of_view(view: &View<'_>, expected: DocumentClass) -> Vec<Finding> {
    let codes = codes(expected);
    if view.class() != Some(expected) {
        return vec![Finding { code: codes.format, rule: "class that was asked for" }];
    }
    let level = view.level().ok();
    RULES
        .iter()
        .filter(|rule| rule.kind == Kind::Any || rule.kind == codes.kind)
        .filter(|rule| rule.level.is_none() || rule.level == level)
        .filter(|rule| !(rule.holds)(view))
        .map(|rule| Finding { code: (rule.code)(codes), rule: rule.words })
        .collect()
}

/// The finding that says why a document could not be read at all.
pub fn unreadable(error: &CdaError, expected: DocumentClass) -> Finding {
    let rule = match error {
        CdaError::NotReadable(_) => "strict xml",
        CdaError::NotClinicalDocument => "clinical document of hl7 v3",
        CdaError::UnknownClass => "class that was asked for",
        CdaError::Body => "exactly one body that is wrapped or structured",
    };
    Finding { code: codes(expected).format, rule }
}

fn codes(class: DocumentClass) -> &'static Codes {
    let kind = match class {
        DocumentClass::PatientSummary => Kind::Summary,
        DocumentClass::EPrescription => Kind::Prescription,
        DocumentClass::EDispensation | DocumentClass::Discard => Kind::Dispensation,
        _ => Kind::Any,
    };
    CODES.iter().find(|row| row.kind == kind).expect("because CODES has one row for each kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (what is put in place of what, the code that follows)
    #[test]
    fn each_fault_has_its_code() {
        let good = crate::cda::tests::SUMMARY;
        assert_eq!(findings(good.as_bytes(), DocumentClass::PatientSummary), []);
        for (from, to, code) in [
            ("46264-8", "30954-2", Code::ErrorPsMissingBasicSections),
            ("\"60591-5\"", "\"57833-6\"", Code::ErrorPsIncorrectFormatting),
            ("\"60591-5\"", "\"1-1\"", Code::ErrorPsIncorrectFormatting),
            (".3.1.1.3\"", ".3.1.1.9\"", Code::ErrorPsIncorrectFormatting),
            ("</structuredBody>", "", Code::ErrorPsIncorrectFormatting),
            ("urn:hl7-org:v3", "urn:hl7-org:v2", Code::ErrorPsIncorrectFormatting),
            ("<languageCode code=\"da-DK\"/>", "", Code::ErrorPsMissingRequiredFields),
            ("<birthTime value=\"19530214\"/>", "", Code::WarningPsMissingBasicData),
            ("urn:hl7-org:pharm", "urn:epsos-org:ep:medication", Code::WarningPsMissingBasicData),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good, "{from} is not in the fixture");
            let found = findings(bad.as_bytes(), DocumentClass::PatientSummary);
            assert_eq!(found.len(), 1, "{from} -> {to}: {found:?}");
            assert_eq!(found[0].code, code, "{from} -> {to}");
        }
    }
}
