"""pysaml2 and python-xmlsec play the eIDAS nodes of other countries and our own identity provider against a running node.
Usage: eid.py SAMPLES KONFIDO"""

import sys
import tempfile
from pathlib import Path

import light
import schemas
import sealing
from eidas import Party
from flows import SWEDE, Flows
from refusals import refusals
from tally import Tally
from world import World

# by kinds of our own keys, for signing and encryption: what the peers sign with, what connectors have answers sealed for, how answers to us are sealed
ROUNDS = {
    ("p256", "p256"): {
        "connectors": [("ecdsa-sha256", "p256"), ("ecdsa-sha512", "p384"), ("rsa-pss-sha256", "rsa")],
        "provider": "ecdsa-sha256", "proxy": "ecdsa-sha512", "sealing": ["ecdh-es-kw256", "ecdh-es-kw128"],
    },
    ("p384", "p521"): {
        "connectors": [("ecdsa-sha384", "p384"), ("ecdsa-sha512", "p521")],
        "provider": "ecdsa-sha384", "proxy": "ecdsa-sha512", "sealing": ["ecdh-es-kw256", "ecdh-es-kw128"],
    },
    ("rsa", "rsa"): {
        "connectors": [("rsa-pss-sha256", "rsa"), ("rsa-pss-sha512", "rsa"), ("ecdsa-sha512", "p256")],
        "provider": "rsa-pss-sha256", "proxy": "rsa-pss-sha512",
        "sealing": list(sealing.OAEP),
    },
}


def parties(world, plan):
    """(providers by country, connectors, connectors that are there to be refused)."""
    providers = {
        "DK": Party(world, "/dk/provider", "DK", "idp", plan["provider"], "p256"),
        "SE": Party(world, "/se/proxy", "SE", "idp", plan["proxy"], "p256"),
        "FI": Party(world, "/fi/proxy", "FI", "idp", "ecdsa-sha256", "p256", level="substantial"),
        "NO": Party(world, "/no/proxy", "NO", "idp", "ecdsa-sha256", "p256"),
    }
    connectors = [
        Party(world, f"/se/connector{at}", "SE", "sp", method, encryption) for at, (method, encryption) in enumerate(plan["connectors"])
    ]
    odd = {name: Party(world, f"/se/{name}", "SE", "sp", "ecdsa-sha256", "p256") for name in ("expired", "forged", "unsigned", "weak")}
    odd["rsa"] = Party(world, "/se/rsa", "SE", "sp", "rsa-pss-sha256", "rsa")
    odd["stranger"] = Party(world, "/se/stranger", "SE", "sp", "ecdsa-sha256", "p256")
    for party in [*providers.values(), *connectors, odd["rsa"], odd["stranger"]]:
        world.server.pages[party.path + "/metadata"] = party.metadata()
    pages = world.server.pages
    other = world.own("SE", "another", "p256")
    pages["/no/proxy/metadata"] = providers["NO"].metadata(until="2026-01-01T00:00:00Z")
    pages["/se/expired/metadata"] = odd["expired"].metadata(until="2026-01-01T00:00:00Z")
    pages["/se/forged/metadata"] = odd["forged"].metadata(pair=other)
    pages["/se/unsigned/metadata"] = odd["unsigned"].metadata(signed=False)
    pages["/se/weak/metadata"] = odd["weak"].metadata().replace("SE</", "FI</")
    return providers, connectors, odd


def main():
    samples, konfido = Path(sys.argv[1]) / "identity", sys.argv[2]
    schema = schemas.load(samples) if samples.is_dir() else None
    if schema is None:
        print(f"eid: skipped: no schemas at {samples}; the messages themselves are judged")
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for kinds, plan in ROUNDS.items():
            world = World(Path(folder) / "-".join(kinds), *kinds)
            try:
                providers, connectors, odd = parties(world, plan)
                asked = [*connectors, *(party for name, party in odd.items() if name != "stranger")]
                world.register("SE/199001011234", SWEDE["CurrentFamilyName"], SWEDE["CurrentGivenName"])
                world.start(konfido, providers.values(), asked, light.configuration(world))
                flows = Flows(world, providers, connectors, schema)
                named = f"our keys {' and '.join(kinds)}: "
                tally.run((named + name, judge) for name, judge in flows.judgements(plan["sealing"]))
                tally.run((named + name, judge) for name, judge in refusals(flows, odd, plan["sealing"][0]))
                tally.run((named + name, judge) for name, judge in light.judgements(flows, plan["sealing"][0], samples))
            finally:
                world.stop()
    sys.exit(tally.end("eid"))


if __name__ == "__main__":
    main()
