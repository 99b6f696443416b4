"""The Prometheus text: names, types, values against hand counts, what cannot be told yet. [O19] [F52]"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from types import SimpleNamespace

from pytest_agog.reference.orchestrator.board.metrics import prometheus
from pytest_agog.reference.orchestrator.board.situation import Situation
from tests.reference.orchestrator.board.making import HOSTILE, ago, complete, record, seed, situation, spending, working

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\n"])*",?)+)\})? (\S+)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')
Key = tuple[str, tuple[tuple[str, str], ...]]


def read(facts: Situation) -> dict[Key, float]:
    """The samples, as strictly as the format is; each series once, after its HELP and TYPE."""
    found: dict[Key, float] = {}
    helped: list[str] = []
    typed: list[str] = []
    said = prometheus(facts)
    assert said.endswith("\n")
    for line in said[:-1].split("\n"):
        if line.startswith("# HELP "):
            helped.append(line.split(" ", 3)[2])
            continue
        if line.startswith("# TYPE "):
            typed.append(line.split(" ")[2])
            assert line.split(" ")[3] in ("gauge", "counter")
            continue
        match = SAMPLE.fullmatch(line)
        assert match is not None, line
        assert match[1] == typed[-1] == helped[-1]
        key = (match[1].removeprefix("agog_orchestrator_"), tuple(LABEL.findall(match[2] or "")))
        assert key not in found
        found[key] = float(match[3])
    assert len(set(helped)) == len(helped) == len(typed)
    assert all(name.startswith("agog_orchestrator_") for name in typed)
    return found


def value(found: dict[Key, float], name: str, **labels: str) -> float:
    return found[name, tuple(labels.items())]


def test_from_the_start_counts_are_zero_and_shares_are_not_a_number() -> None:
    found = read(situation())
    for name in ("blockers", "escalations", "alerts", "active_agents", "budget_used_tokens", "conservation",
                 "completed_today", "parallel_requirements"):  # fmt: skip
        assert value(found, name) == 0, name
    for name in ("first_time_acceptance_ratio", "blocker_ratio", "escalation_ratio", "parallel_success_ratio",
                 "conflict_ratio", "dependency_accuracy_ratio", "tokens_per_requirement", "throughput_per_day",
                 "idle_seconds"):  # fmt: skip
        assert math.isnan(value(found, name)), name
    states = {labels[0][1] for name, labels in found if name == "requirements"}
    assert len(states) == 10
    for agent in ("roy", "jen", "database", "documentation", "review", "release"):
        assert value(found, "agent_queue_depth", agent=agent) == 0
        assert value(found, "stage_attempts", agent=agent, outcome="failed") == 0
        assert math.isnan(value(found, "agent_error_ratio", agent=agent))
        assert math.isnan(value(found, "agent_utilisation_ratio", agent=agent))
    assert math.isnan(value(found, "completion_seconds", complexity="XL"))


def test_numbers_of_the_example() -> None:
    found = read(situation(*seed(), breakers={"jen": "open", "vic": "half-open"}, lags={"RESULTS/orchestrator": 7},
                           conservation=SimpleNamespace(reasons=("night",)), alerts=("a", "b")))  # fmt: skip
    assert value(found, "requirements", state="COMPLETE") == 3
    assert value(found, "requirements", state="PENDING") == 3
    assert value(found, "requirements", state="FAILED") == 0
    assert value(found, "queue_depth", priority="MEDIUM") == 3
    assert value(found, "active_agents") == 5 - 1  # vic is on trial, but nothing waits for it
    assert value(found, "budget_remaining_tokens") == 979_113
    assert value(found, "agent_used_tokens", agent="roy") == 18_542
    assert value(found, "agent_budget_tokens", agent="review") == 150_000
    assert value(found, "agent_working", agent="roy") == 1
    assert value(found, "agent_queue_depth", agent="documentation") == 2
    assert value(found, "stage_attempts", agent="roy", outcome="done") == 1
    assert value(found, "stage_attempts", agent="roy", outcome="running") == 1
    assert value(found, "breaker_state", agent="jen") == 2
    assert value(found, "breaker_state", agent="vic") == 1
    assert value(found, "breaker_state", agent="roy") == 0
    assert value(found, "consumer_lag", consumer="RESULTS/orchestrator") == 7
    assert (value(found, "conservation"), value(found, "alerts")) == (1, 2)
    assert value(found, "completed_today") == 3
    assert value(found, "first_time_acceptance_ratio") == 1
    assert value(found, "completion_seconds", complexity="M") == 1_800


def test_rates_follow_what_happened() -> None:
    calm = read(situation(complete("REQ-1", ago(hours=2)), working("REQ-2", 5)))
    stormy = read(situation(
        complete("REQ-1", ago(hours=2), rejections=1), working("REQ-2", 5, depends_on=("REQ-3",)),
        record("REQ-3", "BLOCKED"), record("REQ-4", "ESCALATED", escalations=1),
    ))  # fmt: skip
    assert (value(calm, "blocker_ratio"), value(stormy, "blocker_ratio")) == (0, 0.25)
    assert (value(calm, "escalation_ratio"), value(stormy, "escalation_ratio")) == (0, 0.25)
    assert (value(calm, "first_time_acceptance_ratio"), value(stormy, "first_time_acceptance_ratio")) == (1, 0)
    assert math.isnan(value(calm, "dependency_accuracy_ratio"))
    assert value(stormy, "dependency_accuracy_ratio") == 0


def test_tokens_are_told_by_kind() -> None:
    guessed = replace(spending("roy", 40, ago(days=3)), kind="estimated")
    found = read(situation(replace(record("REQ-1"), spent=(spending("roy", 2), guessed))))
    assert value(found, "tokens_total", agent="roy", kind="reported") == 2
    assert value(found, "tokens_total", agent="roy", kind="estimated") == 40
    assert value(found, "agent_used_tokens", agent="roy") == 2


def test_names_of_strangers_break_no_line() -> None:
    for name in (HOSTILE, 'a"b\\c\nd', '"} 1\nup 0'):
        found = read(situation(record("REQ-1", agent=name, title=name), lags={name: 1}))
        told = name.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        assert value(found, "agent_queue_depth", agent=told) == 1
        assert value(found, "consumer_lag", consumer=told) == 1


def test_names_that_somebody_makes_up_do_not_become_series_without_end() -> None:
    found = read(situation(*(record(f"REQ-{one}", agent=f"agent-{one:03}") for one in range(300))))
    named = {dict(labels)["agent"] for _, labels in found if "agent" in dict(labels)}
    assert len(named) == 100
    assert {"roy", "release", "agent-000"} <= named
    assert value(found, "agents_omitted") == 300 + 6 - 100
    assert value(read(situation()), "agents_omitted") == 0
