"""Signed files made on the spot, by python-xmlsec and by signxml, and small changes of them: more than the samples hold, and good under eIDAS."""

import random
import string
import uuid

from lxml import etree
from signxml import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod, XMLSigner

import pki
import saml
import xmlcrypto
from eidas import LOA, assertion, stamp
from xmlcrypto import DS, SAML, parse

MD = "urn:oasis:names:tc:SAML:2.0:metadata"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
KEYS = {"p256": "ecdsa-sha256", "p384": "ecdsa-sha384", "p521": "ecdsa-sha512", "rsa": "rsa-pss-sha256"}
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"


def messages():
    """Unsigned messages, by name; each with an ID."""
    person = {"PersonIdentifier": "SE/DK/1", "CurrentFamilyName": "Öberg & Søn", "CurrentGivenName": "Åsa", "DateOfBirth": "1990-01-01"}
    clear = assertion("https://a.example", "_1", "https://b.example", "https://c.example", person, "high", stamp(), stamp(5))
    name = f'xmlns:s="{SAML}"'
    yield "assertion", clear.replace("<?xml version='1.0' encoding='UTF-8'?>\n", "")
    yield "hcp", saml.hcp("ES", "2.999.1", "221", ["PRD-006"], signed=False)[1]
    yield "request", (
        f'<p:AuthnRequest xmlns:p="{SAMLP}" {name} ID="_r{uuid.uuid4()}" Version="2.0"><s:Issuer>https://a.example</s:Issuer>'
        f'<p:RequestedAuthnContext Comparison="minimum"><s:AuthnContextClassRef>{LOA}low</s:AuthnContextClassRef></p:RequestedAuthnContext></p:AuthnRequest>'
    )
    yield "response", f'<p:Response xmlns:p="{SAMLP}" {name} ID="_r" Version="2.0">\n <s:Issuer>x</s:Issuer>\r\n\t{clear}</p:Response>'
    yield "metadata", f'<EntityDescriptor xmlns="{MD}" xmlns:unused="urn:u" ID="_m" entityID="https://a.example"><Organization/></EntityDescriptor>'


def by_signxml(text, pair, method):
    """signxml puts its signature where an empty one stands."""
    root = parse(text)
    at = 1 if len(root) and root[0].tag == f"{{{SAML}}}Issuer" else 0
    root.insert(at, parse(f'<ds:Signature xmlns:ds="{DS}" Id="placeholder"/>'))
    sign, digest = xmlcrypto.METHODS[method]
    signer = XMLSigner(
        SignatureConstructionMethod.enveloped, SignatureMethod(sign), DigestAlgorithm(digest), CanonicalizationMethod(EXCLUSIVE)
    )
    key, certificate = pair
    done = signer.sign(root, key=key, cert=[certificate], reference_uri=root.get("ID"), id_attribute="ID")
    return etree.tostring(done, encoding="unicode")


# unusual signatures that libxmlsec makes: name -> change of the template
COMMENTS = EXCLUSIVE + "WithComments"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
TRANSFORM = f'<ds:Transform Algorithm="{EXCLUSIVE}"/>'
PREFIXES = f'<ds:Transform Algorithm="{EXCLUSIVE}"><ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="s xs #default"/></ds:Transform>'
SHAPES = {
    "prefixes": lambda t: t.replace(TRANSFORM, PREFIXES),
    "comments": lambda t: t.replace(EXCLUSIVE, COMMENTS),
    "inclusive": lambda t: t.replace(EXCLUSIVE, INCLUSIVE),
    "one-transform": lambda t: t.replace(TRANSFORM, ""),
    "sha1": lambda t: t.replace("http://www.w3.org/2001/04/xmlenc#sha256", f"{DS}sha1"),
    "sha512": lambda t: t.replace("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmlenc#sha512"),
    "whole": lambda t: t.replace('URI="#_m"', 'URI=""'),
    "object": lambda t: t.replace("</ds:KeyInfo>", "</ds:KeyInfo><ds:Object><x/></ds:Object>"),
    "name": lambda t: t.replace("<ds:X509Data>", "<ds:KeyName>a</ds:KeyName><ds:X509Data>"),
    "id": lambda t: t.replace("<ds:Signature ", '<ds:Signature Id="_s" '),
    "twice": lambda t: t.replace("<ds:Reference ", t[t.index("<ds:Reference ") : t.index("</ds:SignedInfo>")] + "<ds:Reference ", 1),
}


