"""Chromium opens the doctor's pouch: pouch.py MODULE SEALER (standard library only).

MODULE is pouch.js, SEALER a program that answers each key with pouches and what must become of them
(crates/enclave/examples/pouch_seal.rs).
"""

import json
import subprocess
import sys

from page import serve
from webdriver import Browser

# a page that allows its own modules and nothing else: no eval, nothing inline, nothing to send to
POLICY = "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'"

# makes a key, and looks whether anybody could take its private half away
GENERATE = """
const [suite, done] = arguments;
(async () => {
  const { Pouch } = await import('/pouch.js');
  const make = crypto.subtle.generateKey;
  let pair;
  crypto.subtle.generateKey = async (...how) => (pair = await make.apply(crypto.subtle, how));
  try {
    window.pouch = await Pouch.generate(suite);
  } catch (error) {
    return done({ missing: error.name });
  } finally {
    delete crypto.subtle.generateKey;
  }
  const taken = [];
  for (const format of ['pkcs8', 'jwk', 'raw']) {
    await crypto.subtle.exportKey(format, pair.privateKey).then(() => taken.push(format), () => {});
  }
  done({ header: pouch.header(), digest: await pouch.digest(), taken });
})().catch((error) => done({ failed: String(error) }));
"""

OPEN = """
const [sealed, expected, done] = arguments;
const bytes = Uint8Array.from(atob(sealed), (letter) => letter.charCodeAt(0));
pouch.open(bytes, expected).then(
  (opened) => done({
    text: btoa(Array.from(opened.bytes, (byte) => String.fromCharCode(byte)).join('')),
    type: opened.mediaType,
  }),
  (error) => done({ refused: error.name, why: error.message }),
);
"""


def judge(case, said):
    """What is wrong, or nothing."""
    if case["text"] is None:
        return None if said.get("refused") == "PouchError" else f"not refused: {said}"
    right = said.get("text") == case["text"] and said.get("type") == "text/xml"
    return None if right else f"does not open: {said.get('why')}"


def main():
    module, sealer = sys.argv[1:]
    url = serve("pouch", "pouch.js", open(module, "rb").read(), POLICY)
    vault = subprocess.Popen([sealer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    browser = Browser([])
    failed = []
    try:
        def run(script, *arguments):
            return browser.call("POST", "/execute/async", {"script": script, "args": arguments})

        browser.open(url)
        for suite in ["P-256", "X25519"]:
            made = run(GENERATE, suite)
            if made.get("missing") == "NotSupportedError" and suite == "X25519":
                print("pouch: skipped: this Chromium has no X25519")
                continue
            if "header" not in made or made["taken"]:
                raise SystemExit(f"pouch: FAILED: {suite}: {made}")
            vault.stdin.write(made["header"] + "\n")
            vault.stdin.flush()
            answer = json.loads(vault.stdout.readline())
            if answer["digest"] != made["digest"]:
                failed.append(f"{suite}: another digest")
            for case in answer["cases"]:
                wrong = judge(case, run(OPEN, case["pouch"], case["expected"]))
                if wrong:
                    failed.append(f"{suite}: {case['name']}: {wrong}")
            opened = sum(case["text"] is not None for case in answer["cases"])
            print(f"pouch: Chromium {suite}: {opened} to open, {len(answer['cases']) - opened} to refuse")
        failed += browser.complaints()
    finally:
        browser.close()
        vault.stdin.close()
        vault.wait(60)
    for what in failed:
        print(f"pouch: FAILED: {what}")
    raise SystemExit(bool(failed))


main()
