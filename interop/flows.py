"""Logins that must succeed: our node as proxy service, as connector, and its metadata."""

import base64
import subprocess
from functools import partial

from cryptography.hazmat.primitives.asymmetric import rsa
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, samlp
from saml2.mdstore import MetadataStore

import schemas
import sealing
import xmlcrypto
from eidas import LOA, MANDATORY, NATURAL
from sealing import XENC11
from world import Browser
from xmlcrypto import DS, SAML, XENC, one

CERTIFIED = "urn:oasis:names:tc:SAML:attribute:assurance-certification"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
# what our own identity provider knows of its person
DANE = {
    "PersonIdentifier": "DK/DK/0101901234", "CurrentFamilyName": "Ærø", "CurrentGivenName": "Søren Å",
    "DateOfBirth": "1990-01-01", "Gender": "Male", "BirthName": "Sørensen & Søn",
}
SWEDE = {
    "PersonIdentifier": "SE/DK/199001011234", "CurrentFamilyName": "Öberg", "CurrentGivenName": "Åsa", "DateOfBirth": "1990-01-01",
}


class Flows:
    """A node and its peers."""

    def __init__(self, world, providers, connectors, schema):
        self.world, self.providers, self.connectors, self.schema = world, providers, connectors, schema
        self.sso = f"{world.url}/eid/proxy/sso"
        self.acs = f"{world.url}/eid/connector/acs"
        self.names = {role: f"{world.url}/eid/{role}/metadata" for role in ("proxy", "connector")}

    def browser(self):
        return Browser(self.world.roots)

    def valid(self, text):
        if self.schema is not None:
            schemas.validate(self.schema, text)

    # --- our metadata

    def metadata(self, role):
        page = self.browser().get(self.names[role])
        assert page.status == 200 and page.headers["Content-Type"] == "application/samlmetadata+xml", page.status
        method = xmlcrypto.verify(page.text, [self.world.signing[1]])
        assert method.endswith(self.suffix()), method
        self.valid(page.text)
        if "rsa" not in method:  # Debian's xmlsec1 knows no PSS
            self.xmlsec1(page.text)
        return page.text

    def xmlsec1(self, text):
        """The command line tool of Debian: another release of libxmlsec than python-xmlsec's."""
        path = self.world.folder / "metadata.xml"
        path.write_text(text)
        certificate = self.world.files(self.world.signing)[0]
        subprocess.run(
            ["xmlsec1", "--verify", "--pubkey-cert-pem", certificate, "--id-attr:ID", f"{MD}:EntityDescriptor", path],
            check=True, capture_output=True,
        )

    def suffix(self):
        """How the name of our signature method ends."""
        key = self.world.signing[0]
        return "sha256-rsa-MGF1" if isinstance(key, rsa.RSAPrivateKey) else f"ecdsa-sha{key.key_size}"

    def stored(self, role):
        """pysaml2's metadata store finds endpoint and certificates."""
        store = MetadataStore([], self.providers["DK"].config)
        store.load("inline", self.metadata(role))
        entity = self.names[role]
        if role == "proxy":
            for binding in (BINDING_HTTP_POST, BINDING_HTTP_REDIRECT):
                found = store.service(entity, "idpsso_descriptor", "single_sign_on_service", binding)
                assert [row["location"] for row in found] == [self.sso], found
            certificates = store.certs(entity, "idpsso", "signing")
            assert store.entity_attributes(entity)[CERTIFIED] == [LOA + "high"], store.entity_attributes(entity)
        else:
            found = store.service(entity, "spsso_descriptor", "assertion_consumer_service", BINDING_HTTP_POST)
            assert [row["location"] for row in found] == [self.acs], found
            certificates = store.certs(entity, "spsso", "signing")
            sealed = store.certs(entity, "spsso", "encryption")
            assert [self.bare(c) for c in sealed] == [xmlcrypto.der64(self.world.encryption[1])]
        assert [self.bare(c) for c in certificates] == [xmlcrypto.der64(self.world.signing[1])]

    @staticmethod
    def bare(certificate):
        return "".join((certificate[1] if isinstance(certificate, tuple) else certificate).split())

    def encryption_key(self):
        """Our encryption certificate, from our verified metadata and nowhere else."""
        root = xmlcrypto.parse(self.metadata("connector"))
        key = one(root, f"{{{MD}}}SPSSODescriptor/{{{MD}}}KeyDescriptor[@use='encryption']")
        return xmlcrypto.load_certificate(one(key, f".//{{{DS}}}X509Certificate").text)

    # --- our requests

    def asked(self, page, provider, level):
        """Submits the page that carries our request; gives its ID and RelayState after judging it."""
        action, fields = page.form()
        assert action == provider.endpoint, action
        received = self.browser().post(action, fields)
        assert received.status == 200
        fields = self.world.server.posted(action)
        text = base64.b64decode(fields["SAMLRequest"]).decode()
        assert xmlcrypto.verify(text, [self.world.signing[1]]).endswith(self.suffix())
        self.valid(text)
        request = samlp.authn_request_from_string(text)
        assert request.destination == provider.endpoint and request.issuer.text == self.names["connector"]
        assert (request.force_authn, request.is_passive) == ("true", "false")
        context = request.requested_authn_context
        assert context.comparison == "minimum" and [c.text for c in context.authn_context_class_ref] == [LOA + level]
        wanted = xmlcrypto.parse(text).findall(".//{*}RequestedAttribute")
        required = {row.get("Name") for row in wanted if row.get("isRequired") == "true"}
        assert required == {f"{NATURAL}/{name}" for name in MANDATORY}, required
        return request.id, fields["RelayState"], [row.get("Name").rsplit("/")[-1] for row in wanted]

    def answer(self, browser, provider, number, relay, person, way, **odd):
        text = provider.response(number, self.acs, self.names["connector"], person, self.encryption_key(), way, **odd)
        return browser.post(self.acs, {"SAMLResponse": base64.b64encode(text.encode()).decode(), "RelayState": relay})

    # --- our node as proxy service

    def arrive(self, browser, connector, text, relay, how):
        """Brings a request to our node, by one of the bindings."""
        if how == "post":
            signed = connector.signed(text)
            self.valid(signed)
            return browser.post(self.sso, {"SAMLRequest": base64.b64encode(signed.encode()).decode(), "RelayState": relay})
        if how == "redirect":
            return browser.get(connector.redirect(self.sso, text, relay))
        return browser.get(connector.redirect(self.sso, connector.signed(text), relay, detached=how == "redirect, both"))

    def identified(self, connector, way, how="post", level="substantial", optional=("Gender",), answered="high", sign_assertion=False, acs=None):
        browser, relay = self.browser(), "r/&=ø" * 4
        number, text = connector.request(self.sso, level, optional)
        text = text.replace(f'URL="{connector.endpoint}"', f'URL="{acs or connector.endpoint}"')
        page = self.arrive(browser, connector, text, relay, how)
        assert page.status == 200, f"{page.status} {self.world.why(page.trouble()[1])}"
        provider = self.providers["DK"]
        inner, ticket, wanted = self.asked(page, provider, level)
        assert sorted(wanted) == sorted([*MANDATORY, *optional]), wanted
        page = self.answer(browser, provider, inner, ticket, DANE, way, level=answered, sign_assertion=sign_assertion)
        assert page.status == 200, f"{page.status} {page.text[:300]} {page.location}"
        fields = self.delivered(connector, page)
        assert fields["RelayState"] == relay, fields["RelayState"]
        self.judge_response(connector, number, fields["SAMLResponse"], optional, answered)

    def delivered(self, connector, page):
        action, fields = page.form()
        assert action == connector.endpoint, action
        assert self.browser().post(action, fields).status == 200
        return self.world.server.posted(action)

    def judge_response(self, connector, number, posted, optional, level):
        text = base64.b64decode(posted).decode()
        assert xmlcrypto.verify(text, [self.world.signing[1]]).endswith(self.suffix())
        self.valid(text)
        response = samlp.response_from_string(text)
        assert (response.destination, response.in_response_to) == (connector.endpoint, number)
        assert response.issuer.text == self.names["proxy"] and response.status.status_code.value.endswith(":Success")
        root = xmlcrypto.parse(text)
        data = one(root, f"{{{SAML}}}EncryptedAssertion/{{{XENC}}}EncryptedData")
        assert one(data, f"{{{XENC}}}EncryptionMethod").get("Algorithm") == XENC11 + "aes256-gcm"
        assert "Ærø" not in text and "0101901234" not in text
        clear = sealing.decrypt(data, connector.sealed_for[0])
        self.valid(clear)
        found = xmlcrypto.parse(clear)
        confirmed = one(found, f".//{{{SAML}}}SubjectConfirmationData")
        assert (confirmed.get("InResponseTo"), confirmed.get("Recipient")) == (number, connector.endpoint)
        assert one(found, f".//{{{SAML}}}Audience").text == connector.entity
        assert one(found, f"{{{SAML}}}Issuer").text == self.names["proxy"]
        assert one(found, f".//{{{SAML}}}AuthnContextClassRef").text == LOA + level
        values = {row.get("Name").removeprefix(NATURAL + "/"): row[0].text for row in found.iter(f"{{{SAML}}}Attribute")}
        due = {name: DANE[name] for name in (*MANDATORY, *optional)} | {"PersonIdentifier": "DK/SE/0101901234"}
        assert values == due, values

    def nobody(self, connector):
        """Our identity provider says no; the connector hears it, signed."""
        browser = self.browser()
        number, text = connector.request(self.sso)
        inner, ticket, _ = self.asked(self.arrive(browser, connector, text, "r", "post"), self.providers["DK"], "low")
        refusal = self.providers["DK"].refusal(inner, self.acs)
        page = browser.post(self.acs, {"SAMLResponse": base64.b64encode(refusal.encode()).decode(), "RelayState": ticket})
        posted = base64.b64decode(self.delivered(connector, page)["SAMLResponse"]).decode()
        xmlcrypto.verify(posted, [self.world.signing[1]])
        self.valid(posted)
        response = samlp.response_from_string(posted)
        assert response.in_response_to == number and not response.encrypted_assertion
        assert response.status.status_code.status_code.value.endswith(":AuthnFailed")

    # --- our node as connector

    def login(self, browser, country="SE", level="substantial", subject="patient"):
        query = f"for={subject}&country={country}&via=eid&level={level}&return={self.world.returns}&state=s%26t"
        return browser.get(f"{self.world.url}/eid/login?{query}")

    def signed_in(self, way, subject):
        browser, proxy = self.browser(), self.providers["SE"]
        number, ticket, _ = self.asked(self.login(browser, subject=subject), proxy, "substantial")
        page = self.answer(browser, proxy, number, ticket, SWEDE, way, level="high")
        assert page.status == 303 and page.location.startswith(self.world.returns + "?code="), f"{page.status} {page.location}"
        assert page.location.endswith("&state=s%26t"), page.location
        code = page.location.split("code=")[1].split("&")[0]
        status, session = self.world.back("/eid/session", {"code": code})
        assert status == 200, session
        assert (session["for"], session["country"], session["level"]) == (subject, "SE", "high"), session
        assert session["person"] == {"identifier": "SE/DK/199001011234", "family": "Öberg", "given": "Åsa", "birth": "1990-01-01"}, session
        if subject == "professional":
            self.judge_hcp(session["session"])
        again, _ = self.world.back("/eid/session", {"code": code})
        assert again == 400, "a code works once"
        look, _ = self.world.back("/eid/session", {"session": session["session"]})
        gone, _ = self.world.back("/eid/logout", {"session": session["session"]})
        after, _ = self.world.back("/eid/session", {"session": session["session"]})
        assert (look, gone) == (200, 204) and after in (400, 401, 403), (look, gone, after)

    def judge_hcp(self, session):
        """The HCP assertion of whoever signed in: python-xmlsec, xmlsec1 and OpenSAML verify it."""
        status, text = self.world.back("/eid/hcp", {"session": session, "purpose": "TREATMENT"})
        assert status == 200, text
        seal = self.world.seal
        assert xmlcrypto.verify(text, [seal[1]]).endswith("ecdsa-sha256")
        path, certificate = self.world.folder / "hcp.xml", self.world.files(seal)[0]
        path.write_text(text)
        for tool in (
            ["xmlsec1", "--verify", "--trusted-pem", self.world.roots, "--id-attr:ID", f"{SAML}:Assertion", path],
            ["samlsign", "-f", path, "-c", certificate],
        ):
            subprocess.run(tool, check=True, capture_output=True)
        found = xmlcrypto.parse(text)
        values = {row.get("FriendlyName"): "".join(row[0].itertext()).strip() for row in found.iter(f"{{{SAML}}}Attribute")}
        assert values["XSPA Subject"] == "Åsa Öberg", values
        assert [role.get("code") for role in found.iter("{urn:hl7-org:v3}Role")] == ["221"]
        assert one(found, f".//{{{SAML}}}AuthnContextClassRef").text.endswith(":SmartcardPKI")

    def judgements(self, sealings):
        for role in ("proxy", "connector"):
            yield f"python-xmlsec and the schemas on our metadata as {role}", partial(self.metadata, role)
            yield f"pysaml2's metadata store loads us as {role}", partial(self.stored, role)
        first = sealings[0]
        for connector in self.connectors:
            for how in ("post", "redirect", "redirect, signed inside", "redirect, both"):
                yield f"connector {connector.method}, {how}", partial(self.identified, connector, first, how)
        for way in sealings:
            yield f"identity provider seals by {way}", partial(self.identified, self.connectors[0], way)
            yield f"portal: a patient with the eID of SE, sealed by {way}", partial(self.signed_in, way, "patient")
        yield "portal: a professional with the eID of SE, and the HCP assertion", partial(self.signed_in, first, "professional")
        yield "identity provider signs its assertion, too", partial(self.identified, self.connectors[0], first, sign_assertion=True)
        yield "whatever endpoint a request names, the answer goes where the metadata says", partial(
            self.identified, self.connectors[0], first, acs="https://else.example/acs"
        )
        yield "no optional attribute passes unasked", partial(self.identified, self.connectors[0], first, optional=())
        yield "each optional attribute that was asked for passes", partial(
            self.identified, self.connectors[0], first, optional=("Gender", "BirthName")
        )
        yield "a low level is passed on as low", partial(self.identified, self.connectors[0], first, level="low", answered="low")
        yield "who is not identified is told so, signed", partial(self.nobody, self.connectors[0])