def originals():
    for kind, method in KEYS.items():
        pair = pki.own("SE", kind, kind)
        for name, text in messages():
            yield f"made/{name}-{method}-xmlsec", xmlcrypto.sign(text, pair, method)
            yield f"made/{name}-{method}-signxml", by_signxml(text, pair, method)
    pair = pki.own("SE", "p256", "p256")
    for method in ("ecdsa-sha384", "ecdsa-sha512"):
        yield f"made/assertion-p256-{method}", xmlcrypto.sign(dict(messages())["assertion"], pair, method)
    metadata = dict(messages())["metadata"]
    for shape, change in SHAPES.items():
        yield f"made/shape-{shape}", xmlcrypto.sign(metadata, pair, "ecdsa-sha256", change)


def loose(text):
    """Another last letter of the signature value, for the same bytes."""
    at = text.index("==</ds:SignatureValue>") - 1
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    return text[:at] + letters[letters.index(text[at]) ^ 1] + text[at + 1 :]


# what once made a difference
CRAFTED = {
    "latin-1": lambda t: '<?xml version="1.0" encoding="ISO-8859-1"?>' + t,
    "element-behind-value": lambda t: t.replace("</ds:SignatureValue>", "<x/></ds:SignatureValue>"),
    "element-before-value": lambda t: t.replace("<ds:SignatureValue>", "<ds:SignatureValue><x/>"),
    "element-behind-info": lambda t: t.replace("</ds:SignedInfo>", "</ds:SignedInfo><x/>"),
    "element-in-digest": lambda t: t.replace("</ds:DigestValue>", "<x/></ds:DigestValue>"),
    "no-break-space": lambda t: t.replace("</ds:SignatureValue>", "\u00a0</ds:SignatureValue>"),
    "tab-in-attribute": lambda t: t.replace('FriendlyName="XSPA Subject"', 'FriendlyName="XSPA\tSubject"'),
    "cdata-in-digest": lambda t: t.replace("<ds:DigestValue>", "<ds:DigestValue><![CDATA[]]>"),
    "cdata-in-value": lambda t: t.replace("<ds:SignatureValue>", "<ds:SignatureValue><![CDATA[]]>"),
    "space-in-namespace": lambda t: t.replace('"http://www.w3.org/2001/XMLSchema"', '"http://www.w3.org/2001/XML Schema"'),
    "port-in-namespace": lambda t: t.replace('"http://www.w3.org/2001/XMLSchema"', '"http://www.:3.org/2001/XMLSchema"'),
    "certificate-twice": lambda t: t.replace("<ds:X509Certificate>", t[t.index("<ds:X509Certificate>") : t.index("</ds:X509Data>")] + "<ds:X509Certificate>"),
    "foreign-id": lambda t: t.replace("<ds:Signature ", '<ds:Signature x:ID="' + parse(t).get("ID") + '" xmlns:x="urn:x" '),
    "loose-base64": loose,
    "quote-in-namespace": lambda t: t.replace('"http://www.w3.org/2001/XMLSchema"', '"http://www.w3.org/2001/XML\'Schema"'),
    "instruction": lambda t: t + "<?pi x?>",
    "comment-behind": lambda t: t + "<!-- c -->",
    "document-type": lambda t: "<!DOCTYPE a>" + t,
}


def crafted():
    """Each of these changes of an HCP assertion and of one whose SignedInfo is canonicalized with comments."""
    pair = pki.own("SE", "p256", "p256")
    text = dict(messages())["hcp"]
    plain = xmlcrypto.sign(text, pair, "ecdsa-sha256")
    comments = xmlcrypto.sign(text, pair, "ecdsa-sha256", SHAPES["comments"])
    for name, change in CRAFTED.items():
        assert change(plain) != plain, name
        yield f"made/crafted-{name}", change(plain)
    prefixes = xmlcrypto.sign(text, pair, "ecdsa-sha256", SHAPES["prefixes"])
    rsa = xmlcrypto.sign(text, pki.own("SE", "rsa", "rsa"), "rsa-pss-sha256")
    yield "made/crafted-cdata-in-rsa-value", CRAFTED["cdata-in-value"](rsa)
    yield "made/crafted-line-end-in-prefixes", prefixes.replace('PrefixList="s xs', 'PrefixList="s\nxs')
    yield "made/crafted-comment-signed", comments.replace("<ds:SignedInfo>", "<ds:SignedInfo><!-- c -->")


