"""eHDSI assertions built without a line of ours, and the two foreign signers."""

import subprocess
import uuid
from datetime import datetime, timedelta, timezone

from lxml import etree

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
URI = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
HL7 = "urn:hl7-org:v3"

TEMPLATE = (
    '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>'
    '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>'
    '<ds:Reference URI="#{id}"><ds:Transforms>'
    '<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>'
    '<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">'
    '<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xsd"/></ds:Transform>'
    '</ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/>'
    "</ds:Reference></ds:SignedInfo><ds:SignatureValue/>"
    "<ds:KeyInfo><ds:X509Data><ds:X509Certificate/></ds:X509Data></ds:KeyInfo></ds:Signature>"
)


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def text_attribute(name, friendly, *values):
    inner = "".join(f'<saml2:AttributeValue xsi:type="xsd:string">{v}</saml2:AttributeValue>' for v in values)
    return f'<saml2:Attribute FriendlyName="{friendly}" Name="{name}" NameFormat="{URI}">{inner}</saml2:Attribute>'


def element_attribute(name, friendly, element):
    return (
        f'<saml2:Attribute FriendlyName="{friendly}" Name="{name}" NameFormat="{URI}">'
        f"<saml2:AttributeValue>{element}</saml2:AttributeValue></saml2:Attribute>"
    )


def purpose():
    return element_attribute(
        "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse",
        "XSPA Purpose Of Use",
        f'<PurposeOfUse xmlns="{HL7}" code="TREATMENT" codeSystem="3bc18518-d305-46c2-a8d6-94bd59856e9e" '
        'codeSystemName="eHDSI XSPA PurposeOfUse" displayName="TREATMENT"/>',
    )


def assertion(issuer, qualifier, hours, context, attributes, advice="", name="doctor@hospital.example", signed=True):
    identifier = f"_{uuid.uuid4()}"
    now = datetime.now(timezone.utc) - timedelta(seconds=1)
    signature = TEMPLATE.replace("{id}", identifier) if signed else ""
    xml = (
        f'<saml2:Assertion xmlns:saml2="{SAML}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="{XSI}" '
        f'ID="{identifier}" IssueInstant="{stamp(now)}" Version="2.0">'
        f'<saml2:Issuer NameQualifier="{qualifier}">{issuer}</saml2:Issuer>{signature}'
        f'<saml2:Subject><saml2:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified">{name}</saml2:NameID>'
        '<saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"/></saml2:Subject>'
        f'<saml2:Conditions NotBefore="{stamp(now)}" NotOnOrAfter="{stamp(now + timedelta(hours=hours))}">'
        "<saml2:AudienceRestriction><saml2:Audience>urn:ehdsi:assertions.audience:x-border</saml2:Audience>"
        f"</saml2:AudienceRestriction></saml2:Conditions>{advice}"
        f'<saml2:AuthnStatement AuthnInstant="{stamp(now)}"><saml2:AuthnContext><saml2:AuthnContextClassRef>'
        f"urn:oasis:names:tc:SAML:2.0:ac:classes:{context}</saml2:AuthnContextClassRef></saml2:AuthnContext>"
        f"</saml2:AuthnStatement><saml2:AttributeStatement>{attributes}</saml2:AttributeStatement></saml2:Assertion>"
    )
    return identifier, xml


def hcp(country, community, role, permissions, facility="Hospital", signed=True):
    prefix = "urn:oasis:names:tc:xspa:1.0:subject:"
    attributes = (
        text_attribute(prefix + "subject-id", "XSPA Subject", "Zeep Tester")
        + element_attribute(
            "urn:oasis:names:tc:xacml:2.0:subject:role",
            "XSPA Role",
            f'<Role xmlns="{HL7}" code="{role}" codeSystem="2.16.840.1.113883.2.9.6.2.7" codeSystemName="ISCO" displayName="role"/>',
        )
        + text_attribute(prefix + "organization", "XSPA Organization", "Hospital")
        + text_attribute(prefix + "organization-id", "XSPA Organization ID", f"urn:oid:{community}")
        + text_attribute("urn:ihe:iti:xca:2010:homeCommunityId", "HCI Identifier", f"urn:oid:{community}")
        + text_attribute("urn:ehdsi:names:subject:healthcare-facility-type", "eHealth DSI Healthcare Facility Type", facility)
        + purpose()
        + text_attribute("urn:oasis:names:tc:xspa:1.0:environment:locality", "XSPA Locality", "Hospital")
        + text_attribute(prefix + "hl7:permission", "Hl7 Permissions", *[f"{prefix}hl7:permission:{p}" for p in permissions])
    )
    return assertion(
        f"urn:idp:{country}:countryB", "urn:ehdsi:assertions:hcp", 4, "X509", attributes, signed=signed
    )


def trc(country, hcp_id, patient_cx, signed=True):
    advice = f"<saml2:Advice><saml2:AssertionIDRef>{hcp_id}</saml2:AssertionIDRef></saml2:Advice>"
    attributes = (
        text_attribute("urn:oasis:names:tc:xspa:1.0:subject:subject-id", "XSPA Subject", patient_cx.replace("&", "&amp;"))
        + purpose()
    )
    return assertion(
        f"urn:initgw:{country}:countryB", "urn:ehdsi:assertions:trc", 2, "PreviousSession", attributes, advice, signed=signed
    )


def sign_xmlsec1(xml, key, certificate, work):
    """Signs the template in `xml` with xmlsec1; returns the signed text."""
    source, target = work / "unsigned.xml", work / "signed.xml"
    source.write_text(xml)
    subprocess.run(
        ["xmlsec1", "--sign", "--privkey-pem", f"{key},{certificate}", "--id-attr:ID", f"{SAML}:Assertion",
         "--output", str(target), str(source)],
        check=True, capture_output=True,
    )
    text = target.read_text()
    return text[text.index("?>") + 2 :].strip() if text.startswith("<?xml") else text


def sign_samlsign(xml, key, certificate, work):
    """Signs with OpenSAML's samlsign, which makes its own signature element."""
    source = work / "unsigned.xml"
    source.write_text(xml)
    done = subprocess.run(
        ["samlsign", "-s", "-k", str(key), "-c", str(certificate), "-f", str(source),
         "-alg", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "-dig", "http://www.w3.org/2001/04/xmlenc#sha256"],
        check=True, capture_output=True, text=True,
    )
    text = done.stdout
    return text[text.index("<saml") :].strip()


def parse(xml):
    return etree.fromstring(xml.encode())
