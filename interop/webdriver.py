"""Chromium logs in by one-time code and by passkey (W3C WebDriver over chromedriver; standard library only).

webdriver.py STAND.json [SHOTS]

STAND.json: {"begin": URL[, "redirect": URL], "end": URL prefix, "servers": [URL, ...], "login", "pin", "otpauth",
             "passkey": {"id", "key"} (base64url; PKCS#8), "ways": some of code, code-redirect, passkey,
             "first", "last": [[css, action], ...] (optional: what a person does before the login page, and at
             the end; action is "click" or a text to type),
             "says": a text on the last page (optional)}
"""

import base64
import hashlib
import hmac
import json
import os
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request


class Stale(Exception):
    """The page went on while one of its elements was looked at."""


class Browser:
    def __init__(self, servers):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.base = None
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                self.base = "http://127.0.0.1:%d" % int(line.rsplit(" ", 1)[1].strip(". \n"))
                break
        # the keys of these servers and no others, instead of switching verification off
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--window-size=900,1200",
            "--ignore-certificate-errors-spki-list=" + ",".join(map(key_of, servers)),
            "--user-data-dir=" + self.profile.name,
        ]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments, "binary": "/usr/bin/chromium"},
                  "goog:loggingPrefs": {"browser": "ALL"}}
        said = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.base += "/session/" + said["sessionId"]
        # pages on the way post themselves: wait for the one that has what is looked for
        self.call("POST", "/timeouts", {"implicit": 40000})

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=180) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            if value["error"] == "stale element reference":
                raise Stale from None
            raise SystemExit("browser: FAILED: " + value["message"]) from None

    def on(self, css, method, what, body=None):
        """Does something to an element, once more where the page went on meanwhile."""
        for _ in range(20):
            try:
                return self.call(method, f"/element/{self.element(css)}/{what}", body)
            except Stale:
                time.sleep(0.1)
        raise SystemExit(f"browser: FAILED: {css} does not stay")

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def element(self, css):
        found = self.call("POST", "/element", {"using": "css selector", "value": css})
        return next(iter(found.values()))

    def act(self, css, action):
        if action == "click":
            self.on(css, "POST", "click", {})
        else:
            self.on(css, "POST", "value", {"text": action})

    def url(self):
        return self.call("GET", "/url")

    def text(self):
        return self.on("body", "GET", "text")

    def shot(self, folder, name):
        if folder:
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, name + ".png"), "wb") as file:
                file.write(base64.b64decode(self.call("GET", "/screenshot")))

    def complaints(self):
        """What the console says of refused scripts, forms and styles."""
        log = self.call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in log if entry["level"] == "SEVERE" and "favicon" not in entry["message"]]

    def close(self):
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(60)
            self.profile.cleanup()


def key_of(url):
    """The SHA-256 of the key of the server at a URL, as the browser's pin wants it."""
    host, port = urllib.parse.urlsplit(url).netloc.split(":")
    pem = ssl.get_server_certificate((host, int(port)))
    public = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=pem.encode(), capture_output=True, check=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public.stdout, capture_output=True, check=True)
    return base64.b64encode(hashlib.sha256(der.stdout).digest()).decode()


def code(uri, at):
    """RFC 6238, written once more."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(uri).query))
    secret = query["secret"] + "=" * (-len(query["secret"]) % 8)
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(at) // 30), query["algorithm"].lower()).digest()
    place = mac[-1] & 15
    number = struct.unpack(">I", mac[place : place + 4])[0] & 0x7FFFFFFF
    return str(number % 10 ** int(query["digits"])).zfill(int(query["digits"]))


def passkey(browser, stand):
    """Puts the person's passkey into a device that Chromium simulates (WebAuthn Level 3 §11)."""
    device = browser.call("POST", "/webauthn/authenticator", {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True,
    })
    browser.call("POST", f"/webauthn/authenticator/{device}/credential", {
        "credentialId": stand["passkey"]["id"], "privateKey": stand["passkey"]["key"], "rpId": "localhost",
        "isResidentCredential": True, "userHandle": "AA", "signCount": 1,
    })
    browser.act("#passkey button", "click")


def one_time_code(browser, stand, step):
    browser.act("#user", stand["login"])
    browser.act("#pin", stand["pin"])
    # a code works once: the second login takes that of the next step
    browser.act("#one-time", code(stand["otpauth"], time.time() + 30 * step))
    browser.act("#code button", "click")


def main():
    stand = json.load(open(sys.argv[1]))
    folder = sys.argv[2] if len(sys.argv) > 2 else ""
    browser = Browser(stand["servers"])
    ways = [
        ("code", "begin", lambda: one_time_code(browser, stand, 0)),
        ("code-redirect", "redirect", lambda: one_time_code(browser, stand, 1)),
        ("passkey", "begin", lambda: passkey(browser, stand)),
    ]
    try:
        for name, begin, act in ways:
            if begin not in stand or name not in stand.get("ways", ["code"]):
                continue
            browser.open(stand[begin])
            for css, action in stand.get("first", []):
                browser.act(css, action)
            browser.shot(folder, name + "-1-login")
            act()
            for _ in range(600):
                if browser.url().startswith(stand["end"]):
                    break
                time.sleep(0.1)
            browser.shot(folder, name + "-2-end")
            said = stand.get("says", "") in browser.text()
            complaints = browser.complaints()
            if not browser.url().startswith(stand["end"]) or not said or complaints:
                where = browser.url().split("?")[0]
                raise SystemExit(f"browser: FAILED: {name} ended at {where}: {browser.text()[:200]} {complaints}")
            print(f"browser: signed in by {name}")
            for css, action in stand.get("last", []):
                browser.act(css, action)
            for _ in range(600):
                if not stand.get("last") or stand["says"] not in browser.text():
                    break
                time.sleep(0.1)
            else:
                raise SystemExit(f"browser: FAILED: {name}: signed out, and still there")
    finally:
        browser.close()


if __name__ == "__main__":
    main()
