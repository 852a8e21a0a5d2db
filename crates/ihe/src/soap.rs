//! SOAP 1.2 envelopes with WS-Addressing and a WS-Security header of bare SAML assertions
//! (openncp-protocol §1.2).

use std::ops::Range;

use exchange::{Code, CorrelationId, Refusal};
use trust::xml::{Element, Writer, Xml, XmlError};

use crate::MessageError;

/// SOAP 1.2 envelope.
pub const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// WS-Addressing 1.0.
pub const WSA: &str = "http://www.w3.org/2005/08/addressing";
/// WS-Security 1.0.
pub const WSSE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
/// SAML 2.0 assertions.
pub const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";

/// A received envelope. Prefixes never matter; `To` and `ReplyTo` may be missing.
#[derive(Debug, Clone)]
pub struct Envelope<'d, 'a> {
    /// `wsa:Action`.
    pub action: Option<&'d str>,
    /// `wsa:MessageID`.
    pub message_id: Option<&'d str>,
    /// `wsa:RelatesTo`.
    pub relates_to: Option<&'d str>,
    /// `wsa:To`.
    pub to: Option<&'d str>,
    /// `wsse:Security`; there is at most one.
    pub security: Option<Element<'d, 'a>>,
    header: Option<Element<'d, 'a>>,
    /// `None` when an assertion stands where nobody looks.
    assertions: Option<Vec<Element<'d, 'a>>>,
    /// `env:Body`.
    pub body: Element<'d, 'a>,
    /// The one child of the Body, when there is exactly one.
    pub payload: Option<Element<'d, 'a>>,
}

impl<'d, 'a> Envelope<'d, 'a> {
    /// Reads a parsed envelope.
    pub fn read(xml: &'d Xml<'a>) -> Result<Self, MessageError> {
        let root = xml.root();
        if !root.is(SOAP12, "Envelope") {
            return Err(MessageError::NotSoap12);
        }
        let body = root.only_child(SOAP12, "Body")?;
        // a second Header might be the one that an OpenNCP behind us reads
        let header = match root.child(SOAP12, "Header") {
            Some(_) => Some(root.only_child(SOAP12, "Header")?),
            None => None,
        };
        let addressing = |name: &'static str| -> Result<Option<&'d str>, MessageError> {
            Ok(block(header, WSA, name)?.filter(|text| !text.is_empty()))
        };
        let security = header.and_then(|h| h.children_named(WSSE, "Security").next());
        let assertions: Vec<_> =
            security.into_iter().flat_map(|s| s.children_named(SAML, "Assertion")).collect();
        // an OpenNCP behind us might read another one than we check
        let everywhere = |namespace, name| {
            let all = header.into_iter().flat_map(Element::descendants);
            all.filter(move |e: &Element<'_, '_>| e.is(namespace, name)).count()
        };
        let alone = everywhere(WSSE, "Security") == usize::from(security.is_some())
            && everywhere(SAML, "Assertion") == assertions.len();
        let mut children = body.children();
        let payload = match (children.next(), children.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        };
        Ok(Self {
            action: addressing("Action")?,
            message_id: addressing("MessageID")?,
            relates_to: addressing("RelatesTo")?,
            to: addressing("To")?,
            security,
            header,
            assertions: alone.then_some(assertions),
            body,
            payload,
        })
    }

    /// The text of a header block, which stands there once if at all.
    pub fn block(
        &self,
        namespace: &str,
        name: &'static str,
    ) -> Result<Option<&'d str>, MessageError> {
        block(self.header, namespace, name)
    }

    /// The SAML assertions of the security header, in order; an error when there is another one
    /// anywhere in the Header.
    pub fn assertions(&self) -> Result<&[Element<'d, 'a>], MessageError> {
        let stray = XmlError::Element { name: "Assertion", problem: "where nobody looks" };
        self.assertions.as_deref().ok_or(stray.into())
    }

    /// Where the Body's content stands in the message: everything before and behind it is carried
    /// verbatim when the content is sealed.
    pub fn content(&self) -> Range<usize> {
        self.body.content_range()
    }
}

fn block<'d>(
    header: Option<Element<'d, '_>>,
    namespace: &str,
    name: &'static str,
) -> Result<Option<&'d str>, MessageError> {
    let Some(header) = header else { return Ok(None) };
    let mut found = header.children_named(namespace, name);
    let first = found.next();
    if found.next().is_some() {
        return Err(MessageError::Xml(XmlError::Element { name, problem: "repeated" }));
    }
    Ok(first.map(|block| block.demand_text(name)).transpose()?)
}

/// The addressing header of a message that we write.
#[derive(Debug, Clone, Default)]
pub struct Header<'a> {
    /// `wsa:To`; left out when empty.
    pub to: &'a str,
    /// `wsa:Action`.
    pub action: &'a str,
    /// `wsa:MessageID`, with its `urn:uuid:`.
    pub message_id: &'a str,
    /// `wsa:RelatesTo`; left out when empty.
    pub relates_to: &'a str,
}

