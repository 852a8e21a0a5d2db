use jiff::civil::date;

use super::*;
use crate::eidas::person::Scripted;

const CPR: &str = "1.2.208.176.1.2";
const FISCAL: &str = "2.16.840.1.113883.2.9.4.3.2";

fn person(identifier: &str) -> Person {
    let identifier = PersonIdentifier::parse(identifier).unwrap();
    let mut person = Person::new(identifier, "Havgaard-Test", "Agnete", date(1953, 2, 14));
    person.more.insert("Gender", Scripted::latin("Female"));
    person
}

fn mask(country: &str, inside: &str) -> SearchMask {
    SearchMask::parse(&format!(
        "<m:searchFields xmlns:m='http://ec.europa.eu/sante/ehncp/ism'>\
         <m:country code='{country}'>{inside}</m:country></m:searchFields>"
    ))
    .unwrap()
}

fn number_mask(root: &str, format: &str) -> String {
    format!(
        "<m:patientSearch><m:identifier><m:id domain='{root}' format='{format}' mandatory='true'/>\
         </m:identifier></m:patientSearch>"
    )
}

fn named() -> &'static str {
    "<m:patientSearch><m:textField label='label.ism.surname' mandatory='true'/>\
     <m:textField label='label.ism.givenName'/><m:birthDate mandatory='true'/></m:patientSearch>"
}

fn oid(text: &str) -> Oid {
    Oid::parse(text).unwrap()
}

fn table() -> Table {
    let row =
        |country: &str, ways, mask| Rule { country: Country::parse(country).unwrap(), ways, mask };
    let italy = format!("{}{}", number_mask(FISCAL, "[A-Z]{6}[0-9A-Z]{10}"), named());
    Table::new(vec![
        row(
            "DK",
            vec![Way::Stated { root: oid(CPR) }, Way::Demographics],
            Some(mask("DK", &number_mask(CPR, r"\d{6}-?\d{4}"))),
        ),
        row(
            "IT",
            vec![Way::Identifier { root: oid(FISCAL) }, Way::Demographics],
            Some(mask("IT", &italy)),
        ),
        row("ES", vec![Way::Identifier { root: oid("1.3.6.1.4.1.19126.3") }], None),
        row("SE", vec![Way::Demographics], None),
    ])
    .unwrap()
}

fn cx(traits: &Traits) -> Vec<String> {
    traits.ids.iter().map(PatientId::cx).collect()
}

#[test]
fn a_danish_identifier_is_never_sent_as_a_patient_number() {
    // ten digits, so that it would pass for one
    let person = person("DK/ES/7402539902");
    let refusal = table().candidate(&person, None).map(|_| ()).unwrap_err();
    assert_eq!(refusal.code, Code::ErrorPiMissingRequiredFields);
    let found = table().candidate(&person, Some(" 140253-9902 ")).ok().unwrap();
    assert_eq!(cx(&found.traits), ["140253-9902^^^&1.2.208.176.1.2&ISO"]);
    assert!(found.traits.family.is_empty() && found.traits.birth.is_none(), "nothing unasked");
    let refusal = table().candidate(&person, Some("1402539")).map(|_| ()).unwrap_err();
    assert_eq!(refusal.code, Code::ErrorPiIncorrectFormatting);
}

#[test]
fn the_first_way_that_the_mask_admits_is_asked() {
    let by_number = table().candidate(&person("IT/DK/FNTRLL48E54H501Q"), None).ok().unwrap();
    assert_eq!(cx(&by_number.traits), [format!("FNTRLL48E54H501Q^^^&{FISCAL}&ISO")]);
    let by_name = table().candidate(&person("IT/DK/a-pseudonym"), None).ok().unwrap();
    assert!(by_name.traits.ids.is_empty());
    assert_eq!(by_name.traits.family, "Havgaard-Test");
    assert_eq!(by_name.traits.birth, Some(date(1953, 2, 14)));
    assert!(by_name.traits.sex.is_empty(), "sex is not asked for");
}

#[test]
fn without_a_mask_numbers_go_and_names_stay() {
    let spain = table().candidate(&person("ES/DK/BBBB"), None).ok().unwrap();
    assert_eq!(cx(&spain.traits), ["BBBB^^^&1.3.6.1.4.1.19126.3&ISO"]);
    assert!(spain.traits.family.is_empty());
    let refusal = table().candidate(&person("SE/DK/1"), None).map(|_| ()).unwrap_err();
    assert_eq!(refusal.code, Code::ErrorPiMissingRequiredFields);
    let refusal = table().candidate(&person("FR/DK/1"), None).map(|_| ()).unwrap_err();
    assert_eq!(refusal.code, Code::ErrorGenericServiceSignifierUnknown);
}

#[test]
fn who_acts_with_a_mandate_is_never_taken_for_the_patient() {
    let mut patient = person("IT/DK/FNTRLL48E54H501Q");
    let son = PersonIdentifier::parse("IT/DK/FNTRLL80A01H501X").unwrap();
    let mut acts = Person::new(son.clone(), "Inventato", "Raul", date(1980, 1, 1));
    acts.more.insert("Gender", Scripted::latin("Male"));
    patient.representative = Some(Box::new(acts.clone()));
    let found = table().candidate(&patient, None).ok().unwrap();
    assert_eq!(cx(&found.traits), [format!("FNTRLL48E54H501Q^^^&{FISCAL}&ISO")]);
    let acting = found.acting.unwrap();
    assert!(acting.identifier == son && acting.kin.family == "Inventato");
    assert_eq!(
        (acting.kin.gender.as_str(), acting.kin.id.as_str()),
        ("M", "IT/DK/FNTRLL80A01H501X")
    );
    patient.identifier = PersonIdentifier::parse("IT/DK/a-pseudonym").unwrap();
    let by_name = table().candidate(&patient, None).ok().unwrap();
    assert_eq!(by_name.traits.family, "Havgaard-Test");

    let mut himself = acts.clone();
    himself.representative = Some(Box::new(acts.clone()));
    let mut chain = patient.clone();
    chain.representative =
        Some(Box::new(Person { representative: Some(Box::new(acts)), ..patient.clone() }));
    for unclear in [himself, chain] {
        let refusal = table().candidate(&unclear, None).map(|_| ()).unwrap_err();
        assert_eq!(refusal.code, Code::ErrorPolicyViolation);
    }
}

#[test]
fn the_answer_is_compared_with_the_login() {
    let person = person("DK/ES/1");
    for (family, given, birth, same) in [
        ("HAVGAARD TEST", "Agnete Marie", "19530214", true),
        ("Havgård-Test", "AGNETE", "19530214000000", true),
        ("Havgaard-Test", "Agnete", "19530215", false),
        ("Havgaard", "Agnete", "19530214", false),
        ("Havgaard-Test", "Marie", "19530214", false),
        ("Havgaard-Test", "Agnete", "1953", false),
        ("", "", "", false),
    ] {
        assert_eq!(same_patient(&person, family, given, birth), same, "{family} {given} {birth}");
    }
}

#[test]
fn tables_that_contradict_themselves_are_refused() {
    let country = Country::parse("DK").unwrap();
    let rule = |ways, mask| Rule { country, ways, mask };
    let good = rule(vec![Way::Demographics], None);
    assert!(Table::new(vec![good.clone()]).is_ok());
    assert!(Table::new(vec![good.clone(), good]).is_err(), "a country twice");
    assert!(Table::new(vec![rule(Vec::new(), None)]).is_err(), "no way");
    let foreign = Some(mask("IT", named()));
    assert!(Table::new(vec![rule(vec![Way::Demographics], foreign)]).is_err(), "a foreign mask");
}
