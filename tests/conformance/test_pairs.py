"""Each check passes what it must pass and rejects its near misses, on real servers.

In `pass-*.yaml` every claim must hold. In `reject-*.yaml` the play must succeed, every claim of the check under test
must fail (not error: it must have looked and found the fault), and every other claim must hold, so that the fault is
the only one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_agog.checks.base import Verdict
from pytest_agog.play.result import PlayResult
from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.load import load
from tests.conformance.complete import missing

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/pass-*.yaml")) + sorted(HERE.glob("*/reject-*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_verdict(path: Path, agog_play: Callable[..., PlayResult]) -> None:
    for scenario in load(path, vocabulary()):
        result = agog_play(scenario)
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
