"""Runs judgements one by one and counts them."""

import subprocess
import traceback


class Tally:
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
                print(f"FAIL {name}: {type(fault).__name__} {str(fault)[:1500]}", flush=True)
                if not isinstance(fault, (AssertionError, subprocess.CalledProcessError)):
                    traceback.print_exc()

    def end(self, title):
        """The last line, and the exit status."""
        print(f"{title}: {self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0
