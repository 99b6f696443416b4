"""Until this holds, or this long: what `within` and `holds_for` mean, on a ledger that grows meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.checks.base import Check, Verdict, verdict
from pytest_agog.ledger.answers import FileSeen
from pytest_agog.ledger.facts import StepStarted
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import FileProbe, Probe
from pytest_agog.ledger.probing.prober import Prober
from pytest_agog.play import judging
from pytest_agog.play.judging import Asked, Waiting, judge, judge_all
from pytest_agog.values import Strict


class Steps(Strict):
    """How many steps must have begun."""

    at_least: int = 0
    at_most: int = 10**9


class InFolder(Strict):
    """A file."""

    path: str


def _count(ledger: Ledger) -> int:
    return len(ledger.of(StepStarted))


def judge_steps(ledger: Ledger, arguments: Steps) -> Verdict:
    seen = _count(ledger)
    return verdict(arguments.at_least <= seen <= arguments.at_most, expected="so many", observed=str(seen))


def check(
    judged: Callable[[Ledger, Any], Verdict] = judge_steps,
    arguments: type[Strict] = Steps,
    probes: Callable[[Any], Sequence[Probe]] = lambda _: (),
) -> Check[Any]:
    return Check("steps", "Steps begin.", arguments, judged, "", probes=probes)


def begin(ledger: Ledger, steps: int = 1) -> None:
    for _ in range(steps):
        ledger.append(StepStarted(1, "run", ""))


def later(seconds: float, act: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, act)


@pytest.fixture
def prober(tmp_path: Path) -> Prober:
    """One that has files to look at, and nothing else."""
    return Prober(None, None, None, None, lambda name: tmp_path / name)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


async def test_what_holds_at_once_is_not_waited_for(ledger: Ledger, prober: Prober) -> None:
    begin(ledger)
    answer = await judge(ledger, prober, Asked(check(), Steps(at_least=1), Waiting(within=60)))
    assert answer.verdict.passed
    assert answer.waited < 5


async def test_growth_wakes_the_judge(ledger: Ledger, prober: Prober) -> None:
    later(0.05, lambda: begin(ledger))
    later(0.1, lambda: begin(ledger))
    answer = await judge(ledger, prober, Asked(check(), Steps(at_least=2), Waiting(within=60)))
    assert answer.verdict.passed
    assert 0.05 < answer.waited < 30


async def test_what_never_holds_is_given_up_when_the_time_is_over(ledger: Ledger, prober: Prober) -> None:
    answer = await judge(ledger, prober, Asked(check(), Steps(at_least=1), Waiting(within=0.2)))
    assert (answer.verdict.outcome, answer.verdict.observed) == ("failed", "0")
    assert answer.waited >= 0.2


async def test_what_must_stay_true_is_looked_at_again_at_the_end(ledger: Ledger, prober: Prober) -> None:
    begin(ledger)
    looks: list[float] = []

    def watched(ledger: Ledger, arguments: Steps) -> Verdict:
        looks.append(time.monotonic())
        return judge_steps(ledger, arguments)

    answer = await judge(ledger, prober, Asked(check(watched), Steps(at_most=1), Waiting(holds_for=0.2)))
    assert answer.verdict.passed
    assert answer.waited >= 0.2
    assert looks[-1] - looks[0] >= 0.2  # the last look is not older than the time for which it must hold


async def test_what_breaks_while_it_must_hold_has_failed(ledger: Ledger, prober: Prober) -> None:
    begin(ledger)
    later(0.1, lambda: begin(ledger))
    answer = await judge(ledger, prober, Asked(check(), Steps(at_most=1), Waiting(holds_for=60)))
    assert (answer.verdict.outcome, answer.verdict.observed) == ("failed", "2")
    assert answer.waited < 30


async def test_what_breaks_and_comes_back_within_the_time_holds(ledger: Ledger, prober: Prober) -> None:
    """Three steps do, two and four do not."""

    def three_or_five(ledger: Ledger, _: Steps) -> Verdict:
        return verdict(_count(ledger) in (3, 5), expected="3 or 5", observed=str(_count(ledger)))

    begin(ledger, 3)
    later(0.05, lambda: begin(ledger))
    later(0.1, lambda: begin(ledger))
    answer = await judge(ledger, prober, Asked(check(three_or_five), Steps(), Waiting(within=30, holds_for=0.2)))
    assert (answer.verdict.outcome, answer.verdict.observed) == ("passed", "5")
    assert answer.waited >= 0.25


async def test_probes_are_asked_again_until_they_answer_right(ledger: Ledger, prober: Prober, tmp_path: Path) -> None:
    def there(ledger: Ledger, arguments: InFolder) -> Verdict:
        seen = ledger.answer(FileProbe(arguments.path).key, FileSeen)
        return verdict(bool(seen and seen.exists), expected="a file", observed=str(seen))

    asked = check(there, InFolder, lambda arguments: (FileProbe(arguments.path),))
    later(0.1, lambda: (tmp_path / "late").touch())
    answer = await judge(ledger, prober, Asked(asked, InFolder(path="late"), Waiting(within=60)))
    assert answer.verdict.passed
    assert answer.waited < 30


async def test_probes_are_asked_afresh_at_the_end_of_holds_for(
    ledger: Ledger, prober: Prober, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when the next look would be later: what went away in the last moment is seen."""
    monkeypatch.setattr(judging, "PROBE_INTERVAL", 60)

    def there(ledger: Ledger, arguments: InFolder) -> Verdict:
        seen = ledger.answer(FileProbe(arguments.path).key, FileSeen)
        return verdict(bool(seen and seen.exists), expected="a file", observed=str(seen))

    (tmp_path / "gone").touch()
    asked = check(there, InFolder, lambda arguments: (FileProbe(arguments.path),))
    later(0.1, lambda: (tmp_path / "gone").unlink())
    answer = await judge(ledger, prober, Asked(asked, InFolder(path="gone"), Waiting(holds_for=0.3)))
    assert answer.verdict.outcome == "failed"


