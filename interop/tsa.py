"""A time-stamping authority over HTTP (RFC 3161 section 3.4) by `openssl ts`, which can be told to err."""

import http.server
import pathlib
import subprocess
import threading

CONFIG = pathlib.Path(__file__).with_name("tsa.cnf")
# in a query as our client writes it
IMPRINT, NONCE = slice(24, 56), slice(58, 74)


def openssl(folder, *arguments, config=True):
    more = ["-config", str(CONFIG)] if config else []
    subprocess.run(["openssl", *arguments, *more], cwd=folder, check=True, capture_output=True)


def root(folder, name):
    """A root authority: `name`.pem and `name`.key."""
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
    openssl(folder, *request, "-subj", f"/CN={name} root", "-extensions", "ca")


def signer(folder, name, under):
    """A certificate that may sign time-stamps, and nothing else."""
    openssl(folder, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
    subject = ["-in", f"{name}.csr", "-CA", f"{under}.pem", "-CAkey", f"{under}.key", "-CAcreateserial", "-out", f"{name}.pem"]
    openssl(folder, "x509", "-req", "-days", "30", *subject, "-extfile", str(CONFIG), "-extensions", "tsa", config=False)


def edited(query, part, to):
    changed = bytearray(query)
    changed[part] = to
    return bytes(changed)


class Authority(http.server.ThreadingHTTPServer):
    """Serves on loopback; `does` says how. Each answer by OpenSSL is kept in `given`, with its query."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.does, self.given, self.asked = pathlib.Path(folder), "stamp", [], 0
        self.over, self.turn = threading.Event(), threading.Lock()
        root(folder, "tsa")
        root(folder, "stranger")
        signer(folder, "clock", "tsa")
        signer(folder, "other-clock", "stranger")
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/stamps"

    def reply(self, query, section="tsa_config", by="clock", chain="tsa"):
        (self.folder / "query.tsq").write_bytes(query)
        signing = ["-signer", f"{by}.pem", "-inkey", f"{by}.key", "-chain", f"{chain}.pem"]
        openssl(self.folder, "ts", "-reply", "-section", section, "-queryfile", "query.tsq", *signing, "-out", "reply.tsr")
        answer = (self.folder / "reply.tsr").read_bytes()
        self.given.append((query, answer))
        return answer

    def answer(self, query):
        """Status and body; None is silence."""
        deeds = {
            "stamp": lambda: self.reply(query),
            "garbage": lambda: b"\x30\x82" * 500,
            "other bytes": lambda: self.reply(edited(query, IMPRINT, bytes(32))),
            "another nonce": lambda: self.reply(edited(query, NONCE, b"\x41" * 16)),
            "another root": lambda: self.reply(query, by="other-clock", chain="stranger"),
            "SHA-1": lambda: self.reply(query, section="tsa_old"),
            "half": lambda: self.reply(query)[:700],
        }
        with self.turn:
            self.asked += 1
            if self.does == "error":
                return 503, b"later"
            return (200, deeds[self.does]()) if self.does in deeds else None

    def end(self):
        self.over.set()
        self.shutdown()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        assert self.headers["Content-Type"] == "application/timestamp-query", self.headers
        query = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.server.answer(query)
        if answer is None:
            self.server.over.wait(60)
            return
        status, body = answer
        self.send_response(status)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
