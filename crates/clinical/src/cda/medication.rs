//! Medicines: what an interaction check and a dispensation need.

use trust::xml::Element;

use super::{ATC, Coded, PHARMACY, V3, human};

/// One medicine (`manufacturedMaterial`). Health data: no `Debug`.
#[derive(Clone, Copy)]
pub struct Medication<'d, 'a>(pub(super) Element<'d, 'a>);

/// One active substance of a medicine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Substance<'d> {
    /// ATC code, or whichever code the country gave.
    pub code: Coded<'d>,
    /// Amount of substance: (value, UCUM unit).
    pub numerator: Option<(&'d str, &'d str)>,
    /// In how much: (value, UCUM unit).
    pub denominator: Option<(&'d str, &'d str)>,
}

impl<'d> Medication<'d, '_> {
    /// Name of the product; empty when the country gives none (`nullFlavor`).
    pub fn product(self) -> String {
        self.0.child(V3, "name").map(human).unwrap_or_default()
    }

    /// ATC code of the medicine: of the product class, else of its only or first substance.
    pub fn atc(self) -> Option<&'d str> {
        let class = pharmacy(self.0, "asSpecializedKind").find_map(|kind| {
            kind.children()
                .find(|e| {
                    matches!(e.name(), "generalizedMaterialKind" | "generalizedMedicineClass")
                })
                .and_then(|material| pharmacy(material, "code").next())
                .map(Coded::of)
        });
        class
            .into_iter()
            .chain(self.substances().map(|substance| substance.code))
            .find(|coded| coded.system == ATC && !coded.code.is_empty())
            .map(|coded| coded.code)
    }

    /// The active substances.
    pub fn substances(self) -> impl Iterator<Item = Substance<'d>> {
        pharmacy(self.0, "ingredient").map(|ingredient| {
            let ratio = pharmacy(ingredient, "quantity").next();
            let amount = |part| {
                let of = ratio?.children().find(|e| e.name() == part)?;
                Some((of.attribute("value")?, of.attribute("unit").unwrap_or("1")))
            };
            let code = pharmacy(ingredient, "ingredientSubstance")
                .chain(pharmacy(ingredient, "ingredient"))
                .find_map(|substance| pharmacy(substance, "code").next())
                .map_or(Coded { code: "", system: "", display: "" }, Coded::of);
            Substance { code, numerator: amount("numerator"), denominator: amount("denominator") }
        })
    }

    /// Strength for people: `18 ug/1`, several substances joined by ` + `; empty when not given.
    pub fn strength(self) -> String {
        let one = |substance: Substance<'_>| {
            let (amount, unit) = substance.numerator?;
            let (per, per_unit) = substance.denominator.unwrap_or(("1", "1"));
            Some(match (per, per_unit) {
                ("1", "1") => format!("{amount} {unit}/1"),
                ("1", _) => format!("{amount} {unit}/{per_unit}"),
                _ => format!("{amount} {unit}/{per} {per_unit}"),
            })
        };
        self.substances().filter_map(one).collect::<Vec<_>>().join(" + ")
    }

    /// Pharmaceutical dose form (EDQM).
    pub fn form(self) -> Option<Coded<'d>> {
        pharmacy(self.0, "formCode").next().map(Coded::of)
    }
}

/// Children of the pharmacy extension, of either wave.
fn pharmacy<'d, 'a>(
    element: Element<'d, 'a>,
    name: &'static str,
) -> impl Iterator<Item = Element<'d, 'a>> {
    element
        .children()
        .filter(move |child| child.name() == name && PHARMACY.contains(&child.namespace()))
}