/// Writes an envelope; assertions and body are copied byte for byte.
pub fn render(header: &Header<'_>, assertions: &[&str], body: &str) -> String {
    let mut w = Writer::new();
    w.open("env:Envelope", &[("xmlns:env", SOAP12)]);
    w.open("env:Header", &[("xmlns:wsa", WSA)]);
    if !header.to.is_empty() {
        w.leaf("wsa:To", &[("env:mustUnderstand", "true")], header.to);
    }
    w.leaf("wsa:Action", &[("env:mustUnderstand", "true")], header.action);
    w.leaf("wsa:MessageID", &[], header.message_id);
    if !header.relates_to.is_empty() {
        w.leaf("wsa:RelatesTo", &[], header.relates_to);
    }
    if !assertions.is_empty() {
        w.open("wsse:Security", &[("xmlns:wsse", WSSE)]);
        for assertion in assertions {
            w.raw(assertion);
        }
        w.close();
    }
    w.close();
    w.open("env:Body", &[]);
    w.raw(body);
    w.close();
    w.close();
    w.finish()
}

/// `wsa:Action` of a fault (WS-Addressing SOAP Binding §6).
pub const FAULT_ACTION: &str = "http://www.w3.org/2005/08/addressing/soap/fault";

/// The Body of a SOAP 1.2 fault, for messages that name no transaction we could answer in.
pub fn fault(refusal: &Refusal, correlation: CorrelationId) -> String {
    let sender = refusal.code != Code::ErrorGeneric;
    let mut w = Writer::new();
    w.open("env:Fault", &[("xmlns:env", SOAP12)]);
    w.open("env:Code", &[]);
    w.leaf("env:Value", &[], if sender { "env:Sender" } else { "env:Receiver" });
    w.close();
    w.open("env:Reason", &[]);
    w.leaf(
        "env:Text",
        &[("xml:lang", "en")],
        &format!("{}: {}", refusal.code.wire(), refusal.hint),
    );
    w.close();
    w.open("env:Detail", &[]);
    w.leaf("k:Correlation", &[("xmlns:k", "urn:konfido:problem:1")], &correlation.to_string());
    w.close();
    w.close();
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trust::xml::Limits;

    #[test]
    fn envelopes_round_trip_and_prefixes_do_not_matter() {
        let header =
            Header { to: "https://a", action: "urn:x", message_id: "urn:uuid:1", relates_to: "" };
        let text = render(
            &header,
            &["<s:Assertion xmlns:s=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>"],
            "<b/>",
        );
        for text in
            [text.clone(), text.replace("env:", "soap12:").replace("xmlns:env", "xmlns:soap12")]
        {
            let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
            let envelope = Envelope::read(&xml).unwrap();
            assert_eq!(envelope.action, Some("urn:x"));
            assert_eq!(envelope.message_id, Some("urn:uuid:1"));
            assert_eq!(envelope.assertions().unwrap().len(), 1);
            assert_eq!(&text[envelope.content()], "<b/>");
        }
    }

    #[test]
    fn an_assertion_that_we_do_not_check_travels_with_one_that_we_do() {
        let assertion = |id| format!("<s:Assertion xmlns:s='{SAML}' ID='{id}'/>");
        let (good, evil) = (assertion("good"), assertion("evil"));
        let security = |inside: &str| format!("<q:Security xmlns:q='{WSSE}'>{inside}</q:Security>");
        let envelope = |headers: &str| {
            format!("<e:Envelope xmlns:e='{SOAP12}'>{headers}<e:Body><b/></e:Body></e:Envelope>")
        };
        let header = |inside: &str| envelope(&format!("<e:Header>{inside}</e:Header>"));
        let plain = header(&security(&good));
        let xml = Xml::parse(&plain, &Limits::MESSAGE).unwrap();
        assert_eq!(Envelope::read(&xml).unwrap().assertions().unwrap().len(), 1);
        for hostile in [
            header(&security(&format!("<w>{evil}</w>{good}"))),
            header(&format!("<w>{}</w>{}", security(&evil), security(&good))),
            header(&format!("{evil}{}", security(&good))),
            header(&format!("{}{}", security(&good), security(&evil))),
            envelope(&format!(
                "<e:Header>{}</e:Header><e:Header>{}</e:Header>",
                security(&good),
                security(&evil)
            )),
        ] {
            let xml = Xml::parse(&hostile, &Limits::MESSAGE).unwrap();
            let read = Envelope::read(&xml);
            assert!(read.is_err() || read.is_ok_and(|e| e.assertions().is_err()), "{hostile}");
        }
    }

    #[test]
    fn soap_1_1_and_doubled_headers_are_refused() {
        let old = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body/></e:Envelope>";
        let xml = Xml::parse(old, &Limits::MESSAGE).unwrap();
        assert_eq!(Envelope::read(&xml).unwrap_err(), MessageError::NotSoap12);
        let doubled = format!(
            "<e:Envelope xmlns:e='{SOAP12}' xmlns:w='{WSA}'><e:Header><w:Action>a</w:Action><w:Action>b</w:Action>\
             </e:Header><e:Body/></e:Envelope>"
        );
        let xml = Xml::parse(&doubled, &Limits::MESSAGE).unwrap();
        assert!(Envelope::read(&xml).is_err());
    }
}
