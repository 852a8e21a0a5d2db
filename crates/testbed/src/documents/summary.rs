//! Patient Summary (template 1.3.6.1.4.1.12559.11.10.1.3.1.1.3) of a patient with COPD.

use exchange::DocumentClass;
use trust::xml::Writer;

use super::medicine::{self, MEDICINES, text_reference};
use super::{Header, coded, header, open_section, system, templates};

/// `padding` bytes of narrative are added to the problem list, for benchmarks.
pub(super) fn write(header: &Header<'_>, padding: usize) -> String {
    let mut w = Writer::new();
    header::open(&mut w, header, DocumentClass::PatientSummary, &[]);
    w.open("component", &[]);
    w.open("structuredBody", &[]);
    let ids: Vec<String> = (1..=5).map(|n| format!("{}.{n}", header.id.1)).collect();
    let id = |n: usize| (header.id.0, ids[n].as_str());
    medication(&mut w, id(0));
    allergies(&mut w, id(1));
    procedures(&mut w, id(2));
    problems(&mut w, id(3), padding);
    devices(&mut w, id(4));
    w.close();
    w.close();
    header::close(w)
}

fn medication(w: &mut Writer, id: (&str, &str)) {
    let taken = &MEDICINES[..3];
    open_section(
        w,
        "1.3.6.1.4.1.12559.11.10.1.3.1.2.3",
        id,
        ("10160-0", "History of medication use"),
        |w| {
            for (n, medicine) in (1..).zip(taken) {
                w.leaf("paragraph", &[("ID", &format!("med-{n}"))], &medicine.sentence());
            }
        },
    );
    for (n, medicine) in (1..).zip(taken) {
        w.open("entry", &[]);
        let item = format!("{}.{n}", id.1);
        medicine::administration(
            w,
            medicine,
            "1.3.6.1.4.1.12559.11.10.1.3.1.3.4",
            (id.0, &item),
            &format!("#med-{n}"),
        );
        w.close();
        w.close();
    }
    w.close();
    w.close();
}

fn allergies(w: &mut Writer, id: (&str, &str)) {
    open_section(
        w,
        "1.3.6.1.4.1.12559.11.10.1.3.1.2.12",
        id,
        ("48765-2", "Allergies and adverse reactions"),
        |w| w.leaf("paragraph", &[("ID", "all-1")], "Penicillin: urticaria, since 1989"),
    );
    open_concern(w, "1.3.6.1.4.1.12559.11.10.1.3.1.3.16", id);
    open_observation(w, "1.3.6.1.4.1.12559.11.10.1.3.1.3.17", id);
    coded(w, "code", "416098002", system::SNOMED, "Allergy to drug");
    text_reference(w, "#all-1");
    w.empty("statusCode", &[("code", "completed")]);
    since(w, "1989");
    w.open("participant", &[("typeCode", "CSM")]);
    w.open("participantRole", &[("classCode", "MANU")]);
    w.open("playingEntity", &[("classCode", "MMAT")]);
    coded(w, "code", "764146007", system::SNOMED, "Penicillin");
    for _ in 0..3 {
        w.close();
    }
    w.open("entryRelationship", &[("typeCode", "MFST")]);
    open_observation(w, "1.3.6.1.4.1.12559.11.10.1.3.1.3.44", (id.0, "reaction"));
    coded(w, "code", "418799008", system::SNOMED, "Finding reported by subject");
    text_reference(w, "#all-1");
    w.empty("statusCode", &[("code", "completed")]);
    since(w, "1989");
    value(w, "126485001", system::SNOMED, "Urticaria");
    for _ in 0..8 {
        w.close();
    }
}

fn procedures(w: &mut Writer, id: (&str, &str)) {
    open_section(
        w,
        "1.3.6.1.4.1.12559.11.10.1.3.1.2.11",
        id,
        ("47519-4", "History of procedures"),
        |w| w.leaf("paragraph", &[("ID", "pro-1")], "Appendectomy, 1974-06-02"),
    );
    w.open("entry", &[]);
    w.open("procedure", &[("classCode", "PROC"), ("moodCode", "EVN")]);
    templates(w, &["1.3.6.1.4.1.12559.11.10.1.3.1.3.26"]);
    w.empty("id", &[("root", id.0), ("extension", &format!("{}.1", id.1))]);
    coded(w, "code", "80146002", system::SNOMED, "Appendectomy");
    text_reference(w, "#pro-1");
    w.empty("statusCode", &[("code", "completed")]);
    w.empty("effectiveTime", &[("value", "19740602")]);
    for _ in 0..4 {
        w.close();
    }
}

