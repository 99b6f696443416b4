"""`agog demo` as a newcomer meets it: a checklist and a token table, and nothing left behind however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import psutil
import pytest

from pytest_agog import selection
from pytest_agog.cli.plays import DEMO
from pytest_agog.report import json_report
from tests.cli.conftest import Agog

PATIENCE = 30
SCENARIOS = selection.bundled_scenarios()
COMMAND = [sys.executable, "-m", "pytest_agog", "demo"]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scenarios in place of the bundled ones, with a copy of what the demo plays."""
    root = tmp_path / "bundled"
    for name in (DEMO, "deliverables/parts/six-agents.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((SCENARIOS / name).read_bytes())
    monkeypatch.setattr(selection, "bundled_scenarios", lambda: root)
    return root / DEMO


def test_checklist_and_token_table(agog: Agog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    done = agog("demo")
    assert (done.code, done.err) == (0, "")
    assert re.search(r"✓ research-intact +Cynthia's research is on the stream", done.out)
    assert "1 scenario, 20 claims: 20 passed" in done.out
    assert re.search(r"^six-agent-handover +84,640 +[12],\d{3} +3,061 +97\.\d% +9[34]\.\d%$", done.out, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_json_is_a_report(agog: Agog) -> None:
    done = agog("demo", "--json")
    assert (done.code, done.err) == (0, "")
    jsonschema.validate(done.json, json_report.schema())
    [scenario] = done.json["scenarios"]
    assert scenario["name"] == "six-agent-handover"
    assert scenario["tokens"]["inline"] == 84_640
    assert done.json["summary"]["passed"] == 20


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_claim_that_fails_is_exit_1(agog: Agog, elsewhere: Path, options: tuple[str, ...]) -> None:
    text = elsewhere.read_text(encoding="utf-8")
    elsewhere.write_text(text.replace("count: 6}", "count: 7}"), encoding="utf-8")
    done = agog("demo", *options)
    assert (done.code, done.err) == (1, "")
    if options:
        assert done.json["summary"]["failed"] == 1
    else:
        assert "✗ six-messages" in done.out


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_nats_that_does_not_start_is_exit_3(
    agog: Agog, options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "nats-server"
    broken.write_text("#!/bin/sh\necho no licence for this host >&2\nexit 7\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("AGOG_NATS_SERVER", str(broken))
    done = agog("demo", *options)
    assert done.code == 3
    assert done.err.startswith("agog: nats-server did not start: ")
    assert done.err.count("\n") == 1
    if options:
        assert done.json["scenarios"][0]["outcome"] == "error"
    else:
        assert done.out == ""


def started(folder: Path) -> bool:
    """Whether the demo has its folder and a server in it."""
    return any(folder.glob("agog-demo-*/play/**/nats.conf"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    # A terminal's Ctrl-C reaches the whole group; here only the command gets it, which is harder.
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as demo:
        deadline = time.monotonic() + PATIENCE
        while not started(tmp_path) and demo.poll() is None:
            assert time.monotonic() < deadline
        children = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(number)
        out, errors = demo.communicate(timeout=PATIENCE)
    assert (demo.returncode, out, errors) == (130, "", "")
    assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []
    assert list(tmp_path.iterdir()) == []


def test_progress_is_shown_on_a_terminal_only() -> None:
    pty = pytest.importorskip("pty", reason="no pseudo terminals here")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    try:
        with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=theirs, env=environment) as demo:
            os.close(theirs)
            shown = b""
            while True:
                try:
                    shown += os.read(ours, 65_536)
                except OSError:  # the other end is closed
                    break
            demo.communicate(timeout=PATIENCE)
    finally:
        os.close(ours)
    assert demo.returncode == 0
    assert b"\rstarting services" in shown
    assert b"turn 6 of 6, priya (statistics)" in shown
    assert shown.endswith(b"\r\x1b[K")  # nothing of it stays
