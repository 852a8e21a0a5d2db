use jiff::civil::date;

use super::*;

fn mask(inside: &str) -> Result<SearchMask, MaskError> {
    SearchMask::parse(&format!(
        "<m:searchFields xmlns:m='{ISM}'><m:country code='DK'>{inside}</m:country></m:searchFields>"
    ))
}

fn search(inside: &str) -> SearchMask {
    mask(&format!("<m:patientSearch scope='ALL'>{inside}</m:patientSearch>")).unwrap()
}

fn number(value: &str) -> Traits {
    Traits::number(PatientId::parse_cx(&format!("{value}&ISO")).unwrap())
}

fn named() -> Traits {
    let (family, given) = ("Havgaard".into(), "Agnete".into());
    Traits { family, given, sex: "F".into(), birth: Some(date(1953, 2, 14)), ids: Vec::new() }
}

const CPR: &str = "<m:identifier type='NORMAL'>\
    <m:id domain='1.2.208.176.1.2' format='^\\d{6}-?\\d{4}$' mandatory='true'/></m:identifier>";

#[test]
fn numbers_are_checked_by_authority_and_form() {
    let mask = search(CPR);
    for (value, verdict) in [
        ("7402539902^^^&1.2.208.176.1.2", Ok(())),
        ("740253-9902^^^&1.2.208.176.1.2", Ok(())),
        ("7402539902^^^&1.2.208.176.1.3", Err(MaskRefusal::Domain)),
        ("740253990^^^&1.2.208.176.1.2", Err(MaskRefusal::Format)),
        ("x7402539902^^^&1.2.208.176.1.2", Err(MaskRefusal::Format)),
        ("7402539902 ^^^&1.2.208.176.1.2", Err(MaskRefusal::Format)),
        ("٧٤٠٢٥٣٩٩٠٢^^^&1.2.208.176.1.2", Err(MaskRefusal::Format)),
    ] {
        assert_eq!(mask.check(&number(value)), verdict, "{value}");
        assert_eq!(mask.check_id(&number(value).ids[0]), verdict, "{value}");
    }
    assert_eq!(mask.check(&Traits::default()), Err(MaskRefusal::Missing("identifier")));
    assert_eq!(mask.check(&named()), Err(MaskRefusal::Missing("identifier")));
    let loose = search(&CPR.replace(['^', '$'], ""));
    let long = number("74025399021^^^&1.2.208.176.1.2");
    assert_eq!(loose.check(&long), Err(MaskRefusal::Format), "a format is about the whole number");
}

#[test]
fn what_is_not_asked_for_does_not_leave() {
    let mask = search(CPR);
    let both = Traits { ids: number("7402539902^^^&1.2.208.176.1.2").ids, ..named() };
    assert_eq!(mask.check(&both), Err(MaskRefusal::Unasked("family name")));
    let fit = mask.fit(&both).ok().unwrap();
    assert!(fit == number("7402539902^^^&1.2.208.176.1.2"));
    assert_eq!(mask.check(&fit), Ok(()));
    let foreign = Traits { ids: number("1^^^&1.2.3").ids, ..named() };
    assert_eq!(mask.fit(&foreign).err(), Some(MaskRefusal::Missing("identifier")));
    let wrong = Traits { ids: number("1^^^&1.2.208.176.1.2").ids, ..named() };
    assert_eq!(mask.fit(&wrong).err(), Some(MaskRefusal::Format));
}

#[test]
fn each_mandatory_field_is_demanded_and_each_other_one_is_not() {
    let fields = |must: &str| {
        format!(
            "<m:textField label='label.ism.familyName' mandatory='{must}'/>\
             <m:textField label='label.ism.givenName' mandatory='{must}'/>\
             <m:sex mandatory='{must}'/><m:birthDate mandatory='{must}'/>"
        )
    };
    let (demanding, offering) = (search(&fields("true")), search(&fields("false")));
    assert_eq!(demanding.check(&named()), Ok(()));
    for (name, change) in [
        ("family name", (|t| t.family.clear()) as fn(&mut Traits)),
        ("given name", |t| t.given = " ".into()),
        ("sex", |t| t.sex.clear()),
        ("birth date", |t| t.birth = None),
    ] {
        let mut traits = named();
        change(&mut traits);
        assert_eq!(demanding.check(&traits), Err(MaskRefusal::Missing(name)));
        assert_eq!(offering.check(&traits), Ok(()), "{name}");
    }
    assert!(offering.check(&Traits::default()).is_err(), "nobody asks for nobody");
    assert_eq!(demanding.check(&number("1^^^&1.2.3")), Err(MaskRefusal::Domain));
}

