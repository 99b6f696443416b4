"""Warnings about what is not wrong but doubtful."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_agog.checks.registry import builtin_checks
from pytest_agog.scenario.comms_steps import Backfill
from pytest_agog.scenario.linting.lint import Report, lint
from pytest_agog.scenario.vocabulary import StepWord

HEAD = "agog: 1\nname: s\n"
CHAIN = "steps: [{chain: {feature: f, turns: [{agent: roy, task: t}]}}]\n"


def look(desk: Any, marked: str, **more: Any) -> tuple[list[str], list[str]]:
    """Warnings, and the places that » marks; nothing is wrong with the file."""
    places = []
    for number, line in enumerate(marked.split("\n"), start=1):
        parts = line.split("»")
        places += [f"{number}:{len(''.join(parts[:index])) + 1}" for index in range(1, len(parts))]
    report = lint(desk.write(marked.replace("»", "")), desk.words, **more)
    assert report.problems == ()
    assert [f"{w.line}:{w.column}" for w in report.warnings] == places
    return [w.message for w in report.warnings], places


def claim(check: str, arguments: str, more: str = "") -> str:
    return f"proof:\n  - {{id: a, claim: c, check: {check}, with: {arguments}{more}}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["the scenario proves nothing"]),
        (
            claim("»message", "{subject: a, count: {at_least: 0}}"),
            ["this claim cannot fail: zero or more is always true"],
        ),
        (
            claim("deliverable", "{agent: a, type: b, feature: c, tokens: »{at_least: 0}}"),
            ["this cannot fail: every count is at least 0"],
        ),
        (claim("message", "{subject: a, »where: {}}"), ["`where: {}` narrows nothing"]),
        (claim("message", "{subject: a, where: {x: {}}}"), []),
        (
            claim("never", "{subject: »own.delivrables}"),
            [
                "this claim cannot fail: no stream and no step reaches 'own.delivrables'; did you mean 'deliverables'?",
            ],
        ),
        (claim("never", "{subject: errors.>}"), []),
        (claim("never", "{subject: '>'}"), []),
        (claim("never", "{subject: agog.spawn.request}"), []),
        (claim("never", "{subject: $JS.EVENT.ADVISORY.>}"), []),
        (claim("never", "{subject: own.x}") + "steps: [{publish: {subject: own.x, text: a}}]\n", []),
        (claim("never", "{subject: own.x}") + "steps: [{run: {command: [x]}}]\n", []),
        (
            claim("message", "{subject: a, count: {at_most: 3}}", ", »within: 2s"),
            ["waiting does not help this claim: more messages can only break it"],
        ),
        (claim("message", "{subject: a, count: 0}", ", »within: 2s"),
         ["waiting does not help this claim: more messages can only break it"]),
        (claim("never", "{subject: errors.>}", ", »within: 2s"),
         ["waiting does not help this claim: more messages can only break it"]),
        (claim("message", "{subject: a, count: {at_least: 3}}", ", within: 2s"), []),
        (claim("message", "{subject: a, count: 3}", ", within: 2s"), []),
        (claim("message", "{subject: a, count: {between: [1, 3]}}", ", within: 2s"), []),
        (claim("message", "{subject: a}", ", kills: [comms.lose, »comms.loose]"),
         ["there is no fault 'comms.loose' (yet); did you mean 'comms.lose'?"]),
        ("vars: {»used: 1, »usd: 2, ok: 3}\nsummary: ${ok}!\n" + claim("message", "{subject: a}"),
         ["nothing uses the variable 'used'", "nothing uses the variable 'usd'"]),
        ("matrix: {»size: [1, 2]}\n" + claim("message", "{subject: a}"),
         ["every run is the same: nothing uses ${size}"]),
        ("vars: {»a: '${b}', »b: 1}\n" + claim("message", "{subject: a}"),
         ["nothing uses the variable 'a'", "nothing uses the variable 'b'"]),
        ("agents: {»cyntia: {}, cynthia: {}}\nsteps: [{chain: {feature: f, turns: [{agent: cynthia, task: t}]}}]\n"
         + claim("message", "{subject: a}"), ["nothing runs the agent 'cyntia'; did you mean 'cynthia'?"]),
        ("»tokens: {notice: 200}\n",
         ["no step hands work from agent to agent, so there are no tokens to count and these claims fail"]),
        ("tokens: {notice: 200}\nsteps: [{publish: {subject: results.roy.R-1, json: {}}}]\n", []),
        ("»tokens: {net_savings: 50%}\nsteps: [{publish: {subject: results.roy.R-1, json: {}}}]\n",
         ["no step hands work from agent to agent, so there are no tokens to count and these claims fail"]),
        (f"tokens: {{spawn_savings: {{at_least: 0}}, notice: »{{at_least: 0}}}}\n{CHAIN}",
         ["this cannot fail: every count is at least 0"]),
    ],
)  # fmt: skip
def test_warnings(desk: Any, text: str, expected: list[str]) -> None:
    head = "agog: 1\n»name: s\n" if not text else HEAD
    assert look(desk, head + text)[0] == expected


def test_variables_that_only_a_printed_file_uses_are_used(desk: Any) -> None:
    desk.write("${notice} and ${mood}", "out.txt")
    look(
        desk,
        f"{HEAD}vars: {{mood: fine}}\nagents: {{roy: {{prints: out.txt}}}}\n"
        "steps: [{chain: {feature: f, turns: [{agent: roy, task: t}]}}]\n" + claim("message", "{subject: a}"),
    )


def test_without_any_fault_one_warning_names_them_all(desk: Any) -> None:
    desk.words = replace(desk.words, faults=frozenset())
    text = HEAD + claim("message", "{subject: a}", ", »kills: [x.b, x.a]")
    assert look(desk, text)[0] == ["there are no faults (yet), so nothing tries these: x.a, x.b"]


def test_a_matrix_warns_once(desk: Any) -> None:
    text = f"{HEAD}matrix: {{v: [1, 2, 3]}}\n" + claim("message", "{subject: 'a.${v}', »where: {}}")
    assert len(look(desk, text)[0]) == 1


def test_a_wrong_file_has_problems_and_no_warnings(desk: Any) -> None:
    report = lint(desk.write("agog: 1\nnme: s\n"), desk.words)
    assert isinstance(report, Report)
    assert not report.sound
    assert len(report.problems) == 2
    assert report.warnings == ()


RUN = "steps: [{run: {command: [make, all], as: build}}, {run: {command: [sleep, 1]}}]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (claim("process", "{name: build}") + RUN, []),
        (claim("process", "{name: sleep}") + RUN, []),
        (
            claim("process", "{name: »buidl}") + RUN,
            ["nothing that this play starts is called 'buidl'; did you mean 'build'?"],
        ),
        (claim("process", "{name: roy}") + CHAIN, []),
        (claim("process", "{name: »roi}"), ["nothing that this play starts is called 'roi'"]),
        (
            claim("message", "{subject: a, where: {x: {»regex: y}}}"),
            ["this compares with an object that has the key 'regex'"],
        ),
        (claim("message", "{subject: a, where: {x: {equals: {regex: y}}, y: {other: 1}}}"), []),
        (
            claim("stream", "{name: A}") + "services: {nats: {max_payload: »1MB}}\n",
            ["the streams of the contract hold messages of 10,000,000 bytes; on this server no play begins"],
        ),
        (claim("stream", "{name: A}") + "services: {nats: {max_payload: 1MB, streams: none}}\n", []),
        (
            claim("stream", "{name: A}") + "vars: {n: x}\nsteps: [{publish: {subject: a, json: {»'a${n}': '${n}'}}}]\n",
            ["'a${n}': keys are never substituted"],
        ),
        (claim("stream", "{name: A}") + "steps: [{publish: {subject: a, json: {'${n}': 1}}}]\n", []),
    ],
)
def test_slips(desk: Any, text: str, expected: list[str]) -> None:
    assert look(desk, HEAD + text)[0] == expected


@pytest.mark.parametrize(
    ("sequence", "entries"),
    [
        ("[{subject: a}, »{subject: a}]", ["1 and 2"]),
        ("[{subject: a, where: {x: 1}}, {subject: b}, »{subject: a, where: {x: 1}}]", ["1 and 3"]),
        ("[{subject: a, where: {x: 1}}, {subject: a, where: {x: 2}}, {subject: a}]", []),
    ],
)
def test_no_message_comes_after_itself(desk: Any, sequence: str, entries: list[str]) -> None:
    desk.words = replace(desk.words, checks={"order": builtin_checks()["order"]})
    said = [f"this claim can never pass: entries {pair} mean the same message" for pair in entries]
    assert look(desk, HEAD + claim("order", f"{{sequence: {sequence}}}"))[0] == said


READERS = "steps: [{open: {sse: {runId: r}, as: live}}, {open: {page: /agents, as: list}}]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (claim("sse", "{reader: live}") + READERS, []),
        (claim("page", "{reader: list}") + READERS, []),
        (claim("page", "{path: /agents}"), []),
        (claim("sse", "{reader: »life}") + READERS, ["no step opens the reader 'life'; did you mean 'live'?"]),
        (claim("sse", "{reader: »live}"), ["no step opens the reader 'live'"]),
        (
            claim("sse", "{reader: »list}") + READERS,
            ["the reader 'list' is opened as `page`, so the check `sse` finds nothing"],
        ),
        (
            claim("page", "{reader: »live}") + READERS,
            ["the reader 'live' is opened as `sse`, so the check `page` finds nothing"],
        ),
        (
            claim("stream", "{name: A}")
            + "steps: [{wait: {until: {sse: {reader: »live}}}}, {open: {sse: {runId: r}, as: live}},"
            + " {wait: {until: {sse: {reader: live}}}}]\n",
            ["no earlier step opens the reader 'live'"],
        ),
        (
            claim("stream", "{name: A}")
            + "steps: [{open: {sse: {runId: r}, as: a}}, {open: {page: /agents, as: a}},"
            + " {open: {sse: {runId: s}, as: »a}}]\n",
            ["the reader 'a' is opened twice: this closes the one of line 5, and checks take both for one"],
        ),
        (claim("stream", "{name: A}") + "steps: [{cut: {link: comms-nats}}]\n", []),
        (claim("process", "{name: backfill}") + "steps: [{backfill: {dir: .}}]\n", []),
        (claim("sse", "{reader: live, count: 3, once: true}", ", within: 2s") + READERS, []),
        (
            claim("sse", "{reader: live, count: {at_most: 3}}", ", »within: 2s") + READERS,
            ["waiting does not help this claim: more messages can only break it"],
        ),
        (claim("page", "{reader: list, no_script: true}", ", within: 2s") + READERS, []),
        (claim("rows", "{exactly_once: true}", ", within: 2s"), []),
        (claim("rows", "{count: 0}", ", within: 2s"), []),
        (claim("lag", "{stream: S, consumer: c, pending_and_unacked: 0}", ", within: 2s"), []),
    ],
)
def test_readers(desk: Any, text: str, expected: list[str]) -> None:
    desk.words = replace(desk.words, checks={**desk.words.checks, **builtin_checks()})
    assert look(desk, HEAD + text)[0] == expected


def test_the_step_of_a_plugin_may_open_readers_too(desk: Any) -> None:
    own = StepWord("look", Backfill, "- look: {dir: .}")
    desk.words = replace(desk.words, checks=builtin_checks(), steps={**desk.words.steps, "look": own})
    look(desk, HEAD + claim("sse", "{reader: live}") + "steps: [{look: {dir: .}}]\n")
