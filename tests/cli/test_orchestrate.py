"""`agog orchestrate`, `listen` and `submit` as processes: ready lines, work done, clean stops, one-line errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest

from pytest_agog.stage.servers.nats import NatsServer

PATIENCE = 30
AGENT = """\
import json, os, pathlib, sys
json.load(sys.stdin)
folder = pathlib.Path(os.environ["AGENT_OUTPUT_DIR"]) / "deliverables"
(folder / "report.md").write_text("# Lots\\n\\n## What was built\\n\\nAn endpoint, tried by hand.\\n")
print(json.dumps({"agent": os.environ["AGOG_AGENT"], "req_number": os.environ["AGOG_REQUIREMENT"],
                  "status": "COMPLETE", "deliverable": "nats://" + os.environ["AGOG_SUBJECT"], "summary": "Built it"}))
"""


@contextmanager
def running(command: str, *arguments: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running command and its ready line."""
    environment = {name: value for name, value in os.environ.items() if name not in ("NATS_URL", "DATABASE_URL")}
    words = [sys.executable, "-m", "pytest_agog", command, "--json", *arguments]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
        env=environment | {"AGOG_GATE_DIR": str(cwd / "gate")},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            if process.poll() is None:
                process.kill()


def agog(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "pytest_agog", *arguments], capture_output=True, text=True, cwd=cwd, input=stdin,
        timeout=PATIENCE, check=False,
    )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with settings and a roadmap."""
    (tmp_path / "agent.py").write_text(AGENT)
    command = '["python", "agent.py"]'
    (tmp_path / "agog.toml").write_text(f"[agents.roy]\nrun = {command}\n[agents.review]\nrun = {command}\n")
    (tmp_path / "roadmap.md").write_text("### REQ-1: Lots\n\n- Status: Pending\n- Agent: roy\n")
    return tmp_path


async def test_a_roadmap_is_worked_off(server: NatsServer, project: Path) -> None:
    url = ("--nats-url", server.url)
    with (
        running("orchestrate", "--roadmap", "roadmap.md", *url, cwd=project) as (orchestrator, ready),
        running("listen", *url, cwd=project) as (listener, _),
    ):
        client = await nats.connect(server.url)
        signals = await client.jetstream().subscribe("integration.release.merge-ready", ordered_consumer=True)
        assert json.loads((await signals.next_msg(PATIENCE)).data)["reqId"] == "REQ-1"
        assert "- Status: Complete" in (project / "roadmap.md").read_text()
        done = agog("submit", "--title", "Orders", "--agent", "roy", "--json", *url, cwd=project)
        (submitted,) = json.loads(done.stdout)
        assert json.loads((await signals.next_msg(PATIENCE)).data)["reqId"] == submitted["id"]
        async with httpx.AsyncClient(base_url=ready["http"], trust_env=False) as http:
            assert (await http.get("/orchestrator")).status_code == 200
            assert "agog_orchestrator_" in (await http.get("/metrics")).text
            assert (await http.get("/readyz")).json()["leads"] is True
        await client.close()
        for process in (orchestrator, listener):
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=PATIENCE)
            assert (process.returncode, errors) == (0, "")


def test_submissions_are_read_and_told(server: NatsServer, tmp_path: Path) -> None:
    (tmp_path / "work.json").write_text('[{"id": "REQ-1", "title": "Lots"}, {"title": ""}, {"title": "Orders"}]')
    url = ("--nats-url", server.url)
    with running("orchestrate", *url, cwd=tmp_path):
        mixed = agog("submit", "work.json", *url, cwd=tmp_path)
        assert (mixed.returncode, len(mixed.stdout.splitlines())) == (2, 2)
        assert "work.json:1: title" in mixed.stderr
        again = agog("submit", "-", *url, cwd=tmp_path, stdin='{"id": "REQ-1", "title": "Lots"}')
        assert (again.returncode, again.stdout) == (0, "REQ-1  was submitted before\n")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("submit",), 2, "give a file, or --title"),
        (("submit", "x.json", "--title", "y"), 2, "give a file, or --title"),
        (("submit", "--title", "x", "--nats-url", "nats://127.0.0.1:1"), 3, "127.0.0.1:1"),
        (("submit", "--title", "x", "--id", "REQ 1"), 2, "REQ 1"),
        (("orchestrate", "--nats-url", "nats://127.0.0.1:1"), 3, "127.0.0.1:1"),
        (("orchestrate", "--roadmap", "absent.md"), 2, "absent.md"),
        (("orchestrate", "--config", "absent.toml"), 2, "absent.toml"),
        (("listen", "--nats-url", "nats://127.0.0.1:1"), 3, "127.0.0.1:1"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, arguments: tuple[str, ...], code: int, told: str) -> None:
    done = agog(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_wrong_settings_name_table_and_key(tmp_path: Path) -> None:
    (tmp_path / "agog.toml").write_text("[orchestrator]\nmode = 'sometimes'\n")
    done = agog("orchestrate", cwd=tmp_path)
    assert done.returncode == 2
    assert "agog.toml: orchestrator.mode:" in done.stderr
