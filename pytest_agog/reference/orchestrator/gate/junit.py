"""JUnit XML, which most test runners write: the best count there is, since no test's own output is in the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.gate.outcomes import Outcome

_LARGEST: Final = 64 * 10**6
Stamp = tuple[int, int, int]
"""Tells a file that was written meanwhile from one that lay there."""
Counts = tuple[int, int, int]
"""Passed, failed, skipped."""


class _Refused(Exception):
    pass


def stamp(path: Path) -> Stamp | None:
    """What the file is now; None when there is none."""
    try:
        there = path.stat()
    except OSError:
        return None
    return there.st_ino, there.st_mtime_ns, there.st_ctime_ns


def read_file(path: Path, before: Stamp | None) -> tuple[Outcome | None, str]:
    """The tests in a report that was written since `before`, or why there are none to be had."""
    from pytest_agog.reference.orchestrator.gate.outcomes import Outcome

    now = stamp(path)
    if now is None:
        return None, f"it did not write its report {path.name}"
    if now == before:
        return None, f"its report {path.name} is from another run: this one did not write it"
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None, f"its report {path.name} is no file of at most {_LARGEST // 10**6} MB"
        counts = read(path.read_bytes())
    except OSError as error:
        return None, f"its report {path.name} cannot be read: {error.strerror or error}"
    if counts is None:
        return None, f"its report {path.name} is no JUnit XML"
    return Outcome(*counts, ("junit",)), ""


def read(data: bytes | str) -> Counts | None:
    """The test cases in JUnit XML; None when it is none. A document type is refused: no report needs entities."""
    cases: list[str] = []
    state = {"root": ""}

    def opened(name: str, attributes: dict[str, str]) -> None:
        state["root"] = state["root"] or name
        if name == "testcase":
            not_run = attributes.get("status") in ("notrun", "disabled", "skipped")
            cases.append("skipped" if not_run else "passed")
        elif cases and name in ("failure", "error"):
            cases[-1] = "failed"
        elif cases and name == "skipped" and cases[-1] == "passed":
            cases[-1] = "skipped"

    def refused(*_: object) -> None:
        raise _Refused

    parser = expat.ParserCreate()
    parser.StartElementHandler = opened
    parser.StartDoctypeDeclHandler = refused
    try:
        parser.Parse(data, True)  # noqa: FBT003 - that is how expat is told that this is all
    except (expat.ExpatError, _Refused, ValueError):
        return None
    if state["root"] not in ("testsuites", "testsuite"):
        return None
    return cases.count("passed"), cases.count("failed"), cases.count("skipped")
