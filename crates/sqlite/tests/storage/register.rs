//! The register of professionals in a database.

use identity::register::conformance::{self, doctor, pharmacist};
use identity::register::{Entry, Register as _};
use sqlite::Professionals;

#[test]
fn the_register_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    conformance::run(&mut |entries| {
        let register = Professionals::open(&folder.path().join("register.db")).unwrap();
        register.replace(entries.to_vec()).unwrap();
        Box::new(register)
    })
    .unwrap();
}

#[test]
fn a_register_that_is_half_wrong_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("register.db");
    let register = Professionals::open(&path).unwrap();
    register.replace(vec![doctor()]).unwrap();
    let twice = vec![pharmacist(), Entry { suspended: true, ..pharmacist() }];
    assert!(register.replace(twice).is_err(), "one person, two entries");
    assert!(register.find(&pharmacist().person).unwrap().is_none());
    register.close();
    let register = Professionals::open(&path).unwrap();
    assert!(register.find(&doctor().person).unwrap() == Some(doctor()), "also after a restart");
}
