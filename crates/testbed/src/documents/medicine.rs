//! Invented products of real substances.

use clinical::cda::ATC;
use trust::xml::Writer;

use super::{coded, system, templates};

/// A medicine. The product is invented; the codes are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Medicine {
    /// Invented product name.
    pub product: &'static str,
    /// ATC code of the substance.
    pub atc: &'static str,
    /// Substance (INN).
    pub substance: &'static str,
    /// Strength: (amount, UCUM unit) per (amount, UCUM unit).
    pub strength: [(&'static str, &'static str); 2],
    /// Dose form: EDQM code and name.
    pub form: (&'static str, &'static str),
    /// Route: EDQM code and name.
    pub route: (&'static str, &'static str),
    /// Hours between two doses.
    pub every_hours: &'static str,
    /// Units in a package.
    pub package: &'static str,
}

const TABLET: (&str, &str) = ("10219000", "Tablet");
const FILM_COATED: (&str, &str) = ("10221000", "Film-coated tablet");
const PROLONGED: (&str, &str) = ("10226000", "Prolonged-release tablet");
const NEBULISER: (&str, &str) = ("11101000", "Nebuliser solution");
const ORAL: (&str, &str) = ("20053000", "Oral use");
const INHALED: (&str, &str) = ("20020000", "Inhalation use");

/// The first four are the Danish patient's; ciprofloxacin is what must not meet theophylline.
pub static MEDICINES: [Medicine; 6] = [
    Medicine {
        product: "Tiovand Test",
        atc: "R03BB04",
        substance: "tiotropium bromide",
        strength: [("18", "ug"), ("1", "1")],
        form: ("11110000", "Inhalation powder, hard capsule"),
        route: INHALED,
        every_hours: "24",
        package: "30",
    },
    Medicine {
        product: "Salbuluft Test",
        atc: "R03AC02",
        substance: "salbutamol",
        strength: [("2.5", "mg"), ("2.5", "mL")],
        form: NEBULISER,
        route: INHALED,
        every_hours: "6",
        package: "60",
    },
    Medicine {
        product: "Teofyldepot Test",
        atc: "R03DA04",
        substance: "theophylline",
        strength: [("300", "mg"), ("1", "1")],
        form: PROLONGED,
        route: ORAL,
        every_hours: "12",
        package: "100",
    },
    Medicine {
        product: "Prednibrug Test",
        atc: "H02AB06",
        substance: "prednisolone",
        strength: [("5", "mg"), ("1", "1")],
        form: TABLET,
        route: ORAL,
        every_hours: "24",
        package: "25",
    },
    Medicine {
        product: "Ciproprova Test",
        atc: "J01MA02",
        substance: "ciprofloxacin",
        strength: [("500", "mg"), ("1", "1")],
        form: FILM_COATED,
        route: ORAL,
        every_hours: "12",
        package: "10",
    },
    Medicine {
        product: "Amoxiprova Test",
        atc: "J01CA04",
        substance: "amoxicillin",
        strength: [("500", "mg"), ("1", "1")],
        form: FILM_COATED,
        route: ORAL,
        every_hours: "8",
        package: "20",
    },
];

/// The medicine with this ATC code.
///
/// # Panics
/// When the world has none: the caller named it in the source.
pub fn medicine(atc: &str) -> &'static Medicine {
    MEDICINES
        .iter()
        .find(|medicine| medicine.atc == atc)
        .expect("because the caller names a medicine of the table")
}

impl Medicine {
    /// `Teofyldepot Test (theophylline 300 mg/1), every 12 h`.
    pub fn sentence(&self) -> String {
        let [(amount, unit), (per, per_unit)] = self.strength;
        let per = match (per, per_unit) {
            ("1", "1") => String::new(),
            _ => format!("/{per} {per_unit}"),
        };
        format!(
            "{} ({} {amount} {unit}{per}), {}, every {} h",
            self.product, self.substance, self.form.1, self.every_hours
        )
    }
}

