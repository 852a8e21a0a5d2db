"""Requests and answers that must be refused: judged by what the browser shows and by the reason in the node's log."""

import base64
from functools import partial

import xmlcrypto
from flows import DANE, SWEDE


def b64(text):
    return base64.b64encode(text.encode()).decode()


def refusals(flows, odd, way):
    """(name, judgement)."""
    world, connector, rsa = flows.world, flows.connectors[0], odd["rsa"]
    another = world.own("SE", "somebody", "p256")

    def shown(page, why, detail=""):
        """The page says no; the log, under the number that the page shows, says why."""
        assert page.status in (400, 502), f"{page.status} {page.text[:200]}"
        title, number = page.trouble()
        before, line = world.why(number)
        assert title == ("Login not possible" if why.startswith("login") else "Identification not possible"), title
        assert f'why="{why}"' in line, line
        assert detail in before, f"{detail!r} is not in {before!r}"

    def posted(text):
        return flows.browser().post(flows.sso, {"SAMLRequest": b64(text), "RelayState": "r"})

    def request(party=connector, destination=flows.sso, change=lambda t: t, **signing):
        _, text = party.request(destination)
        return posted(party.signed(change(text), **signing))

    def pkcs1_by_pysaml2():
        _, text = rsa.request(flows.sso, own_signature=True)
        xmlcrypto.verify(text, [rsa.pair[1]])  # it is a good signature, of a forbidden method
        shown(posted(text), "proxy.refused", "forbidden signature method")

    def pkcs1_by_xmlsec():
        shown(request(rsa, method="rsa-sha256"), "proxy.refused", "forbidden signature method")

    def unsigned():
        shown(posted(connector.request(flows.sso)[1]), "proxy.refused", "no signature")

    def unsigned_redirect():
        _, text = connector.request(flows.sso)
        shown(flows.browser().get(connector.redirect(flows.sso, text, "r", detached=False)), "proxy.refused", "no signature")

    def relay_changed():
        url = connector.redirect(flows.sso, connector.request(flows.sso)[1], "r1").replace("RelayState=r1", "RelayState=r2")
        shown(flows.browser().get(url), "proxy.refused", "does not verify")

    def expired_proxy():
        page = flows.login(flows.browser(), "NO")
        assert page.status == 303, page.status
        assert page.location == f"{world.returns}?error=temporarily_unavailable&state=s%26t", page.location
        said = world.log.read_text()
        assert "metadata.valid-until" in said and 'why="login.metadata"' in said.splitlines()[-1], said[-300:]

    def replayed():
        _, text = connector.request(flows.sso)
        signed = connector.signed(text)
        assert posted(signed).status == 200
        shown(posted(signed), "proxy.replay")

    def changed(why, detail, old, new):
        def change(text):
            assert old in text, old
            return text.replace(old, new)

        shown(request(change=change), why, detail)

    yield "pysaml2's own signature (RSA PKCS#1 v1.5) is refused", pkcs1_by_pysaml2
    yield "RSA PKCS#1 v1.5 by python-xmlsec is refused", pkcs1_by_xmlsec
    yield "an unsigned request is refused", unsigned
    yield "an unsigned redirect is refused", unsigned_redirect
    yield "a redirect whose RelayState was changed is refused", relay_changed
    yield "a request is taken once", replayed
    yield "another destination is refused", lambda: shown(
        request(destination=world.url + "/eid/elsewhere"), "request.destination", "request.destination"
    )
    yield "a request signed by another key is refused", lambda: shown(request(pair=another, method="ecdsa-sha256"), "proxy.refused", "a key that is not in the peer's metadata")
    yield "a connector that nobody configured is refused", lambda: shown(request(odd["stranger"]), "proxy.issuer")
    rows = [
        ("request.is-passive", 'IsPassive="false"', 'IsPassive="true"'),
        ("request.is-passive", 'IsPassive="false"', ""),
        ("request.force-authn", 'ForceAuthn="true"', ""),
        ("request.level-comparison", 'Comparison="minimum"', 'Comparison="exact"'),
        ("request.level-known", "LoA/low", "LoA/lowest"),
        ("request.minimum-data-set", "naturalperson/DateOfBirth", "naturalperson/Gender"),
        ("request.sector", ">public<", ">press<"),
    ]
    for rule, old, new in rows:
        yield f"{rule}: {old} -> {new or 'nothing'}", partial(changed, rule, rule, old, new)
    metadata = [("expired", "metadata.valid-until"), ("forged", "a key that is not in the peer's metadata"), ("unsigned", "no signature"), ("weak", "does not verify")]
    for name, detail in metadata:
        words = {"forged": "signed by another key", "weak": "changed after it was signed"}.get(name, name)
        yield f"metadata of a connector, {words}: refused", lambda name=name, detail=detail: shown(
            request(odd[name]), "proxy.metadata", detail
        )
    yield "expired metadata of a proxy service: the portal is told", expired_proxy
    yield from answers(flows, way, another)


