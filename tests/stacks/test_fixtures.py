"""The bundled stacks: a sound pair, and files of which each is wrong in one way."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agog.stacks.judging import RULES, Judged, judge

FOLDER = Path(__file__).parents[2] / "fixtures" / "compose"
WRONG = {
    "agents-in-app-network.agents.yaml": "own-network",
    "app-in-agents-network.app.yaml": "agent-dependency",
    "app-with-nats.app.yaml": "agent-dependency",
    "app-with-ollama-url.app.yaml": "agent-dependency",
    "application-code-read-only.agents.yaml": "agent-code-mount",
    "backslashes.app.yaml": "backslash-path",
    "container-name-twice.app.yaml": "container-name-clash",
    "data-not-kept.app.yaml": "data-volume",
    "healthcheck-curl-in-ollama.agents.yaml": "healthcheck-tool",
    "healthcheck-form.app.yaml": "healthcheck-form",
    "healthcheck-missing.agents.yaml": "healthcheck-missing",
    "healthcheck-wget-in-scratch.agents.yaml": "healthcheck-tool",
    "jetstream-off.agents.yaml": "jetstream-off",
    "key-twice.app.yaml": "duplicate-key",
    "monitoring-closed.agents.yaml": "nats-monitoring",
    "no-application-code.agents.yaml": "agent-code-mount",
    "no-hot-reload.app.yaml": "hot-reload-mount",
    "no-own-network.agents.yaml": "own-network",
    "node-modules-hidden.app.yaml": "node-modules-volume",
    "node-modules-of-the-host.app.yaml": "node-modules-volume",
    "password-in-address.agents.yaml": "secret-in-file",
    "password-in-file.app.yaml": "secret-in-file",
    "plain-postgres.agents.yaml": "pgvector-missing",
    "port-of-the-other.agents.yaml": "port-clash",
    "port-out-of-range.app.yaml": "wrong-form",
    "port-twice.agents.yaml": "port-clash",
    "ports-no-list.app.yaml": "wrong-form",
    "started-not-healthy.app.yaml": "depends-on-healthy",
    "store-not-mounted.agents.yaml": "jetstream-store",
    "undeclared-volume.app.yaml": "undeclared-name",
    "unsupported-flag.agents.yaml": "nats-flag",
    "volume-of-the-other.agents.yaml": "volume-prefix",
    "volume-without-prefix.app.yaml": "volume-prefix",
}


def beside_the_sound_one(name: str) -> Judged:
    """The wrong file together with the sound one of the other stack."""
    wrong = FOLDER / "wrong" / name
    files = [wrong, FOLDER / "agents.yaml"] if ".app." in name else [FOLDER / "app.yaml", wrong]
    return judge([(path.name, path.read_text("utf-8")) for path in files])


def test_every_wrong_file_is_listed() -> None:
    assert {path.name for path in (FOLDER / "wrong").iterdir()} == WRONG.keys()


@pytest.mark.parametrize(
    "names", [("app.yaml", "agents.yaml"), ("agents.yaml", "app.yaml"), ("app.yaml",), ("agents.yaml",)]
)
def test_the_sound_pair_has_neither_findings_nor_notes(names: tuple[str, ...]) -> None:
    judged = judge([(name, (FOLDER / name).read_text("utf-8")) for name in names])
    assert [one.one_line for one in (*judged.findings, *judged.notes)] == []
    assert {stack.kind for stack in judged.stacks} == {name.removesuffix(".yaml") for name in names}


@pytest.mark.parametrize(("name", "rule"), WRONG.items())
def test_only_the_one_rule_finds_something(name: str, rule: str) -> None:
    judged = beside_the_sound_one(name)
    assert judged.rules == (rule,)
    assert judged.notes == ()
    assert {one.file for one in judged.findings} == {name}


@pytest.mark.parametrize("name", WRONG)
def test_findings_point_at_the_line(name: str) -> None:
    lines = (FOLDER / "wrong" / name).read_text("utf-8").splitlines()
    sound = (FOLDER / ("app.yaml" if ".app." in name else "agents.yaml")).read_text("utf-8").splitlines()
    for finding in beside_the_sound_one(name).findings:
        line = lines[finding.line - 1]
        changed = line not in sound
        # What is missing is told where it belongs: at the service, its command or its healthcheck.
        assert changed or line.strip().rstrip(":").split(":")[0] in (
            "postgres", "backend", "frontend", "nats", "agent-backend", "ollama", "test", "- ./frontend", "ports",
            "container_name", "- agogsaas_app_frontend_node_modules", "command",
        ), line  # fmt: skip


def test_every_rule_has_a_name_and_a_reason() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule.name == rule.name.lower().replace("_", "-").replace(" ", "-")
        assert rule.reason.endswith(".")
