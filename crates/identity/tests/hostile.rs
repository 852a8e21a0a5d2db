//! What an attacker sends: hostile variations of our own signed messages. Each is refused, so that
//! nothing of it reaches a reader, and the message that it was made of passes in the same set-up.

mod eidas_world;
#[path = "hostile/logins.rs"]
mod logins;
#[path = "hostile/shapes.rs"]
mod shapes;
#[path = "hostile/targets.rs"]
mod targets;

use std::collections::{BTreeMap, BTreeSet};

use eidas_world::World;
use shapes::Target;

#[test]
fn no_change_that_needs_no_key_is_read() {
    let (world, seal) = (World::new(false), targets::Seal::new());
    let targets: [Target<'_>; 5] = [
        targets::request(&world),
        targets::response(&world),
        targets::assertion(&world),
        targets::metadata(&world),
        targets::clinician(&seal),
    ];
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut distinct = BTreeSet::new();
    let mut read = Vec::new();
    for target in &targets {
        assert_eq!((target.judge)(&target.good), Ok(()), "{}: the control", target.kind);
        for case in shapes::all(target) {
            assert_ne!(case.text, target.good, "{}: {}", target.kind, case.name);
            match (target.judge)(&case.text) {
                Ok(()) => read.push(format!("{}: {}", target.kind, case.name)),
                Err(error) => assert!(!error.contains("EVIL"), "{error}"),
            }
            if distinct.insert(case.text) {
                *counts.entry((target.kind, case.family)).or_default() += 1;
            }
        }
        // and the attacks have not changed what passes
        assert_eq!((target.judge)(&target.good), Ok(()), "{}: the control", target.kind);
    }
    for ((kind, family), count) in &counts {
        println!("{kind:10} {family:12} {count:4} refused");
    }
    println!("{} distinct hostile texts, {} read", distinct.len(), read.len());
    assert!(read.is_empty(), "{read:#?}");
    assert!(distinct.len() >= 200);
}

#[test]
fn no_answer_to_another_question_is_read() {
    let world = World::new(false);
    let cases = logins::all(&world);
    let mut read = Vec::new();
    for case in &cases {
        match &case.verdict {
            Ok(()) => read.push(&case.name),
            Err(error) => assert!(!error.contains("EVIL") && !error.contains("Agnete"), "{error}"),
        }
    }
    println!("{} hostile logins, {} read", cases.len(), read.len());
    assert!(read.is_empty(), "{read:#?}");
    assert!(cases.len() >= 100);
    assert_eq!(world.verdict(&world.answer()), Ok(()));
}