#[test]
fn of_a_choice_one_is_enough_and_none_is_not() {
    let ids = "<m:ids><m:id domain='1.2.3'/><m:id domain='1.2.4' format='[A-Z]+'/></m:ids>";
    let choice = search(&format!("<m:identifier type='CHOICE'>{ids}</m:identifier><m:birthDate/>"));
    assert_eq!(choice.check(&number("x^^^&1.2.3")), Ok(()));
    assert_eq!(choice.check(&number("X^^^&1.2.4")), Ok(()));
    assert_eq!(choice.check(&number("x^^^&1.2.4")), Err(MaskRefusal::Format));
    let born = Traits { birth: named().birth, ..Traits::default() };
    assert_eq!(choice.check(&born), Err(MaskRefusal::Missing("identifier")));
}

#[test]
fn of_several_ways_to_search_one_is_enough() {
    let inside = format!(
        "<m:patientSearch>{CPR}</m:patientSearch><m:patientSearch><m:birthDate mandatory='true'/>\
         <m:textField label='label.ism.surname'/></m:patientSearch>"
    );
    let mask = mask(&inside).unwrap();
    assert_eq!(mask.check(&number("7402539902^^^&1.2.208.176.1.2")), Ok(()));
    let born = Traits { birth: named().birth, family: named().family, ..Traits::default() };
    assert_eq!(mask.check(&born), Ok(()));
    let neither = Traits { family: named().family, ..Traits::default() };
    assert_eq!(mask.check(&neither), Err(MaskRefusal::Missing("identifier")));
}

#[test]
fn masks_that_cannot_be_used_are_refused_whole() {
    let search = |inside: &str| format!("<m:patientSearch>{inside}</m:patientSearch>");
    let id =
        |attributes: &str| search(&format!("<m:identifier><m:id {attributes}/></m:identifier>"));
    for (inside, expected) in [
        (String::new(), MaskError::Empty),
        (search(""), MaskError::Empty),
        (search("<m:identifier/>"), MaskError::Empty),
        (search("<m:media mandatory='true'/>"), MaskError::Unknown),
        (search("<m:textField label='label.ism.shoeSize' mandatory='true'/>"), MaskError::Unknown),
        (id("domain='1.2' format='('"), MaskError::Format),
        (id("domain='1.2' format='(?=a)a'"), MaskError::Format),
        (id("domain='1.2' format='((a{100}){100}){100}'"), MaskError::Format),
        (
            id("domain='DK'"),
            MaskError::Malformed(exchange::Malformed { what: "object identifier" }),
        ),
        (id("format='a'"), MaskError::Xml(XmlError::Attribute { name: "domain" })),
    ] {
        assert_eq!(mask(&inside).map(|_| ()), Err(expected), "{inside}");
    }
    assert!(SearchMask::parse("<searchFields/>").is_err());
    assert!(
        mask(&search("<m:media/><m:birthDate/>")).is_ok(),
        "what is only offered is passed over"
    );
}

#[test]
fn a_hostile_format_costs_linear_time() {
    let mask = search("<m:identifier><m:id domain='1.2' format='(a+)+'/></m:identifier>");
    let value = format!("{}!^^^&1.2", "a".repeat(120));
    assert_eq!(mask.check(&number(&value)), Err(MaskRefusal::Format));
}

#[test]
fn refusals_have_their_codes() {
    for (refusal, code) in [
        (MaskRefusal::Domain, Code::ErrorPiIncorrectFormatting),
        (MaskRefusal::Format, Code::ErrorPiIncorrectFormatting),
        (MaskRefusal::Missing("sex"), Code::ErrorPiMissingRequiredFields),
        (MaskRefusal::Unasked("sex"), Code::ErrorPiIncorrectFormatting),
    ] {
        assert_eq!(Refusal::from(refusal).code, code);
    }
}
