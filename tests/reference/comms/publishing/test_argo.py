"""[C13] The Argo template: its steps' scripts and environments run as they stand, with Argo's variables filled in."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pytest_agog.stage.servers.nats import NatsServer
from tests.reference.comms.publishing.conftest import Reads

FILE: Final = Path(__file__).parents[4] / "deploy" / "argo" / "agent-comms-workflow-template.yaml"
NAME: Final = "build.v1.2-x7k"
SUBJECT: Final = "argo.workflow.ci.build%2Ev1%2E2-x7k.6f1c.agent.roy"
TAG: Final = re.compile(r"\{\{([^{}]+)\}\}")


@pytest.fixture
def template() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    [found] = [entry for entry in entries if entry["name"] == name]
    return found


def substitute(node: Any, variables: dict[str, str]) -> Any:
    """As Argo does: in the JSON of the template, each value as JSON text; an unknown variable is an error."""

    def value(match: re.Match[str]) -> str:
        return json.dumps(variables[match[1]])[1:-1]

    return json.loads(TAG.sub(value, json.dumps(node)))


@pytest.fixture
def run(
    template: dict[str, Any], stream: NatsServer, tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:  # fmt: skip
    """Run one step of the template in a pod's stead."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    agog = binaries / "agog"
    agog.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pytest_agog "$@"\n'
    )  # no path in a #! has spaces
    agog.chmod(0o755)

    def step(
        name: str,
        parameters: dict[str, str],
        inputs: dict[str, str] | None = None,
        secrets: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        variables = {
            "workflow.name": NAME, "workflow.uid": "6f1c", "workflow.namespace": "ci",
            "pod.name": f"{NAME}-{name}-1",
        }  # fmt: skip
        given = {**parameters, "nats-url": stream.url}
        for one in template["spec"]["arguments"]["parameters"]:
            default = substitute(one["value"], variables)
            variables[f"workflow.parameters.{one['name']}"] = given.get(one["name"], default)
        found = named(template["spec"]["templates"], name)
        for one in found.get("inputs", {}).get("parameters", []):
            variables[f"inputs.parameters.{one['name']}"] = (inputs or {}).get(one["name"], one.get("value", ""))
        script = substitute(found["script"], variables)
        environ = {"PATH": f"{binaries}:{os.environ['PATH']}", "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
        for one in script["env"]:
            if "value" in one:
                environ[one["name"]] = one["value"]
            elif (key := one["valueFrom"]["secretKeyRef"]["key"]) in (secrets or {}):
                environ[one["name"]] = (secrets or {})[key]
        source = tmp_path / "script"  # Argo hands the script over as a file
        source.write_text(script["source"])
        return subprocess.run(
            [*script["command"], str(source)], env=environ, capture_output=True, text=True, check=False, timeout=60
        )

    return step


def outcome(template: dict[str, Any], status: str, failures: str) -> dict[str, str]:
    """What the exit handler hands to the publish step."""
    [[step]] = named(template["spec"]["templates"], template["spec"]["onExit"])["steps"]
    assert step["template"] == "publish"
    variables = {"workflow.name": NAME, "workflow.status": status, "workflow.failures": failures}
    return {one["name"]: substitute(one["value"], variables) for one in step["arguments"]["parameters"]}


def test_its_structure(template: dict[str, Any]) -> None:
    assert (template["apiVersion"], template["kind"]) == ("argoproj.io/v1alpha1", "WorkflowTemplate")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", template["metadata"]["name"])
    spec = template["spec"]
    names = [one["name"] for one in spec["templates"]]
    assert len(set(names)) == len(names)
    assert {spec["entrypoint"], spec["onExit"]} <= set(names)
    parameters = {f"workflow.parameters.{one['name']}" for one in spec["arguments"]["parameters"]}
    standard = {"workflow.name", "workflow.uid", "workflow.namespace", "pod.name"}
    for one in spec["templates"]:
        inputs = {f"inputs.parameters.{each['name']}" for each in one.get("inputs", {}).get("parameters", [])}
        ending = {"workflow.status", "workflow.failures"} if one["name"] == spec["onExit"] else set()
        used = set(TAG.findall(json.dumps(one)))
        assert used <= parameters | standard | inputs | ending
        if "script" in one:
            assert one["script"]["image"]
            assert not TAG.search(one["script"]["source"])  # text from outside is never part of a script


def test_secrets_only_by_reference(template: dict[str, Any]) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert "BEGIN NATS" not in text
    assert not re.search(r"nats://[^/\s]*@", text)
    for one in template["spec"]["templates"]:
        if "script" in one:
            creds = named(one["script"]["env"], "NATS_CREDS_DATA")
            assert set(creds["valueFrom"]["secretKeyRef"]) == {"name", "key", "optional"}


def test_both_steps_speak_as_the_same_agent(template: dict[str, Any]) -> None:
    agent, publish = (named(template["spec"]["templates"], name)["script"]["env"] for name in ("agent", "publish"))
    assert [one for one in agent if one["name"] != "AGENT_COMMAND"] == publish[: len(agent) - 1]


async def test_an_agent_that_fails(template: dict[str, Any], run: Any, held: Reads) -> None:
    parameters = {"agent-id": "roy", "stage": "test", "issue-number": "7", "command": 'echo "it\'s $((1 + 1))"; exit 3'}
    main = run("agent", parameters)
    assert (main.returncode, main.stdout, main.stderr) == (3, "it's 2\n", "")
    failures = json.dumps(json.dumps([{"displayName": "agent", "message": "Error (exit code 3)", "phase": "Failed"}]))
    end = run("publish", parameters, outcome(template, "Failed", failures))
    assert (end.returncode, end.stderr) == (0, "")
    found = await held()
    assert [one.subject for one in found] == [
        f"{SUBJECT}.run-started", "argo.workflow.general.run-started", f"{SUBJECT}.log", f"{SUBJECT}.status",
        "argo.workflow.general.status", f"{SUBJECT}.run-outcome", "argo.workflow.general.run-outcome",
    ]  # fmt: skip
    assert {(one.payload["status"], one.payload["exit_code"]) for one in found[3:]} == {("failed", 3)}
    said = found[-1].payload
    expected = {
        "workflow_name": NAME, "workflow_uid": "6f1c", "workflow_namespace": "ci", "run_id": "6f1c", "agent_id": "roy",
        "runtime": "argo", "stage": "test", "issueNumber": 7, "step_id": f"{NAME}-publish-1",
        "content": f"Workflow {NAME}: Failed", "role": "assistant",
    }  # fmt: skip
    assert {key: said[key] for key in expected} == expected


@pytest.mark.parametrize(("status", "told"), [("Succeeded", "completed"), ("Failed", "failed"), ("Error", "failed")])
async def test_the_outcome(template: dict[str, Any], run: Any, held: Reads, status: str, told: str) -> None:
    done = run("publish", {"agent-id": "roy"}, outcome(template, status, ""))
    assert (done.returncode, done.stderr) == (0, "")
    assert {one.payload["status"] for one in await held()} == {told}


async def test_text_is_never_shell(run: Any, held: Reads, tmp_path: Path) -> None:
    evil = f"\"; touch {tmp_path}/owned; $(touch {tmp_path}/owned) `id`\n  'x'\\n %s -\n"
    assert run("publish", {"agent-id": "roy"}, {"kind": "message", "content": evil}).returncode == 0
    assert [one.payload["content"] for one in await held()] == [evil, evil]
    assert not (tmp_path / "owned").exists()


def test_credentials_are_a_private_file_and_go(run: Any, tmp_path: Path) -> None:
    done = run("publish", {"agent-id": "roy"}, {"content": "x"}, {"user.creds": "no credentials"})
    assert done.returncode == 2
    assert "holds no user JWT" in done.stderr
    assert not list(tmp_path.glob("tmp.*"))


async def test_nats_away_fails_the_step(run: Any, stream: NatsServer) -> None:
    stream.kill()
    done = run("publish", {"agent-id": "roy"}, {"kind": "message", "content": "x"})
    assert (done.returncode, done.stdout) == (3, "")
