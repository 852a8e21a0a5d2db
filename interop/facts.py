"""Where our verdict on a signed file differs from libxmlsec's, and why. Each row's reason is looked up in the file itself."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from xmlcrypto import DS, SAML, load_certificate

EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
STRUCTURE = {
    "": "SignedInfo SignatureValue KeyInfo",
    "SignedInfo": "CanonicalizationMethod SignatureMethod Reference",
    "SignedInfo/Reference": "Transforms DigestMethod DigestValue",
    "SignedInfo/Reference/Transforms": "Transform Transform",
}
SHA1 = ("http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2000/09/xmldsig#rsa-sha1")


class Facts:
    """What stands in a file, seen by lxml."""

    def __init__(self, content, signature):
        self.content, self.signature = content, signature
        self.signed = signature.getparent() if signature is not None else None

    def algorithms(self):
        return [e.get("Algorithm") for e in self.signature.iter(f"{{{DS}}}SignatureMethod", f"{{{DS}}}DigestMethod")]

    def sha1(self):
        return any(algorithm in SHA1 for algorithm in self.algorithms())

    def pkcs1(self):
        return any("xmldsig-more#rsa-sha" in algorithm for algorithm in self.algorithms())

    def rsa_below_3072(self):
        key = load_certificate(self.signature.find(f".//{{{DS}}}X509Certificate").text).public_key()
        return hasattr(key, "encrypt") and key.key_size < 3072

    def document_type(self):
        return b"<!DOCTYPE" in self.content

    def audit_record(self):
        return self.signed.tag == "AuditMessage"

    def hidden(self):
        return b"<!--" in self.content or b"<![CDATA[" in self.content

    def many_signatures(self):
        return len(list(self.signed.iter(f"{{{DS}}}Signature"))) > 1

    def nested_assertion(self):
        return len(list(self.signed.iter(f"{{{SAML}}}Assertion"))) > 1

    def names(self):
        """Namespaces of the whole file."""
        return {uri for e in self.signature.getroottree().iter() for uri in e.nsmap.values() if uri}

    def odd_port(self):
        return re.search(rb'xmlns(:[\w-]+)?="http://[^/"]*:\d*[^\d/"]', self.content) is not None

    def odd_namespace(self):
        """Not an absolute URI of plain characters."""
        return any(not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!#-%(-;=?-~]*", uri) for uri in self.names()) or self.odd_port()

    def parts(self, path):
        return self.signature.findall("/".join(f"{{{DS}}}{name}" for name in path.split("/")))

    def instruction(self):
        return b"<?" in self.content.removeprefix(b"<?xml ")

    def other_canonicalization(self):
        return any(e.get("Algorithm") != EXCLUSIVE for e in self.parts("SignedInfo/CanonicalizationMethod"))

    def other_transforms(self):
        return [e.get("Algorithm") for e in self.parts("SignedInfo/Reference/Transforms/Transform")] != [DS + "enveloped-signature", EXCLUSIVE]

    def many_certificates(self):
        return len(list(self.signature.iter(f"{{{DS}}}X509Certificate"))) > 1

    def many_references(self):
        return len(self.parts("SignedInfo/Reference")) > 1

    def more_parts(self):
        return [e.tag for e in self.signature] != [f"{{{DS}}}{name}" for name in ("SignedInfo", "SignatureValue", "KeyInfo")]

    def values(self):
        return self.parts("SignatureValue") + self.parts("SignedInfo/Reference/DigestValue")

    def element_in_value(self):
        return any(len(list(value.iterchildren(tag=etree.Element))) for value in self.values())

    def letter_in_value(self):
        return any(not re.fullmatch(r"[A-Za-z0-9+/=\s]*", "".join(value.itertext()), re.ASCII) for value in self.values())

    def loose_base64(self):
        texts = ["".join("".join(value.itertext()).split()) for value in self.values()]
        return any(base64.b64encode(base64.b64decode(text)).decode() != text for text in texts)

    def odd_structure(self):
        """Not the elements that the schema wants, in its order."""
        return self.element_in_value() or any(
            [child.tag.removeprefix(f"{{{DS}}}") for child in parent.iterchildren(tag=etree.Element)] != names.split()
            for path, names in STRUCTURE.items()
            for parent in (self.parts(path) if path else [self.signature])
        )

    def comment_signed(self):
        return self.hidden() and any("#WithComments" in e.get("Algorithm") for e in self.parts("SignedInfo/CanonicalizationMethod"))

    def white_space_in_attribute(self):
        return re.search(rb"=(\"[^\"<]*[\t\n\r][^\"<]*\"|'[^'<]*[\t\n\r][^'<]*')", self.content) is not None

    def foreign_id(self):
        """An ID of another namespace, with the value of ours."""
        own = self.signed.get("ID")
        tree = self.signature.getroottree()
        return any(value == own and re.fullmatch(r"\{.*\}(ID|Id|id|AssertionID)", name) for e in tree.iter(etree.Element) for name, value in e.items())

    def latin_1(self):
        return b'encoding="ISO-8859-1"' in self.content and not self.content.isascii()

    def whole_document(self):
        return self.parts("SignedInfo/Reference")[0].get("URI") == ""


@dataclass(frozen=True)
class Row:
    """`says`: what stands in our reason; `fact`: what must be so in the file; `why` we are right to differ."""

    says: str
    fact: Callable[[Facts], bool]
    why: str

    def fits(self, said, found):
        return self.says in said and found.signature is not None and self.fact(found)


# digest and value alone
ENGINE = (
    Row("aws-lc does not support Verify(RsaPkcs1v15(Sha1))", Facts.sha1, "RSA with SHA-1 and 1024 bits is not even computed"),
    Row("valid", Facts.latin_1, "it reads UTF-8 whatever is declared; our parser refuses the declaration before it"),
    Row("valid", Facts.odd_structure, "it skips elements that it does not know; our rules look at the structure first"),
    Row("valid", Facts.letter_in_value, "it skips white space of all scripts in base64; our rules take ASCII only"),
    Row("valid", Facts.comment_signed, "it drops comments of SignedInfo even under #WithComments; our rules forbid both"),
    Row("duplicate ID", Facts.foreign_id, "it takes an ID of another namespace for an ID"),
    Row("digest does not match", Facts.white_space_in_attribute, "it does not make spaces of tabs and line ends in attributes"),
    Row("digest does not match", Facts.hidden, "it reads no CDATA in a DigestValue; our rules forbid it"),
    Row("value verification failed", Facts.white_space_in_attribute, "it does not make spaces of tabs and line ends in attributes"),
    Row("value verification failed", Facts.hidden, "it reads no CDATA in a SignatureValue; our rules forbid it"),
    Row("Invalid last symbol", Facts.loose_base64, "base64 whose last letter says more than there is"),
    Row("raw signature length", Facts.hidden, "it reads no CDATA in a SignatureValue; our rules forbid it"),
    Row("valid", Facts.odd_namespace, "libxml2 does not read or canonicalize it; our parser refuses it before the engine"),
)
COMMON = (
    Row("forbidden digest method", Facts.sha1, "SHA-1"),
    Row("forbidden comment, CDATA section", Facts.hidden, "text cut by a comment reads differently than it is signed"),
    Row("document type declaration", Facts.document_type, "the door to entities and to IDs by declaration"),
    Row("a value holds an element", Facts.element_in_value, "what stands there nobody signed"),
    Row("signature does not verify", Facts.white_space_in_attribute, "the engine's parser, see there"),
    Row("the ID is not unique", Facts.foreign_id, "an ID of another namespace may be taken for one"),
    Row("signature does not verify", Facts.loose_base64, "the engine, see there"),
    Row("relative namespace", Facts.odd_namespace, "two readers may compare its name differently"),
    Row("processing instruction", Facts.instruction, "no message of ours has one"),
    Row("forbidden canonicalization", Facts.other_canonicalization, "exclusive, without comments, and no other"),
    Row("forbidden transform", Facts.other_transforms, "enveloped, then exclusive, and no other"),
    Row("not exactly one reference", Facts.many_references, "what is signed is one element"),
    Row("holds more than it should", Facts.more_parts, "an Object can hide a second message"),
    Row("refers to something else", Facts.whole_document, "the whole document is not the element that is read"),
    Row("not exactly one certificate", Facts.many_certificates, "one signature, one certificate"),
    Row("more than one signature", Facts.many_signatures, "one element, one signature"),
    Row("an assertion inside the assertion", Facts.nested_assertion, "signature wrapping"),
)
EIDAS = (
    Row("forbidden signature method", Facts.pkcs1, "eIDAS knows no RSA PKCS#1 v1.5"),
    Row("attribute ID is missing", Facts.audit_record, "an audit record is no eIDAS message"),
    Row("forbidden key for the signature method", Facts.rsa_below_3072, "eIDAS wants RSA keys of 3072 bits"),
)
# where we read what libxml2 does not
LENIENT = (Row("accepted", Facts.odd_port, "libxml2 wants a number as port of a namespace name; names are only compared"),)
RULES = {"eHDSI": COMMON, "eIDAS": (*COMMON, *EIDAS)}
TITLES = {"engine": ENGINE, "rules": COMMON, "eIDAS rules": EIDAS, "parser": LENIENT}
TABLES = tuple(TITLES.values())
