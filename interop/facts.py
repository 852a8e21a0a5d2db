"""Where our verdict on a signed file differs from libxmlsec's, and why. Each row's reason is looked up in the file itself."""

from collections.abc import Callable
from dataclasses import dataclass

from xmlcrypto import DS, SAML, load_certificate

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

    def relative_namespace(self):
        return any(uri and ":" not in uri for e in self.signature.getroottree().iter() for uri in e.nsmap.values())


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
    Row("valid", Facts.relative_namespace, "libxml2 does not canonicalize relative namespaces; our parser refuses them before the engine"),
)
COMMON = (
    Row("forbidden digest method", Facts.sha1, "SHA-1"),
    Row("forbidden comment, CDATA section", Facts.hidden, "text cut by a comment reads differently than it is signed"),
    Row("document type declaration", Facts.document_type, "the door to entities and to IDs by declaration"),
    Row("more than one signature", Facts.many_signatures, "one element, one signature"),
    Row("an assertion inside the assertion", Facts.nested_assertion, "signature wrapping"),
)
EIDAS = (
    Row("forbidden signature method", Facts.pkcs1, "eIDAS knows no RSA PKCS#1 v1.5"),
    Row("attribute ID is missing", Facts.audit_record, "an audit record is no eIDAS message"),
    Row("forbidden key for the signature method", Facts.rsa_below_3072, "eIDAS wants RSA keys of 3072 bits"),
)
RULES = {"eHDSI": COMMON, "eIDAS": (*COMMON, *EIDAS)}
TITLES = {"engine": ENGINE, "rules": COMMON, "eIDAS rules": EIDAS}
TABLES = tuple(TITLES.values())
