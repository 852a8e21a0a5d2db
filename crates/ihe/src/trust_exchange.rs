//! WS-Trust 1.3 as OpenNCP's security token services speak it: a portal asks for a treatment
//! relation (TRC) or a next-of-kin assertion (openncp-protocol §1.8).

use exchange::{Code, PatientId, Purpose, Refusal};
use jiff::civil::Date;
use jiff::{Timestamp, fmt::strtime};
use trust::xml::{Element, Writer};

use crate::MessageError;
use crate::soap::SAML;

/// WS-Trust 1.3.
pub const WST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
/// What is asked for: the `RequestType`, and the `wsa:Action` of OpenNCP's client.
pub const ISSUE: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue";
/// `wsa:Action` of the answer, as OpenNCP's services write it.
pub const ANSWER_ACTION: &str = "urn:IssueTokenResponse";
const WSU: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const TRC: &str = "https://ehdsi.eu/assertion/trc";
const NOK: &str = "https://ehdsi.eu/assertion/nok";

/// Which assertion is asked for. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Ask {
    /// A treatment relation.
    Relation(Relation),
    /// A next of kin.
    Kin(Kin),
}

/// `TRCParameters`. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Relation {
    /// The patient.
    pub patient: PatientId,
    /// Why; the professional's own purpose when it is left out.
    pub purpose: Option<Purpose>,
    /// The prescription, where a country wants it.
    pub prescription: Option<String>,
    /// The code on it, where a country wants it.
    pub pin: Option<String>,
}

/// `NoKParameters`; what is empty was not sent. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Kin {
    /// Why, if it was said.
    pub purpose: Option<Purpose>,
    /// The relative's identifier.
    pub id: String,
    /// Given names.
    pub given: String,
    /// Family name.
    pub family: String,
    /// Gender.
    pub gender: String,
    /// Date of birth.
    pub birth: Option<Date>,
    /// Street and number.
    pub street: String,
    /// City.
    pub city: String,
    /// Postal code.
    pub postal_code: String,
    /// Country.
    pub country: String,
}

impl Ask {
    /// Reads the one child of the Body.
    pub fn read(payload: Element<'_, '_>) -> Result<Self, Refusal> {
        if !payload.is(WST, "RequestSecurityToken") {
            return Err(refuse(UNSUPPORTED, "send one RequestSecurityToken of WS-Trust 1.3"));
        }
        for (name, expected) in [("RequestType", ISSUE), ("TokenType", SAML)] {
            let value = payload.only_child(WST, name).and_then(|e| e.demand_text(name));
            if value.is_ok_and(|value| value == expected) {
                continue;
            }
            return Err(refuse(UNSUPPORTED, "ask to Issue a SAML 2.0 assertion").with_detail(name));
        }
        let parameters =
            |namespace, name| payload.children_named(namespace, name).collect::<Vec<_>>();
        let (trc, nok) = (parameters(TRC, "TRCParameters"), parameters(NOK, "NoKParameters"));
        match (&trc[..], &nok[..]) {
            ([trc], []) => Relation::read(Fields(*trc, TRC)).map(Self::Relation),
            ([], [nok]) => Kin::read(Fields(*nok, NOK)).map(Self::Kin),
            _ => Err(refuse(MISSING, "send TRCParameters or NoKParameters, once")),
        }
    }

    /// Writes the Body.
    pub fn render(&self) -> String {
        let mut w = Writer::new();
        w.open("wst:RequestSecurityToken", &[("xmlns:wst", WST)]);
        w.leaf("wst:RequestType", &[], ISSUE);
        w.leaf("wst:TokenType", &[], SAML);
        match self {
            Self::Relation(relation) => relation.write(&mut w),
            Self::Kin(kin) => kin.write(&mut w),
        }
        w.close();
        w.finish()
    }
}

