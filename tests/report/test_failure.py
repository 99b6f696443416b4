from __future__ import annotations

import io
from pathlib import Path

import pytest

from pytest_agog.play.result import PlayFailure
from pytest_agog.report.failure import Failure
from pytest_agog.report.screen import Screen
from pytest_agog.report.view import check_view, play_view
from tests.report.builders import START, claim, judged, message_evidence, play, rerun, step, varied_plays
from tests.report.conftest import Snapshot


def failed_claim(file: Path) -> Failure:
    result = varied_plays(file)[2]
    judgement = result.judgements[1]
    command = rerun(result, judgement.claim.id)
    return Failure(check_view(judgement, rerun=command, base=file.parent.parent), result.scenario.title, START)


def failed_play(file: Path) -> Failure:
    result = varied_plays(file)[4]
    view = play_view(result, rerun=rerun(result, "play"), base=file.parent.parent)
    return Failure(view, result.scenario.title, result.started_at)


@pytest.mark.parametrize("width", [80, 120])
def test_a_failed_claim(file: Path, snapshot: Snapshot, width: int) -> None:
    snapshot(f"failed-claim-{width}.txt", failed_claim(file).text(Screen(width)))


def test_a_failed_claim_in_ascii(file: Path, snapshot: Snapshot) -> None:
    text = failed_claim(file).text(Screen(80, encoding="ascii"))
    text.encode("ascii")
    snapshot("failed-claim-ascii.txt", text)


def test_a_failed_claim_in_colour(file: Path, snapshot: Snapshot) -> None:
    snapshot("failed-claim-color.ansi", failed_claim(file).text(Screen(80, color=True)))


@pytest.mark.parametrize("width", [80, 120])
def test_a_failed_play(file: Path, snapshot: Snapshot, width: int) -> None:
    snapshot(f"failed-play-{width}.txt", failed_play(file).text(Screen(width)))


def test_of_a_log_the_end_is_shown(file: Path) -> None:
    text = str(failed_play(file))
    assert "line 50 of roy's output" in text
    assert "line 1 of roy's output" not in text
    assert "hunter2" not in text
    assert "\x1b" not in text


def test_the_command_is_one_line_however_long(file: Path) -> None:
    command = f"pytest '--agog-scenario=a  folder/{'x' * 200}.yaml::stored-once[large]'"
    failure = Failure(check_view(judged(claim("a", "b", file), "failed"), rerun=command))
    assert f"again     {command}\n" in failure.text(Screen(80))


def test_evidence_is_bounded(file: Path) -> None:
    evidence = tuple(message_evidence(number, "\n".join(["line"] * 500)) for number in range(1, 40))
    text = str(Failure(check_view(judged(claim("a", "b", file), "failed", evidence=evidence))))
    assert "and 33 more in report.json" in text
    assert "488 more lines" in text
    assert len(text.splitlines()) < 150


def test_a_missing_file_only_lacks_its_excerpt(tmp_path: Path) -> None:
    text = str(Failure(check_view(judged(claim("a", "b", tmp_path / "gone.yaml"), "failed"), base=tmp_path)))
    assert "gone.yaml:7:5\n\nexpected" in text


def test_lines_fit_the_width(file: Path) -> None:
    for width in (40, 60, 80, 120):
        for failure in (failed_claim(file), failed_play(file)):
            lines = failure.text(Screen(width)).splitlines()
            assert [line for line in lines if len(line) > width and not line.startswith("again")] == []


class Writer:
    """What pytest's terminal writer offers, kept in memory."""

    def __init__(self, *, hasmarkup: bool, fullwidth: int, encoding: str = "utf-8") -> None:
        self.hasmarkup = hasmarkup
        self._width = fullwidth
        self._file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        self.text = ""

    @property
    def fullwidth(self) -> int:
        return self._width

    def write(self, msg: str, *, flush: bool = False) -> None:
        self.text += msg


def test_pytest_shows_it_as_its_terminal_is(file: Path) -> None:
    plain, coloured = Writer(hasmarkup=False, fullwidth=80), Writer(hasmarkup=True, fullwidth=80)
    failure = failed_claim(file)
    failure.toterminal(plain)
    failure.toterminal(coloured)
    assert plain.text == failure.text(Screen(80))
    assert coloured.text == failure.text(Screen(80, color=True))
    old = Writer(hasmarkup=False, fullwidth=80, encoding="ascii")
    failure.toterminal(old)
    assert old.text.startswith("x The retry stores nothing twice")


def test_the_short_summary_says_what_was_observed(file: Path) -> None:
    message = failed_claim(file).reprcrash.message
    assert message == "2 messages, stored 120 ms apart (expected exactly 1 message)"


def test_services_that_did_not_start_need_no_step(file: Path) -> None:
    result = play("a", file, outcome="error", failure=PlayFailure("nats-server did not start"))
    text = str(Failure(play_view(result)))
    assert "expected  services that start\nobserved  nats-server did not start\n" in text


def test_the_step_is_named_and_pointed_at(file: Path) -> None:
    result = play("a", file, outcome="failed", failure=PlayFailure("no", step(file)))
    text = str(Failure(play_view(result, base=file.parent.parent)))
    assert "step 1 of 1 (chain) passes" in text
    assert "scenarios/retry-stores-once.yaml:5:5" in text
    assert "5 │   - chain:" in text
