//! eDispensation (template 1.3.6.1.4.1.12559.11.10.1.3.1.1.2).

use exchange::DocumentClass;
use trust::xml::Writer;

use super::{Header, Medicine, coded, header, medicine, moment, open_section, system, templates};

pub(super) fn write(header: &Header<'_>, order: (&str, &str), dispensed: &Medicine) -> String {
    let mut w = Writer::new();
    header::open(&mut w, header, DocumentClass::EDispensation, &[order]);
    w.open("component", &[]);
    w.open("structuredBody", &[]);
    let section = format!("{}.1", header.id.1);
    open_section(
        &mut w,
        "1.3.6.1.4.1.12559.11.10.1.3.1.2.2",
        (header.id.0, &section),
        ("60590-7", "Medication dispensed"),
        |w| w.leaf("paragraph", &[("ID", "item-1")], &dispensed.sentence()),
    );
    w.open("entry", &[("typeCode", "COMP")]);
    supply(&mut w, header, order, dispensed);
    for _ in 0..5 {
        w.close();
    }
    header::close(w)
}

fn supply(w: &mut Writer, header: &Header<'_>, order: (&str, &str), dispensed: &Medicine) {
    w.open("supply", &[("classCode", "SPLY"), ("moodCode", "EVN")]);
    templates(
        w,
        &[
            "1.3.6.1.4.1.12559.11.10.1.3.1.3.3",
            "1.3.6.1.4.1.19376.1.5.3.1.4.7.3",
            "2.16.840.1.113883.10.20.1.34",
        ],
    );
    let item = format!("{}.1.1", header.id.1);
    w.empty("id", &[("root", header.id.0), ("extension", &item)]);
    medicine::text_reference(w, "#item-1");
    w.empty("quantity", &[("value", "1"), ("unit", "1")]);
    w.open("product", &[]);
    medicine::product(w, dispensed);
    w.close();
    w.open("performer", &[("typeCode", "PRF")]);
    w.empty("time", &[("value", &moment(header.created))]);
    w.open("assignedEntity", &[("classCode", "ASSIGNED")]);
    header::assigned(w, header.author);
    w.close();
    w.close();
    fulfilled(w, order, dispensed);
    w.open("entryRelationship", &[("typeCode", "COMP")]);
    w.open("act", &[("classCode", "ACT"), ("moodCode", "EVN"), ("negationInd", "true")]);
    coded(w, "code", "SUBST", system::ACT_CLASS, "Substitution");
    w.close();
    w.close();
    w.close();
}

/// The item of the prescription that was dispensed.
fn fulfilled(w: &mut Writer, order: (&str, &str), prescribed: &Medicine) {
    w.open("entryRelationship", &[("typeCode", "REFR")]);
    w.open("substanceAdministration", &[("classCode", "SBADM"), ("moodCode", "INT")]);
    let item = format!("{}.1", order.1);
    w.empty("id", &[("root", order.0), ("extension", &item)]);
    w.open("consumable", &[("typeCode", "CSM")]);
    medicine::product(w, prescribed);
    w.close();
    w.close();
    w.close();
}
