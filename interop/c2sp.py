"""Judges what outsiders see of the shared ledger: c2sp.py EXAMPLE KONFIDO (crates/ledger/examples/proofs.rs, the program).

tlog.py verifies from the specification; pycose reads the COSE receipts; OpenSSL gives and verifies time-stamps.
"""

import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import tlog
from tally import Tally

EVIDENCE = 537
AUTHORITY = pathlib.Path(__file__).with_name("tsa.cnf")


def refuses(judge, what):
    try:
        judge()
    except tlog.Refused:
        return
    raise AssertionError(f"{what} was accepted")


def mutations(proof, entry, other):
    """(what, proof, entry): each must be refused."""
    text = proof.decode()
    head, note = text.split("\n\n", 1)
    body, lines = note.split("\n\n", 1)
    lines = lines.splitlines(keepends=True)
    path = head.split("\n")[2:]

    def with_head(*changed):
        return ("\n".join([head.split("\n")[0], f"index {EVIDENCE}", *changed]) + "\n\n" + note).encode()

    def with_note(body, lines):
        return (head + "\n\n" + body + "\n\n" + "".join(lines)).encode()

    def flip(line):
        at = len(line) // 2
        return line[:at] + ("A" if line[at] != "A" else "B") + line[at + 1 :]

    size = body.split("\n")[1]
    log = next(line for line in lines if " ledger.example/" in line)
    cosigned = [line for line in lines if line is not log]
    yield "another entry", proof, entry + b"\0"
    yield "another version", proof.replace(b"@v1", b"@v2"), entry
    yield "another index", proof.replace(b"index 537", b"index 536"), entry
    yield "an index beyond the tree", proof.replace(b"index 537", b"index 1137"), entry
    yield "an index with a zero before it", proof.replace(b"index 537", b"index 0537"), entry
    yield "a hash too few", with_head(*path[:-1]), entry
    yield "a hash too many", with_head(*path, path[-1]), entry
    yield "hashes in another order", with_head(*path[::-1]), entry
    yield "a changed hash", with_head(flip(path[0]), *path[1:]), entry
    yield "another origin", with_note(body.replace("ledger.example", "ledgers.example"), lines), entry
    yield "another size", with_note(body.replace(f"\n{size}\n", f"\n{int(size) + 1}\n"), lines), entry
    yield "another root", with_note(re.sub("\n(.)(.{43})", lambda m: "\n" + ("A" if m[1] != "A" else "B") + m[2], body, count=1), lines), entry
    yield "another block", with_note(body.replace("height 4711", "height 4712"), lines), entry
    yield "no signature of the log", with_note(body, cosigned), entry
    yield "too few cosignatures", with_note(body, [log, *cosigned[:-2]]), entry
    yield "one cosignature twice", with_note(body, [*lines, cosigned[0]]), entry
    yield "a changed signature of the log", with_note(body, [flip(log), *cosigned]), entry
    for number, line in enumerate(cosigned):
        yield f"a changed cosignature {number}", with_note(body, [log, *[flip(x) if x is line else x for x in cosigned]]), entry
    yield "a cosignature under another's name", with_note(body, [line.replace("m1.", "m0.") for line in lines]), entry
    yield "another dash", with_note(body, [line.replace("\u2014", "-") for line in lines]), entry
    yield "other line ends", proof.replace(b"\n", b"\r\n"), entry
    yield "a cut", proof[:-2], entry
    yield "the checkpoint of another ledger", (head + "\n\n" + other).encode(), entry


