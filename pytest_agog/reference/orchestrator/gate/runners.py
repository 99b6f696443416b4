"""How each test runner says what ran. A reader takes lines and gives passed, failed, skipped; None if it is another's.

Expected failures and tests that are still to be written count as skipped: they prove nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from pytest_agog.reference.orchestrator.gate import junit

Counts = tuple[int, int, int]
"""Passed, failed, skipped."""
Reader = Callable[[Sequence[str]], Counts | None]

_PASSED: Final = frozenset({"pass", "passed", "xpassed", "passing", "flaky", "succeeded", "successful"})
_FAILED: Final = frozenset({
    "fail", "failed", "failure", "failures", "error", "errors", "cancelled", "failing", "interrupted",
})  # fmt: skip
_SKIPPED: Final = frozenset({
    "skip", "skipped", "skips", "xfailed", "todo", "pending", "pendings", "ignored", "omissions", "excluded",
    "incomplete", "disabled", "deselected", "invalid", "expected",
})  # fmt: skip
_NUMBER_WORD: Final = re.compile(r"(\d{1,9}) ([a-z]+)", re.IGNORECASE)
_WORD_NUMBER: Final = re.compile(r"([a-z]+):? {0,20}(\d{1,9})", re.IGNORECASE)


def _sorted(pairs: Sequence[tuple[int, str]]) -> Counts:
    sums = [0, 0, 0]
    for number, word in pairs:
        for index, words in enumerate((_PASSED, _FAILED, _SKIPPED)):
            if word.lower() in words:
                sums[index] += number
    return sums[0], sums[1], sums[2]


def _counted(text: str) -> Counts:
    """`3 passed, 1 skipped`."""
    return _sorted([(int(number), word) for number, word in _NUMBER_WORD.findall(text)])


def _named(text: str) -> Counts:
    """`failed: 0, succeeded: 3`."""
    return _sorted([(int(number), word) for word, number in _WORD_NUMBER.findall(text)])


def _rest(total: int, failed: int, skipped: int) -> Counts:
    """Where a runner tells the total: what neither failed nor was skipped has passed."""
    return max(total - failed - skipped, 0), failed, skipped


def _sum(found: Sequence[Counts]) -> Counts | None:
    if not found:
        return None
    return sum(one[0] for one in found), sum(one[1] for one in found), sum(one[2] for one in found)


def _by_line(pattern: str, read: Callable[[re.Match[str]], Counts], *, last: bool = False) -> Reader:
    """Every line that is a summary; only the last one where a runner repeats itself."""
    compiled = re.compile(r"\s{0,80}(?:" + pattern + r")\s{0,80}")

    def reader(lines: Sequence[str]) -> Counts | None:
        found = [read(match) for line in lines if (match := compiled.fullmatch(line))]
        return _sum(found[-1:] if last else found)

    return reader


def _total_and_words(match: re.Match[str]) -> Counts:
    text = match[0]
    _, failed, skipped = _counted(text)
    return _rest(int(match["total"]), failed, skipped)


def _total_and_names(match: re.Match[str]) -> Counts:
    _, failed, skipped = _named(match["rest"] or "")
    return _rest(int(match["total"]), failed, skipped)


# --- runners that need more than a line -------------------------------------------------------------------------------
_RAN: Final = re.compile(r"Ran (\d{1,9}) tests? in [\d.]+s")
_END: Final = re.compile(r"(OK|FAILED|NO TESTS RAN)(?: \(([^()]{0,200})\))?\s*")
_AFTER: Final = 6


def _unittest(lines: Sequence[str]) -> Counts | None:
    found: list[Counts] = []
    for index, line in enumerate(lines):
        ran = _RAN.fullmatch(line.strip())
        end = next((match for text in lines[index + 1 : index + _AFTER] if (match := _END.fullmatch(text))), None)
        if ran is None or end is None:
            continue
        numbers = {name.strip(): int(value) for name, value in re.findall(r"([a-z ]+)=(\d{1,9})", end[2] or "")}
        failed = sum(numbers.get(name, 0) for name in ("failures", "errors", "unexpected successes"))
        skipped = numbers.get("skipped", 0) + numbers.get("expected failures", 0)
        found.append(_rest(int(ran[1]), failed or (1 if end[1] == "FAILED" else 0), skipped))
    return _sum(found)


def _words_under(marker: str, word: str, *, of: str) -> Reader:
    """Lines of one count each, told from anything else by a marker that must be there too."""
    seen, line_of = re.compile(marker), re.compile(word)
    known = frozenset(of.split())

    def reader(lines: Sequence[str]) -> Counts | None:
        if not any(seen.search(line) for line in lines):
            return None
        matches = [match for line in lines if (match := line_of.fullmatch(line))]
        return _sorted([(int(match["n"]), match["word"]) for match in matches if match["word"].lower() in known])

    return reader


_TAP_SUMMARY: Final = re.compile(r"\s{0,40}(?:#|\u2139) (tests|pass|fail|cancelled|skipped|skip|todo)\s+(\d{1,9})\s*")
_TAP_PLAN: Final = re.compile(r"1\.\.\d{1,9}(?: #.{0,500})?\s*|TAP version \d+\s*")
_TAP_LINE: Final = re.compile(r"(not ok|ok)\b(?: \d{1,9})?(.*)")
_TAP_NOT_RUN: Final = re.compile(r"(?<!\\)#\s*(?:skip|todo)", re.IGNORECASE)


def _tap(lines: Sequence[str]) -> Counts | None:
    """TAP, and the summary that `node --test` and tape add to it, which is believed first."""
    summary = [match for line in lines if (match := _TAP_SUMMARY.fullmatch(line))]
    if any(match[1] == "pass" for match in summary):
        return _sorted([(int(match[2]), match[1]) for match in summary])
    if not any(_TAP_PLAN.fullmatch(line) for line in lines):
        return None
    results = [match for line in lines if (match := _TAP_LINE.fullmatch(line))]
    skipped = sum(bool(_TAP_NOT_RUN.search(match[2])) for match in results)
    failed = sum(match[1] == "not ok" and not _TAP_NOT_RUN.search(match[2]) for match in results)
    return _rest(len(results), failed, skipped)


_GO_RESULT: Final = re.compile(r"( {0,80})--- (PASS|FAIL|SKIP): \S.*")
_GO_FAILED: Final = re.compile(r"FAIL\t\S+.*")
_GO_SUM: Final = re.compile(r"DONE (?:\d+ runs, )?(?P<total>\d{1,9}) tests?(?P<rest>, .{0,200})? in [\d.]+m?s\s*")


def _go(lines: Sequence[str]) -> Counts | None:
    """`go test -v`, `go test -json`, gotestsum. Subtests stand for their parent."""
    for line in reversed(lines):
        if total := _GO_SUM.fullmatch(line):
            _, failed, skipped = _counted(total["rest"] or "")
            return _rest(int(total["total"]), failed, skipped)
    results = [(len(match[1]), match[2]) for line in lines if (match := _GO_RESULT.fullmatch(line))]
    if results:
        deeper = [
            index + 1 < len(results) and results[index + 1][0] > results[index][0] for index in range(len(results))
        ]
        ends = [result for (_, result), parent in zip(results, deeper, strict=True) if not parent]
    else:
        ends = _go_events(lines)
    if not ends:
        return None
    failed = ends.count("FAIL")
    if not failed and (any(_GO_FAILED.fullmatch(line) for line in lines) or ("FAIL" in {end for _, end in results})):
        failed = 1  # a package that does not build, or a parent that failed by itself
    return ends.count("PASS"), failed, ends.count("SKIP")


def _go_events(lines: Sequence[str]) -> list[str]:
    found: dict[tuple[str, str], str] = {}
    for line in lines:
        if not line.startswith("{") or '"Action"' not in line:
            continue
        try:
            event: Any = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if event.get("Test") and event.get("Action") in ("pass", "fail", "skip"):
            found[str(event.get("Package")), str(event["Test"])] = event["Action"].upper()
    parents = {(package, test[:end]) for package, test in found for end in range(len(test)) if test[end] == "/"}
    return [result for name, result in found.items() if name not in parents]


_DOTNET: Final = re.compile(r"\s*(?:Passed|Failed|Skipped)!\s+-\s+(Failed:.{0,300})")
_DOTNET_SUMMARY: Final = re.compile(r"\s*Test summary: (total:.{0,300})")
_DOTNET_TOTAL: Final = re.compile(r"\s*Total tests: (\d{1,9}|Unknown)\s*")
_DOTNET_PART: Final = re.compile(r"\s+(Passed|Failed|Skipped): (\d{1,9})\s*")


def _dotnet(lines: Sequence[str]) -> Counts | None:
    """`dotnet test`: a line for each assembly, else a summary, else the older block."""
    for pattern in (_DOTNET, _DOTNET_SUMMARY):
        found = [_named(match[1]) for line in lines if (match := pattern.match(line))]
        if found:
            return _sum(found)
    if not any(_DOTNET_TOTAL.fullmatch(line) for line in lines):
        return None
    parts = [match for line in lines if (match := _DOTNET_PART.fullmatch(line))]
    return _sorted([(int(match[2]), match[1]) for match in parts])


_CTEST: Final = re.compile(r"\d{1,3}% tests passed, (\d{1,9}) tests? failed out of (\d{1,9})")
_CTEST_NOT_RUN: Final = re.compile(r"\s+\d+ - \S.{0,300} \((?:Skipped|Disabled)\)\s*")


def _ctest(lines: Sequence[str]) -> Counts | None:
    found = [(int(match[2]), int(match[1])) for line in lines if (match := _CTEST.match(line.strip()))]
    if not found:
        return None
    not_run = sum(bool(_CTEST_NOT_RUN.fullmatch(line)) for line in lines)
    return _rest(sum(total for total, _ in found), sum(failed for _, failed in found), not_run)


_GTEST: Final = re.compile(r"\[  (PASSED|FAILED|SKIPPED) {1,2}\] (\d{1,9}) tests?(?:\.|, listed below:)\s*")


def _gtest(lines: Sequence[str]) -> Counts | None:
    found = [match for line in lines if (match := _GTEST.fullmatch(line))]
    return _sorted([(int(match[2]), match[1]) for match in found]) if found else None


def _junit(lines: Sequence[str]) -> Counts | None:
    """JUnit XML on standard output."""
    begin = next((i for i, line in enumerate(lines) if re.match(r"\s*<(?:\?xml|testsuites?)\b", line)), None)
    end = next((i for i in range(len(lines) - 1, -1, -1) if re.search(r"</testsuites?>\s*\Z", lines[i])), None)
    if begin is None or end is None or end < begin:
        return None
    text = "\n".join(lines[begin : end + 1])
    return junit.read(text[text.index("<") :])


_FLAGGED: Final = r"\d{1,9} (?:passed|failed|skipped|todo|pending|total|expected fail)"
READERS: Final[tuple[tuple[str, Reader], ...]] = (
    ("pytest", _by_line(
        r"=*\s?(?=.*\d (?:passed|failed|skipped|errors?|deselected|xfailed|xpassed)\b|no tests ran)"
        r"(?:\d{1,9} [a-z ]{1,30}, ){0,12}(?:\d{1,9} [a-z ]{1,30}|no tests ran) in [\d.:]+s?(?: \([\d:]+\))?\s?=*",
        lambda match: _counted(match[0]),
    )),
    ("unittest", _unittest),
    ("jest", _by_line(
        rf"Tests:\s+(?:{_FLAGGED}, ){{0,6}}{_FLAGGED}(?: \(\d+ assertions?\))?", lambda match: _counted(match[0])
    )),
    ("vitest", _by_line(
        rf"Tests\s+(?:no tests|(?:{_FLAGGED} \| ){{0,6}}{_FLAGGED})(?: \(\d+\))?", lambda match: _counted(match[0])
    )),
    ("mocha", _words_under(
        r"^\s*\d+ passing \(", r"\s*(?P<n>\d{1,9}) (?P<word>passing|failing|pending)(?: \(.{0,30}\))?\s*",
        of="passing failing pending",
    )),
    ("playwright", _words_under(
        r"^\s*(?:Running \d+ tests? using \d+ workers?|\d+ passed \([\d.]+(?:ms|s|m|h)\))",
        r"\s*(?P<n>\d{1,9}) (?P<word>passed|failed|flaky|skipped|interrupted)(?: \([\d.]+(?:ms|s|m|h)\))?\s*",
        of="passed failed flaky skipped interrupted",
    )),
    ("tap", _tap),
    ("go", _go),
    ("cargo", _by_line(r"test result: (?:ok|FAILED)\. (?P<rest>\d.{0,300})", lambda match: _counted(match["rest"]))),
    ("nextest", _by_line(
        r"Summary \[.{0,30}\]\s+\d+(?:/\d+)? tests? run: (?P<rest>.{0,300})", lambda match: _counted(match["rest"])
    )),
    ("dotnet", _dotnet),
    ("phpunit", _by_line(
        r"OK \((?P<total>\d{1,9}) tests?, \d+ assertions?\)(?P<rest>)"
        r"|Tests: (?P<sum>\d{1,9}), Assertions: \d+(?P<more>, .{0,300})?\.",
        lambda match: (
            _rest(int(match["sum"]), *_named(match["more"] or "")[1:]) if match["sum"] else _total_and_names(match)
        ),
    )),
    ("examples", _by_line(
        r"(?:\d+ doctests?, )?(?P<total>\d{1,9}) (?:examples?|tests?|specs?|runs?)(?=.*\d failures?)"
        r"(?:, \d{1,9} [a-z][a-z ]{0,40}){1,8}",
        _total_and_words,
    )),
    ("gradle", _by_line(r"(?P<total>\d{1,9}) tests? completed(?:, \d+ (?:failed|skipped)){0,2}", _total_and_words)),
    ("surefire", _by_line(
        r"(?:\[[A-Z]+\]\s+)?Tests run: (?P<total>\d{1,9})(?P<rest>, Failures: \d+, Errors: \d+, Skipped: \d+)",
        _total_and_names,
    )),
    ("junit-console", _by_line(
        r"\[\s{1,20}\d{1,9} tests (?P<word>successful|failed|skipped)\s{1,20}\]",
        lambda match: _counted(match[0].replace(" tests", "")),
    )),
    ("xctest", _by_line(
        r"Executed (?P<total>\d{1,9}) tests?, with (?:(?P<skipped>\d+) tests? skipped and )?"
        r"(?P<failed>\d+) failures?.*",
        lambda match: _rest(int(match["total"]), int(match["failed"]), int(match["skipped"] or 0)), last=True,
    )),
    ("karma", _by_line(
        r".{0,200}Executed (?P<total>\d{1,9}) of \d+\b(?:.{0,40}\((?P<failed>\d+) FAILED\))?.*",
        lambda match: _rest(int(match["total"]), int(match["failed"] or 0), 0), last=True,
    )),
    ("ctest", _ctest),
    ("gtest", _gtest),
    ("deno", _by_line(
        r"(?:ok|FAILED) \| (?P<rest>\d{1,9} passed(?: \(.{0,40}\))? \| \d{1,9} failed.{0,200})",
        lambda match: _counted(re.sub(r"\([^()]*\)", "", match["rest"])),
    )),
    ("bun", _words_under(
        r"^\s*Ran \d+ tests? across \d+ files?", r"\s*(?P<n>\d{1,9}) (?P<word>pass|fail|skip|todo)\s*",
        of="pass fail skip todo",
    )),
    ("ava", _by_line(
        r"\d{1,9} tests? (?:passed|failed|skipped|todo)",
        lambda match: _counted(re.sub(" tests?", "", match[0])),
    )),
    ("junit", _junit),
)  # fmt: skip
