//! The International Search Mask: what a country wants to know before it looks for a patient
//! (openncp-protocol §1.9; published over SMP, namespace `http://ec.europa.eu/sante/ehncp/ism`).
//!
//! A query is checked here before it leaves: nothing that the other country did not ask for, and
//! no number that cannot be one of its own.

use exchange::{Code, Country, Oid, PatientId, Refusal};
use jiff::civil::Date;
use regex_lite::{Regex, RegexBuilder};
use trust::xml::{Element, Limits, Xml, XmlError};

const ISM: &str = "http://ec.europa.eu/sante/ehncp/ism";

/// Why a mask cannot be used. Usually the country that published it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// Not the XML of a mask.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// A country code or domain is not one.
    #[error(transparent)]
    Malformed(#[from] exchange::Malformed),
    /// A format that is no regular expression without look-around and back references.
    #[error("search mask has a format that cannot be used")]
    Format,
    /// A mandatory field that we do not know.
    #[error("search mask demands a field that is not known here")]
    Unknown,
    /// It asks for nothing.
    #[error("search mask asks for nothing")]
    Empty,
}

/// Why a query does not fit a mask. Holds no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskRefusal {
    /// An identifier of an authority that the country does not ask for.
    #[error("identifier is of an authority that the country does not ask for")]
    Domain,
    /// An identifier that is not of its form.
    #[error("identifier is not of the form that the country publishes")]
    Format,
    /// A mandatory field is missing.
    #[error("{0} is missing, which the country demands")]
    Missing(&'static str),
    /// A field that the country does not ask for: it need not know.
    #[error("{0} is not asked for by the country")]
    Unasked(&'static str),
}

impl From<MaskRefusal> for Refusal {
    fn from(refusal: MaskRefusal) -> Self {
        let (code, hint) = match refusal {
            MaskRefusal::Domain | MaskRefusal::Format => (
                Code::ErrorPiIncorrectFormatting,
                "check the patient's number: the country does not have such",
            ),
            MaskRefusal::Missing(_) => {
                (Code::ErrorPiMissingRequiredFields, "ask the patient for what the country demands")
            }
            MaskRefusal::Unasked(_) => {
                (Code::ErrorPiIncorrectFormatting, "send what the country asks for, and no more")
            }
        };
        Self::new(code, hint).with_detail(refusal.to_string())
    }
}

/// What a patient is looked for by. Empty: not known. Personal: no `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// Identifiers.
    pub ids: Vec<PatientId>,
    /// Family name.
    pub family: String,
    /// Given names.
    pub given: String,
    /// `M`, `F` or `UN`.
    pub sex: String,
    /// Date of birth.
    pub birth: Option<Date>,
}

impl Traits {
    /// What is looked for by this identifier alone.
    pub fn number(id: PatientId) -> Self {
        Self { ids: vec![id], ..Self::default() }
    }

    fn has(&self, field: Field) -> bool {
        match field {
            Field::Family => !self.family.trim().is_empty(),
            Field::Given => !self.given.trim().is_empty(),
            Field::Sex => !self.sex.is_empty(),
            Field::Birth => self.birth.is_some(),
        }
    }
}

/// A field that is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Family,
    Given,
    Sex,
    Birth,
}

impl Field {
    const ALL: [Self; 4] = [Self::Family, Self::Given, Self::Sex, Self::Birth];

    fn name(self) -> &'static str {
        match self {
            Self::Family => "family name",
            Self::Given => "given name",
            Self::Sex => "sex",
            Self::Birth => "birth date",
        }
    }

    /// By the element, and by the label of a `textField`.
    fn of(element: Element<'_, '_>) -> Option<Self> {
        let label = element.attribute("label").unwrap_or("");
        match (element.name(), label.strip_prefix("label.ism.").unwrap_or(label)) {
            ("sex" | "gender", _) => Some(Self::Sex),
            ("birthDate", _) => Some(Self::Birth),
            ("textField", "surname" | "familyName" | "lastName") => Some(Self::Family),
            ("textField", "givenName" | "firstName") => Some(Self::Given),
            _ => None,
        }
    }
}

/// The mask of one country.
#[derive(Debug, Clone)]
pub struct SearchMask {
    country: Country,
    searches: Vec<Search>,
}

/// One way to look for a patient.
#[derive(Debug, Clone, Default)]
struct Search {
    identifiers: Vec<Identifier>,
    fields: Vec<(Field, bool)>,
}

/// One identifier, or one of several.
#[derive(Debug, Clone)]
struct Identifier {
    choice: bool,
    ids: Vec<Id>,
}

#[derive(Debug, Clone)]
struct Id {
    domain: Oid,
    format: Option<Regex>,
    mandatory: bool,
}

impl SearchMask {
    /// Reads a mask. What it demands and we do not know is an error; what it only offers is passed over.
    pub fn parse(text: &str) -> Result<Self, MaskError> {
        let xml = Xml::parse(text, &Limits::ASSERTION)?;
        let root = xml.root();
        if !root.is(ISM, "searchFields") {
            return Err(XmlError::Element { name: "searchFields", problem: "missing" }.into());
        }
        let country = root.only_child(ISM, "country")?;
        let searches = country.children_named(ISM, "patientSearch").map(Search::read);
        let searches = searches.collect::<Result<Vec<_>, _>>()?;
        if searches.is_empty() {
            return Err(MaskError::Empty);
        }
        Ok(Self { country: Country::parse(country.demand_attribute("code")?)?, searches })
    }

    /// Whose mask it is.
    pub fn country(&self) -> Country {
        self.country
    }

