"""Runs judgements one by one and counts them."""

import os
import subprocess
import traceback


class Tally:
    """How many passed and failed."""

    def __init__(self):
        self.passed = self.failed = 0

    def run(self, judgements):
        """`judgements` gives (name, function); one that fails does not silence the others."""
        for name, judge in judgements:
            try:
                judge()
                self.passed += 1
                print(f"ok   {name}", flush=True)
            except Exception as fault:
                self.failed += 1
                detail = getattr(fault, "stderr", b"") or b""
                print(f"FAIL {name}: {type(fault).__name__} {str(fault)[:1500]} {detail[-500:]!r}", flush=True)
                if not isinstance(fault, (AssertionError, subprocess.CalledProcessError)):
                    traceback.print_exc()

    def end(self, title):
        """The last line, a line for whoever adds up (INTEROP_COUNTS names a file), and the exit status."""
        print(f"{title}: {self.passed} passed, {self.failed} failed", flush=True)
        if counts := os.environ.get("INTEROP_COUNTS"):
            with open(counts, "a") as file:
                file.write(f"{self.passed} {self.failed}\n")
        return 1 if self.failed else 0
