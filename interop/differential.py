"""Our verdict and libxmlsec's on every signed file of the samples. Usage: differential.py SAMPLES VERDICTS"""

import base64
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import xmlsec
from lxml import etree

import xmlcrypto
from tally import Tally
from xmlcrypto import DS

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


def foreign(content):
    """libxmlsec's verdict on each signature, with the key that the file brings."""
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as fault:
        return [f"unreadable: {fault}"]
    return [one(content, number) for number in range(len(list(root.iter(f"{{{DS}}}Signature"))))]


def one(content, number):
    # a fresh tree each: libxmlsec leaves traces in it
    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    signature = list(root.iter(f"{{{DS}}}Signature"))[number]
    xmlsec.tree.add_ids(root, NAMES)
    context = xmlsec.SignatureContext()
    certificate = signature.find(f"{{{DS}}}KeyInfo//{{{DS}}}X509Certificate")
    try:
        if certificate is not None:
            der = base64.b64decode("".join(certificate.text.split()))
            context.key = xmlsec.Key.from_memory(der, xmlsec.constants.KeyDataFormatCertDer)
        context.verify(signature)
        return "valid"
    except (xmlsec.Error, ValueError, TypeError) as fault:
        return f"{type(fault).__name__}: {fault}"


def ours(verdicts, names, folder):
    """(engine, eHDSI rules, eIDAS rules) of each signature."""
    listed = "".join(f"{folder / str(at)}\n" for at in range(len(names)))
    done = subprocess.run([verdicts], input=listed, check=True, capture_output=True, text=True)
    found = {}
    for line in done.stdout.splitlines():
        path, _, *said = line.split("\t")
        found.setdefault(names[int(Path(path).name)], []).append(tuple(said))
    return found


# Differences of digest and value: (what the engine says, what libxmlsec says, where, why). Each row must be of use.
ENGINE = []
# What our rules say to a good signature that they do not accept: (beginning of the reason, why). Each row must be of use.
RULES = []


def judge(rows):
    used, counts = Counter(), Counter()

    def explained(table, fits):
        row = next((row for row in table if fits(row)), None)
        used[row] += row is not None
        return row is not None

    unexplained = []
    for name, number, (engine, ehdsi, eidas), theirs in rows:
        good, valid = engine == "valid", theirs == "valid"
        counts["signatures"] += 1
        counts["both valid"] += good and valid
        counts["both invalid"] += not good and not valid
        for said, profile in ((ehdsi, "eHDSI"), (eidas, "eIDAS")):
            counts[f"accepted by the {profile} rules"] += said == "accepted"
            if said == "accepted" and not valid:
                unexplained.append((name, number, f"{profile} rules accept", theirs))
        if good != valid and not explained(ENGINE, lambda row: row[0] in engine and row[1] in theirs and name.startswith(row[2])):
            unexplained.append((name, number, engine, theirs))
        counts["engine and libxmlsec differ, explained"] += good != valid
        if valid and ehdsi != "accepted":
            counts["valid and refused by our rules, explained"] += 1
            if not explained(RULES, lambda row: ehdsi.startswith(row[0])):
                unexplained.append((name, number, f"rules: {ehdsi}", theirs))
    idle = [row for row in [*ENGINE, *RULES] if not used[row]]
    return unexplained, idle, counts, used


def main():
    samples = Path(sys.argv[1]) / "identity"
    tally = Tally()
    if not samples.is_dir():
        print(f"differential: skipped: no samples at {samples}")
        sys.exit(0)
    signed = list(files(samples))
    names = [name for name, _ in signed]
    with tempfile.TemporaryDirectory() as folder:
        for at, (_, content) in enumerate(signed):
            (Path(folder) / str(at)).write_bytes(content)
        said = ours(sys.argv[2], names, Path(folder))
    rows = []
    for name, content in signed:
        theirs, mine = foreign(content), said[name]
        for number in range(max(len(theirs), len(mine))):
            rows.append((name, number, mine[number] if number < len(mine) else mine[0], theirs[number] if number < len(theirs) else theirs[0]))
    if "-v" in sys.argv:
        for row in rows:
            print(row)
    unexplained, idle, counts, used = judge(rows)
    counts["files"] = len(signed)
    print("differential: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    for row in [*ENGINE, *RULES]:
        print(f"  {used[row]:3} times {' | '.join(part for part in row if part)}")
    for row in unexplained:
        print("  unexplained: " + " | ".join(str(part) for part in row))

    def none(what, found):
        assert not found, f"{len(found)} {what}: {found[:3]}"

    tally.run(
        [
            ("our engine and python-xmlsec agree on every signed file but for the table", lambda: none("differences", unexplained)),
            ("each row of the table explains something", lambda: none("rows of no use", idle)),
            ("there were signed files", lambda: none("files missing", [] if len(signed) > 60 else [len(signed)])),
        ]
    )
    sys.exit(tally.end("differential"))


if __name__ == "__main__":
    main()
