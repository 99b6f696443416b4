"""What test runners print, and what it comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.orchestrator.gate import junit
from pytest_agog.reference.orchestrator.gate.outcomes import by_pattern, read_outcome

GOOD: dict[str, tuple[str, tuple[int, int, int]]] = {
    "pytest": ("..s.\n=================== 3 passed, 1 skipped, 2 warnings in 0.12s ===================\n", (3, 0, 1)),
    "pytest in colours": ("\x1b[32m\x1b[1m3 passed\x1b[0m\x1b[32m in 0.01s\x1b[0m\n", (3, 0, 0)),
    "pytest, long": ("== 1 failed, 2 passed, 1 xfailed, 1 error in 75.30s (0:01:15) ==\n", (2, 2, 1)),
    "pytest, windows": ("= 5 passed in 1.00s =\r\n", (5, 0, 0)),
    "unittest": ("...\n----------\nRan 3 tests in 0.001s\n\nOK\n", (3, 0, 0)),
    "unittest skipped": ("sss\n---\nRan 3 tests in 0.001s\n\nOK (skipped=3)\n", (0, 0, 3)),
    "unittest failed": ("Ran 4 tests in 0.1s\n\nFAILED (failures=1, errors=1, skipped=1)\n", (1, 2, 1)),
    "jest": (
        ("Test Suites: 2 passed, 2 total\nTests:       1 skipped, 4 passed, 5 total\nSnapshots:   0 total\n"),
        (4, 0, 1),
    ),
    "jest failed": ("Tests:       1 failed, 4 passed, 5 total\n", (4, 1, 0)),
    "pest": ("  Tests:    2 passed (3 assertions)\n  Duration: 0.06s\n", (2, 0, 0)),
    "vitest": (" Test Files  1 passed (1)\n      Tests  4 passed | 1 skipped (5)\n", (4, 0, 1)),
    "vitest failed": (" Test Files  1 failed (1)\n      Tests  1 failed | 4 passed (5)\n", (4, 1, 0)),
    "mocha": ("  3 passing (12ms)\n  1 pending\n", (3, 0, 1)),
    "mocha failed": ("  2 passing (12ms)\n  1 failing\n\n  1) adds:\n", (2, 1, 0)),
    "node spec": (
        ("\u2139 tests 3\n\u2139 suites 0\n\u2139 pass 2\n\u2139 fail 0\n\u2139 cancelled 0\n\u2139 skipped 1\n"),
        (2, 0, 1),
    ),
    "node tap": ("TAP version 13\nok 1 - a\n1..1\n# tests 1\n# pass 1\n# fail 0\n# skipped 0\n", (1, 0, 0)),
    "tap": ("1..4\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no network\nnot ok 4 # TODO later\n", (1, 1, 2)),
    "go -v": (
        (
            "=== RUN   TestA\n"
            "=== RUN   TestA/x\n"
            "--- PASS: TestA (0.00s)\n"
            "    --- PASS: TestA/x (0.00s)\n"
            "    --- SKIP: TestA/y (0.00s)\n"
            "--- PASS: TestB (0.00s)\n"
            "PASS\n"
            "ok  \texample.com/a\t0.002s\n"
        ),
        (2, 0, 1),
    ),
    "go failed parent": (
        ("--- FAIL: TestA (0.00s)\n    --- PASS: TestA/x (0.00s)\nFAIL\nFAIL\texample.com/a\t0.002s\n"),
        (1, 1, 0),
    ),
    "go build failed": ("--- PASS: TestB (0.00s)\nok  \ta\t0.1s\nFAIL\texample.com/b [build failed]\n", (1, 1, 0)),
    "go json": (
        (
            '{"Action":"run","Package":"a","Test":"TestA"}\n'
            '{"Action":"pass","Package":"a","Test":"TestA/x"}\n'
            '{"Action":"pass","Package":"a","Test":"TestA"}\n'
            '{"Action":"fail","Package":"b","Test":"TestA"}\n'
        ),
        (1, 1, 0),
    ),
    "gotestsum": ("DONE 5 tests, 1 skipped, 1 failure in 0.345s\n", (3, 1, 1)),
    "cargo": (
        (
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s\n"
        ),
        (5, 0, 1),
    ),
    "nextest": ("     Summary [   0.012s] 4 tests run: 3 passed, 1 failed, 2 skipped\n", (3, 1, 2)),
    "dotnet": (
        ("Passed!  - Failed:     0, Passed:     3, Skipped:     1, Total:     4, Duration: 4 ms - x.dll (net8.0)\n"),
        (3, 0, 1),
    ),
    "dotnet summary": ("Test summary: total: 4; failed: 1; succeeded: 3; skipped: 0; duration: 1.2s\n", (3, 1, 0)),
    "dotnet old": ("Total tests: 3\n     Passed: 2\n    Skipped: 1\n Total time: 1.2 Seconds\n", (2, 0, 1)),
    "phpunit": ("OK (3 tests, 5 assertions)\n", (3, 0, 0)),
    "phpunit failed": ("FAILURES!\nTests: 5, Assertions: 5, Errors: 1, Failures: 1, Skipped: 1.\n", (2, 2, 1)),
    "rspec": ("Finished in 0.01 seconds\n4 examples, 1 failure, 1 pending\n", (2, 1, 1)),
    "minitest": ("3 runs, 5 assertions, 0 failures, 0 errors, 1 skips\n", (2, 0, 1)),
    "exunit": ("1 doctest, 3 tests, 0 failures, 1 skipped\n", (2, 0, 1)),
    "bats": ("3 tests, 0 failures\n", (3, 0, 0)),
    "gradle": ("3 tests completed, 1 failed\n", (2, 1, 0)),
    "maven": (
        (
            "[INFO] Tests run: 2, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.01 s -- in a.B\n"
            "[INFO] Results:\n"
            "[INFO] Tests run: 2, Failures: 0, Errors: 0, Skipped: 1\n"
        ),
        (1, 0, 1),
    ),
    "junit console": ("[         3 tests successful      ]\n[         1 tests failed          ]\n", (3, 1, 0)),
    "xctest": (
        (
            "\t Executed 2 tests, with 0 failures (0 unexpected) in 0.001 (0.002) seconds\n"
            "\t Executed 2 tests, with 1 test skipped and 0 failures (0 unexpected) in 0.001 (0.002) seconds\n"
        ),
        (1, 0, 1),
    ),
    "karma": ("Chrome 1: Executed 1 of 3 SUCCESS\rChrome 1: Executed 3 of 3 (1 FAILED) (0.01 secs)\n", (2, 1, 0)),
    "ctest": (
        ("100% tests passed, 0 tests failed out of 2\n\nThe following tests did not run:\n\t  1 - x (Skipped)\n"),
        (1, 0, 1),
    ),
    "gtest": (
        ("[==========] 3 tests from 1 test suite ran.\n[  PASSED  ] 2 tests.\n[  FAILED  ] 1 test, listed below:\n"),
        (2, 1, 0),
    ),
    "playwright": ("Running 4 tests using 2 workers\n  1 flaky\n  1 skipped\n  2 passed (2.1s)\n", (3, 0, 1)),
    "playwright failed": (
        ("Running 2 tests using 1 worker\n  1 failed\n    [chromium] a.spec.ts\n  1 passed (3.4s)\n"),
        (1, 1, 0),
    ),
    "deno": ("ok | 3 passed (2 steps) | 0 failed | 1 ignored (12ms)\n", (3, 0, 1)),
    "bun": (" 3 pass\n 1 skip\n 0 fail\n 4 expect() calls\nRan 4 tests across 1 file. [12.00ms]\n", (3, 0, 1)),
    "ava": ("  2 tests passed\n  1 test failed\n", (2, 1, 0)),
    "turbo": (
        ("web:test: Tests:       4 passed, 4 total\n@acme/api:test: Tests:       2 passed, 2 total\n"),
        (6, 0, 0),
    ),
    "junit": (
        ('<?xml version="1.0"?>\n<testsuite><testcase name="a"/><testcase><failure/></testcase></testsuite>\n'),
        (1, 1, 0),
    ),
}
NOTHING = {
    "pytest": "collected 0 items\n\n============ no tests ran in 0.01s ============\n",
    "pytest deselected": "==== 3 deselected in 0.01s ====\n",
    "pytest skipped": "==== 3 skipped in 0.01s ====\n",
    "unittest": "Ran 0 tests in 0.000s\n\nOK\n",
    "unittest 3.12": "Ran 0 tests in 0.000s\n\nNO TESTS RAN\n",
    "jest": "No tests found, exiting with code 0\n",
    "jest none": "Tests:       0 total\n",
    "jest skipped": "Tests:       3 skipped, 3 total\n",
    "vitest": "No test files found, exiting with code 0\n",
    "mocha": "  0 passing (1ms)\n",
    "node": "\u2139 tests 0\n\u2139 pass 0\n\u2139 fail 0\n",
    "tap": "1..0 # no tests\n",
    "go": "?   \texample.com/a\t[no test files]\n",
    "go filtered": "ok  \texample.com/a\t0.002s [no tests to run]\n",
    "cargo": "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.00s\n",
    "dotnet": "No test is available in /x/y.dll. Make sure that test discoverer & executors are registered\n",
    "phpunit": "No tests executed!\n",
    "rspec": "No examples found.\n\n0 examples, 0 failures\n",
    "playwright": "Error: No tests found\n",
    "npm": "Error: no test specified\n",
}
UNCLEAR = (
    "", "ok\n", "all tests passed\n", "BUILD SUCCESSFUL in 2s\n", "ok  \texample.com/a\t0.002s\n",
    "ok  \texample.com/a\t(cached)\n?   \texample.com/b\t[no test files]\n", "passed in 3s\n", "3 items in 2s\n",
)  # fmt: skip


@pytest.mark.parametrize("runner", GOOD)
def test_every_runner_is_understood(runner: str) -> None:
    output, counts = GOOD[runner]
    found = read_outcome("$ run the tests\n12 files changed\n" + output)
    assert found is not None
    assert (found.passed, found.failed, found.skipped) == counts
    assert bool(found.refusal()) == (counts[0] == 0 or counts[1] > 0)


@pytest.mark.parametrize("runner", NOTHING)
def test_nothing_run_proves_nothing(runner: str) -> None:
    found = read_outcome(NOTHING[runner])
    assert found is not None
    assert found.ran == 0
    assert "no tests ran" in found.refusal()


@pytest.mark.parametrize("output", UNCLEAR)
def test_what_shows_no_count_is_not_understood(output: str) -> None:
    assert read_outcome(output) is None


def test_several_runs_add_up() -> None:
    found = read_outcome(GOOD["pytest"][0] + GOOD["jest"][0])
    assert found is not None
    assert (found.passed, found.skipped) == (7, 2)
    assert found.runners == ("pytest", "jest")


def test_a_pattern_has_groups_for_the_rest() -> None:
    found = by_pattern(
        r"good=(?P<passed>\d+) bad=(?P<failed>\d+)( left=(?P<skipped>\d+))?", "good=1,000 x\ngood=3 bad=1\n"
    )
    assert found is not None
    assert (found.passed, found.failed, found.skipped) == (3, 1, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<html/>", b"<testsuite><testcase>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuite><testcase name="&a;"/></testsuite>',
    ],
)  # fmt: skip
def test_what_is_no_junit_xml(data: bytes) -> None:
    assert junit.read(data) is None


@given(st.text(alphabet="0123456789 =#\n\r\x1b[m(){}<>,.:|/-pasedtfilkRnTOK\u2139", max_size=400))
def test_any_output_is_taken(output: str) -> None:
    found = read_outcome(output)
    assert found is None or min(found.passed, found.failed, found.skipped) >= 0