impl Relation {
    fn read(fields: Fields<'_, '_>) -> Result<Self, Refusal> {
        let patient = fields.text(&["PatientId"])?;
        if patient.is_empty() {
            return Err(refuse(MISSING, "name the patient"));
        }
        // the quotes of an ITI-38 slot have no place here
        let patient = Some(patient)
            .filter(|text| !text.contains('\''))
            .and_then(|text| PatientId::parse_cx(text).ok())
            .ok_or(refuse(FORMAT, "name the patient as ext^^^&root&ISO"))?;
        let optional =
            |name| fields.text(&[name]).map(|t| Some(t.to_owned()).filter(|t| !t.is_empty()));
        Ok(Self {
            patient,
            purpose: fields.purpose(Code::ErrorNotValidTrcAssertion)?,
            prescription: optional("PrescriptionId")?,
            pin: optional("DispensationPinCode")?,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.open("trc:TRCParameters", &[("xmlns:trc", TRC)]);
        w.leaf("trc:PatientId", &[], &self.patient.cx());
        if let Some(purpose) = self.purpose {
            w.leaf("trc:PurposeOfUse", &[], purpose.code());
        }
        if let Some(pin) = &self.pin {
            w.leaf("trc:DispensationPinCode", &[], pin);
        }
        if let Some(prescription) = &self.prescription {
            w.leaf("trc:PrescriptionId", &[], prescription);
        }
        w.close();
    }
}

impl Kin {
    /// OpenNCP's client and service differ in the name of the postal code; its documents leave the
    /// prefix out.
    fn read(fields: Fields<'_, '_>) -> Result<Self, Refusal> {
        let text = |names: &[&'static str]| fields.text(names).map(str::to_owned);
        let birth = text(&["NextOfKinBirthDate", "BirthDate"])?;
        let kin = Self {
            purpose: fields.purpose(Code::ErrorNotValidAssertion)?,
            id: text(&["NextOfKinId"])?,
            given: text(&["NextOfKinFirstName", "FirstName"])?,
            family: text(&["NextOfKinFamilyName", "FamilyName"])?,
            gender: text(&["NextOfKinGender", "Gender"])?,
            birth: match birth.as_str() {
                "" => None,
                text => Some(day(text).ok_or(refuse(FORMAT, "send the birth date as dd-MM-yyyy"))?),
            },
            street: text(&["NextOfKinAddressStreet"])?,
            city: text(&["NextOfKinAddressCity"])?,
            postal_code: text(&["NextOfKinPostalCode", "NextOfKinAddressPostalCode"])?,
            country: text(&["NextOfKinAddressCountry"])?,
        };
        if kin.id.is_empty() && (kin.given.is_empty() || kin.family.is_empty()) {
            return Err(refuse(MISSING, "name the next of kin, or send their identifier"));
        }
        Ok(kin)
    }

    fn write(&self, w: &mut Writer) {
        w.open("nok:NoKParameters", &[("xmlns:nok", NOK)]);
        let purpose = self.purpose.map(Purpose::code).unwrap_or_default();
        let birth = self.birth.map(|d| d.strftime("%d-%m-%Y").to_string()).unwrap_or_default();
        for (name, value) in [
            ("nok:PurposeOfUse", purpose),
            ("nok:NextOfKinId", &self.id),
            ("nok:NextOfKinFirstName", &self.given),
            ("nok:NextOfKinFamilyName", &self.family),
            ("nok:NextOfKinGender", &self.gender),
            ("nok:NextOfKinBirthDate", &birth),
            ("nok:NextOfKinAddressStreet", &self.street),
            ("nok:NextOfKinAddressCity", &self.city),
            ("nok:NextOfKinPostalCode", &self.postal_code),
            ("nok:NextOfKinAddressCountry", &self.country),
        ] {
            if !value.is_empty() {
                w.leaf(name, &[], value);
            }
        }
        w.close();
    }
}

/// The children of a parameters element, in its namespace.
#[derive(Clone, Copy)]
struct Fields<'d, 'a>(Element<'d, 'a>, &'static str);

impl<'d> Fields<'d, '_> {
    /// The text of the one child with any of these names; empty when there is none.
    fn text(&self, names: &[&'static str]) -> Result<&'d str, Refusal> {
        let Self(element, namespace) = *self;
        let mut found =
            element.children().filter(|e| names.iter().any(|name| e.is(namespace, name)));
        let (first, second) = (found.next(), found.next());
        let text = match (first, second) {
            (None, _) => Some(""),
            (Some(one), None) => one.demand_text(names[0]).ok(),
            _ => None,
        };
        text.ok_or_else(|| {
            refuse(FORMAT, "send each parameter once, as text").with_detail(names[0])
        })
    }

    fn purpose(&self, code: Code) -> Result<Option<Purpose>, Refusal> {
        match self.text(&["PurposeOfUse"])? {
            "" => Ok(None),
            text => Purpose::parse(text)
                .map(Some)
                .map_err(|_| refuse(code, "state TREATMENT or EMERGENCY")),
        }
    }
}

/// `dd-MM-yyyy`, or `yyyy-MM-dd`, which OpenNCP's own client sends since 9.0.
fn day(text: &str) -> Option<Date> {
    // years of four digits, so that what is read is what is written
    if text.len() != 10 || !text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return None;
    }
    let european = || strtime::parse("%d-%m-%Y", text).ok()?.to_date().ok();
    text.parse().ok().or_else(european)
}

fn refuse(code: Code, hint: &'static str) -> Refusal {
    Refusal::new(code, hint)
}

const UNSUPPORTED: Code = Code::ErrorUnsupportedFeature;
const MISSING: Code = Code::ErrorPiMissingRequiredFields;
const FORMAT: Code = Code::ErrorPiIncorrectFormatting;

/// The Body of the answer around a signed assertion, copied byte for byte.
pub fn answer(assertion: &str, created: Timestamp, expires: Timestamp) -> String {
    let mut w = Writer::with_capacity(assertion.len() + 1024);
    w.open("wst:RequestSecurityTokenResponseCollection", &[("xmlns:wst", WST)]);
    w.open("wst:RequestSecurityTokenResponse", &[]);
    w.leaf("wst:TokenType", &[], SAML);
    w.open("wst:RequestedSecurityToken", &[]);
    w.raw(assertion);
    w.close();
    w.open("wst:Lifetime", &[("xmlns:wsu", WSU)]);
    let stamp = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    w.leaf("wsu:Created", &[], &stamp(created));
    w.leaf("wsu:Expires", &[], &stamp(expires));
    w.close();
    w.close();
    w.close();
    w.finish()
}

/// The assertion of an answer's payload, to be taken as [`Element::standalone`].
pub fn answered<'d, 'a>(payload: Element<'d, 'a>) -> Result<Element<'d, 'a>, MessageError> {
    if !payload.is(WST, "RequestSecurityTokenResponseCollection") {
        return Err(MessageError::Unexpected);
    }
    let response = payload.only_child(WST, "RequestSecurityTokenResponse")?;
    let token = response.only_child(WST, "RequestedSecurityToken")?;
    Ok(token.only_child(SAML, "Assertion")?)
}

#[cfg(test)]
#[path = "trust_exchange/tests.rs"]
mod tests;
