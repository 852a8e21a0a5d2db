//! ebRIM 3.0, the registry model under XCA and XDR: slots, classifications, status, errors.

use exchange::{Code, Refusal};
use trust::xml::{Element, Writer};

use crate::MessageError;

pub(crate) const RIM: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0";
pub(crate) const RS: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0";
pub(crate) const QUERY: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0";
pub(crate) const LCM: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0";
pub(crate) const XDS: &str = "urn:ihe:iti:xds-b:2007";
pub(crate) const SUCCESS: &str = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success";
pub(crate) const FAILURE: &str = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure";
pub(crate) const PARTIAL: &str = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess";
pub(crate) const STABLE_DOCUMENT: &str = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1";
pub(crate) const APPROVED: &str = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved";

/// Classification schemes and external identifiers of a document entry (IHE ITI TF-3 §4.2.5.2).
pub(crate) const CLASS: &str = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a";
pub(crate) const TYPE: &str = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983";
pub(crate) const FORMAT: &str = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d";
pub(crate) const CONFIDENTIALITY: &str = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f";
pub(crate) const FACILITY: &str = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1";
pub(crate) const PRACTICE: &str = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead";
pub(crate) const AUTHOR: &str = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d";
pub(crate) const EVENT: &str = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4";
pub(crate) const ENTRY_PATIENT: &str = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427";
pub(crate) const ENTRY_UNIQUE: &str = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab";

/// The answer part that XCA and XDR share: status and errors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Errors {
    /// Each error, in order.
    pub errors: Vec<RegistryError>,
    /// Whether there is data as well.
    pub partial: bool,
}

/// One `rs:RegistryError`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError {
    /// `@errorCode`: an eHDSI wire code.
    pub code: String,
    /// `@codeContext`: the hint for people.
    pub context: String,
    /// `@location`: our correlation id.
    pub location: String,
    /// Warning instead of error.
    pub warning: bool,
}

impl RegistryError {
    /// The error that a refusal becomes.
    pub fn of(refusal: &Refusal, location: &str) -> Self {
        Self {
            code: refusal.code.wire().to_owned(),
            context: refusal.hint.to_owned(),
            location: location.to_owned(),
            warning: refusal.code.is_warning(),
        }
    }

    /// The eHDSI code, when it is one.
    pub fn ehdsi(&self) -> Option<Code> {
        Code::of_wire(&self.code)
    }
}

impl Errors {
    pub(crate) fn status(&self) -> &'static str {
        if self.errors.is_empty() {
            SUCCESS
        } else if self.partial {
            PARTIAL
        } else {
            FAILURE
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        if self.errors.is_empty() {
            return;
        }
        w.open("rs:RegistryErrorList", &[("xmlns:rs", RS)]);
        for error in &self.errors {
            let severity = if error.warning { "Warning" } else { "Error" };
            w.empty(
                "rs:RegistryError",
                &[
                    ("errorCode", &error.code),
                    ("codeContext", &error.context),
                    ("location", &error.location),
                    (
                        "severity",
                        &format!("urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:{severity}"),
                    ),
                ],
            );
        }
        w.close();
    }

    /// Reads the status and the error list below `response`.
    pub(crate) fn read(response: Element<'_, '_>) -> Result<Self, MessageError> {
        let status = response.demand_attribute("status")?;
        let errors: Vec<RegistryError> = response
            .child(RS, "RegistryErrorList")
            .into_iter()
            .flat_map(|list| list.children_named(RS, "RegistryError"))
            .map(|error| {
                let text = |name| error.attribute(name).unwrap_or("").to_owned();
                let warning = error.attribute("severity").is_some_and(|s| s.ends_with("Warning"));
                RegistryError {
                    code: text("errorCode"),
                    context: text("codeContext"),
                    location: text("location"),
                    warning,
                }
            })
            .collect();
        if status == FAILURE && errors.is_empty() {
            return Err(MessageError::Unexpected);
        }
        Ok(Self { errors, partial: status == PARTIAL })
    }
}