/// A taking of the medicine from the start of `entry` to its `consumable`.
pub(super) fn administration(
    w: &mut Writer,
    medicine: &Medicine,
    template: &str,
    id: (&str, &str),
    reference: &str,
) {
    w.open("substanceAdministration", &[("classCode", "SBADM"), ("moodCode", "INT")]);
    templates(w, &["2.16.840.1.113883.10.20.1.24", template, "1.3.6.1.4.1.19376.1.5.3.1.4.7.1"]);
    w.empty("id", &[("root", id.0), ("extension", id.1)]);
    coded(w, "code", "DRUG", system::ACT_CODE, "Drug therapy");
    text_reference(w, reference);
    w.empty("statusCode", &[("code", "active")]);
    w.open("effectiveTime", &[("xsi:type", "IVL_TS")]);
    w.empty("low", &[("value", "20260901")]);
    w.empty("high", &[("nullFlavor", "UNK")]);
    w.close();
    w.open("effectiveTime", &[("xsi:type", "PIVL_TS"), ("institutionSpecified", "true")]);
    w.empty("period", &[("value", medicine.every_hours), ("unit", "h")]);
    w.close();
    coded(w, "routeCode", medicine.route.0, system::EDQM, medicine.route.1);
    w.open("doseQuantity", &[]);
    w.empty("low", &[("value", "1"), ("unit", "1")]);
    w.empty("high", &[("value", "1"), ("unit", "1")]);
    w.close();
    w.open("consumable", &[("typeCode", "CSM")]);
    product(w, medicine);
    w.close();
}

/// `text/reference` to a part of the narrative.
pub(super) fn text_reference(w: &mut Writer, reference: &str) {
    w.open("text", &[]);
    w.empty("reference", &[("value", reference)]);
    w.close();
}

/// `manufacturedProduct` with form, package and strength.
pub(super) fn product(w: &mut Writer, medicine: &Medicine) {
    w.open("manufacturedProduct", &[("classCode", "MANU")]);
    templates(w, &["1.3.6.1.4.1.12559.11.10.1.3.1.3.29"]);
    w.open("manufacturedMaterial", &[("classCode", "MMAT"), ("determinerCode", "KIND")]);
    templates(w, &["1.3.6.1.4.1.12559.11.10.1.3.1.3.30"]);
    w.leaf("name", &[], medicine.product);
    coded(w, "pharm:formCode", medicine.form.0, system::EDQM, medicine.form.1);
    w.open("pharm:asContent", &[("classCode", "CONT")]);
    w.empty("pharm:quantity", &[("xsi:type", "PQ"), ("value", medicine.package), ("unit", "1")]);
    w.open("pharm:containerPackagedProduct", &[("classCode", "CONT"), ("determinerCode", "KIND")]);
    coded(w, "pharm:formCode", "30009000", system::EDQM, "Box");
    w.close();
    w.close();
    w.open("pharm:asSpecializedKind", &[("classCode", "GRIC")]);
    w.open("pharm:generalizedMaterialKind", &[("classCode", "MMAT"), ("determinerCode", "KIND")]);
    coded(w, "pharm:code", medicine.atc, ATC, medicine.substance);
    w.close();
    w.close();
    ingredient(w, medicine);
    w.close();
    w.close();
}

fn ingredient(w: &mut Writer, medicine: &Medicine) {
    let [(amount, unit), (per, per_unit)] = medicine.strength;
    w.open("pharm:ingredient", &[("classCode", "ACTI")]);
    w.open("pharm:quantity", &[]);
    w.empty("numerator", &[("xsi:type", "PQ"), ("value", amount), ("unit", unit)]);
    w.empty("denominator", &[("xsi:type", "PQ"), ("value", per), ("unit", per_unit)]);
    w.close();
    w.open("pharm:ingredientSubstance", &[("classCode", "MMAT"), ("determinerCode", "KIND")]);
    coded(w, "pharm:code", medicine.atc, ATC, medicine.substance);
    w.leaf("pharm:name", &[], medicine.substance);
    w.close();
    w.close();
}
