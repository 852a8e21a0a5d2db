"""ETSI REM: OpenNCP's schema for it, and what `konfido evidence export --format rem` writes."""

import shutil
import subprocess

from lxml import etree

REM = "http://uri.etsi.org/02640/v1#"
DS = "http://www.w3.org/2000/09/xmldsig#"

# etsirem.xsd imports three schemas. W3C's is in the samples; ETSI's two are not, so these stand in for
# them: exactly the types that etsirem.xsd uses of TS 101 903 (XAdES) and TS 102 231.
STAND_INS = {
    "XAdES.xsd": f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:ds="{DS}"
  xmlns="http://uri.etsi.org/01903/v1.3.2#" targetNamespace="http://uri.etsi.org/01903/v1.3.2#" elementFormDefault="qualified">
  <xs:import namespace="{DS}" schemaLocation="xmldsig-core-schema.xsd"/>
  <xs:complexType name="AnyType" mixed="true">
    <xs:sequence minOccurs="0" maxOccurs="unbounded"><xs:any namespace="##any" processContents="lax"/></xs:sequence>
    <xs:anyAttribute namespace="##any"/>
  </xs:complexType>
  <xs:complexType name="DigestAlgAndValueType">
    <xs:sequence><xs:element ref="ds:DigestMethod"/><xs:element ref="ds:DigestValue"/></xs:sequence>
  </xs:complexType>
  <xs:complexType name="CertIDType">
    <xs:sequence>
      <xs:element name="CertDigest" type="DigestAlgAndValueType"/>
      <xs:element name="IssuerSerial" type="ds:X509IssuerSerialType"/>
    </xs:sequence>
    <xs:attribute name="URI" type="xs:anyURI"/>
  </xs:complexType>
</xs:schema>""",
    "ts_102231v030102_xsd.xsd": """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
  xmlns="http://uri.etsi.org/02231/v2#" targetNamespace="http://uri.etsi.org/02231/v2#" elementFormDefault="qualified">
  <xs:simpleType name="NonEmptyString"><xs:restriction base="xs:string"><xs:minLength value="1"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="NonEmptyURIType"><xs:restriction base="xs:anyURI"><xs:minLength value="1"/></xs:restriction></xs:simpleType>
  <xs:element name="ElectronicAddress">
    <xs:complexType>
      <xs:sequence><xs:element name="URI" type="NonEmptyURIType" maxOccurs="unbounded"/></xs:sequence>
    </xs:complexType>
  </xs:element>
</xs:schema>""",
}


def schema(samples, folder):
    """etsirem.xsd with all that it imports beside it, in `folder`."""
    folder.mkdir(exist_ok=True)
    shutil.copy(samples / "xsd/audit/etsirem.xsd", folder)
    for name in ["xmldsig-core-schema.xsd", *STAND_INS]:
        found = next(iter(sorted(samples.parent.rglob(name))), None)
        if found:
            shutil.copy(found, folder)
        elif name in STAND_INS:
            (folder / name).write_text(STAND_INS[name])
        else:
            raise AssertionError(f"{name} is not among the samples")
    return etree.XMLSchema(etree.parse(str(folder / "etsirem.xsd")))


def valid(schema, path):
    if not schema.validate(etree.parse(str(path))):
        raise AssertionError(str(schema.error_log[0]))


def order_matters(schema, path):
    """A judge that accepts everything is none: the same document with its signature first."""
    root = etree.parse(str(path)).getroot()
    root.insert(0, root.find(f"{{{DS}}}Signature"))
    assert not schema.validate(root), "the schema took a signature in the wrong place"


def export(konfido, demo, country):
    """The REM documents of every settled exchange that a country of the demo has, by the command line."""
    lower, pki = country.lower(), demo / "pki"

    def pair(name):
        at = pki / lower / name
        return f'certificate = "{at}.pem"', f'key = "{at}.key"'

    consumer, provider = (", ".join(pair(f"service-{end}")) for end in ("consumer", "provider"))
    peers = "".join(
        f'[[peer]]\ncountry = "{peer}"\nurl = "https://127.0.0.1:1"\n' for peer in ("DK", "ES", "IT") if peer != country
    )
    config = demo / f"{lower}.toml"
    config.write_text(
        f'[node]\ncountry = "{country}"\nhome_community_id = "2.999"\nrepository_id = "2.999.1"\n'
        f'data_dir = "{demo / lower}"\n'
        '[listen]\nnational = "127.0.0.1:0"\nborder = "127.0.0.1:0"\nadmin = "127.0.0.1:0"\n'
        f'[tls]\nroots = "{pki}/ca.pem"\nservice_consumer = {{ {consumer} }}\nservice_provider = {{ {provider} }}\n'
        f'[seal]\n{chr(10).join(pair("seal"))}\nroots = "{pki}/ca.pem"\n'
        f'[national]\nconnector = "store"\n{peers}[ledger]\norigin = "konfido.example/{lower}"\n'
    )

    def run(*arguments):
        command = [konfido, "evidence", *arguments, "--config", str(config)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    rows = [line.split("\t") for line in run("list", "--limit", "100")]
    settled = [row[0] for row in rows if row[4] == "settled" and row[5] != "-"]
    assert settled, "nothing is settled"
    folder = demo / "rem" / lower
    for txid in settled:
        run("export", txid, "--format", "rem", "--out", str(folder))
    return sorted(folder.glob("*.xml"))


def xmlsec1(path, roots):
    root = etree.parse(str(path)).getroot()
    name = etree.QName(root).localname
    command = ["xmlsec1", "--verify", "--trusted-pem", roots, "--id-attr:Id", f"{REM}:{name}", str(path)]
    return subprocess.run(command, capture_output=True)


def judge(schema, konfido, demo, roots, country):
    paths = export(konfido, demo, country)
    kinds = {path.name.split("_")[1] for path in paths}
    assert kinds == {"NRO", "NRR"}, kinds
    for path in paths:
        valid(schema, path)
        done = xmlsec1(path, roots)
        assert done.returncode == 0, f"{path.name}: {done.stderr[-300:]}"
    tampered = demo / "tampered-rem.xml"
    text = paths[0].read_text()
    assert ">Acceptance<" in text
    tampered.write_text(text.replace(">Acceptance<", ">Rejection<"))
    assert xmlsec1(tampered, roots).returncode != 0, "xmlsec1 accepted tampered evidence"