def answers(flows, way, another):
    """Answers of another country's proxy service, and of our own identity provider."""
    world, proxy, connector = flows.world, flows.providers["SE"], flows.connectors[0]

    def portal(error="server_error", why=None, person=SWEDE, country="SE", cookie=True, **change):
        browser, asked = flows.browser(), flows.providers[country]
        number, ticket, _ = flows.asked(flows.login(browser, country), asked, "substantial")
        page = flows.answer(browser, asked, number, ticket, person, way, **change)
        assert page.status == 303, page.status
        assert page.location == f"{world.returns}?error={error}&state=s%26t", page.location
        last = [line for line in world.log.read_text().splitlines() if "login refused" in line][-1]
        assert why in last, last

    def stranger():
        """The answer is signed by a good key that the metadata does not name."""
        portal(why="login.signature", pair=another, method="ecdsa-sha256")

    def no_person():
        browser = flows.browser()
        number, ticket, _ = flows.asked(flows.login(browser), proxy, "substantial")
        page = browser.post(flows.acs, {"SAMLResponse": b64(proxy.refusal(number, flows.acs)), "RelayState": ticket})
        assert page.location == f"{world.returns}?error=access_denied&state=s%26t", page.location

    def once():
        browser = flows.browser()
        number, ticket, _ = flows.asked(flows.login(browser), proxy, "substantial")
        text = proxy.response(number, flows.acs, flows.names["connector"], SWEDE, flows.encryption_key(), way)
        fields = {"SAMLResponse": b64(text), "RelayState": ticket}
        first, second = browser.post(flows.acs, fields), browser.post(flows.acs, fields)
        assert "code=" in first.location and second.status == 400, (first.location, second.status)
        assert second.trouble()[0] == "Login expired"

    def other_browser():
        number, ticket, _ = flows.asked(flows.login(flows.browser()), proxy, "substantial")
        page = flows.answer(flows.browser(), proxy, number, ticket, SWEDE, way)
        assert page.status == 400 and page.trouble()[0] == "Login expired", page.status

    def told_to_connector():
        """A bad answer of our identity provider: the connector gets a signed refusal, and nothing else."""
        browser = flows.browser()
        _, text = connector.request(flows.sso)
        inner, ticket, _ = flows.asked(flows.arrive(browser, connector, text, "r", "post"), flows.providers["DK"], "low")
        page = flows.answer(browser, flows.providers["DK"], inner, ticket, DANE, way, pair=another, method="ecdsa-sha256")
        posted = base64.b64decode(flows.delivered(connector, page)["SAMLResponse"]).decode()
        xmlcrypto.verify(posted, [world.signing[1]])
        assert "AuthnFailed" in posted and "Encrypted" not in posted

    def other_portal():
        browser = flows.browser()
        number, ticket, _ = flows.asked(flows.login(browser), proxy, "substantial")
        page = flows.answer(browser, proxy, number, ticket, SWEDE, way)
        code = page.location.split("code=")[1].split("&")[0]
        status, _ = world.back("/eid/session", {"code": code}, world.authority.client("DK", "other.dk"))
        assert status == 400, status

    yield "an answer signed by another key is refused", stranger
    yield "an answer for another destination is refused", lambda: portal(why="response.destination", destination="https://else.example")
    yield "an answer for another recipient is refused", lambda: portal(why="response.recipient", recipient="https://else.example")
    yield "an answer for another audience is refused", lambda: portal(why="response.audience", restricted="https://else.example")
    yield "an answer of a lower level is refused", lambda: portal(why="response.level", level="low")
    yield "a person of another country is refused", lambda: portal(
        why="response.person-country", person=SWEDE | {"PersonIdentifier": "NO/DK/1"}
    )
    yield "a level above the certified one is refused", lambda: portal(
        why="response.level-certified", country="FI", person=SWEDE | {"PersonIdentifier": "FI/DK/1"}, level="high"
    )
    yield "a person without a date of birth is refused", lambda: portal(
        why="minimum data set", person={k: v for k, v in SWEDE.items() if k != "DateOfBirth"}
    )
    yield "who says no is told to the portal", no_person
    yield "an answer is taken once", once
    yield "an answer in another browser is refused", other_browser
    yield "a bad answer of our identity provider reaches the connector as a signed refusal", told_to_connector
    yield "another portal cannot redeem the code", other_portal
