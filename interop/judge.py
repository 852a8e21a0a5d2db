"""Lets foreign software judge a running demo. Usage: judge.py SAMPLES DEMO_DIR EMITTED_DIR KONFIDO"""

import json
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path

import requests
from lxml import etree
from zeep import Client, Settings
from zeep.helpers import serialize_object
from zeep.plugins import Plugin
from zeep.transports import Transport

import rem
import saml
from tally import Tally

SAMPLES, DEMO, EMITTED = (Path(a) for a in sys.argv[1:4])
KONFIDO = sys.argv[4]
WORLD = json.loads((DEMO / "world.json").read_text())
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSA = "http://www.w3.org/2005/08/addressing"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
XDS = "urn:ihe:iti:xds-b:2007"
SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
DOCTOR = ["PRD-003", "PRD-004", "PRD-005", "PRD-006", "PRD-010", "PRD-016"]
PHARMACIST = ["PRD-004", "PRD-006", "PRD-010", "PPD-046"]

# message kind (start of the file name) -> schema
SCHEMAS = {
    "xcpd-request": "xcpd/schema/PRPA_IN201305UV02.xsd",
    "xcpd": "xcpd/schema/PRPA_IN201306UV02.xsd",
    "xca-query": "xds/schema/query.xsd",
    "xca-retrieve": "xds/schema/IHEXDS.xsd",
    "xdr-request": "xds/schema/IHEXDS.xsd",
    "xdr": "xds/schema/rs.xsd",
    "audit": "audit/DICOM_Unsigned.xsd",
    "rem": "audit/etsirem.xsd",
}
LOADED = {}


def schema_of(name):
    kind = max((k for k in SCHEMAS if name.startswith(k)), key=len, default=None)
    if kind is None:
        raise AssertionError(f"no schema is named for {name}")
    path = SAMPLES / "xsd" / SCHEMAS[kind]
    if kind == "rem":
        if path not in LOADED:
            LOADED[path] = rem.schema(SAMPLES, DEMO / "rem-xsd")
        return LOADED[path]
    return LOADED.setdefault(path, etree.XMLSchema(etree.parse(str(path))))


def validate(schema, element):
    copy = etree.fromstring(etree.tostring(element))
    if not schema.validate(copy):
        raise AssertionError(str(schema.error_log[0]))


class Header(Plugin):
    """Puts WS-Addressing and the assertions into the header, and keeps the answer's envelope."""

    def __init__(self, assertions):
        self.assertions, self.answer = assertions, None

    def egress(self, envelope, http_headers, operation, binding_options):
        old = envelope.find(f"{{{SOAP}}}Header")
        header = old if old is not None else etree.SubElement(envelope, f"{{{SOAP}}}Header")
        if old is None:
            envelope.insert(0, header)
        for child in list(header):
            header.remove(child)
        etree.SubElement(header, f"{{{WSA}}}Action").text = operation.soapaction
        etree.SubElement(header, f"{{{WSA}}}MessageID").text = f"urn:uuid:{uuid.uuid4()}"
        security = etree.SubElement(header, f"{{{WSSE}}}Security")
        for assertion in self.assertions:
            security.append(saml.parse(assertion))
        return envelope, http_headers

    def ingress(self, envelope, http_headers, operation):
        self.answer = envelope
        return envelope, http_headers


def client(wsdl, assertions, service):
    """A zeep client with Spain's OpenNCP certificate, at the address that Spain's node gives for Denmark."""
    session = requests.Session()
    session.trust_env = False  # REQUESTS_CA_BUNDLE would replace the roots
    session.cert = (WORLD["ES"]["openncp_cert"], WORLD["ES"]["openncp_key"])
    session.verify = WORLD["roots"]
    header = Header(assertions)
    zeep = Client(
        str(SAMPLES / "xsd" / wsdl),
        transport=Transport(session=session, timeout=30),
        settings=Settings(strict=False, xml_huge_tree=True),
        plugins=[header],
    )
    binding = next(iter(next(iter(zeep.wsdl.services.values())).ports.values())).binding
    address = f"{WORLD['ES']['national']}/dk/openncp-ws-server/services/{service}"
    return zeep, zeep.create_service(str(binding.name), address), header


def pair(role, permissions, patient, signer, facility="Hospital"):
    """HCP and TRC assertion, made by us, signed with Spain's seal key by a foreign signer."""
    es = WORLD["ES"]
    template = signer is saml.sign_xmlsec1
    hcp_id, hcp = saml.hcp("ES", es["community"], role, permissions, facility, signed=template)
    _, trc = saml.trc("ES", hcp_id, patient, signed=template)
    return [signer(xml, es["seal_key"], es["seal_cert"], DEMO) for xml in (hcp, trc)]


def patient():
    return WORLD["DK"]["patient"]


def cx():
    return f"{patient()['extension']}^^^&{patient()['root']}&ISO"


# --- the judgements -------------------------------------------------------------------------


def emitted(path):
    validate(schema_of(path.name), etree.parse(str(path)).getroot())


