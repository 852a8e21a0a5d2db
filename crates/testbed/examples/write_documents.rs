//! Writes one of each document of the world into a directory, for foreign validators, and each
//! country's import directory below `import/`:
//! `cargo run -p testbed --example write_documents DIR`.

use std::path::PathBuf;

use exchange::DocumentClass;
use testbed::documents::{self, Header, Prescription, medicine, pdf};
use testbed::seed;
use testbed::world::{AGNETE, BIRTHE, Clinician, JORDI, LANDS};

fn main() -> std::io::Result<()> {
    let dir = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "documents".to_owned()));
    std::fs::create_dir_all(&dir)?;
    let created = jiff::Timestamp::from_second(1_795_000_000).expect("because it is a time");
    let header = |author: &'static Clinician, root, extension, source| Header {
        patient: &AGNETE,
        author,
        id: (root, extension),
        source,
        created,
    };
    let summary = header(&BIRTHE, "2.999.208.1", "PS-1", Some("PS-1.pdf"));
    let medicines = [medicine("H02AB06"), medicine("R03AC02")];
    let order = Prescription { number: "RX-1", medicines: &medicines };
    let eprescription = header(&BIRTHE, "2.999.208.1", "EP-1", None);
    let edispensation = header(&JORDI, "2.999.724.1", "ED-1", None);
    let lines = ["Patient Summary", "Invented, for tests"];
    let wrapped = header(&BIRTHE, "2.999.208.1", "PS-1.pdf", None);
    for (name, text) in [
        ("patient-summary.xml", documents::patient_summary(&summary)),
        ("patient-summary-100k.xml", documents::padded_summary(&summary, 100_000)),
        ("eprescription.xml", documents::prescription(&eprescription, &order)),
        (
            "edispensation.xml",
            documents::dispensation(&edispensation, ("2.999.208.1", "RX-1"), medicines[0]),
        ),
        (
            "patient-summary-level-1.xml",
            documents::wrapped_pdf(&wrapped, DocumentClass::PatientSummary, &lines),
        ),
        (
            "discharge-report-level-1.xml",
            documents::wrapped_pdf(&wrapped, DocumentClass::DischargeReport, &lines),
        ),
    ] {
        std::fs::write(dir.join(name), text)?;
    }
    for land in &LANDS {
        let country = land.country();
        seed::write_import(&dir.join("import").join(country.to_lower()), country)?;
    }
    std::fs::write(dir.join("page.pdf"), pdf::page(&lines))
}
