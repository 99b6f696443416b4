"""What a report states: evidence counts, claims have to fit what the gate saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.orchestrator.gate import claims, evidence
from pytest_agog.reference.orchestrator.gate.gate import run_gate
from pytest_agog.reference.orchestrator.gate.outcomes import Outcome
from tests.reference.orchestrator.gate.making import Code, gate_of, some_work

FULL = """# Stock transactions

The endpoint is there.

## Verification

### Used

```console
$ curl -s localhost:4000/api/transactions
[{"id": 1}]
```

### Results

The rows match what was expected: `psql -c 'select count(*) from stock'` printed

```
 count
     1
```

### Error cases

```bash
curl -s -X POST localhost:4000/api/transactions -d '{}'
```

It answers:

```json
{"error": "sku is missing"}
```
"""


def test_a_command_with_its_output_is_evidence() -> None:
    found = evidence.stated(FULL)
    assert [sorted(one.proofs) for one in found] == [["use"], ["results"], ["errors"]]
    assert found[0].command == "$ curl -s localhost:4000/api/transactions"
    assert found[1].command.startswith("psql -c")
    assert evidence.proven(FULL.replace("\n", "\r\n")) == {"use", "results", "errors"}


@pytest.mark.parametrize(
    "report",
    [
        "## Verification\n\nI used it and checked all results and error cases. Everything works.\n",
        "## Evidence\n\nUsed it:\n\n```console\n$ curl localhost\n```\n",
        "## Evidence\n\nUsed it:\n\n```\n200 OK\n```\n",
        "## Evidence\n\nUsed it:\n\n```console\n$ curl localhost\n...\n```\n",
        "## Evidence\n\nUsed it:\n\n```sh\ncurl localhost\n```\n\n```\n<output here>\n```\n",
        "## Usage\n\nUsed it:\n\n```console\n$ curl localhost\n200 OK\n```\n",
        "## Evidence\n\nUsed `findAll`:\n\n```\n200 OK\n```\n",
        "## Evidence\n\nBuilt:\n\n```console\n$ npm run build\ndone\n```\n",
        "",
    ],
)
def test_what_is_no_evidence(report: str) -> None:
    assert evidence.proven(report) == frozenset()


async def test_what_is_required_is_listed_when_it_is_missing(project: Path, code: Code) -> None:
    config = gate_of(
        code("print('2 passed in 0.1s')", proves=["tests"]), requires=["tests", "use", "results", "errors"]
    )
    verdict = await run_gate(config, some_work(report="# Done\n\nI used it.\n"), root=project)
    assert not verdict.accepted
    assert [line.split(":")[0] for line in verdict.missing] == ["use", "results", "errors"]
    assert "section Evidence" in verdict.feedback()
    assert (await run_gate(config, some_work(report=FULL), root=project)).accepted
    proving = gate_of(
        code("print('2 passed in 0.1s')", proves=["tests", "use", "results", "errors"]),
        requires=["tests", "use", "results", "errors"],
    )
    assert (await run_gate(proving, some_work(), root=project)).accepted


async def test_tests_cannot_be_stated(project: Path, code: Code) -> None:
    config = gate_of(
        code("print('2 passed in 0.1s')", proves=["tests"], lanes=["frontend"]),
        code("pass", name="b"),
        requires=["tests"],
    )
    report = "## Evidence\n\n```console\n$ pytest\n=== 2 passed in 0.1s ===\n```\n"
    verdict = await run_gate(config, some_work(report=report), root=project)
    assert not verdict.accepted
    assert verdict.missing[0].startswith("tests: automated tests that the gate ran itself")
    assert "2 passed" in verdict.missing[1]


CLAIMS: list[tuple[str, list[tuple[int | None, bool]]]] = [
    ("All tests pass.", [(None, False)]),
    ("The test suite is green.", [(None, False)]),
    ("Tests passed, build passed", [(None, False)]),
    ("42 tests passed.", [(42, False)]),
    ("All 42 tests pass", [(42, True)]),
    ("All 12 new tests pass", [(12, False)]),
    ("All 12 unit tests are passing", [(12, False)]),
    ("42/42 tests passing", [(42, True)]),
    ("40 of 42 tests passed", [(40, False)]),
    ("- Tests: 42/42", [(42, True)]),
    ("**Tests:** 42 passed, 0 failed", [(42, False)]),
    ("| Unit | 42 passed |", [(42, False)]),
    ("=== 42 passed, 1 skipped in 0.3s ===", [(42, False)]),
    ("Not all tests pass yet.", []),
    ("Merge once all tests pass.", []),
    ("Make sure the tests pass", []),
    ("Tests must pass with 80% coverage", []),
    ("> All tests pass", []),
    ("Phase 12 passed review", []),
    ("12 assertions passed", []),
    ("Version 1.42 passed", []),
    ("The tests cover 42 cases.", []),
]


@pytest.mark.parametrize(("text", "found"), CLAIMS)
def test_claims(text: str, found: list[tuple[int | None, bool]]) -> None:
    assert [(claim.passed, claim.whole) for claim in claims.claims_in(text)] == found


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("All tests pass", True),
        ("42 tests passed", True),
        ("All 42 tests pass", True),
        ("All 30 tests pass", True),  # one command's
        ("All 44 tests pass", True),  # with those skipped
        ("All 41 tests pass", False),
        ("41 tests passed", True),
        ("43 tests passed", False),
        ("99/99 tests passing", False),
    ],
)
def test_counts_have_to_fit_the_gates_own(text: str, fits: bool) -> None:
    wrong = claims.contradictions([text], [Outcome(30), Outcome(12, 0, 2)])
    assert (wrong == []) == fits
    assert fits or "42" in wrong[0]


async def test_a_claim_without_a_run_is_rejected(project: Path, code: Code) -> None:
    verdict = await run_gate(gate_of(code("pass")), some_work(report="Done. 42 tests passed."), root=project)
    assert not verdict.accepted
    assert "'42 tests passed' has no evidence" in verdict.missing[0]
    counted = gate_of(code("print('41 passed in 1s')", proves=["tests"]))
    verdict = await run_gate(counted, some_work(report="Done. 42 tests passed."), root=project)
    assert not verdict.accepted
    assert "contradicts the gate, which counted 41" in verdict.reason
    assert (await run_gate(counted, some_work(report="Done. All 41 tests pass."), root=project)).accepted


PIECES = (
    *("# Evidence\n", "## Use\n", "```sh\n", "```\n", "$ ls\n", "out\n", "`ls -l`\n"),
    *("all ", "42 ", "/", "tests ", "pass", ". ", "> "),
)


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_report_is_taken(report: str) -> None:
    assert evidence.proven(report) <= set(evidence.STATED)
    found: Any = claims.claims_in(report)
    assert all(claim.text for claim in found)