def xmlsec1_verifies(path):
    subprocess.run(
        ["xmlsec1", "--verify", "--trusted-pem", WORLD["roots"], "--id-attr:ID", f"{saml.SAML}:Assertion", str(path)],
        check=True, capture_output=True,
    )


def samlsign_verifies(path):
    subprocess.run(["samlsign", "-f", str(path), "-c", WORLD["ES"]["seal_cert"]], check=True, capture_output=True)


def samlsign_refuses_tampered(path):
    tampered = DEMO / "tampered.xml"
    tampered.write_text(path.read_text().replace("TREATMENT", "EMERGENCY"))
    done = subprocess.run(["samlsign", "-f", str(tampered), "-c", WORLD["ES"]["seal_cert"]], capture_output=True)
    assert done.returncode != 0, "samlsign accepted a tampered assertion"


def hl7(zeep, name, **fields):
    return zeep.get_element(f"{{urn:hl7-org:v3}}{name}")(**fields)


def discovery(signer):
    """ITI-55: the body is built by lxml, sent by zeep."""
    assertions = pair("221", DOCTOR, cx(), signer)[:1]
    zeep, service, header = client("xcpd/XCPD_Service.wsdl", assertions, "XCPD_Service")
    body = etree.fromstring((EMITTED / "xcpd-request.xml").read_bytes())
    v3 = "{urn:hl7-org:v3}"
    body.find(f"{v3}id").set("root", str(uuid.uuid4()))
    for end, community in (("receiver", WORLD["DK"]["community"]), ("sender", WORLD["ES"]["community"])):
        for identifier in body.find(f"{v3}{end}").iter(f"{v3}id"):
            identifier.set("root", community)
    value = body.find(f".//{v3}livingSubjectId/{v3}value")
    value.set("root", patient()["root"])
    value.set("extension", patient()["extension"])
    answer = post_body(service, zeep, header, body)
    validate(schema_of("xcpd-answer"), answer)
    assert answer.find(f".//{v3}queryAck/{v3}queryResponseCode").get("code") == "OK", etree.tostring(answer)[:2000]


def post_body(service, zeep, header, body):
    """Sends a ready body through zeep's transport and plugins and returns the answer's payload."""
    binding = service._binding
    operation = next(iter(binding._operations.values()))
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP})
    etree.SubElement(envelope, f"{{{SOAP}}}Header")
    etree.SubElement(envelope, f"{{{SOAP}}}Body").append(body)
    operation = next(o for o in binding._operations.values())
    envelope, headers = header.egress(envelope, {}, operation, {})
    headers["Content-Type"] = f'application/soap+xml; charset=utf-8; action="{operation.soapaction}"'
    response = zeep.transport.post(service._binding_options["address"], etree.tostring(envelope), headers)
    root = etree.fromstring(response.content)
    return root.find(f"{{{SOAP}}}Body")[0]


def rim(zeep, name):
    return zeep.get_type(f"{{{RIM}}}{name}")


def slot(zeep, name, *values):
    return rim(zeep, "SlotType1")(name=name, ValueList={"_value_1": [{"Value": v} for v in values]})


def query(assertions, loinc):
    """ITI-38 as zeep's own objects; returns the answer's ExtrinsicObjects."""
    zeep, service, header = client("xca/XCA_Service.wsdl", assertions, "XCA_Service")
    adhoc = rim(zeep, "AdhocQueryType")(
        id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
        Slot=[
            slot(zeep, "$XDSDocumentEntryPatientId", f"'{cx()}'"),
            slot(zeep, "$XDSDocumentEntryStatus", "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"),
            slot(zeep, "$XDSDocumentEntryClassCode", f"('{loinc}^^2.16.840.1.113883.6.1')"),
        ],
    )
    service.RespondingGateway_CrossGatewayQuery(
        ResponseOption={"returnComposedObjects": True, "returnType": "LeafClass"}, AdhocQuery=adhoc
    )
    answer = header.answer.find(f"{{{SOAP}}}Body")[0]
    validate(schema_of("xca-query"), answer)
    assert answer.get("status") == SUCCESS, etree.tostring(answer)[:2000]
    return answer.findall(f".//{{{RIM}}}ExtrinsicObject")


def entry(extrinsic):
    def identifier(scheme):
        path = f"{{{RIM}}}ExternalIdentifier[@identificationScheme='{scheme}']"
        return extrinsic.find(path).get("value")

    repository = extrinsic.find(f"{{{RIM}}}Slot[@name='repositoryUniqueId']//{{{RIM}}}Value").text
    return repository, identifier("urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab")


def retrieve(assertions, repository, unique):
    """ITI-39: the document's bytes."""
    zeep, service, header = client("xca/XCA_Service.wsdl", assertions, "XCA_Service")
    service.RespondingGateway_CrossGatewayRetrieve(
        DocumentRequest=[
            {
                "HomeCommunityId": f"urn:oid:{WORLD['DK']['community']}",
                "RepositoryUniqueId": repository,
                "DocumentUniqueId": unique,
            }
        ]
    )
    answer = header.answer.find(f"{{{SOAP}}}Body")[0]
    validate(schema_of("xca-retrieve"), answer)
    import base64

    return base64.b64decode(answer.find(f".//{{{XDS}}}Document").text)