def cut(text, chance):
    at = chance.randrange(len(text))
    return text[:at] + text[at + 1 :]


def flip(text, chance):
    at = chance.randrange(len(text))
    return text[:at] + chance.choice("aZ09=<>&\"'/ _:\u00e9") + text[at + 1 :]


def insert(*what):
    def change(text, chance):
        at = chance.randrange(len(text))
        return text[:at] + chance.choice(what) + text[at:]

    return change


def between(*what):
    """Between two tags, or between tag and text."""

    def change(text, chance):
        at = chance.choice([i for i, c in enumerate(text) if c == ">"]) + 1
        return text[:at] + chance.choice(what) + text[at:]

    return change


def reference(text, chance):
    """A letter of text as character reference: the same XML."""
    places = [i for i, c in enumerate(text) if c.isalpha() and text.rfind(">", 0, i) > text.rfind("<", 0, i)]
    at = chance.choice(places)
    return text[:at] + f"&#{ord(text[at])};" + text[at + 1 :]


def again(text, chance):
    """An element once more, somewhere."""
    root = parse(text)
    every = list(root.iter(etree.Element))
    one, place = parse(etree.tostring(chance.choice(every), with_tail=False)), chance.choice(every)
    place.insert(chance.randrange(len(place) + 1), one)
    return etree.tostring(root, encoding="unicode")


def attribute(text, chance):
    at = chance.choice([i for i, c in enumerate(text) if c == " " and text.rfind("<", 0, i) > text.rfind(">", 0, i)])
    more = ["  ", "\n", "\t", ' ID="_m" ', ' Id="_m" ', ' xml:id="_m" ', ' x:ID="_m" xmlns:x="urn:x" ', ' xmlns:y="urn:y" ', " ID='_q' "]
    return text[:at] + chance.choice(more) + text[at + 1 :]


def quotes(text, chance):
    return text.replace('"', "'")


def prolog(text, chance):
    heads = ['<?xml version="1.0"?>', "\ufeff", " ", "<!-- c -->", "<?pi x?>", "<!DOCTYPE a>", '<?xml version="1.1"?>', '<?xml version="1.0" encoding="ISO-8859-1"?>']
    return chance.choice(heads) + text if chance.random() < 0.7 else text + chance.choice(["\n", "<!-- c -->", "<?pi x?>", "x", "\0"])


CHANGES = (
    cut, flip, insert(" ", "\n", "\r", "\t", "\u00a0", "x"), between(" ", "\n", "\r\n", "<!-- c -->", "<?pi x?>", "<![CDATA[]]>", "<![CDATA[x]]>", "&amp;", "<x/>"),
    reference, again, attribute, quotes, prolog,
)


def difference(before, after):
    """What is another, in few words: where, old, new."""
    start = next((i for i, (a, b) in enumerate(zip(before, after)) if a != b), min(len(before), len(after)))
    rest = min(len(before), len(after)) - start
    end = next((i for i in range(rest) if before[len(before) - 1 - i] != after[len(after) - 1 - i]), rest)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    return f"after {before[max(0, start - 40):start]!r} {old[:60]!r} -> {new[:60]!r}"


def changed(originals, count, seed):
    """`count` changes of the originals, the same kinds each time. The KeyInfo stays: nobody signed it, callers compare
    its certificate byte for byte, and here the keys are taken from it."""
    chance = random.Random(seed)
    rows = list(originals)
    for number in range(count):
        name, text = chance.choice(rows)
        change = CHANGES[number % len(CHANGES)]
        info = text[text.index("<ds:KeyInfo>") : text.index("</ds:KeyInfo>")]
        after = change(text, chance)
        while after.count(info) != 1 or after.count("<ds:KeyInfo>") != 1:
            after = change(text, chance)
        yield f"{name}, {change.__name__} {number}: {difference(text, after)}", after


def files(count, seed):
    """(name, content)"""
    rows = list(originals())
    for name, text in [*rows, *crafted(), *changed(rows, count, seed)]:
        yield name, text.encode()
