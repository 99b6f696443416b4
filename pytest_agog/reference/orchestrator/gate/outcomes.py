"""How many tests ran, read from what a test runner prints. Nothing run is nothing proven. [O12] [F31]

Skipped tests did not run. A runner that says itself that it found none is taken at its word, whatever its exit status:
`--passWithNoTests` is not honoured. Output of several runners, or of several runs, adds up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pytest_agog.reference.orchestrator.gate.runners import READERS

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]{0,40}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\))")
_LONGEST_LINE: Final = 2000
"""Characters; no summary is longer, and patterns need not look at what is."""
_PREFIX: Final = re.compile(r"[@\w/.-]{1,80}:[\w:-]{1,80}: ")
"""What runners of many packages put before every line: `web:test: `."""
_NONE: Final = re.compile(
    r"no tests? (?:ran|found|executed|were (?:found|run|executed)|to run|available|specified|collected|match)"
    r"|no test (?:files?|suites?|cases?) (?:found|were found|match)|\[no test files\]|no (?:specs?|examples) found"
    r"|collected 0 items|no tests? (?:is|are) available|error: no test specified",
    re.IGNORECASE,
)

_GO_TERSE: Final = re.compile(r"ok\s+\S{1,300}\s+(?:[\d.]+s|\(cached\))(?!.*\[no tests to run\])")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of tests came to."""

    passed: int = 0
    failed: int = 0
    """Errors too."""
    skipped: int = 0
    """Known not to have run."""
    runners: tuple[str, ...] = ()
    """Whose words these are."""

    @property
    def ran(self) -> int:
        """Tests that really ran."""
        return self.passed + self.failed

    def __add__(self, other: Outcome) -> Outcome:
        runners = tuple(dict.fromkeys((*self.runners, *other.runners)))
        return Outcome(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped, runners)

    def counts(self) -> dict[str, int]:
        """As verdicts show it."""
        return {"ran": self.ran, "passed": self.passed, "failed": self.failed, "skipped": self.skipped}

    def refusal(self) -> str:
        """Why this proves nothing; empty when at least one test ran and none failed."""
        if self.failed:
            return f"{self.failed} of {self.ran} tests failed"
        if not self.ran:
            return f"no tests ran, {self.skipped} were skipped" if self.skipped else "no tests ran"
        return ""


def read_outcome(output: str) -> Outcome | None:
    """The tests that the output tells of; None when it cannot be understood."""
    lines = [_PREFIX.sub("", line[:_LONGEST_LINE]) for line in _plain(output).split("\n")]
    total = Outcome()
    understood = False
    for name, reader in READERS:
        found = reader(lines)
        if found is not None:
            understood = True
            total += Outcome(*found, (name,))
    if understood:
        return total
    if any(_GO_TERSE.match(line) for line in lines):
        return None  # packages passed, and others have no tests: how many ran is not told
    return total if any(_NONE.search(line) for line in lines) else None


def by_pattern(pattern: str, output: str) -> Outcome | None:
    """What a project's own pattern finds; several places add up. None when it finds nothing."""
    compiled = re.compile(pattern, re.MULTILINE)
    names = compiled.groupindex
    passed, failed, skipped, found = 0, 0, 0, False
    for match in compiled.finditer(_plain(output)):
        found = True
        passed += _number(match["passed"] if "passed" in names else match[1])
        failed += _number(match["failed"]) if "failed" in names else 0
        skipped += _number(match["skipped"]) if "skipped" in names else 0
    return Outcome(passed, failed, skipped, ("tests_pattern",)) if found else None


def _number(text: str | None) -> int:
    digits = (text or "").strip().replace(",", "")
    return int(digits) if digits.isdecimal() and len(digits) < 10 else 0


def _plain(output: str) -> str:
    """Without colours; what a line wrote over itself with carriage returns is another line."""
    return _ESCAPES.sub("", output).replace("\r\n", "\n").replace("\r", "\n")