def summary(signer):
    assertions = pair("221", DOCTOR, cx(), signer)
    entries = query(assertions, "60591-5")
    assert len(entries) == 2, f"{len(entries)} entries"
    for extrinsic in entries:
        document = retrieve(assertions, *entry(extrinsic))
        root = etree.fromstring(document)
        assert root.tag == "{urn:hl7-org:v3}ClinicalDocument", root.tag
        schema = etree.XMLSchema(etree.parse(str(SAMPLES / "xsd/cda/CDA_Pharma.xsd")))
        validate(schema, root)


def dispensation():
    """ITI-41: an eDispensation closes the prescription, its discard reopens it."""
    assertions = pair("2262", PHARMACIST, cx(), saml.sign_xmlsec1, "Pharmacy")
    for kind, status in (("submission", "closed"), ("discard", "open")):
        body = etree.fromstring((DEMO / f"{kind}.xml").read_bytes())
        zeep, service, header = client("xdr/XDR_Service.wsdl", assertions, "XDR_Service")
        answer = post_body(service, zeep, header, body)
        validate(schema_of("xdr"), answer)
        assert answer.get("status") == SUCCESS, etree.tostring(answer)[:2000]
        states = {
            c.get("nodeRepresentation").rsplit(":", 1)[1]
            for e in query(assertions, "57833-6")
            if entry(e)[1].endswith(("EP-DK1-1", "EP-DK1-1-pdf"))
            for c in e.findall(f"{{{RIM}}}Classification")
            if (c.get("nodeRepresentation") or "").startswith("urn:ihe:iti:xdw:2011:eventCode:")
        }
        assert states == {status}, f"after {kind}: {states}"


def refused(role, permissions, patient_cx, expected):
    """A wrong request gets the eHDSI code, from Spain's own node already."""
    assertions = pair(role, permissions, patient_cx, saml.sign_xmlsec1)
    zeep, service, header = client("xca/XCA_Service.wsdl", assertions, "XCA_Service")
    body = etree.fromstring((EMITTED / "xca-query-request.xml").read_bytes())
    value = body.find(f".//{{{RIM}}}Slot[@name='$XDSDocumentEntryPatientId']//{{{RIM}}}Value")
    value.text = f"'{cx()}'"
    answer = post_body(service, zeep, header, body)
    validate(schema_of("xca-query"), answer)
    codes = [e.get("errorCode") for e in answer.iter("{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryError")]
    assert codes == [expected], codes


def audited():
    paths = sorted((DEMO / "audit").glob("*.xml"))
    kinds = set()
    for path in paths:
        record = etree.parse(str(path)).getroot()
        validate(schema_of("audit"), record)
        kinds.add(record.find("EventIdentification/EventTypeCode").get("csd-code"))
    assert {"ITI-55", "ITI-38", "ITI-39", "ITI-41", "110122", "ITI-40", "EHDSI-92"} <= kinds, kinds


def judgements():
    for path in sorted(EMITTED.glob("*.xml")):
        yield f"lxml validates {path.name}", lambda path=path: emitted(path)
    yield "lxml validates every audit record of the demo", audited
    yield "lxml refuses a REM document with its signature first", lambda: rem.order_matters(
        schema_of("rem"), next(iter(sorted(EMITTED.glob("rem-*.xml"))))
    )
    for country in ("ES", "DK"):
        yield f"lxml and xmlsec1 on every REM document that {country} exports", lambda country=country: rem.judge(
            schema_of("rem"), KONFIDO, DEMO, WORLD["roots"], country
        )
    for path in sorted((DEMO / "assertions").glob("*.xml")):
        yield f"xmlsec1 verifies {path.name}", lambda path=path: xmlsec1_verifies(path)
        yield f"samlsign verifies {path.name}", lambda path=path: samlsign_verifies(path)
        yield f"samlsign refuses {path.name} tampered", lambda path=path: samlsign_refuses_tampered(path)
    for signer in (saml.sign_xmlsec1, saml.sign_samlsign):
        yield f"zeep ITI-55, {signer.__name__}", lambda signer=signer: discovery(signer)
        yield f"zeep ITI-38 and ITI-39, {signer.__name__}", lambda signer=signer: summary(signer)
    yield "zeep ITI-41 and discard", dispensation
    yield "no permission: 4703", lambda: refused("221", ["PRD-006"], cx(), "4703")
    yield "another patient's TRC is refused", lambda: refused(
        "221", DOCTOR, f"0000000000^^^&{patient()['root']}&ISO", "4206"
    )


def main():
    tally = Tally()
    tally.run(judgements())
    print(f"{datetime.now(timezone.utc):%H:%M:%S} interop")
    sys.exit(tally.end("ihe"))


main()
