use trust::xml::{Limits, Xml};

use super::*;

fn read(text: &str) -> Result<Ask, Refusal> {
    let xml = Xml::parse(text, &Limits::MESSAGE).unwrap();
    Ask::read(xml.root())
}

fn relation() -> Relation {
    Relation {
        patient: PatientId::parse_cx("2512489996^^^&1.2.208.176.1.2&ISO").unwrap(),
        purpose: Some(Purpose::Treatment),
        prescription: None,
        pin: None,
    }
}

fn kin() -> Kin {
    Kin {
        purpose: Some(Purpose::Emergency),
        id: "310576-1234".into(),
        given: "Anne & Kirstine".into(),
        family: "Opdigtet".into(),
        gender: "F".into(),
        birth: Some(jiff::civil::date(1976, 5, 31)),
        street: "Gade 1".into(),
        city: "By".into(),
        postal_code: "8000".into(),
        country: "DK".into(),
    }
}

#[test]
fn what_is_written_is_read() {
    let full =
        Relation { pin: Some("12<34".into()), prescription: Some("RX 1".into()), ..relation() };
    let bare = Relation { purpose: None, ..relation() };
    let anonymous = Kin { purpose: None, birth: None, id: String::new(), ..kin() };
    for ask in [
        Ask::Relation(relation()),
        Ask::Relation(full),
        Ask::Relation(bare),
        Ask::Kin(kin()),
        Ask::Kin(anonymous),
    ] {
        let text = ask.render();
        assert!(read(&text).ok() == Some(ask), "{text}");
    }
}

/// As OpenNCP's portal side builds it (openncp-protocol §1.8): empty optional elements.
#[test]
fn openncps_own_request_is_read() {
    let text = r#"<x:RequestSecurityToken xmlns:x="http://docs.oasis-open.org/ws-sx/ws-trust/200512">
        <x:RequestType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue</x:RequestType>
        <x:TokenType>urn:oasis:names:tc:SAML:2.0:assertion</x:TokenType>
        <t:TRCParameters xmlns:t="https://ehdsi.eu/assertion/trc">
          <t:PurposeOfUse>TREATMENT</t:PurposeOfUse>
          <t:PatientId>2512489996^^^&amp;1.2.208.176.1.2&amp;ISO</t:PatientId>
          <t:DispensationPinCode/><t:PrescriptionId/>
        </t:TRCParameters></x:RequestSecurityToken>"#;
    assert!(read(text).ok() == Some(Ask::Relation(relation())));
}

#[test]
fn both_of_openncps_dates_and_postal_codes_are_read() {
    let text = Ask::Kin(kin()).render();
    let newer = text
        .replace("31-05-1976", "1976-05-31")
        .replace("NextOfKinPostalCode", "NextOfKinAddressPostalCode")
        .replace("NextOfKinFamilyName", "FamilyName");
    assert_ne!(text, newer);
    assert!(read(&newer).ok() == Some(Ask::Kin(kin())));
}

#[test]
fn each_fault_has_its_code() {
    let trc = Ask::Relation(relation()).render();
    let nok = Ask::Kin(kin()).render();
    let parameters = |text: &str| {
        let from = text.find("<nok:NoKParameters").unwrap();
        text[from..].replace("</wst:RequestSecurityToken>", "")
    };
    let end = "</wst:RequestSecurityToken>";
    for (text, code) in [
        (trc.replace("RequestSecurityToken", "RequestSecurity"), UNSUPPORTED),
        (trc.replace("200512/Issue", "200512/Renew"), UNSUPPORTED),
        (trc.replace("SAML:2.0:assertion", "SAML:1.1:assertion"), UNSUPPORTED),
        (trc.replace("TRCParameters", "Parameters"), MISSING),
        (trc.replace(end, &format!("{}{end}", parameters(&nok))), MISSING),
        (trc.replace("trc:PatientId", "trc:Patient"), MISSING),
        (trc.replace("^^^", "^^"), FORMAT),
        (trc.replace(">2512489996", ">' 2512489996"), FORMAT),
        (
            trc.replace(
                "<trc:PatientId>",
                "<trc:PatientId>1^^^&amp;1.2&amp;ISO</trc:PatientId><trc:PatientId>",
            ),
            FORMAT,
        ),
        (trc.replace(">TREATMENT<", ">RESEARCH<"), Code::ErrorNotValidTrcAssertion),
        (nok.replace(">EMERGENCY<", ">RESEARCH<"), Code::ErrorNotValidAssertion),
        (nok.replace("31-05-1976", "05-31-1976"), FORMAT),
        (nok.replace("NextOfKinId", "Id").replace("NextOfKinFirstName", "Name"), MISSING),
    ] {
        assert_ne!(text, trc);
        assert_ne!(text, nok);
        let refusal = read(&text).map(|_| ()).unwrap_err();
        assert_eq!(refusal.code, code, "{text}");
        assert!(!format!("{refusal:?}").contains("2512489996"), "no values in a refusal");
    }
}

#[test]
fn an_answer_carries_the_assertion_as_it_was_signed() {
    let assertion =
        "<s:Assertion xmlns:s=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID='a'>\n</s:Assertion>";
    let at = Timestamp::UNIX_EPOCH;
    let text = answer(assertion, at, at);
    let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
    assert_eq!(answered(xml.root()).unwrap().source(), assertion);
    let other = text.replace("RequestedSecurityToken", "RequestedProofToken");
    let xml = Xml::parse(&other, &Limits::MESSAGE).unwrap();
    assert!(answered(xml.root()).is_err());
}
