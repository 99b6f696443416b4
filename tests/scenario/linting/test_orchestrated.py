"""Warnings about scenarios with an orchestrator."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.linting.lint import lint

HEAD = "agog: 1\nname: s\n"
WORDS = vocabulary()
SUBMIT = "submit: {requirement: {id: REQ-042, title: Lots}}"


def warned(desk: Any, marked: str) -> list[str]:
    """What is warned of; the places are those that » marks."""
    places = []
    for number, line in enumerate(marked.split("\n"), start=1):
        parts = line.split("»")
        places += [f"{number}:{len(''.join(parts[:index])) + 1}" for index in range(1, len(parts))]
    report = lint(desk.write(marked.replace("»", "")), WORDS)
    assert report.problems == ()
    assert [f"{w.line}:{w.column}" for w in report.warnings] == places, [w.message for w in report.warnings]
    return [w.message for w in report.warnings]


def wrong_at(desk: Any, marked: str) -> list[str]:
    """What is wrong, at the places that » marks."""
    report = lint(desk.write(marked.replace("»", "")), WORDS)
    lines = marked.split("\n")
    places = [f"{number}:{line.index('»') + 1}" for number, line in enumerate(lines, start=1) if "»" in line]
    assert [f"{problem.line}:{problem.column}" for problem in report.problems] == places
    return [problem.message for problem in report.problems]


def scenario(
    steps: str, proof: str = "{check: requirement, with: {id: REQ-042, state: COMPLETE}}", more: str = ""
) -> str:
    return f"{HEAD}{more}steps:\n  - {steps}\nproof:\n  - {{id: a, claim: c, {proof[1:]}\n"


@pytest.mark.parametrize(
    ("proof", "expected"),
    [
        ("{check: requirement, with: {id: REQ-042, state: COMPLETE}}", ""),
        (
            "{check: requirement, with: »{id: REQ-043, state: COMPLETE}}",
            "no step submits 'REQ-043'; did you mean 'REQ-042'?",
        ),
        ("{check: gate, with: »{requirement: REQ-EPSILON, verdict: accepted}}", "no step submits 'REQ-EPSILON'"),
        ("{check: spawn, with: {agent: roy, after: [database, vic]}}", ""),
        ("{check: spawn, with: »{agent: rou}}", "nothing runs an agent 'rou'; did you mean 'roy'?"),
        ("{check: spawn, with: »{after: [roy, jne]}}", "nothing runs an agent 'jne'; did you mean 'jen'?"),
        (
            "{check: requirement, with: »{id: REQ-042, state: COMPLETE, agent: jne}}",
            "nothing runs an agent 'jne'; did you mean 'jen'?",
        ),
        (
            "{check: »spawn, with: {count: {at_least: 0}}}",
            "this claim cannot fail: count: at least 0 holds for any number of spawns",
        ),
    ],
)
def test_names_that_nothing_gave(desk: Any, proof: str, expected: str) -> None:
    assert warned(desk, scenario(SUBMIT, proof)) == [expected] * bool(expected)


def test_waits_are_looked_at_too(desk: Any) -> None:
    waits = f"{SUBMIT}\n  - wait: {{until: {{requirement: »{{id: REQ-044, state: COMPLETE}}}}}}"
    assert warned(desk, scenario(waits)) == ["no step submits 'REQ-044'; did you mean 'REQ-042'?"]


@pytest.mark.parametrize(
    "others",
    [
        "publish: {subject: integration.orchestrator.requirement, json: {}}",
        "run: {command: [agog, submit, plan.json]}",
        "submit: {requirement: {title: Without an id}}",
    ],
)
def test_others_may_bring_requirements(desk: Any, others: str) -> None:
    text = scenario(f"{SUBMIT}\n  - {others}", "{check: requirement, with: {id: REQ-7, state: COMPLETE}}")
    assert warned(desk, text) == []


def test_agents_with_commands_may_ask_for_more(desk: Any) -> None:
    text = scenario(SUBMIT, "{check: requirement, with: {id: REQ-7, state: COMPLETE}}", "agents: {roy: {run: [x]}}\n")
    assert warned(desk, text) == []


def test_agents_that_the_orchestrator_knows_are_run(desk: Any) -> None:
    more = "agents: {roy: {}, todd: {}, own: {}, »rou: {}}\n"
    steps = "submit: {requirement: {id: REQ-042, title: Lots, assignedAgent: own}}"
    assert warned(desk, scenario(steps, more=more)) == ["nothing runs the agent 'rou'; did you mean 'roy'?"]


def test_without_a_listener_nobody_runs_agents(desk: Any) -> None:
    more = "services: {listener: {instances: 0}}\nagents: {»roy: {}}\n"
    assert warned(desk, scenario(SUBMIT, more=more)) == ["nothing runs the agent 'roy'"]


def test_roadmaps(desk: Any) -> None:
    desk.write("### REQ-1: a\n", "one.md")
    desk.write("### REQ-2: a\n", "two.md")
    kept = "{check: roadmap, with: {file: one.md, id: REQ-1, status: Complete}}"
    assert warned(desk, scenario("submit: {file: one.md}", kept)) == []
    both = "submit: {file: one.md}\n  - submit: {file: »two.md}"
    assert warned(desk, scenario(both, kept)) == ["the orchestrator keeps one roadmap, 'one.md'; nobody reads this one"]
    other = kept.replace("with: ", "with: »")
    assert warned(desk, scenario("submit: {file: two.md}", other)) == [
        "no step submits 'one.md'; did you mean 'two.md'?"
    ]  # fmt: skip
    ids = "{check: requirement, with: {id: REQ-1, state: COMPLETE}}"
    assert warned(desk, scenario("submit: {file: one.md}", ids)) == []


def test_a_clock_that_nobody_has(desk: Any) -> None:
    steps = f"{SUBMIT}\n  - kill: {{component: orchestrator}}\n  - »advance: {{by: 1h}}"
    assert warned(desk, scenario(steps)) == [
        "nobody will answer: the orchestrator was killed in line 5 and not started again"
    ]  # fmt: skip
    again = steps.replace("  - »adv", "  - restart: {component: orchestrator}\n  - adv")
    assert warned(desk, scenario(again)) == []
    one = steps.replace("orchestrator}", "orchestrator, server: 1}").replace("»", "")
    assert warned(desk, scenario(one, more="services: {orchestrator: {instances: 2}}\n")) == []


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("»submit: {}", "give one of requirement and file"),
        ("submit: {requirement: »{}}", "must not be empty (at least 1)"),
        ("submit: {file: »nowhere.md}", "there is no file 'nowhere.md'"),
        ("»advance: {by: 0}", "the clock can be advanced by up to 31d, and not backwards"),
        ("»advance: {by: 32d}", "the clock can be advanced by up to 31d, and not backwards"),
        (
            "kill: {component: orchestrator, server: »2}",
            "there is no instance 2 of orchestrator: this scenario runs 1",
        ),
        ("restart: {component: listener, server: »2}", "there is no instance 2 of listener: this scenario runs 1"),
    ],
)
def test_steps_that_are_wrong(desk: Any, step: str, expected: str) -> None:
    assert wrong_at(desk, f"{HEAD}steps:\n  - {step}\n") == [expected]
