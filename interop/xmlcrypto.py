"""XML signatures by libxmlsec (python-xmlsec)."""

import base64

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
PSS = "http://www.w3.org/2007/05/xmldsig-more#"

# name -> (signature method, digest method)
METHODS = {
    "ecdsa-sha256": (MORE + "ecdsa-sha256", XENC + "sha256"),
    "ecdsa-sha384": (MORE + "ecdsa-sha384", MORE + "sha384"),
    "ecdsa-sha512": (MORE + "ecdsa-sha512", XENC + "sha512"),
    "rsa-pss-sha256": (PSS + "sha256-rsa-MGF1", XENC + "sha256"),
    "rsa-pss-sha512": (PSS + "sha512-rsa-MGF1", XENC + "sha512"),
    "rsa-sha256": (MORE + "rsa-sha256", XENC + "sha256"),
}
PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def parse(text):
    return etree.fromstring(text.encode() if isinstance(text, str) else text, PARSER)


def one(root, path):
    """The one element at an absolute-ish path of {ns}names below `root`."""
    found = root.findall(path)
    assert len(found) == 1, f"{len(found)} of {path}"
    return found[0]


def der64(certificate):
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


def signature_template(identifier, method, certificate):
    sign, digest = METHODS[method]
    exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
    return (
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{exclusive}"/>'
        f'<ds:SignatureMethod Algorithm="{sign}"/><ds:Reference URI="#{identifier}"><ds:Transforms>'
        f'<ds:Transform Algorithm="{DS}enveloped-signature"/><ds:Transform Algorithm="{exclusive}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{der64(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
    )


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def sign(text, pair, method, shape=lambda template: template):
    """Signs the document element with `pair` (key, certificate); the signature follows the Issuer. `shape` changes the template."""
    key, certificate = pair
    root = parse(text)
    first = root[0] if len(root) else None
    at = 1 if first is not None and first.tag == f"{{{SAML}}}Issuer" else 0
    template = parse(shape(signature_template(root.get("ID"), method, certificate)))
    root.insert(at, template)
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pem(key), xmlsec.constants.KeyDataFormatPem)
    context.sign(template)
    return etree.tostring(root, encoding="unicode")


def verify(text, certificates):
    """libxmlsec verifies the enveloped signature of the document element, by one of `certificates`."""
    root = parse(text)
    signature = one(root, f"{{{DS}}}Signature")
    assert len(list(root.iter(f"{{{DS}}}Signature"))) == 1, "one signature"
    assert one(signature, f"{{{DS}}}SignedInfo/{{{DS}}}Reference").get("URI") == "#" + root.get("ID")
    named = "".join(one(signature, f".//{{{DS}}}X509Certificate").text.split())
    signer = next((c for c in certificates if der64(c) == named), None)
    assert signer is not None, "signed by a certificate that the metadata does not name"
    verify_with(root, signature, signer)
    return one(signature, f"{{{DS}}}SignedInfo/{{{DS}}}SignatureMethod").get("Algorithm")


def verify_with(root, signature, certificate):
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(
        certificate.public_bytes(serialization.Encoding.PEM), xmlsec.constants.KeyDataFormatCertPem
    )
    context.verify(signature)


def load_certificate(text64_or_der):
    der = text64_or_der if isinstance(text64_or_der, bytes) else base64.b64decode("".join(text64_or_der.split()))
    return x509.load_der_x509_certificate(der)
