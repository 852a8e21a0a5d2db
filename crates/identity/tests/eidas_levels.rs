//! Answers of a national identity provider that states quality levels of STORK, read to the end.

mod eidas_world;

use eidas_world::World;
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::response::{Expectation, Levels, verify};
use identity::replay::Spent;

const ATTRIBUTE: &str = "http://www.stork.gov.eu/1.0/citizenQAALevel";

/// An answer whose assertion says `context`, and beside the person `values` of the attribute.
fn answer(world: &World, context: &str, values: &[&str]) -> String {
    let values: String = values
        .iter()
        .map(|value| format!("<saml2:AttributeValue>{value}</saml2:AttributeValue>"))
        .collect();
    let attribute = format!("<saml2:Attribute Name=\"{ATTRIBUTE}\">{values}</saml2:Attribute>");
    let attribute = if values.is_empty() { String::new() } else { attribute };
    world.changed(
        |outside| outside,
        |inside| {
            let end = "</saml2:AttributeStatement>";
            inside
                .replace(Assurance::High.uri(), context)
                .replace(end, &format!("{attribute}{end}"))
        },
    )
}

fn read(world: &World, text: &str, levels: Levels) -> Result<Assurance, EidasError> {
    let expected = Expectation { levels, ..world.expectation() };
    let identified = verify(text, &expected, &world.key(), &Spent::default())?;
    assert_eq!(identified.person().family.latin, "Opdigtet");
    Ok(identified.assurance())
}

#[test]
fn a_level_of_stork_is_worth_one_of_eidas_and_is_held_against_what_was_asked() {
    let world = World::new(false);
    let unspecified = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";
    let in_context = |n: u8| format!("{ATTRIBUTE}/{n}");
    let rule = |name| Err(EidasError::Rule(name));
    // level substantial was asked
    for (context, values, expected) in [
        (unspecified, &["4"][..], Ok(Assurance::High)),
        (unspecified, &["3"], Ok(Assurance::Substantial)),
        (&in_context(4), &[], Ok(Assurance::High)),
        ("STORK-QAA-Level-3", &[], Ok(Assurance::Substantial)),
        (unspecified, &["2"], rule("response.level")),
        (unspecified, &["1"], rule("response.level-known")),
        (unspecified, &["5"], rule("response.level-known")),
        (unspecified, &["high"], rule("response.level-known")),
        (unspecified, &["4", "4"], rule("response.level-known")),
        (unspecified, &[], rule("response.level-known")),
        (&in_context(4), &["3"], rule("response.level-known")),
        (Assurance::High.uri(), &[], rule("response.level-known")),
    ] {
        let text = answer(&world, context, values);
        assert_eq!(read(&world, &text, Levels::Stork), expected, "{context} {values:?}");
    }
}

#[test]
fn nobody_else_may_say_levels_of_stork() {
    let world = World::new(false);
    let text = answer(&world, &format!("{ATTRIBUTE}/4"), &["4"]);
    let refused = Err(EidasError::Rule("response.level-known"));
    assert_eq!(read(&world, &text, Levels::Eidas), refused);
    let text = answer(&world, Assurance::Substantial.uri(), &["4"]);
    assert_eq!(
        read(&world, &text, Levels::Eidas),
        Ok(Assurance::Substantial),
        "the attribute says nothing"
    );
}

#[test]
fn a_level_of_stork_is_believed_up_to_what_is_certified() {
    let world = World::new(false);
    let text = answer(&world, "STORK-QAA-Level-4", &[]);
    let expected = Expectation {
        levels: Levels::Stork,
        certified: Assurance::Substantial,
        ..world.expectation()
    };
    let verdict = verify(&text, &expected, &world.key(), &Spent::default()).map(|_| ());
    assert_eq!(verdict, Err(EidasError::Rule("response.level-certified")));
}
