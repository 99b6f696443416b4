"""Target files: what they describe, and every mistake at its place."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from pytest_agog.scenario.problems import ScenarioErrors
from pytest_agog.stage.target.parts import PartElsewhere, PartProcess
from pytest_agog.stage.target.target_file import read_target
from pytest_agog.stage.target.targets import REFERENCE
from pytest_agog.wire.naming import CONTRACT, WireNames

JANGAR = """
    agog_target: 1
    name: jangar
    components:
      comms:
        process: {command: [node, dist/subscriber.js, 3], ready: {http: "${url}/healthz"},
                  env: {NATS_URL: "${nats}", DATABASE_URL: "${postgres}", PORT: "${port}"}}
        wire: {prefix: agentrun, stream: agent-comms, consumer: agents-agent-comms, table: agents_comms.agent_messages,
               columns: {workflow_uid: agent_run_uid}, events: /v1/agent-events}
      deliverables: reference
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "target.yaml"
    path.write_text(textwrap.dedent(text).lstrip())
    return path


def test_a_system_that_the_harness_starts(tmp_path: Path) -> None:
    target = read_target(written(tmp_path, JANGAR))
    assert target.name == "jangar"
    assert target.comms == PartProcess(
        ("node", "dist/subscriber.js", "3"),
        "${url}/healthz",
        {"NATS_URL": "${nats}", "DATABASE_URL": "${postgres}", "PORT": "${port}"},
        tmp_path,
    )
    assert target.names == WireNames(
        "agentrun", "agent-comms", "agents-agent-comms", "agents_comms.agent_messages",
        {"workflow_uid": "agent_run_uid"}, "/v1/agent-events",
    )  # fmt: skip
    assert target.events_path == "/v1/agent-events"
    assert target.deliverables is REFERENCE.deliverables


def test_a_system_that_runs_already(tmp_path: Path) -> None:
    text = "agog_target: 1\nname: there\ncomponents:\n  comms: {external: true, url: 'https://comms.example/base/'}\n"
    target = read_target(written(tmp_path, text))
    assert target.comms == PartElsewhere("https://comms.example/base")
    assert target.names == CONTRACT


def test_what_is_not_said_is_the_reference_system(tmp_path: Path) -> None:
    text = "agog_target: 1\nname: mine\ncomponents: {comms: reference}\n"
    target = read_target(written(tmp_path, text))
    assert (target.comms, target.names) == (REFERENCE.comms, CONTRACT)


def test_a_folder_is_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    text = "agog_target: 1\nname: mine\ncomponents: {comms: {process: {command: [./run], cwd: app}}}\n"
    comms = read_target(written(tmp_path, text)).comms
    assert isinstance(comms, PartProcess)
    assert comms.cwd == tmp_path / "app"
    assert comms.ready == "${url}/readyz"


def test_orchestrator_and_listener_of_another_system(tmp_path: Path) -> None:
    text = """
        agog_target: 1
        name: mine
        components:
          orchestrator: {process: {command: [./orchestrate, "${config}"], ready: {prints: "at ${port}"}}}
          listener: {external: true}
    """
    crew = read_target(written(tmp_path, text)).crew
    assert crew.orchestrator == PartProcess(("./orchestrate", "${config}"), "", {}, tmp_path, "at ${port}")
    assert crew.listener == PartElsewhere("")
    text = "agog_target: 1\nname: mine\ncomponents: {orchestrator: {external: true, url: 'http://o/'}}\n"
    crew = read_target(written(tmp_path, text)).crew
    assert crew.orchestrator == PartElsewhere("http://o")
    assert crew.listener == REFERENCE.crew.listener


@pytest.mark.parametrize(
    ("crew", "message"),
    [
        ("here", "4:13: this is no way to describe listener"),
        ("{}", "4:3: give one of process and external"),
        ("{process: {command: [a]}, url: 'http://h'}", "4:3: `url` belongs to `external: true`"),
        ("{process: {command: [a], ready: {}}}", "4:45: give one of http and prints"),
        ("{process: {command: [a], ready: {prints: ''}}}", "4:54: must not be empty"),
        ("{external: true, wire: {}}", "4:30: unknown key 'wire'"),
    ],
)
def test_mistakes_about_them(tmp_path: Path, crew: str, message: str) -> None:
    path = written(tmp_path, f"agog_target: 1\nname: x\ncomponents:\n  listener: {crew}\n")
    with pytest.raises(ScenarioErrors) as raised:
        read_target(path)
    assert f"target.yaml:{message}" in str(raised.value)


@pytest.mark.parametrize(
    ("comms", "message"),
    [
        ("elsewhere", "4:10: this is no way to describe comms"),
        ("[a]", "4:10: this is no way to describe comms"),
        ("{}", "4:3: give one of process and external"),
        ("{external: true, url: 'http://h', process: {command: [a]}}", "4:3: give one of process and external"),
        ("{external: true}", "4:3: `external: true` and `url` belong together"),
        ("{process: {command: [a]}, url: 'http://h'}", "4:3: `external: true` and `url` belong together"),
        ("{external: true, url: comms.example}", "4:32: expected a URL that begins with http:// or https://"),
        ("{external: false, url: 'http://h'}", "4:21: expected true, not false"),
        ("{proces: {command: [a]}}", "4:11: unknown key 'proces'; did you mean 'process'?"),
        ("{process: {command: []}}", "4:30: must not be empty"),
        ("{process: {}}", "4:11: 'command' is missing in 'process'"),
        ("{process: {command: node x}}", "4:30: expected a list, not 'node x'"),
        ("{process: {command: [a, '${nat}']}}", "4:34: unknown variable ${nat}; there are nats, postgres, url"),
        ("{process: {command: [a], env: {A: '${x}'}}}", "4:44: unknown variable ${x}"),
        ("{process: {command: [a], ready: {tcp: 1}}}", "4:43: unknown key 'tcp'"),
        ("{process: {command: [a], cwd: nowhere}}", "4:40: there is no folder 'nowhere'"),
        ("{process: {command: [a]}, wire: {prefix: 'a b'}}", "4:51: "),
        ("{process: {command: [a]}, wire: {prefix: 'a.>'}}", "4:51: "),
        ("{process: {command: [a]}, wire: {stream: a.b}}", "4:51: 'a.b' does not match"),
        ("{process: {command: [a]}, wire: {events: v1}}", "4:51: expected a path that begins with /"),
        ("{process: {command: [a]}, wire: {columns: {uid: x}}}", "4:53: expected a column of"),
        ("{process: {command: [a]}, wire: {tables: x}}", "4:43: unknown key 'tables'; did you mean 'table'?"),
    ],
)
def test_mistakes_are_told_at_their_place(tmp_path: Path, comms: str, message: str) -> None:
    path = written(tmp_path, f"agog_target: 1\nname: x\ncomponents:\n  comms: {comms}\n")
    with pytest.raises(ScenarioErrors) as raised:
        read_target(path)
    assert f"target.yaml:{message}" in str(raised.value)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = """
        agog_target: 1
        nam: x
        components:
          comms: {process: {command: ['${a}']}, wire: {stream: 'b c'}}
          deliverables: {external: true}
          listner: reference
    """
    with pytest.raises(ScenarioErrors) as raised:
        read_target(written(tmp_path, text))
    lines = [problem.line for problem in raised.value.problems]
    assert sorted(lines) == [1, 2, 4, 4, 5, 6]
    assert "this version plays the reference system's deliverables and no other" in str(raised.value)
