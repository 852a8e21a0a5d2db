"""Our verdict and libxmlsec's on every signed file of the samples. Usage: differential.py SAMPLES VERDICTS"""

import base64
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import xmlsec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

import facts
import made
from tally import Tally
from xmlcrypto import DS

CHANGED = int(os.environ.get("INTEROP_CHANGES", "3000"))
SEED = int(os.environ.get("INTEROP_SEED", "1"))
NAMES = ["ID", "Id", "id", "AssertionID"]


def files(samples):
    """Signed XML, by name: as it is, and out of base64."""
    for path in sorted(samples.rglob("*")):
        if not path.is_file() or path.suffix == ".xsd":
            continue
        content = path.read_bytes()
        if not content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
            try:
                content = base64.b64decode(b"".join(content.split()), validate=True)
            except ValueError:
                continue
        if b"SignatureValue" in content and b"<" in content:
            yield str(path.relative_to(samples)), content


def tree(content, recover=False):
    """Internal entities are resolved, as our engine's parser does; nothing is fetched."""
    parser = etree.XMLParser(resolve_entities="internal", no_network=True, load_dtd=False, strip_cdata=False, recover=recover)
    return etree.fromstring(content, parser)


def foreign(content):
    """libxmlsec on each signature, with the key that the file brings: (in the file, in its element alone, facts)."""
    try:
        count = len(list(tree(content).iter(f"{{{DS}}}Signature")))
    except etree.XMLSyntaxError as fault:
        torn = tree(content, recover=True)
        signature = None if torn is None else next(torn.iter(f"{{{DS}}}Signature"), None)
        return [(f"unreadable: {fault}", "unreadable", facts.Facts(content, signature))]
    return [judged(content, number) for number in range(count)] or [("no signature", "no signature", facts.Facts(content, None))]


def judged(content, number):
    # a fresh tree each: libxmlsec leaves traces in it
    root = tree(content)
    signature = list(root.iter(f"{{{DS}}}Signature"))[number]
    signed = signature.getparent()
    found = facts.Facts(content, signature)
    inside = verdict(root, signature)
    if signed is None:
        return inside, "no element around it", found
    inner = list(signed.iter(f"{{{DS}}}Signature")).index(signature)
    try:
        alone = tree(etree.tostring(signed, with_tail=False, encoding="utf-8"))
    except etree.XMLSyntaxError as fault:
        return inside, f"unreadable alone: {fault}", found
    return inside, verdict(alone, list(alone.iter(f"{{{DS}}}Signature"))[inner]), found


def verdict(root, signature):
    context = xmlsec.SignatureContext()
    certificate = signature.find(f"{{{DS}}}KeyInfo//{{{DS}}}X509Certificate")
    try:
        for element in root.iter(etree.Element):
            for name in NAMES:
                if element.get(name):
                    context.register_id(element, name)
        bare = signature.find(f"{{{DS}}}KeyInfo/{{{DS}}}KeyValue/{{{DS}}}RSAKeyValue")
        if certificate is not None:
            der = base64.b64decode("".join(certificate.text.split()))
            context.key = xmlsec.Key.from_memory(der, xmlsec.constants.KeyDataFormatCertDer)
        elif bare is not None:
            context.key = xmlsec.Key.from_memory(public_pem(bare), xmlsec.constants.KeyDataFormatPem)
        context.verify(signature)
        return "valid"
    except (xmlsec.Error, ValueError, TypeError) as fault:
        return f"{type(fault).__name__}: {fault}"


def public_pem(bare):
    """An RSAKeyValue as PEM."""
    modulus, exponent = (
        int.from_bytes(base64.b64decode("".join(bare.find(f"{{{DS}}}{name}").text.split())), "big") for name in ("Modulus", "Exponent")
    )
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def ours(verdicts, names, folder):
    """(engine, eHDSI rules, eIDAS rules) of each signature."""
    listed = "".join(f"{folder / str(at)}\n" for at in range(len(names)))
    done = subprocess.run([verdicts], input=listed, check=True, capture_output=True, text=True)
    found = {}
    for line in done.stdout.splitlines():
        path, _, *said = line.split("\t")
        found.setdefault(names[int(Path(path).name)], []).append(tuple(said))
    return found


def judge(rows):
    """(differences that no row explains, rows that explain nothing, counts, how often each row was used)."""
    used, counts, unexplained = Counter(), Counter(), []

    def explained(table, said, found):
        row = next((row for row in table if row.fits(said, found)), None)
        used[row] += row is not None
        return row is not None

    for name, number, (engine, ehdsi, eidas), (theirs, alone, found) in rows:
        good, valid = engine == "valid", theirs == "valid"
        counts["signatures"] += 1
        counts["valid for both"] += good and valid
        counts["invalid for both"] += not good and not valid
        counts["where engine and libxmlsec differ"] += good != valid
        if good != valid and not explained(facts.ENGINE, engine, found):
            unexplained.append((name, number, f"engine: {engine}", theirs))
        for said, profile in ((ehdsi, "eHDSI"), (eidas, "eIDAS")):
            counts[f"accepted by the {profile} rules"] += said == "accepted"
            counts[f"valid and refused by the {profile} rules"] += said != "accepted" and alone == "valid"
            # no row can excuse this, if libxml2 can read the file at all
            unread = theirs.startswith("unreadable") and explained(facts.LENIENT, said, found)
            if said == "accepted" and alone != "valid" and not unread:
                unexplained.append((name, number, f"{profile} rules accept", alone))
            if said != "accepted" and alone == "valid" and not explained(facts.RULES[profile], said, found):
                unexplained.append((name, number, f"{profile} rules: {said}", alone))
    idle = [row for table in facts.TABLES for row in table if not used[row]]
    return unexplained, idle, counts, used


def main():
    samples = Path(sys.argv[1])
    tally = Tally()
    if not samples.is_dir():
        print(f"differential: skipped: the signed files of others: no samples at {samples}")
    foreign_files = list(files(samples)) if samples.is_dir() else []
    signed = [*foreign_files, *made.files(CHANGED, SEED)]
    names = [name for name, _ in signed]
    with tempfile.TemporaryDirectory() as folder:
        for at, (_, content) in enumerate(signed):
            (Path(folder) / str(at)).write_bytes(content)
        said = ours(sys.argv[2], names, Path(folder))
    rows = []
    for name, content in signed:
        theirs, mine = foreign(content), said[name]
        for number in range(max(len(theirs), len(mine))):
            # what cannot be read has one verdict, for all its signatures
            rows.append((name, number, *(all[number] if number < len(all) else all[0] for all in (mine, theirs))))
    if "-v" in sys.argv:
        for row in rows:
            print(*row[:3], *row[3][:2])
    unexplained, idle, counts, used = judge(rows)
    print(f"differential: {len(signed)} files ({len(foreign_files)} of the samples), " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    for title, table in facts.TITLES.items():
        for row in table:
            print(f"  {used[row]:3} {title}: {row.says}: {row.why}")
    for row in unexplained:
        print("  unexplained: " + " | ".join(str(part) for part in row))

    def none(what, found):
        assert not found, f"{len(found)} {what}: {found[:3]}"

    tally.run(
        [
            ("our engine and python-xmlsec agree on every signed file but for the table", lambda: none("differences", unexplained)),
            ("each row of the table explains something", lambda: none("rows of no use", idle if foreign_files else [])),
            ("there were signed files", lambda: none("files missing", [] if len(signed) > CHANGED else [len(signed)])),
        ]
    )
    sys.exit(tally.end("differential"))


if __name__ == "__main__":
    main()
