"""eIDAS messages of a foreign country: built by pysaml2, signed again by python-xmlsec (pysaml2 knows only RSA PKCS#1 v1.5)."""

import base64
import secrets
import zlib
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from lxml import etree
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, ExtensionElement, md, saml, samlp
from saml2.client import Saml2Client
from saml2.config import IdPConfig, SPConfig
from saml2.metadata import entity_descriptor

import sealing
import xmlcrypto
from xmlcrypto import SAML

EIDAS = "http://eidas.europa.eu/saml-extensions"
NATURAL = "http://eidas.europa.eu/attributes/naturalperson"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
URI = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
MANDATORY = ("PersonIdentifier", "CurrentFamilyName", "CurrentGivenName", "DateOfBirth")
LOA = "http://eidas.europa.eu/LoA/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def stamp(minutes=0):
    at = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def identifier():
    return "_" + secrets.token_hex(16)


class Party:
    """One end of another country: keys, metadata, and the way it signs."""

    def __init__(self, world, path, country, role, method, encryption, level="high"):
        self.world, self.path, self.country, self.role, self.method, self.level = world, path, country, role, method, level
        kind = "rsa" if method.startswith("rsa") else "p384" if method.endswith("384") else "p256"
        self.pair = world.own(country, path, kind)
        self.sealed_for = world.own(country, path + "-encryption", encryption)
        self.entity = f"{world.server.url}{path}/metadata"
        self.endpoint = f"{world.server.url}{path}/{'acs' if role == 'sp' else 'sso'}"
        self.config = self.configured()

    def configured(self):
        """The pysaml2 configuration."""
        certificate, key = self.world.files(self.pair)
        sealed = self.world.files(self.sealed_for)
        if self.role == "sp":
            service = {
                "endpoints": {"assertion_consumer_service": [(self.endpoint, BINDING_HTTP_POST)]},
                "sp_type": "public", "sp_type_in_metadata": False, "want_assertions_signed": True,
                "authn_requests_signed": True, "force_authn": "true",
            }
        else:
            bindings = [(self.endpoint, BINDING_HTTP_POST), (self.endpoint, BINDING_HTTP_REDIRECT)]
            service = {"endpoints": {"single_sign_on_service": bindings}, "want_authn_requests_signed": True}
        settings = {
            "entityid": self.entity, "service": {self.role: service}, "cert_file": str(certificate), "key_file": str(key),
            "encryption_keypairs": [{"cert_file": str(sealed[0]), "key_file": str(sealed[1])}], "valid_for": 24,
            "organization": {"name": [("Sweden", "en")], "display_name": [("Sweden", "en")], "url": [("https://example.se", "en")]},
            "contact_person": [{"given_name": "A", "sur_name": "B", "email_address": ["a@example.se"], "contact_type": "technical"}],
            "entity_attributes": [{"name": "http://eidas.europa.eu/entity-attributes/protocol-version", "format": URI, "values": ["1.2"]}],
            "assurance_certification": [LOA + self.level] if self.role == "idp" else [],
        }
        return (SPConfig if self.role == "sp" else IdPConfig)().load(settings)

    def metadata(self, until=None, pair=None, signed=True):
        """Signed metadata; `until` and `pair` are for what must be refused."""
        descriptor = entity_descriptor(self.config)
        descriptor.id = identifier()
        descriptor.valid_until = until or descriptor.valid_until
        inner = descriptor.spsso_descriptor if self.role == "sp" else descriptor.idpsso_descriptor
        inner.extensions = inner.extensions or md.Extensions()
        inner.extensions.extension_elements.append(ExtensionElement("NodeCountry", EIDAS, text=self.country))
        text = descriptor.to_string().decode()
        return xmlcrypto.sign(text, pair or self.pair, self.method) if signed else text

    def request(self, destination, level="low", optional=(), own_signature=False):
        """(ID, AuthnRequest without a signature), or with pysaml2's own signature."""
        wanted = [(name, True) for name in MANDATORY] + [(name, False) for name in optional]
        attributes = [
            {"name": f"{NATURAL}/{name}", "name_format": URI, "friendly_name": name, "required": required} for name, required in wanted
        ]
        context = {"authn_context_class_ref": [LOA + level], "comparison": "minimum"}
        client = Saml2Client(self.config)
        extra = {"sign": True, "sign_alg": xmlcrypto.METHODS["rsa-sha256"][0], "digest_alg": xmlcrypto.XENC + "sha256"} if own_signature else {"sign": False}
        number, message = client.create_authn_request(
            destination, binding=BINDING_HTTP_POST, nameid_format=PERSISTENT, requested_authn_context=context,
            requested_attributes=attributes, is_passive="false", **extra,
        )
        return number, str(message)

    def signed(self, text, pair=None, method=None):
        return xmlcrypto.sign(text, pair or self.pair, method or self.method)

    def redirect(self, destination, text, relay, detached=True):
        """The URL of the Redirect binding; the query string signed, or only what is in it."""
        deflated = zlib.compress(text.encode())[2:-4]
        query = f"SAMLRequest={quote(base64.b64encode(deflated).decode(), safe='')}&RelayState={quote(relay, safe='')}"
        if detached:
            query += "&SigAlg=" + quote(xmlcrypto.METHODS[self.method][0], safe="")
            query += "&Signature=" + quote(base64.b64encode(detached_signature(self.pair[0], self.method, query.encode())).decode(), safe="")
        return f"{destination}?{query}"

    def response(self, asked, endpoint, audience, person, certificate, way, **odd):
        """A signed Response with an encrypted assertion. `odd` names what must be refused: level, signer, …"""
        issued, until = stamp(), stamp(5)
        clear = assertion(self.entity, asked, odd.get("recipient", endpoint), odd.get("restricted", audience), person, odd.get("level", "high"), issued, until)
        if odd.get("sign_assertion"):
            clear = self.signed(clear)
        message = samlp.Response(
            id=identifier(), version="2.0", issue_instant=issued, destination=odd.get("destination", endpoint), in_response_to=asked,
            issuer=saml.Issuer(format=ENTITY, text=self.entity),
            status=samlp.Status(status_code=samlp.StatusCode(value="urn:oasis:names:tc:SAML:2.0:status:Success")),
        )
        root = xmlcrypto.parse(message.to_string())
        holder = etree.SubElement(root, f"{{{SAML}}}EncryptedAssertion")
        holder.append(xmlcrypto.parse(sealing.encrypt(clear.encode(), certificate, way)))
        return self.signed(etree.tostring(root, encoding="unicode"), odd.get("pair"), odd.get("method"))

    def refusal(self, asked, endpoint, code="AuthnFailed"):
        """A signed Response that identifies nobody."""
        prefix = "urn:oasis:names:tc:SAML:2.0:status:"
        inner = samlp.StatusCode(value=prefix + code)
        message = samlp.Response(
            id=identifier(), version="2.0", issue_instant=stamp(), destination=endpoint, in_response_to=asked,
            issuer=saml.Issuer(format=ENTITY, text=self.entity),
            status=samlp.Status(status_code=samlp.StatusCode(value=prefix + "Responder", status_code=inner)),
        )
        return self.signed(str(message))


