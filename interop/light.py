"""The light interface with a stand-in for the other part of an eIDAS node: Python's own hash, lxml and the official schemas and messages."""

import base64
import hashlib
import time
import uuid
from datetime import datetime, timezone
from urllib.parse import urlencode

import requests
from lxml import etree

from eidas import LOA, MANDATORY, NATURAL
from flows import DANE

SECRET = "a secret that both parts know"
NAMES = {
    "connector": ("specificNodeConnectorRequestCache", "nodeSpecificConnectorResponseCache"),
    "proxy": ("nodeSpecificProxyserviceRequestCache", "specificNodeProxyserviceResponseCache"),
}
SAMPLES = "eidas-node-2.9.0/light"
ICELANDER = {
    "PersonIdentifier": "IS/DK/1201743399", "CurrentFamilyName": "Þórðardóttir", "CurrentGivenName": "Ísold", "DateOfBirth": "1974-01-12",
}


def issuer(place, kind):
    return f"specificCommunicationDefinition{'Connector' if place == 'connector' else 'Proxyservice'}{kind}"


def configuration(world):
    """Rows of konfido.toml: we are the specific part at both ends."""
    (world.folder / "light.secret").write_text(SECRET + "\n")
    text = '[eid.light]\nclient = "portal.dk"\n'
    for place in NAMES:
        text += f'[eid.light.{place}]\npart = "specific"\nurl = "{world.server.url}/light/{place}"\n'
        text += 'countries = ["IS"]\n' if place == "connector" else ""
        for kind in ("Request", "Response"):
            text += f'{kind.lower()} = {{ issuer = "{issuer(place, kind)}", secret_file = "light.secret" }}\n'
    return text


def digest(number, name, created, secret=SECRET):
    return base64.b64encode(hashlib.sha256(f"{number}|{name}|{created}|{secret}".encode()).digest()).decode()


def token(number, name, secret=SECRET):
    """As the node's BinaryLightTokenHelper writes it."""
    now = datetime.now(timezone.utc)
    created = now.strftime("%Y-%m-%d %H:%M:%S ") + f"{now.microsecond // 1000:03}"
    return base64.b64encode(f"{name}|{number}|{created}|{digest(number, name, created, secret)}".encode()).decode()


