from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agog.checks.base import Evidence, Verdict
from pytest_agog.checks.tokens import NoticeTokensArguments, SavingsArguments
from pytest_agog.play.result import Judgement
from pytest_agog.report.closeness import close_call
from pytest_agog.scenario.reading.places import Position
from pytest_agog.scenario.scenario import Claim
from pytest_agog.values import Bound
from tests.report.builders import NoArguments, judged


def waited(seconds: float, *, within: float = 5.0, holds_for: float = 0.0) -> str:
    claim = Claim("a", "b", "rows", NoArguments(), Position(Path("a.yaml"), 1, 1), within, holds_for)
    return close_call(judged(claim, waited=seconds))


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.1, ""), (3.9, ""), (4.0, "took 4s of 5s"), (4.96, "took 4.96s of 5s")]
)
def test_a_claim_that_nearly_ran_out_of_time(seconds: float, said: str) -> None:
    assert waited(seconds) == said


def test_holding_on_is_not_waiting() -> None:
    assert waited(6.0, holds_for=5.5) == ""
    assert waited(0.0, within=0.0) == ""


def tokens(id_: str, name: str, measured: float, limit: str | int) -> str:
    bound = Bound.model_validate({"at_most" if id_ == "notice" else "at_least": limit})
    arguments = NoticeTokensArguments(value=bound) if id_ == "notice" else SavingsArguments(value=bound)
    claim = Claim(f"tokens.{id_}", "b", f"tokens.{id_}", arguments, Position(Path("a.yaml"), 1, 1))
    return close_call(
        Judgement(claim, Verdict("passed", "x", "y", (Evidence("tokens", None, "", "", {name: measured}),)))
    )


@pytest.mark.parametrize(
    ("id_", "name", "measured", "limit", "said"),
    [
        ("notice", "tokens", 196, 200, "196 of 200 tokens"),
        ("notice", "tokens", 120, 200, ""),
        ("spawn_savings", "spawn_savings", 0.954, "95%", "95.4% where 95.0% are asked for"),
        ("spawn_savings", "spawn_savings", 0.991, "95%", ""),
        ("net_savings", "net_savings", 0.52, "50%", "52.0% where 50.0% are asked for"),
        ("net_savings", "something-else", 0.52, "50%", ""),
    ],
)
def test_tokens_nearly_spent(id_: str, name: str, measured: float, limit: str | int, said: str) -> None:
    assert tokens(id_, name, measured, limit) == said


def test_what_failed_was_not_close() -> None:
    claim = Claim("a", "b", "rows", NoArguments(), Position(Path("a.yaml"), 1, 1), within=5)
    assert close_call(judged(claim, "failed", waited=5)) == ""
