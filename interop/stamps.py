"""Judges the whole road of a time-stamp: stamps.py EXAMPLE KONFIDO (crates/ledger/examples/proofs.rs, the program).

A validator asks an authority over HTTP, which is OpenSSL; OpenSSL and konfido verify what the validator serves.
"""

import base64
import http.client
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

from tally import Tally
from tsa import Authority, openssl

PATIENCE = 120
# more than a checkpoint takes, less than an authority may take for its answer
SOON = 15
CONFIG = """
[validator]
name = "DK"
genesis = "genesis.toml"
data_dir = "data"
members = "127.0.0.1:0"
http = "127.0.0.1:0"
consensus_key = "keys/consensus.key"
cosigner_key = "keys/cosigner.key"
cosigner_key_ml_dsa_44 = "keys/cosigner-ml-dsa-44.key"
[validator.timestamp]
url = "%s"
roots = "tsa.pem"
every_seconds = 1
"""


class Line(http.client.HTTPConnection):
    """The validator's Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


class Road:
    def __init__(self, folder, example, konfido):
        self.folder, self.konfido = pathlib.Path(folder), konfido
        subprocess.run([example, folder], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        self.authority = Authority(folder)
        self.log = open(self.folder / "log.txt", "w")
        self.brought, self.validator = 0, None

    def file(self, name):
        return str(self.folder / name)

    def run(self, *arguments):
        done = subprocess.run([self.konfido, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def verify(self, *arguments):
        """Whether `konfido verify` takes it, and what it says."""
        done = subprocess.run([self.konfido, "verify", *arguments, "--json"], capture_output=True, text=True)
        said = json.loads(done.stdout)
        assert said["holds"] == (done.returncode == 0), said
        return said

    def said(self):
        return (self.folder / "log.txt").read_text()

    def until(self, there, what):
        end = time.monotonic() + PATIENCE
        while not (found := there()):
            assert time.monotonic() < end, f"{what}: {self.said()[-2000:]}"
            time.sleep(0.1)
        return found

    def ask(self, method, path, body=None):
        line = Line(self.folder / "data/line.sock")
        try:
            line.request(method, path, body)
            answer = line.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            line.close()

    def get(self, path):
        status, body = self.ask("GET", path)
        return body if status == 200 else None

    def published(self):
        return json.loads(self.get("/v1/status"))["published"]

    def grow(self):
        """One more entry under a published checkpoint; how long it took."""
        entry = (self.folder / f"alone.{self.brought}.entry").read_bytes()
        self.brought += 1
        begun, before = time.monotonic(), self.published()
        status, body = self.ask("POST", "/v1/entries", len(entry).to_bytes(4, "big") + entry)
        assert (status, json.loads(body)) == (200, ["waits"]), (status, body)
        self.until(lambda: self.published() > before, "no checkpoint")
        return time.monotonic() - begun

    def start(self):
        keys = ["--name", "DK", "--address", "127.0.0.1:7950", "--seal", self.file("alone.pem"), "--out", self.file("keys")]
        (self.folder / "genesis.toml").write_text(self.run("ledger", "keygen", *keys))
        self.run("ledger", "genesis", self.file("genesis.toml"), "--key", self.file("alone.key"), "--seal", self.file("alone.pem"))
        (self.folder / "ledger.toml").write_text(CONFIG % self.authority.url)
        command = [self.konfido, "ledger", "run", "--config", self.file("ledger.toml")]
        self.validator = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.log)
        self.until(lambda: self.get("/v1/status"), "the validator does not start")

    def end(self):
        if self.validator:
            self.validator.terminate()
            self.validator.wait(20)
        self.authority.end()

    def errs(self):
        """An authority that errs: nothing is stamped, and it is said why."""
        self.start()
        for does, why in [
            ("garbage", "not the DER of a time-stamp"),
            ("half", "not the DER of a time-stamp"),
            ("error", "the authority answers 503"),
            ("other bytes", "time-stamp is over other bytes"),
            ("another nonce", "its nonce differs"),
            ("another root", "no valid path"),
            ("SHA-1", "SHA-1 is not enough"),
        ]:
            self.authority.does, before = does, len(self.said())
            took = self.grow()
            assert took < SOON, f"{does} delays a checkpoint by {took} s"
            self.until(lambda: why in self.said()[before:], f"{does}: {why} is not said")
            assert not (self.folder / "data/log/stamped.json").exists(), does
            assert self.get("/v1/entries/0/proof?stamped") is None, does

    def silent(self):
        """One that does not answer delays no checkpoint, and is given up."""
        self.authority.does, before = "silence", len(self.said())
        while "no answer in time" not in self.said()[before:]:
            took = self.grow()
            assert took < SOON, f"silence delays a checkpoint by {took} s"
            assert self.brought < 60, "it waits for ever"
            time.sleep(1.1)

    def stamped(self):
        """What is served verifies by OpenSSL, in the authority's own answer and in the proof."""
        self.authority.does = "stamp"
        last = self.published() - 1
        proof = self.until(lambda: self.get(f"/v1/entries/{last}/proof?stamped"), "no stamp").decode()
        head, checkpoint = proof.split("\n\n", 1)
        extra = head.split("\n")[1]
        assert extra.startswith("extra "), head
        (self.folder / "token.der").write_bytes(base64.b64decode(extra[len("extra ") :], validate=True))
        (self.folder / "checkpoint").write_text(checkpoint)
        query, answer = self.authority.given[-1]
        (self.folder / "given.tsr").write_bytes(answer)
        (self.folder / "given.tsq").write_bytes(query)
        openssl(self.folder, "ts", "-reply", "-in", "given.tsr", "-token_out", "-out", "given.der")
        assert (self.folder / "given.der").read_bytes() == (self.folder / "token.der").read_bytes()
        for judged in [["given.tsr", "-queryfile", "given.tsq"], ["given.tsr", "-data", "checkpoint"], ["token.der", "-token_in", "-data", "checkpoint"]]:
            openssl(self.folder, "ts", "-verify", "-in", *judged, "-CAfile", "tsa.pem", config=False)
        (self.folder / "other").write_text(checkpoint[:-2] + "\n")
        try:
            openssl(self.folder, "ts", "-verify", "-in", "token.der", "-token_in", "-data", "other", "-CAfile", "tsa.pem", config=False)
        except subprocess.CalledProcessError:
            return
        raise AssertionError("OpenSSL takes it for another checkpoint")

    def believed(self):
        """`konfido verify` takes proof and receipt, by the authority's root and by no other."""
        proof = self.get("/v1/entries/0/proof?stamped").decode()
        head, checkpoint = proof.split("\n\n", 1)
        version, extra, *rest = head.split("\n")
        policy = self.get("/policy").decode()
        (self.folder / "own.policy").write_text(policy)
        (self.folder / "0.stamped").write_text(proof)
        bare = "\n".join([version, *rest]) + "\n\n" + checkpoint
        receipt = json.loads((self.folder / "alone.json").read_text())
        receipt |= {"proof": bare, "policy": policy, "time_stamps": [extra[len("extra ") :]]}
        (self.folder / "own.json").write_text(json.dumps(receipt, indent=2, ensure_ascii=False))
        of_proof = [self.file("0.stamped"), "--entry", self.file("alone.0.entry"), "--policy", self.file("own.policy")]
        of_receipt = [self.file("own.json"), "--roots", self.file("alone-roots.pem"), "--policy", self.file("own.policy")]
        for what in [of_proof, of_receipt]:
            said = self.verify(*what, "--tsa-roots", self.file("tsa.pem"))
            assert said["holds"] and any(name == "time-stamp" and "CN=clock" in found for name, found in said["findings"]), said
            said = self.verify(*what, "--tsa-roots", self.file("stranger.pem"))
            assert not said["holds"] and said["step"] == "time-stamp", said


def main():
    example, konfido = sys.argv[1:]
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        road = Road(folder, example, konfido)
        try:
            tally.run(
                [
                    ("rfc 3161: an authority that errs stamps no checkpoint", road.errs),
                    ("rfc 3161: silence delays no checkpoint", road.silent),
                    ("rfc 3161: OpenSSL over HTTP stamps, the validator serves, OpenSSL verifies", road.stamped),
                    ("rfc 3161: konfido verify takes the served proof and a receipt", road.believed),
                ]
            )
        finally:
            road.end()
    sys.exit(tally.end("stamps"))


if __name__ == "__main__":
    main()
