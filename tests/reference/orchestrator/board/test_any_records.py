"""Whatever the records hold, each requirement has its place, and every view can be made."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from datetime import timedelta
from typing import Any, get_args

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from pytest_agog.reference.orchestrator.board.board import board
from pytest_agog.reference.orchestrator.board.daily import daily_report
from pytest_agog.reference.orchestrator.board.markdown import markdown
from pytest_agog.reference.orchestrator.board.measures import Metrics
from pytest_agog.reference.orchestrator.board.metrics import prometheus
from pytest_agog.reference.orchestrator.board.page import render
from pytest_agog.reference.orchestrator.board.text import text
from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.state.record import Done, Happened, Record, Spent
from pytest_agog.wire.orchestration import Priority, State
from tests.reference.orchestrator.board.making import NOW, situation

SHARES = ("first_time_acceptance", "blocker_rate", "escalation_rate", "parallel_success", "conflict_rate",
          "dependency_accuracy")  # fmt: skip
ids = st.sampled_from([f"REQ-{n}" for n in range(6)])
words = st.text(max_size=12)
agents = st.one_of(st.sampled_from(["roy", "jen", "billy", "review"]), words)
stages = st.sampled_from(["research", "critique", "backend", "frontend", "qa", "unblock", "statistics"])
moments = st.integers(-3_000, 3_000).map(lambda minutes: NOW + timedelta(minutes=minutes))
states: st.SearchStrategy[State] = st.sampled_from(get_args(State))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def tuples(strategy: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


records: st.SearchStrategy[list[Record]] = st.lists(
    st.builds(
        Record,
        id=ids, state=states, stated=st.builds(Stated, id=ids, title=words, line=st.just(1)), lane=maybe(stages),
        agent=maybe(agents), stage=maybe(stages), stage_agent=maybe(agents), attempt=st.integers(0, 3),
        chain=tuples(stages), skipped=tuples(stages, 2), done=tuples(st.builds(Done, stages, agents, words), 2),
        history=st.lists(
            st.builds(Happened, moments, states, words, maybe(stages), maybe(st.integers(1, 3))), max_size=8
        ).map(lambda found: tuple(sorted(found, key=lambda one: one.at))),
        spent=tuples(st.builds(Spent, moments, agents, stages, st.integers(1, 3), st.integers(0, 10**6),
                               st.sampled_from(["reported", "estimated"]))),
        priority=st.sampled_from(get_args(Priority)), depends_on=tuples(ids), waits_for=tuples(ids, 2),
        blockers=tuples(words, 2), helper=maybe(agents), stopped=st.booleans(), conflicted=st.booleans(),
        rejections=st.integers(0, 3), escalations=st.integers(0, 2), submitted_at=maybe(moments),
        started_at=maybe(moments), stage_started_at=maybe(moments), active_at=maybe(moments), due=maybe(moments),
        completed_at=maybe(moments), review=st.sampled_from(["none", "pending", "running", "passed", "failed"]),
        tokens=st.dictionaries(st.sampled_from(["reported", "estimated"]), st.integers(0, 10**6)),
    ),
    max_size=8, unique_by=lambda one: one.id,
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)  # shrinking takes minutes
@given(records)
def test_each_has_its_place_and_every_view_can_be_made(found: list[Record]) -> None:
    facts = situation(*found)
    shown = board(facts)
    queued = [item.id for items in shown.queues.values() for item in items]
    assert sorted(queued) == sorted(one.id for one in found if not one.over)
    held = {one.id for one in shown.blockers + shown.escalations}
    assert {one.id for one in found if one.state in ("BLOCKED", "ESCALATED")} <= held
    assert sum(one.queue_depth for one in shown.agents) <= len(found)
    in_hand = [identity for one in shown.agents for identity in (*one.working_on, *one.before_gate)]
    assert len(in_hand) == len(set(in_hand))
    assert {one.id for one in found if one.running} <= set(in_hand)
    assert set(shown.critical_path) <= set(queued)
    rates = [getattr(shown.metrics, name) for name in SHARES] + [one.utilisation for one in shown.metrics.agents]
    assert all(rate is None or 0 <= rate <= 1 for rate in rates)
    assert all(one.idle is None or one.idle >= 0 for one in shown.metrics.agents)
    assert set(SHARES) <= {one.name for one in fields(Metrics)}
    json.dumps([shown.as_json(), shown.queue(), daily_report(facts).as_json()])
    assert markdown(shown).count("\n## ") == 0
    assert max(map(cell_len, text(shown).split("\n"))) <= 80
    assert render(shown).count('<li class="card') == len(queued)
    samples = [line.rpartition(" ")[2] for line in prometheus(facts).split("\n") if line and not line.startswith("#")]
    assert all(math.isnan(value) or value >= 0 for value in map(float, samples))