    /// Whether the country may be asked for this: by one of its ways of search, or why by none of
    /// them (of the way that comes first).
    pub fn check(&self, traits: &Traits) -> Result<(), MaskRefusal> {
        let mut first = None;
        for search in &self.searches {
            match search.check(traits) {
                Ok(()) => return Ok(()),
                Err(refusal) => first = first.or(Some(refusal)),
            }
        }
        Err(first.unwrap_or(MaskRefusal::Missing("identifier")))
    }

    /// Whether the country has a patient number of this authority and form.
    pub fn check_id(&self, id: &PatientId) -> Result<(), MaskRefusal> {
        self.searches
            .iter()
            .map(|search| search.fits(id))
            .reduce(|one, other| match (one, other) {
                (Ok(()), _) | (_, Ok(())) => Ok(()),
                (Err(MaskRefusal::Format), _) => Err(MaskRefusal::Format),
                (_, other) => other,
            })
            .unwrap_or(Err(MaskRefusal::Domain))
    }

    /// What the country is asked by, of all that is known: by the first way of search that fits,
    /// without what that way does not ask for.
    pub fn fit(&self, known: &Traits) -> Result<Traits, MaskRefusal> {
        let mut first = None;
        for search in &self.searches {
            let traits = search.narrowed(known);
            match search.check(&traits) {
                Ok(()) => return Ok(traits),
                Err(refusal) => first = first.or(Some(refusal)),
            }
        }
        Err(first.unwrap_or(MaskRefusal::Missing("identifier")))
    }
}

impl Search {
    fn read(element: Element<'_, '_>) -> Result<Self, MaskError> {
        let mut search = Self::default();
        for child in element.children() {
            if child.is(ISM, "identifier") {
                search.identifiers.push(Identifier::read(child)?);
            } else if let Some(field) = Field::of(child) {
                search.fields.push((field, mandatory(child)));
            } else if mandatory(child) {
                return Err(MaskError::Unknown);
            }
        }
        let empty = search.identifiers.is_empty() && search.fields.is_empty();
        if empty { Err(MaskError::Empty) } else { Ok(search) }
    }

    fn asks(&self, field: Field) -> bool {
        self.fields.iter().any(|(asked, _)| *asked == field)
    }

    fn narrowed(&self, known: &Traits) -> Traits {
        let known_here = |id: &&PatientId| self.fits(id) != Err(MaskRefusal::Domain);
        let text =
            |field, text: &String| if self.asks(field) { text.clone() } else { String::new() };
        Traits {
            ids: known.ids.iter().filter(known_here).cloned().collect(),
            family: text(Field::Family, &known.family),
            given: text(Field::Given, &known.given),
            sex: text(Field::Sex, &known.sex),
            birth: known.birth.filter(|_| self.asks(Field::Birth)),
        }
    }

    fn fits(&self, id: &PatientId) -> Result<(), MaskRefusal> {
        let mut ids =
            self.identifiers.iter().flat_map(|i| &i.ids).filter(|i| i.domain == *id.root());
        let first = ids.next().ok_or(MaskRefusal::Domain)?;
        let fits = std::iter::once(first).chain(ids).any(|i| i.fits(id));
        if fits { Ok(()) } else { Err(MaskRefusal::Format) }
    }

    fn check(&self, traits: &Traits) -> Result<(), MaskRefusal> {
        traits.ids.iter().try_for_each(|id| self.fits(id))?;
        let sent = |id: &Id| traits.ids.iter().any(|sent| *sent.root() == id.domain);
        for identifier in &self.identifiers {
            let mut demanded = identifier.ids.iter().filter(|id| id.mandatory);
            let fits = if identifier.choice {
                identifier.ids.iter().any(sent)
            } else {
                demanded.all(sent)
            };
            if !fits {
                return Err(MaskRefusal::Missing("identifier"));
            }
        }
        for field in Field::ALL {
            let demanded = self.fields.iter().any(|(asked, must)| *asked == field && *must);
            if demanded && !traits.has(field) {
                return Err(MaskRefusal::Missing(field.name()));
            }
            if traits.has(field) && !self.asks(field) {
                return Err(MaskRefusal::Unasked(field.name()));
            }
        }
        if traits.ids.is_empty() && !Field::ALL.into_iter().any(|field| traits.has(field)) {
            return Err(MaskRefusal::Missing("identifier"));
        }
        Ok(())
    }
}

impl Identifier {
    fn read(element: Element<'_, '_>) -> Result<Self, MaskError> {
        let grouped =
            element.children_named(ISM, "ids").flat_map(|ids| ids.children_named(ISM, "id"));
        let ids = element.children_named(ISM, "id").chain(grouped).map(Id::read);
        let choice = element.attribute("type") == Some("CHOICE");
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        if ids.is_empty() { Err(MaskError::Empty) } else { Ok(Self { choice, ids }) }
    }
}

impl Id {
    fn read(element: Element<'_, '_>) -> Result<Self, MaskError> {
        let format = element.attribute("format").map(str::trim).filter(|format| !format.is_empty());
        let whole =
            |format: &str| RegexBuilder::new(&format!("^(?:{format})$")).size_limit(SIZE).build();
        Ok(Self {
            domain: Oid::parse(element.demand_attribute("domain")?)?,
            format: format.map(whole).transpose().map_err(|_| MaskError::Format)?,
            mandatory: mandatory(element),
        })
    }

    fn fits(&self, id: &PatientId) -> bool {
        self.format.as_ref().is_none_or(|format| format.is_match(id.extension()))
    }
}

fn mandatory(element: Element<'_, '_>) -> bool {
    matches!(element.attribute("mandatory"), Some("true" | "1"))
}

/// Largest compiled format, in bytes; it is foreign, and its matching time is linear in this.
const SIZE: usize = 64 << 10;

#[cfg(test)]
#[path = "mask/tests.rs"]
mod tests;
