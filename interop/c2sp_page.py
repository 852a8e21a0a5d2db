"""A browser verifies proofs by itself: c2sp_page.py MODULE EXAMPLE (crates/konfido/assets/proof.js, crates/ledger/examples/proofs.rs)."""

import base64
import os
import pathlib
import subprocess
import sys
import tempfile

from c2sp import EVIDENCE, mutations
from page import serve
from webdriver import Browser

# a page that allows its own modules and nothing else
POLICY = "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'"

VERIFY = """
const [proof, entry, policy, done] = arguments;
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
import('/proof.js').then(({ verifyProof }) => verifyProof(bytes(proof), bytes(entry), bytes(policy))).then(
  (found) => done({ ...found, index: String(found.index), size: String(found.size) }),
  (error) => done({ refused: error.name, why: error.message }),
);
"""


def cases(folder):
    """(what, proof, entry, policy, how many cosigners, or None where it must be refused)."""
    read = lambda name: (pathlib.Path(folder) / name).read_bytes()
    four, lasting, many = (read(f"{name}.policy") for name in ["four", "lasting", "many"])
    for index in [0, 255, 256, EVIDENCE, 599]:
        entry = read(f"{index}.entry")
        yield f"3 of 4, entry {index}", read(f"{index}.tlog-proof"), entry, four, 3
        yield f"19 of 27, entry {index}", read(f"{index}.many.tlog-proof"), entry, many, 19
    proof, entry = read(f"{EVIDENCE}.tlog-proof"), read(f"{EVIDENCE}.entry")
    yield "3 of 27", proof, entry, many, None
    yield "policy without quorum", proof, entry, four.replace(b"quorum members\n", b""), None
    yield "policy with a slip in a key", proof, entry, four.replace(b"log ledger.example", b"log legder.example", 1), None
    yield "policy with one witness twice", proof, entry, four.replace(b" m0 m1 ", b" m1 m1 "), None
    yield "policy of a word", proof, entry, four.replace(b"members 3 ", b"members constructor "), None
    yield "policy of 0", proof, entry, four.replace(b"members 3 ", b"members 0 "), None
    other = read(f"{EVIDENCE}.many.tlog-proof").decode().split("\n\n", 1)[1].replace("ledger.example", "other.example")
    for what, changed, about in mutations(proof, entry, other):
        # the policy of four knows no ML-DSA keys: their lines are ignored, as C2SP says
        if not what.startswith("a changed cosignature"):
            yield what, changed, about, four, None
    yield "ML-DSA-44 is asked for", proof, entry, lasting, 6


def judge(wanted, said):
    if wanted is None:
        return None if said.get("refused") == "ProofError" else f"not refused: {said}"
    if wanted == 6 and "cannot check 3 of them (ML-DSA-44)" in said.get("why", ""):
        return None
    return None if len(said.get("cosigned", [])) == wanted and not said["unchecked"] else f"{said}"


def main():
    module, example = sys.argv[1:]
    url = serve("proof", "proof.js", open(module, "rb").read(), POLICY)
    browser = Browser([])
    failed, counts = [], [0, 0]
    try:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([example, folder], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
            browser.open(url)
            for what, proof, entry, policy, wanted in cases(folder):
                arguments = [base64.b64encode(part).decode() for part in [proof, entry, policy]]
                said = browser.call("POST", "/execute/async", {"script": VERIFY, "args": arguments})
                wrong = judge(wanted, said)
                counts[wanted is None] += 1
                if wrong:
                    failed.append(f"{what}: {wrong}")
                if wanted == 6:
                    print(f"c2sp page: {said.get('why') or 'this Chromium has ML-DSA-44'}")
        failed += browser.complaints()
    finally:
        browser.close()
    print(f"c2sp page: Chromium: {counts[0]} to accept, {counts[1]} to refuse")
    for what in failed:
        print(f"c2sp page: FAILED: {what}")
    if counts_file := os.environ.get("INTEROP_COUNTS"):
        with open(counts_file, "a") as file:
            file.write(f"{sum(counts) - len(failed)} {len(failed)}\n")
    raise SystemExit(bool(failed))


main()