async def test_a_slow_check_leaves_half_the_time_to_others(ledger: Ledger, prober: Prober) -> None:
    looks = 0

    def slow(ledger: Ledger, arguments: Steps) -> Verdict:
        nonlocal looks
        looks += 1
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            pass
        return judge_steps(ledger, arguments)

    async def grow() -> None:
        while True:
            begin(ledger)
            await asyncio.sleep(0.001)

    growing = asyncio.create_task(grow())
    answer = await judge(ledger, prober, Asked(check(slow), Steps(at_least=10**6), Waiting(within=1)))
    growing.cancel()
    assert not answer.verdict.passed
    assert 2 <= looks <= 11


async def test_all_claims_are_judged_on_one_state_of_the_ledger(ledger: Ledger, prober: Prober, tmp_path: Path) -> None:
    """Nothing grows between the first and the last look, so what checks work out together is worked out once."""
    sizes: list[int] = []

    def size(ledger: Ledger, _: Strict) -> Verdict:
        sizes.append(len(ledger))
        return verdict(holds=True, expected="", observed="")

    with_probe = check(size, InFolder, lambda arguments: (FileProbe(arguments.path),))
    claims = [Asked(with_probe, InFolder(path=f"file{number}")) for number in range(5)]
    answers = await judge_all(ledger, prober, [*claims, Asked(check(size), Steps())])
    assert [answer.verdict.outcome for answer in answers] == ["passed"] * 6
    assert sizes == [5] * 6


async def test_answers_come_in_the_order_of_the_claims(ledger: Ledger, prober: Prober) -> None:
    later(0.1, lambda: begin(ledger))
    answers = await judge_all(
        ledger,
        prober,
        [
            Asked(check(), Steps(at_least=1), Waiting(within=30)),
            Asked(check(), Steps(at_least=1)),
            Asked(check(), Steps(at_most=0), Waiting(holds_for=30)),
            Asked(check(), Steps(at_most=0)),
        ],
    )
    assert [answer.verdict.outcome for answer in answers] == ["passed", "failed", "failed", "passed"]
    assert answers[0].waited >= 0.05


async def test_a_check_that_fails_itself_is_an_error_and_the_others_are_judged(ledger: Ledger, prober: Prober) -> None:
    def broken(ledger: Ledger, arguments: Steps) -> Verdict:
        raise KeyError("password=hunter2\nmore")

    def later_broken(ledger: Ledger, arguments: Steps) -> Verdict:
        if _count(ledger):
            raise ValueError("odd")
        return judge_steps(ledger, arguments)

    def no_probes(_: Any) -> Sequence[Probe]:
        raise RuntimeError("no probes")

    later(0.05, lambda: begin(ledger))
    answers = await judge_all(
        ledger,
        prober,
        [
            Asked(check(broken), Steps()),
            Asked(check(later_broken), Steps(at_least=1), Waiting(within=30)),
            Asked(check(probes=no_probes), Steps(at_least=9), Waiting(within=0.1)),
            Asked(check(), Steps()),
        ],
    )
    assert [answer.verdict.outcome for answer in answers] == ["error", "error", "error", "passed"]
    assert "KeyError" in answers[0].verdict.observed
    assert "hunter2" not in answers[0].verdict.observed
    assert "\n" not in answers[0].verdict.observed
    assert "ValueError: odd" in answers[1].verdict.observed
    assert "RuntimeError: no probes" in answers[2].verdict.observed


async def test_the_judge_lets_go_of_the_ledger(ledger: Ledger, prober: Prober) -> None:
    await judge(ledger, prober, Asked(check(), Steps(at_least=1), Waiting(within=0.05)))
    task = asyncio.create_task(judge(ledger, prober, Asked(check(), Steps(at_least=1), Waiting(within=60))))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ledger._listeners == ()
