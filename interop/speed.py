"""Times others on our signed messages. Usage: speed.py EID_SPEED [ROUNDS]

EID_SPEED is the example of crate identity (cargo build --release -p identity --example eid_speed). Each round times it
and, on the same files, python-xmlsec (libxmlsec) and signxml; medians of rounds and ratios are printed. Needs
xmlsec and signxml in interop/.venv (requirements-speed.txt). CPU time throughout; parsing is in every number. Ours also
binds what was signed to what is read, walks the certificate's path and holds every rule of the profile; a row that ends
in -signature parses, binds and verifies only, as the others do.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import xmlsec
from lxml import etree
from signxml import SignatureConfiguration, XMLVerifier

NAMES = ["hcp-rsa2048", "hcp-pss3072", "hcp-p256"]
BATCH = 50


def measure(work):
    work()
    start = time.process_time()
    for _ in range(BATCH):
        work()
    return (time.process_time() - start) / BATCH * 1e6


def by_xmlsec(message, certificate):
    key = xmlsec.Key.from_memory(certificate, xmlsec.constants.KeyDataFormatCertPem)

    def work():
        root = etree.fromstring(message)
        xmlsec.tree.add_ids(root, ["ID"])
        context = xmlsec.SignatureContext()
        context.key = key
        context.verify(xmlsec.tree.find_node(root, "Signature", xmlsec.constants.DSigNs))

    return work


def by_signxml(message, certificate):
    expected = SignatureConfiguration(location="./", expect_references=1)
    pem = certificate.decode()

    def work():
        XMLVerifier().verify(message, x509_cert=pem, id_attribute="ID", expect_config=expected)

    return work


def main():
    example, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with tempfile.TemporaryDirectory() as folder:
        print(subprocess.run([example, "write", folder], check=True, capture_output=True, text=True).stdout, end="")
        peers = {}
        for name in NAMES:
            message = (Path(folder) / f"{name}.xml").read_bytes()
            certificate = (Path(folder) / f"{name}.pem").read_bytes()
            peers[name] = {"xmlsec": by_xmlsec(message, certificate), "signxml": by_signxml(message, certificate)}
        found = {}
        for _ in range(rounds):
            output = subprocess.run([example, "time", folder], check=True, capture_output=True, text=True).stdout
            for line in output.splitlines():
                name, microseconds = line.split("\t")
                found.setdefault((name, "ours"), []).append(float(microseconds))
            for name, workers in peers.items():
                for peer, work in workers.items():
                    found.setdefault((name, peer), []).append(measure(work))
    median = {key: statistics.median(times) for key, times in found.items()}
    for name, peer in median:
        if peer == "ours":
            row = f"{name}\tours {median[name, peer]:.0f} us"
            same = name.removesuffix("-signature")
            for other in ("xmlsec", "signxml"):
                if (same, other) in median:
                    row += f"\t{other} {median[same, other]:.0f} us ({median[same, other] / median[name, peer]:.1f} x)"
            if name == "response-rsa3072":
                row += f"\tthe private key's part {median['rsa3072-private-key', 'ours']:.0f} us"
            print(row)


if __name__ == "__main__":
    main()