def attribute(name, value):
    typed = saml.AttributeValue(text=value)
    typed.extension_attributes = {"xmlns:eidas-natural": NATURAL, f"{{{XSI}}}type": f"eidas-natural:{name}Type"}
    return saml.Attribute(name=f"{NATURAL}/{name}", friendly_name=name, name_format=URI, attribute_value=[typed])


def assertion(issuer, asked, recipient, audience, person, level, issued, until):
    """An assertion by pysaml2; `person` is attribute name -> value."""
    data = saml.SubjectConfirmationData(in_response_to=asked, not_on_or_after=until, recipient=recipient)
    bearer = saml.SubjectConfirmation(method="urn:oasis:names:tc:SAML:2.0:cm:bearer", subject_confirmation_data=data)
    context = saml.AuthnContext(authn_context_class_ref=saml.AuthnContextClassRef(text=LOA + level))
    limits = saml.Conditions(
        not_before=issued, not_on_or_after=until, audience_restriction=[saml.AudienceRestriction(audience=[saml.Audience(text=audience)])]
    )
    made = saml.Assertion(
        id=identifier(), version="2.0", issue_instant=issued, issuer=saml.Issuer(format=ENTITY, text=issuer), conditions=limits,
        subject=saml.Subject(name_id=saml.NameID(format=PERSISTENT, text=person["PersonIdentifier"]), subject_confirmation=[bearer]),
        authn_statement=[saml.AuthnStatement(authn_instant=issued, authn_context=context)],
        attribute_statement=[saml.AttributeStatement(attribute=[attribute(name, value) for name, value in person.items()])],
    )
    return str(made)


def detached_signature(key, method, octets):
    """What the Redirect binding wants: ECDSA as r || s, as in XML signatures."""
    digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[method[-3:]]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        r, s = utils.decode_dss_signature(key.sign(octets, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return key.sign(octets, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