class Ledger:
    """What the example wrote, and the konfido program's opinion of it."""

    def __init__(self, folder, konfido):
        self.folder, self.konfido = pathlib.Path(folder), konfido
        self.policies = {name: tlog.Policy(self.text(f"{name}.policy")) for name in ["four", "lasting", "many"]}

    def read(self, name):
        return (self.folder / name).read_bytes()

    def text(self, name):
        return self.read(name).decode()

    def holds(self, *arguments):
        """Whether `konfido verify` says so, which its exit status and its JSON agree on."""
        run = subprocess.run([self.konfido, "verify", *map(str, arguments), "--json"], capture_output=True, text=True)
        said = json.loads(run.stdout)
        assert said["holds"] == (run.returncode == 0), said
        return said

    def checkpoint(self):
        for name in ["four", "lasting"]:
            found = self.policies[name].verify(self.read("tiles/checkpoint"))
            assert (found.origin, found.size) == ("ledger.example/konfido", 600)
        refuses(lambda: self.policies["many"].verify(self.read("tiles/checkpoint")), "3 of 27")

    def proofs(self):
        for index in [0, 255, 256, EVIDENCE, 599]:
            entry = self.read(f"{index}.entry")
            tlog.verify_proof(self.read(f"{index}.tlog-proof"), entry, self.policies["lasting"])
            many = self.read(f"{index}.many.tlog-proof")
            tlog.verify_proof(many, entry, self.policies["many"])
            assert len(many) <= 4096, len(many)

    def tiles(self):
        checkpoint = tlog.Checkpoint(self.read("tiles/checkpoint"))
        entries = tlog.verify_tiles(lambda path: self.read(f"tiles/{path}"), checkpoint.size, checkpoint.root)
        assert entries[EVIDENCE] == self.read(f"{EVIDENCE}.entry")

        def damaged(path):
            raw = bytearray(self.read(f"tiles/{path}"))
            raw[len(raw) // 2] ^= 1
            return bytes(raw)

        refuses(lambda: tlog.verify_tiles(damaged, checkpoint.size, checkpoint.root), "a damaged tile")

    def mutations(self):
        """Each is refused by the specification's reader and by ours."""
        proof, entry = self.read(f"{EVIDENCE}.tlog-proof"), self.read(f"{EVIDENCE}.entry")
        other = self.text(f"{EVIDENCE}.many.tlog-proof").split("\n\n", 1)[1].replace("ledger.example", "other.example")
        count = 0
        for what, changed, about in mutations(proof, entry, other):
            count += 1
            refuses(lambda: tlog.verify_proof(changed, about, self.policies["lasting"]), what)
            (self.folder / "changed").write_bytes(changed)
            (self.folder / "about").write_bytes(about)
            said = self.proof("changed", "about", "lasting")
            assert not said["holds"], f"konfido accepted {what}"
        assert count >= 25, count

    def proof(self, proof, entry, policy):
        file, entry, policy = (self.folder / name for name in [proof, entry, f"{policy}.policy"])
        # what is no proof any more is taken for a receipt, and asks for roots
        return self.holds(file, "--entry", entry, "--policy", policy) if file.read_bytes().startswith(b"c2sp.org/tlog-proof@") else {"holds": False}

    def program(self):
        for policy in ["four", "lasting"]:
            assert self.proof(f"{EVIDENCE}.tlog-proof", f"{EVIDENCE}.entry", policy)["holds"]
        assert self.proof("599.many.tlog-proof", "599.entry", "many")["holds"]
        said = self.proof("599.many.tlog-proof", "599.entry", "lasting")
        assert said["step"] == "ledger" and "quorum" in said["why"], said
        receipt, roots = self.folder / "receipt.json", self.folder / "roots.pem"
        said = self.holds(receipt, "--roots", roots, "--policy", self.folder / "lasting.policy")
        assert ["countries", "ES asked DK"] in said["findings"], said
        assert not self.holds(receipt, "--roots", roots, "--policy", self.folder / "many.policy")["holds"]

    def receipts(self):
        import cbor2
        from pycose.keys import EC2Key, OKPKey
        from pycose.keys.curves import Ed25519, P256
        from pycose.messages import Sign1Message

        entry = self.read(f"{EVIDENCE}.entry")
        root = tlog.Checkpoint(self.read("tiles/checkpoint")).root
        for name in ["eddsa", "es256"]:
            public = self.read(f"{name}.key")
            key = OKPKey(crv=Ed25519, x=public) if name == "eddsa" else EC2Key(crv=P256, x=public[1:33], y=public[33:])
            raw = self.read(f"{name}.cose")
            message = Sign1Message.decode(raw)
            protected, unprotected, *_ = cbor2.loads(raw).value
            protected = cbor2.loads(protected)
            assert protected[395] == 1 and protected[15][1] == "ledger.example/konfido", protected
            [proof] = unprotected[396][-1]
            size, index, path = cbor2.loads(proof)
            assert tlog.climb(path, index, size, tlog.leaf(entry)) == root
            message.key = key
            assert message.verify_signature(detached_payload=root)
            assert not message.verify_signature(detached_payload=bytes(32))


def openssl(folder, *arguments, config=True):
    more = ["-config", str(AUTHORITY)] if config else []
    subprocess.run(["openssl", *arguments, *more], cwd=folder, check=True, capture_output=True)


class Stamps:
    """OpenSSL as time-stamping authority, and as judge of what it gave."""

    def __init__(self, ledger, example):
        self.ledger, self.folder, self.example = ledger, ledger.folder, example

    def authority(self, name, extensions="tsa"):
        folder = self.folder
        openssl(folder, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        subject = ["-in", f"{name}.csr", "-CA", "tsa.pem", "-CAkey", "tsa.key", "-CAcreateserial", "-out", f"{name}.pem"]
        openssl(folder, "x509", "-req", "-days", "30", *subject, "-extfile", str(AUTHORITY), "-extensions", extensions, config=False)

    def judge(self, response):
        """What our client says of a response."""
        self.example.stdin.write(response + "\n")
        self.example.stdin.flush()
        return self.example.stdout.readline().strip()

    def reply(self, query, signer, out, section="tsa_config", chain="tsa.pem"):
        openssl(self.folder, "ts", "-reply", "-section", section, "-queryfile", query, "-signer", f"{signer}.pem", "-inkey", f"{signer}.key", "-chain", chain, "-out", out)

    def given(self):
        folder = self.folder
        openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", "tsa.key", "-out", "tsa.pem", "-subj", "/CN=TSA root", "-extensions", "ca")
        self.authority("clock")
        self.reply("request.tsq", "clock", "response.tsr")
        assert re.fullmatch(r"2\d{3}-\S+Z 1\.2\.3\.4\.1", self.judge("response.tsr")), self.judge("response.tsr")
        subprocess.run(["openssl", "ts", "-verify", "-in", "response.tsr", "-queryfile", "request.tsq", "-CAfile", "tsa.pem"], cwd=folder, check=True, capture_output=True)
        # what is stamped is the served checkpoint as it is
        subprocess.run(["openssl", "ts", "-verify", "-in", "response.tsr", "-data", "tiles/checkpoint", "-CAfile", "tsa.pem"], cwd=folder, check=True, capture_output=True)
        digest = hashlib.sha256(self.ledger.read("tiles/checkpoint")).digest()
        assert digest in (folder / "request.tsq").read_bytes()

    def refused(self):
        folder = self.folder
        openssl(folder, "ts", "-query", "-data", "tiles/checkpoint", "-sha256", "-cert", "-out", "again.tsq", config=False)
        openssl(folder, "ts", "-query", "-data", "roots.pem", "-sha256", "-cert", "-out", "other.tsq", config=False)
        openssl(folder, "ts", "-query", "-data", "tiles/checkpoint", "-md5", "-out", "md5.tsq", config=False)
        self.reply("again.tsq", "clock", "again.tsr")
        self.reply("other.tsq", "clock", "other.tsr")
        self.reply("request.tsq", "clock", "old.tsr", "tsa_old")
        self.reply("md5.tsq", "clock", "md5.tsr")
        for response, why in [("again.tsr", "nonce"), ("other.tsr", "other bytes"), ("old.tsr", "SHA-1"), ("md5.tsr", "status 2")]:
            said = self.judge(response)
            assert said.startswith("refused") and why in said, (response, said)
        whole = (folder / "response.tsr").read_bytes()
        for at in range(20, len(whole), 97):
            (folder / "cut.tsr").write_bytes(whole[:at])
            assert self.judge("cut.tsr").startswith("refused"), at

    def receipt(self):
        """A stamp in a receipt: the program looks at it."""
        import base64

        assert not self.judge("response.tsr").startswith("refused")
        receipt = json.loads(self.ledger.read("receipt.json"))
        roots, authority = self.folder / "roots.pem", self.folder / "tsa.pem"
        file = self.folder / "stamped.json"

        def verdict(tokens):
            stamped = {**receipt, "time_stamps": [base64.b64encode(token).decode() for token in tokens]}
            file.write_text(json.dumps(stamped, indent=2, ensure_ascii=False))
            return self.ledger.holds(file, "--roots", roots, "--tsa-roots", authority)

        token = self.ledger.read("token.der")
        said = verdict([token])
        assert any(what == "time-stamp" and "CN=clock" in finding for what, finding in said["findings"]), said
        assert verdict([])["step"] == "time-stamp"
        changed = bytearray(token)
        changed[-9] ^= 1
        assert verdict([bytes(changed)])["step"] == "time-stamp"


def main():
    example, konfido = sys.argv[1:]
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        writer = subprocess.Popen([example, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert writer.stdout.readline() == "asked\n"
            ledger = Ledger(folder, konfido)
            stamps = Stamps(ledger, writer)
            tally.run(
                [
                    ("c2sp: checkpoint with Ed25519 and ML-DSA-44 cosignatures", ledger.checkpoint),
                    ("c2sp: proofs under three policies", ledger.proofs),
                    ("c2sp: tiles and entries lead to the root", ledger.tiles),
                    ("c2sp: what is changed is refused by both", ledger.mutations),
                    ("c2sp: konfido verify", ledger.program),
                    ("cose: receipts by pycose", ledger.receipts),
                    ("rfc 3161: OpenSSL stamps, we verify, OpenSSL verifies", stamps.given),
                    ("rfc 3161: what is to be refused", stamps.refused),
                    ("rfc 3161: a stamp in a receipt", stamps.receipt),
                ]
            )
        finally:
            writer.stdin.close()
            writer.wait(60)
    sys.exit(tally.end("c2sp"))


if __name__ == "__main__":
    main()
