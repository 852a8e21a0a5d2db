"""A small world on this machine: HTTPS servers of other countries, a browser, and one node of ours."""

import json
import os
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import requests
from lxml import html

import pki


class Server:
    """HTTPS: `pages` by path for GET, and what was posted by path."""

    def __init__(self, folder, pair):
        self.pages, self.posts, outer = {}, {}, self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer(outer.pages.get(self.path))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.posts.setdefault(self.path, []).append(dict(parse_qsl(body, keep_blank_values=True)))
                self.answer("<html><body>received</body></html>")

            def answer(self, text):
                body = (text or "").encode()
                self.send_response(200 if text is not None else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pki.write(folder, "server", pair))
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"https://localhost:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def posted(self, url):
        """The form that came last to a URL of this server."""
        return self.posts[url.removeprefix(self.url)].pop()


class Page:
    """What the browser sees."""

    def __init__(self, response):
        self.status, self.location = response.status_code, response.headers.get("Location", "")
        self.text, self.headers = response.text, response.headers

    def form(self):
        """(action, fields) of the one form that posts itself."""
        found = html.fromstring(self.text).forms
        assert len(found) == 1, f"{self.status} {self.location} {self.text[:300]}"
        return found[0].action, {k: v for k, v in found[0].form_values()}

    def trouble(self):
        """(title, number to quote) of a page that says why it does not go on."""
        root = html.fromstring(self.text)
        return root.findtext(".//h1"), root.findtext(".//code")


class Browser:
    """One person's browser: cookies, no redirects by itself."""

    def __init__(self, roots):
        self.session = requests.Session()
        self.session.trust_env, self.session.verify = False, str(roots)

    def get(self, url):
        return Page(self.session.get(url, allow_redirects=False, timeout=20))

    def post(self, url, fields):
        return Page(self.session.post(url, data=fields, allow_redirects=False, timeout=20))

    def submit(self, page):
        action, fields = page.form()
        return action, self.post(action, fields)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for one in sockets:
        one.close()
    return ports


class World:
    """Certificates, a server for the other countries, and our node of DK."""

    def __init__(self, folder, signing, encryption):
        self.folder, self.authority, self.kept = folder, pki.Authority(), {}
        folder.mkdir()
        self.roots = folder / "roots.pem"
        self.roots.write_bytes(pki.cert_pem(self.authority.certificate))
        self.server = Server(folder, self.authority.server("SE", "localhost"))
        self.signing, self.encryption = self.own("DK", "eid", signing), self.own("DK", "eid-encryption", encryption)
        self.seal = self.authority.issue("DK", "seal")
        self.portal = self.authority.client("DK", "portal.dk")
        self.returns = "https://portal.dk.example/back"
        self.national, border, self.admin, front = free_ports(4)
        self.ports = (self.national, border, self.admin, front)
        self.url = f"https://localhost:{front}"

    def own(self, country, common, kind):
        pair = pki.own(country, common.strip("/").replace("/", "-"), kind)
        self.files(pair)
        return pair

    def files(self, pair):
        """Paths of certificate and key."""
        number = pair[1].serial_number
        if number not in self.kept:
            self.kept[number] = pki.write(self.folder, f"{number:x}", pair)
        return self.kept[number]

    def register(self, person, family, given):
        """The professional register: one doctor."""
        header = "person,number,family,given,role,organization,organization_id,facility\n"
        row = f"{person},DK-1,{family},{given},221,Hospital,urn:oid:2.999.1,Hospital\n"
        (self.folder / "register.csv").write_text(header + row)

    def start(self, konfido, providers, connectors, more=""):
        """Writes konfido.toml, with `more` at its end, and starts `konfido run`."""
        national, border, admin, front = self.ports
        made = {
            "consumer": self.authority.client("DK", "consumer.dk"), "provider": self.authority.server("DK", "localhost"),
            "seal": self.seal, "pages": self.authority.server("DK", "localhost"),
            "signing": self.signing, "encryption": self.encryption,
        }

        def files(name):
            certificate, key = self.files(made[name])
            return f'{{ certificate = "{certificate.name}", key = "{key.name}" }}'

        seal = self.files(made["seal"])
        text = f"""
[node]
country = "DK"
home_community_id = "1.2.208"
data_dir = "data"
[listen]
national = "127.0.0.1:{national}"
border = "127.0.0.1:{border}"
admin = "127.0.0.1:{admin}"
[tls]
roots = "roots.pem"
service_consumer = {files("consumer")}
service_provider = {files("provider")}
[seal]
certificate = "{seal[0].name}"
key = "{seal[1].name}"
roots = "roots.pem"
[national]
connector = "store"
[eid]
listen = "127.0.0.1:{front}"
url = "{self.url}"
organisation = "Interop"
page = "https://example.dk"
email = "eid@example.dk"
roots = "roots.pem"
certified = "high"
register = "register.csv"
pages = {files("pages")}
signing = {files("signing")}
encryption = {files("encryption")}
[[eid.application]]
name = "Portal"
return = "{self.returns}"
client = "portal.dk"
"""
        for section, parties in (("provider", providers), ("connector", connectors)):
            for party in parties:
                signers = self.files(party.pair)[0].name
                text += f'[[eid.{section}]]\ncountry = "{party.country}"\nmetadata = "{party.entity}"\nsigners = "{signers}"\n'
        (self.folder / "konfido.toml").write_text(text + more)
        self.log = self.folder / "konfido.log"
        environment = {**os.environ, "KONFIDO_LOG": "info", "NO_COLOR": "1"}
        arguments = [konfido, "run", "--config", str(self.folder / "konfido.toml")]
        self.process = subprocess.Popen(arguments, stderr=self.log.open("w"), stdout=subprocess.DEVNULL, env=environment)
        self.wait()

    def wait(self):
        for _ in range(1200):
            assert self.process.poll() is None, f"konfido run ended: {self.log.read_text()}"
            try:
                requests.get(f"{self.url}/eid/livez", verify=str(self.roots), timeout=2)
                return
            except requests.RequestException:
                time.sleep(0.1)
        raise AssertionError("konfido run does not serve")

    def stop(self):
        self.server.http.shutdown()
        if getattr(self, "process", None):
            self.process.terminate()
            assert self.process.wait(30) == 0, "konfido run did not end well"

    def why(self, number):
        """What the node's log says under a number that a person quotes, with the line before it."""
        lines = self.log.read_text().splitlines()
        at = next(i for i, line in enumerate(lines) if number in line)
        return lines[at - 1] if at and "refused" in lines[at - 1] else "", lines[at]

    def back(self, path, form, pair=None):
        """The back channel, as the portal."""
        certificate, key = self.files(pair or self.portal)
        answer = requests.post(
            f"https://localhost:{self.national}{path}", data=form, cert=(str(certificate), str(key)), verify=str(self.roots), timeout=20
        )
        try:
            return answer.status_code, json.loads(answer.text)
        except ValueError:
            return answer.status_code, answer.text
