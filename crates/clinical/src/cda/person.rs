//! Persons of the header. Personal data: read through accessors, never printed.

use trust::xml::Element;

use super::{Identifier, V3, human};

/// The patient. No `Debug`, on purpose.
#[derive(Clone, Copy)]
pub struct Person<'d, 'a>(pub(super) Element<'d, 'a>);

impl<'d> Person<'d, '_> {
    /// All given names, separated by spaces.
    pub fn given(self) -> String {
        name_part(self.0, "given")
    }

    /// All family names, separated by spaces.
    pub fn family(self) -> String {
        name_part(self.0, "family")
    }

    /// `yyyyMMdd`, or shorter where the day is not known.
    pub fn birth(self) -> Option<&'d str> {
        self.0.child(V3, "birthTime")?.attribute("value")
    }

    /// HL7 AdministrativeGender: `M`, `F`, `UN`.
    pub fn gender(self) -> Option<&'d str> {
        self.0.child(V3, "administrativeGenderCode")?.attribute("code")
    }
}

/// An author. No `Debug`, on purpose.
#[derive(Clone, Copy)]
pub struct Author<'d, 'a>(pub(super) Element<'d, 'a>);

impl<'d> Author<'d, '_> {
    /// ISCO code of the author's function, from either place where waves put it.
    pub fn function(self) -> Option<&'d str> {
        self.0
            .child(V3, "functionCode")
            .or_else(|| self.0.path(V3, &["assignedAuthor", "code"]))?
            .attribute("code")
    }

    /// The author's identifier.
    pub fn id(self) -> Option<Identifier<'d>> {
        self.0.path(V3, &["assignedAuthor", "id"]).and_then(Identifier::of)
    }

    /// Given and family name; empty when a device wrote the document.
    pub fn name(self) -> String {
        self.0
            .path(V3, &["assignedAuthor", "assignedPerson"])
            .map(|person| format!("{} {}", name_part(person, "given"), name_part(person, "family")))
            .map(|name| name.trim().to_owned())
            .unwrap_or_default()
    }

    /// Name of the organization that the author wrote for.
    pub fn organization(self) -> String {
        self.0
            .path(V3, &["assignedAuthor", "representedOrganization", "name"])
            .map(human)
            .unwrap_or_default()
    }
}

fn name_part(person: Element<'_, '_>, part: &str) -> String {
    let Some(name) = person.child(V3, "name") else { return String::new() };
    name.children_named(V3, part).map(human).collect::<Vec<_>>().join(" ")
}
