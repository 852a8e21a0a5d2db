"""One schema of SAML and eIDAS, put together from the samples (third-party files that we do not ship)."""

from pathlib import Path

from lxml import etree

# namespace -> file below samples/identity
PARTS = {
    "urn:oasis:names:tc:SAML:2.0:metadata": "eidas-node-2.9.0/metadata/xsds/saml-schema-metadata-2.0.xsd",
    "urn:oasis:names:tc:SAML:2.0:protocol": "eidas-middleware/xsd/saml-schema-protocol-2_0.xsd",
    "urn:oasis:names:tc:SAML:2.0:assertion": "eidas-node-2.9.0/metadata/xsds/saml-schema-assertion-2.0.xsd",
    "http://eidas.europa.eu/saml-extensions": "pysaml2/schemas/eidas-schema-saml-extensions.xsd",
    "http://eidas.europa.eu/attributes/naturalperson": "pysaml2/schemas/eidas-schema-attribute-naturalperson.xsd",
    "http://www.w3.org/2009/xmlenc11#": "eidas-middleware/xsd/xenc-schema-11.xsd",
}
# what they import, by file name
IMPORTED = {
    "saml-schema-assertion-2.0.xsd": "eidas-node-2.9.0/metadata/xsds/saml-schema-assertion-2.0.xsd",
    "xmldsig-core-schema.xsd": "eidas-node-2.9.0/metadata/xsds/xmldsig-core-schema.xsd",
    "xenc-schema.xsd": "eidas-node-2.9.0/metadata/xsds/xenc-schema.xsd",
    "xml.xsd": "eidas-node-2.9.0/metadata/xsds/xml.xsd",
}


class Local(etree.Resolver):
    """Every import is answered from the samples; nothing comes over the network."""

    def __init__(self, samples):
        super().__init__()
        self.samples = samples

    def resolve(self, url, identifier, context):
        name = Path(url or "").name
        if name in IMPORTED:
            return self.resolve_filename(str(self.samples / IMPORTED[name]), context)
        return None


def load(samples):
    """The schema of metadata, requests, responses and assertions."""
    rows = "".join(f'<xs:import namespace="{n}" schemaLocation="{samples / p}"/>' for n, p in PARTS.items())
    text = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{rows}</xs:schema>'
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Local(samples))
    return etree.XMLSchema(etree.fromstring(text, parser))


def validate(schema, text):
    root = etree.fromstring(text.encode() if isinstance(text, str) else text)
    if not schema.validate(root):
        raise AssertionError(str(schema.error_log))