/// The values of a slot. One that is not plain text (a comment, CDATA) is an empty value, which no
/// reader accepts: left out, it would still be read by the parser behind us.
pub(crate) fn slot<'d>(element: Element<'d, '_>, name: &str) -> Vec<&'d str> {
    element
        .children_named(RIM, "Slot")
        .filter(|s| s.attribute("name") == Some(name))
        .flat_map(|s| s.children_named(RIM, "ValueList"))
        .flat_map(|l| l.children_named(RIM, "Value"))
        .map(|v| v.plain_text().map_or("", str::trim))
        .collect()
}

/// The `nodeRepresentation`s of a classification scheme.
pub(crate) fn classified<'d>(element: Element<'d, '_>, scheme: &str) -> Vec<&'d str> {
    element
        .children_named(RIM, "Classification")
        .filter(|c| c.attribute("classificationScheme") == Some(scheme))
        .filter_map(|c| c.attribute("nodeRepresentation"))
        .collect()
}

/// The values of an external identifier.
pub(crate) fn identified<'d>(element: Element<'d, '_>, scheme: &str) -> Vec<&'d str> {
    element
        .children_named(RIM, "ExternalIdentifier")
        .filter(|e| e.attribute("identificationScheme") == Some(scheme))
        .map(|e| e.attribute("value").unwrap_or(""))
        .collect()
}

/// The one value; `None` when there are several, of which another parser may read another.
pub(crate) fn only<'d>(values: &[&'d str]) -> Option<&'d str> {
    if let [only] = values { Some(only) } else { None }
}

pub(crate) fn write_slot(w: &mut Writer, name: &str, values: &[&str]) {
    w.open("rim:Slot", &[("name", name)]);
    w.open("rim:ValueList", &[]);
    for value in values {
        w.leaf("rim:Value", &[], value);
    }
    w.close();
    w.close();
}

pub(crate) fn write_name(w: &mut Writer, text: &str) {
    w.open("rim:Name", &[]);
    w.empty("rim:LocalizedString", &[("value", text)]);
    w.close();
}

/// The classifications that every document entry of eHDSI has, and that say little: format,
/// confidentiality, facility (the country) and practice setting.
pub(crate) fn write_common(w: &mut Writer, object: &str, format: &str, country: &str) {
    let practice = "eHDSI Practice Setting Codes-Not Used";
    for (scheme, code, coding, name) in [
        (FORMAT, format, "eHDSI formatCodes", format),
        (CONFIDENTIALITY, "N", "2.16.840.1.113883.5.25", "Normal"),
        (FACILITY, country, "1.0.3166.1", country),
        (PRACTICE, "Not Used", practice, "Not Used"),
    ] {
        write_classification(w, object, scheme, code, coding, name);
    }
}

/// (scheme, code, coding scheme, display name)
pub(crate) fn write_classification(
    w: &mut Writer,
    object: &str,
    scheme: &str,
    code: &str,
    coding: &str,
    name: &str,
) {
    let id = format!("{object}-c{}-{}", scheme_number(scheme), code_slug(code));
    w.open(
        "rim:Classification",
        &[
            ("id", &id),
            ("classificationScheme", scheme),
            ("classifiedObject", object),
            ("nodeRepresentation", code),
            (
                "objectType",
                "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Classification",
            ),
        ],
    );
    write_slot(w, "codingScheme", &[coding]);
    write_name(w, name);
    w.close();
}

pub(crate) fn write_identifier(
    w: &mut Writer,
    object: &str,
    scheme: &str,
    value: &str,
    name: &str,
) {
    let id = format!("{object}-i{}", scheme_number(scheme));
    w.open(
        "rim:ExternalIdentifier",
        &[
            ("id", &id),
            ("registryObject", object),
            ("identificationScheme", scheme),
            ("value", value),
            (
                "objectType",
                "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:ExternalIdentifier",
            ),
        ],
    );
    write_name(w, name);
    w.close();
}

fn scheme_number(scheme: &str) -> &str {
    scheme.get(9..17).unwrap_or("0")
}

fn code_slug(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).collect()
}