class Other:
    """The generic part, at both ends."""

    def __init__(self, flows, way, samples):
        self.flows, self.way, self.world, self.samples = flows, way, flows.world, samples / SAMPLES
        self.schemas = None
        if self.samples.is_dir():
            self.schemas = {kind: etree.XMLSchema(file=str(self.samples / f"xsd/light{kind}.xsd")) for kind in ("Request", "Response")}

    def shelf(self, method, place, kind, number, body=None):
        certificate, key = self.world.files(self.world.portal)
        cache = NAMES[place][0 if kind == "Request" else 1]
        url = f"https://localhost:{self.world.national}/eid/light/cache/{cache}/{number}"
        body = body if body is None else body.encode()
        return requests.request(method, url, data=body, cert=(str(certificate), str(key)), verify=str(self.world.roots), timeout=20)

    def received(self, page, place, kind):
        """The message behind the token on a page of ours."""
        action, fields = page.form()
        assert action == f"{self.world.server.url}/light/{place}", action
        name, number, created, hashed = base64.b64decode(fields["token"]).decode().split("|")
        assert name == issuer(place, kind) and hashed == digest(number, name, created), name
        at = datetime.strptime(created + "000", "%Y-%m-%d %H:%M:%S %f").replace(tzinfo=timezone.utc)
        assert abs(time.time() - at.timestamp()) < 5, created
        answer = self.shelf("DELETE", place, kind, number)
        assert answer.status_code == 200, answer.text
        assert self.shelf("DELETE", place, kind, number).status_code == 404
        root = etree.fromstring(answer.content)
        if self.schemas:
            self.schemas[kind].assertValid(root)
        return root

    def send(self, browser, place, kind, text, secret=SECRET):
        """Puts a message and brings its token, as a browser that was redirected."""
        number = str(uuid.uuid4())
        assert self.shelf("PUT", place, kind, number, text).status_code == 204
        return browser.get(f"{self.world.url}/eid/light/{place}?" + urlencode({"token": token(number, issuer(place, kind), secret)}))

    def sample(self, path, **changed):
        """An official message, its texts changed by element name."""
        root = etree.parse(str(self.samples / path)).getroot()
        for name, text in changed.items():
            for found in root.iter(f"{{*}}{name}"):
                found.text = text
        return root

    def portal(self):
        """Somebody from Iceland signs in through the connector of our eIDAS node."""
        browser = self.flows.browser()
        page = self.flows.login(browser, "IS")
        asked = self.received(page, "connector", "Request")
        assert asked.findtext("{*}citizenCountryCode") == "IS" and asked.findtext("{*}spType") == "public"
        levels = [level.text for level in asked.iterfind("{*}levelOfAssurance")]
        assert len(levels) == 1 and levels[0].startswith(LOA), levels
        answer = self.sample("HappyFlow/4_connectorLightResponse.xml", inResponseToId=asked.findtext("{*}id"), levelOfAssurance=LOA + "high")
        attributes = answer.find("{*}attributes")
        for row in list(attributes):
            name = row.findtext("{*}definition").removeprefix(NATURAL + "/")
            if name in MANDATORY:
                row.find("{*}value").text = ICELANDER[name]
            else:
                attributes.remove(row)
        self.schemas["Response"].assertValid(answer)
        page = self.send(browser, "connector", "Response", etree.tostring(answer, encoding="unicode"))
        assert page.status == 303 and page.location.startswith(f"{self.world.returns}?code="), f"{page.status} {page.location} {page.text}"
        code = page.location.split("code=")[1].split("&")[0]
        status, session = self.world.back("/eid/session", {"code": code})
        assert status == 200 and session["country"] == "IS" and session["level"] == "high", session
        assert session["person"]["identifier"] == ICELANDER["PersonIdentifier"], session
        assert session["person"]["family"] == ICELANDER["CurrentFamilyName"], session

    def proxy(self):
        """The official request of a proxy service's generic part, for a Dane."""
        browser, provider = self.flows.browser(), self.flows.providers["DK"]
        asked = self.sample("HappyFlow/2_serviceLightRequest.xml", citizenCountryCode="DK")
        page = self.send(browser, "proxy", "Request", etree.tostring(asked, encoding="unicode"))
        inner, ticket, _ = self.flows.asked(page, provider, "low")
        page = self.flows.answer(browser, provider, inner, ticket, DANE, self.way, level="high")
        answer = self.received(page, "proxy", "Response")
        for name in ("relayState", "id"):
            theirs = answer.findtext("{*}inResponseToId" if name == "id" else "{*}relayState")
            assert theirs == asked.findtext(f"{{*}}{name}"), name
        assert answer.findtext("{*}status/{*}failure") == "false" and answer.findtext("{*}levelOfAssurance") == LOA + "high"
        rows = {row.findtext("{*}definition").removeprefix(NATURAL + "/"): row.findtext("{*}value") for row in answer.iter("{*}attribute")}
        assert rows == DANE | {"PersonIdentifier": "0101901234"}, rows

    def nobody(self):
        """Our identity provider says no; the answer is what the official failure is."""
        browser, provider = self.flows.browser(), self.flows.providers["DK"]
        asked = self.sample("HappyFlow/2_serviceLightRequest.xml", citizenCountryCode="DK")
        page = self.send(browser, "proxy", "Request", etree.tostring(asked, encoding="unicode"))
        inner, ticket, _ = self.flows.asked(page, provider, "low")
        refusal = base64.b64encode(provider.refusal(inner, self.flows.acs).encode()).decode()
        answer = self.received(browser.post(self.flows.acs, {"SAMLResponse": refusal, "RelayState": ticket}), "proxy", "Response")
        official = self.sample("FailureFlow/3_serviceLightResponse.xml")
        for name in ("failure", "statusCode", "subStatusCode"):
            ours, theirs = (one.findtext(f"{{*}}status/{{*}}{name}") for one in (answer, official))
            assert ours == theirs, f"{name}: {ours} is not {theirs}"
        assert not list(answer.find("{*}attributes"))

    def another_secret(self):
        asked = self.sample("HappyFlow/2_serviceLightRequest.xml", citizenCountryCode="DK")
        page = self.send(self.flows.browser(), "proxy", "Request", etree.tostring(asked, encoding="unicode"), "another secret of both")
        title, number = page.trouble()
        assert (page.status, title) == (400, "Login not possible"), page.text
        assert 'why="light.digest"' in self.world.why(number)[1]

    def another_country(self):
        """The official request, for somebody of whom we know nothing: a failure, valid by the schema."""
        asked = self.sample("HappyFlow/2_serviceLightRequest.xml")
        page = self.send(self.flows.browser(), "proxy", "Request", etree.tostring(asked, encoding="unicode"))
        answer = self.received(page, "proxy", "Response")
        assert answer.findtext("{*}status/{*}failure") == "true" and answer.findtext("{*}subject") is None


def judgements(flows, way, samples):
    other = Other(flows, way, samples)
    if other.schemas is None:
        print(f"eid: light interface skipped: no messages at {other.samples}")
        return
    yield "light: a portal's login through the eIDAS node that a country has", other.portal
    yield "light: the official request of a proxy service is answered", other.proxy
    yield "light: who is not identified, as the official failure says it", other.nobody
    yield "light: a token with another secret is refused", other.another_secret
    yield "light: somebody of another country is refused by an answer", other.another_country
