//! What every register must do. An adapter's test calls [`run`] with a way to make one.

use exchange::RoleCode;
use jiff::civil::date;

use super::{Entry, Facility, PersonKey, Register, RegisterError};

/// Runs all of it; panics where the register breaks a promise. `make` fills an adapter with
/// exactly these entries.
pub fn run(make: &mut dyn FnMut(&[Entry]) -> Box<dyn Register>) -> Result<(), RegisterError> {
    let empty = make(&[]);
    assert!(empty.find(&doctor().person)?.is_none(), "an empty register knows nobody");
    drop(empty);
    let mut entries = vec![doctor(), pharmacist()];
    for (place, facility) in Facility::ALL.into_iter().enumerate() {
        let person = PersonKey::parse(&format!("IT/{place}")).expect("because it is one");
        entries.push(Entry { person, facility, ..doctor() });
    }
    let register = make(&entries);
    for entry in &entries {
        let found = register.find(&entry.person)?;
        assert!(found.as_ref() == Some(entry), "every column comes back");
    }
    for other in ["ES/7", "DK/02635542Y", "ES/02635542y", "ES/02635542Y ", "ES/%"] {
        let (country, value) = other.split_once('/').expect("because it has one");
        let country = exchange::Country::parse(country).expect("because it is one");
        let who = PersonKey { country, value: value.to_owned() };
        assert!(register.find(&who)?.is_none(), "numbers are compared as they stand: {other}");
    }
    drop(register);
    let changed = Entry { suspended: true, ..doctor() };
    let register = make(std::slice::from_ref(&changed));
    assert!(register.find(&doctor().person)? == Some(changed), "the new entry counts");
    assert!(register.find(&pharmacist().person)?.is_none(), "who left is gone");
    Ok(())
}

/// A doctor with every column filled.
pub fn doctor() -> Entry {
    Entry {
        person: PersonKey::parse("ES/02635542Y").expect("because it is one"),
        number: "ES-MED-0081".into(),
        family: "Inventada Roca".into(),
        given: "Montserrat".into(),
        birth: Some(date(1970, 2, 28)),
        role: RoleCode::DOCTOR,
        organization: "Hospital Inventat del Mar".into(),
        organization_id: "urn:hl7ii:2.16.724.4.9:H-0801".into(),
        locality: "Barcelona, Urgències".into(),
        facility: Facility::Hospital,
        from: Some(date(1999, 1, 1)),
        until: Some(date(2030, 12, 31)),
        suspended: false,
    }
}

/// A pharmacist with as few columns as a register may know.
pub fn pharmacist() -> Entry {
    Entry {
        person: PersonKey::parse("ES/11111111H").expect("because it is one"),
        number: "ES-FAR-0442".into(),
        family: "Fictici Vila".into(),
        given: "Jordi".into(),
        birth: None,
        role: RoleCode::PHARMACIST,
        organization: "Farmàcia Inventada".into(),
        organization_id: "urn:oid:2.16.724.4.9.817".into(),
        locality: "Farmàcia Inventada".into(),
        facility: Facility::Pharmacy,
        from: None,
        until: None,
        suspended: false,
    }
}
