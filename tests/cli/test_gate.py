"""`agog gate`: what it prints and how it exits."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire import notices
from tests.cli.conftest import Agog

TESTS = """
[gate]
[[gate.commands]]
name = "tests"
run = ["python", "-c", "print('postgres://me:hunter2@db/x'); print('{printed}')"]
proves = ["tests"]
lanes = ["backend"]
"""
URL = "nats://agog.deliverables.roy.backend.REQ-1"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGOG_GATE_DIR", str(tmp_path / "locks"))
    (tmp_path / "project").mkdir()
    path = tmp_path / "project" / "agog.toml"
    path.write_text(TESTS.replace("{printed}", "3 passed in 0.1s"))
    return path


def test_accepted(agog: Agog, config: Path) -> None:
    done = agog("gate", "--config", str(config), "--agent", "roy")
    assert done.code == 0, done
    assert "passed  tests  exit 0" in done.out
    assert "tests: 3 ran, 3 passed, 0 failed, 0 skipped" in done.out
    assert done.out.splitlines()[-1] == "accepted: 1 command passed, and 3 tests"


def test_rejected_with_the_output_and_without_the_secret(agog: Agog, config: Path) -> None:
    config.write_text(TESTS.replace("{printed}", "1 failed, 2 passed in 0.1s"))
    done = agog("gate", "--config", str(config))
    assert done.code == 1
    assert "FAILED  tests  exit 0" in done.out
    assert "| postgres://me:****@db/x" in done.out
    assert "hunter2" not in done.out
    assert "rejected: command tests failed: 1 of 3 tests failed" in done.out
    verdict = agog("gate", "--config", str(config), "--json").json
    assert verdict["verdict"] == "rejected"
    assert verdict["commands"][0]["output_tail"].endswith("1 failed, 2 passed in 0.1s\n")
    assert "hunter2" not in str(verdict)


def test_what_a_report_claims(agog: Agog, config: Path) -> None:
    report = config.with_name("report.md")
    report.write_text("# Done\n\nAll 4 tests pass.\n")
    done = agog("gate", "--config", str(config), "--report", str(report))
    assert done.code == 1
    assert "missing: the claim 'All 4 tests pass' contradicts the gate, which counted 3" in done.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "no.toml"], "no.toml"),
        (["--lane", "backned"], "--lane 'backned'"),
        (["--agent", "nobody"], "--lane"),
        (["--requirement", "42"], "no requirement id"),
        (["--report", "no.md"], "no.md"),
    ],
)
def test_what_cannot_be_used(agog: Agog, config: Path, arguments: list[str], says: str) -> None:
    done = agog("gate", "--config", str(config), *arguments)
    assert done.code == 2
    assert says in done.err
    assert len(done.err.splitlines()) == 1


def test_a_gate_without_commands_has_nothing_to_run(agog: Agog, config: Path) -> None:
    config.write_text("[gate]\n")
    done = agog("gate", "--config", str(config))
    assert done.code == 2
    assert "nothing to run" in done.err


@pytest.fixture
def notice(config: Path) -> Path:
    """Output with a notice; the gate runs no commands."""
    config.write_text("[gate]\n")
    output = config.with_name("output.txt")
    output.write_text("Done.\n" + notices.create("roy", "REQ-1", "COMPLETE", URL, "Endpoint added").to_json() + "\n")
    return output


async def test_the_deliverable_behind_a_notice(config: Path, notice: Path, server: NatsServer) -> None:
    arguments = ["--config", str(config), "--agent", "roy", "--notice", str(notice), "--nats-url", server.url]
    async with await DeliverableEngine.connect(server.url) as engine:
        await engine.init_streams()
        assert "there is no deliverable at" in await _gate(*arguments, code=1)
        await engine.publish("roy", "backend", "REQ-1", "# Report\n\nThe endpoint is there.\n")
    assert "accepted: the deliverable is there, and whole" in await _gate(*arguments, code=0)
    server.stop()
    assert "cannot be reached" in await _gate(*arguments, code=3)


async def _gate(*arguments: str, code: int) -> str:
    gate = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest_agog", "gate", *arguments,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    printed = (await gate.communicate())[0].decode()
    assert gate.returncode == code, printed
    return printed


def test_interrupted(config: Path) -> None:
    begun = config.with_name("begun")
    os.mkfifo(begun)
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); open('begun', 'w').close(); time.sleep(600)"
    config.write_text(f'[gate]\nrequires = []\n[[gate.commands]]\nname = "hang"\nrun = ["python", "-c", "{code}"]\n')
    gate = subprocess.Popen(
        [sys.executable, "-m", "pytest_agog", "gate", "--config", str(config)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    begun.open().close()
    gate.send_signal(signal.SIGINT)
    out, err = gate.communicate()
    assert gate.returncode == 130
    assert "Traceback" not in out + err
    assert not Path(f"/proc/{config.with_name('pid').read_text()}").exists()
