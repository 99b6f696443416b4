"""Each check passes what it must pass and rejects its near misses, on real servers.

In `pass-*.yaml` every claim must hold. In `reject-*.yaml` the play must succeed, every claim of the check under test
must fail (not error: it must have looked and found the fault), and every other claim must hold, so that the fault is
the only one.

A scenario with the variable `fault` is played on the system that `target.yaml` beside it describes, which is given that
fault in its environment as FAULT; any other scenario is played on the reference system.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_agog.checks.base import Verdict
from pytest_agog.play.play import play
from pytest_agog.play.result import PlayResult
from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.load import load
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.session.run import AgogRun, run_of
from pytest_agog.stage.target.parts import PartProcess
from pytest_agog.stage.target.target_file import read_target
from pytest_agog.stage.target.targets import Target
from tests.browser import need_browser
from tests.conformance.complete import missing

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/pass-*.yaml")) + sorted(HERE.glob("*/reject-*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_verdict(path: Path, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if path.parent.name == "page":
        need_browser()
    for number, scenario in enumerate(load(path, vocabulary())):
        result = _played(scenario, run_of(request.config), tmp_path / str(number))
        assert result.failure is None, result.failure
        under_test = [judged for judged in result.judgements if judged.claim.check == path.parent.name]
        assert under_test, f"{path} has no claim of the check {path.parent.name}"
        must_fail = under_test if path.stem.startswith("reject-") else []
        for judged in result.judgements:
            expected = "failed" if judged in must_fail else "passed"
            assert judged.verdict.outcome == expected, (judged.claim.id, judged.verdict)
            assert judged.verdict.observed
            if judged in must_fail:
                assert _shown(judged.verdict), judged.verdict


def _played(scenario: Scenario, run: AgogRun, folder: Path) -> PlayResult:
    options = run.play_options(scenario, folder, None, lambda _: None)
    fault = scenario.variables.get("fault")
    if fault is not None:
        options = replace(options, target=_with_fault(scenario.path.parent / "target.yaml", str(fault)))
    return run.loop.call(play(scenario, options))


def _with_fault(file: Path, fault: str) -> Target:
    target = read_target(file)
    assert isinstance(target.comms, PartProcess)
    return replace(target, comms=replace(target.comms, env={**target.comms.env, "FAULT": fault}))


def _shown(verdict: Verdict) -> bool:
    """Whether a rejection says what it rests on; of what is not there, it says that."""
    absent = ("nothing to judge: ", "there is no ", "no ", "entry ", "it is not there", "the table cannot be read: ")
    return bool(verdict.evidence) or verdict.observed.startswith(absent)


def test_every_check_has_a_pair() -> None:
    assert missing() == []


def test_a_check_without_a_pair_is_named(tmp_path: Path) -> None:
    (tmp_path / "message").mkdir()
    (tmp_path / "message" / "pass-one.yaml").touch()
    (tmp_path / "nonsense").mkdir()
    (tmp_path / "nonsense" / "pass-one.yaml").touch()
    found = missing(tmp_path)
    assert any(line.startswith("message: 0 near misses") for line in found)
    assert any(line.startswith("never: no scenario") for line in found)
    assert "nonsense: a folder for no check" in found
