//! ePrescription (template 1.3.6.1.4.1.12559.11.10.1.3.1.1.1).

use exchange::DocumentClass;
use trust::xml::Writer;

use super::{Header, Prescription, coded, header, medicine, open_section, system};

pub(super) fn write(header: &Header<'_>, prescription: &Prescription<'_>) -> String {
    let mut w = Writer::new();
    header::open(&mut w, header, DocumentClass::EPrescription, &[]);
    w.open("component", &[]);
    w.open("structuredBody", &[]);
    open_section(
        &mut w,
        "1.3.6.1.4.1.12559.11.10.1.3.1.2.1",
        (header.id.0, prescription.number),
        ("57828-6", "Prescriptions"),
        |w| {
            for (n, medicine) in (1..).zip(prescription.medicines) {
                w.leaf("paragraph", &[("ID", &format!("item-{n}"))], &medicine.sentence());
            }
        },
    );
    for (n, medicine) in (1..).zip(prescription.medicines) {
        w.open("entry", &[("typeCode", "COMP")]);
        let item = format!("{}.{n}", prescription.number);
        medicine::administration(
            &mut w,
            medicine,
            "1.3.6.1.4.1.12559.11.10.1.3.1.3.2",
            (header.id.0, &item),
            &format!("#item-{n}"),
        );
        supply(&mut w);
        substitution(&mut w);
        w.close();
        w.close();
    }
    for _ in 0..4 {
        w.close();
    }
    header::close(w)
}

/// One package is to be supplied.
fn supply(w: &mut Writer) {
    w.open("entryRelationship", &[("typeCode", "COMP")]);
    w.open("supply", &[("classCode", "SPLY"), ("moodCode", "RQO")]);
    w.empty("independentInd", &[("value", "false")]);
    w.empty("quantity", &[("value", "1"), ("unit", "1")]);
    w.close();
    w.close();
}

/// Generic substitution is allowed.
fn substitution(w: &mut Writer) {
    w.open("entryRelationship", &[("typeCode", "SUBJ"), ("inversionInd", "true")]);
    w.open("observation", &[("classCode", "OBS"), ("moodCode", "EVN")]);
    coded(w, "code", "SUBST", system::ACT_CLASS, "Substitution");
    w.empty(
        "value",
        &[
            ("xsi:type", "CE"),
            ("code", "G"),
            ("codeSystem", system::SUBSTITUTION),
            ("displayName", "generic"),
        ],
    );
    w.close();
    w.close();
}