/// (ICD-10 code, name, since)
const PROBLEMS: [(&str, &str, &str); 3] = [
    ("J44", "Other chronic obstructive pulmonary disease", "20110418"),
    ("I10", "Essential (primary) hypertension", "20080122"),
    ("M81", "Osteoporosis without current pathological fracture", "20190903"),
];

fn problems(w: &mut Writer, id: (&str, &str), padding: usize) {
    open_section(w, "1.3.6.1.4.1.12559.11.10.1.3.1.2.9", id, ("11450-4", "Problem list"), |w| {
        for (n, (code, name, start)) in (1..).zip(PROBLEMS) {
            let line = format!("{name} ({code}), since {start}");
            w.leaf("paragraph", &[("ID", &format!("problem-{n}"))], &line);
        }
        pad(w, padding);
    });
    for (n, (code, name, start)) in (1..).zip(PROBLEMS) {
        let (concern, reference) = (format!("{}.{n}", id.1), format!("#problem-{n}"));
        open_concern(w, "1.3.6.1.4.1.12559.11.10.1.3.1.3.15", (id.0, &concern));
        open_observation(w, "1.3.6.1.4.1.12559.11.10.1.3.1.3.7", (id.0, &concern));
        coded(w, "code", "64572001", system::SNOMED, "Condition");
        text_reference(w, &reference);
        w.empty("statusCode", &[("code", "completed")]);
        since(w, start);
        value(w, code, system::ICD10, name);
        for _ in 0..4 {
            w.close();
        }
    }
    w.close();
    w.close();
}

fn devices(w: &mut Writer, id: (&str, &str)) {
    open_section(
        w,
        "1.3.6.1.4.1.12559.11.10.1.3.1.2.4",
        id,
        ("46264-8", "History of medical device use"),
        |w| w.leaf("paragraph", &[("ID", "dev-1")], "Cardiac pacemaker, since 2021-02-11"),
    );
    w.open("entry", &[]);
    w.open("supply", &[("classCode", "SPLY"), ("moodCode", "EVN")]);
    templates(w, &["1.3.6.1.4.1.12559.11.10.1.3.1.3.5"]);
    w.empty("id", &[("root", id.0), ("extension", &format!("{}.1", id.1))]);
    text_reference(w, "#dev-1");
    w.open("effectiveTime", &[("xsi:type", "IVL_TS")]);
    w.empty("low", &[("value", "20210211")]);
    w.close();
    w.open("participant", &[("typeCode", "DEV")]);
    w.open("participantRole", &[("classCode", "MANU")]);
    w.open("playingDevice", &[("classCode", "DEV"), ("determinerCode", "INSTANCE")]);
    coded(w, "code", "14106009", system::SNOMED, "Cardiac pacemaker");
    for _ in 0..7 {
        w.close();
    }
}

/// `entry/act` of a concern and the relationship to what is of concern.
fn open_concern(w: &mut Writer, template: &str, id: (&str, &str)) {
    w.open("entry", &[]);
    w.open("act", &[("classCode", "ACT"), ("moodCode", "EVN")]);
    templates(w, &[template]);
    w.empty("id", &[("root", id.0), ("extension", &format!("{}.concern", id.1))]);
    coded(w, "code", "CONC", system::ACT_CLASS, "Concern");
    w.empty("statusCode", &[("code", "active")]);
    w.open("effectiveTime", &[]);
    w.empty("low", &[("nullFlavor", "UNK")]);
    w.close();
    w.open("entryRelationship", &[("typeCode", "SUBJ"), ("inversionInd", "false")]);
}

fn open_observation(w: &mut Writer, template: &str, id: (&str, &str)) {
    w.open("observation", &[("classCode", "OBS"), ("moodCode", "EVN")]);
    templates(w, &[template]);
    w.empty("id", &[("root", id.0), ("extension", &format!("{}.observation", id.1))]);
}

fn since(w: &mut Writer, start: &str) {
    w.open("effectiveTime", &[]);
    w.empty("low", &[("value", start)]);
    w.close();
}

fn value(w: &mut Writer, code: &str, system: &str, display: &str) {
    w.empty(
        "value",
        &[("xsi:type", "CD"), ("code", code), ("codeSystem", system), ("displayName", display)],
    );
}

/// Narrative that says nothing, for documents of a given size.
fn pad(w: &mut Writer, padding: usize) {
    const LINE: &str = "Control visit at the invented clinic: spirometry unchanged, inhaler \
        technique reviewed, no exacerbation since the last visit, next visit in six months.";
    let lines = padding.div_ceil(LINE.len() + "<paragraph></paragraph>".len());
    for _ in 0..lines {
        w.leaf("paragraph", &[], LINE);
    }
}
