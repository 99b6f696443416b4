"""`agog logs`: the logs of a system that runs, of all its parts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Agog
from tests.cli.test_up import PATIENCE, stopped, up


def test_the_logs_of_a_running_system(agog: Agog, tmp_path: Path) -> None:
    with up("--data", str(tmp_path / "kept")) as (process, ready):
        command = [sys.executable, "-m", "pytest_agog", "logs", "--data", str(tmp_path / "kept"), "--follow", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
            assert following.stdout is not None
            parts: set[str] = set()
            for line in following.stdout:
                parts.add(json.loads(line)["part"])
                if parts == {"nats", "postgres", "comms", "orchestrator", "listener"}:
                    break
            following.send_signal(signal.SIGINT)
            _, errors = following.communicate(timeout=PATIENCE)
            assert (following.returncode, errors) == (0, "")
        done = agog("logs", "--data", tmp_path / "kept", "--part", "comms", "--part", "nats")
        assert done.code == 0
        assert {line.split()[1] for line in done.out.splitlines()} == {"comms", "nats"}
        times = [line.split()[0] for line in done.out.splitlines()]
        assert times == sorted(times)
        password = ready["postgres"].split(":")[2].partition("@")[0]
        assert password not in agog("logs", "--data", tmp_path / "kept").out
        stopped(process, signal.SIGTERM)
    assert agog("logs", "--data", tmp_path / "kept", "--since", "2999-01-01").out == ""


@pytest.mark.parametrize(
    "arguments", [[], ["--data", "."], ["--data", ".", "--compose", "x"], ["--compose", "absent.yaml"]]
)
def test_wrong_usage_exits_2_in_one_line(
    agog: Agog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = agog("logs", *arguments)
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_what_the_environment_names_as_a_secret_is_hidden_though_no_name_stands_beside_it(
    agog: Agog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://agog:wood-7-pecker@127.0.0.1/agog")
    (tmp_path / "comms.log").write_text("2026-03-04T12:00:00Z connecting with wood-7-pecker now\n")
    assert agog("logs", "--data", tmp_path).out.endswith("connecting with **** now\n")


def test_a_time_that_is_none(agog: Agog, tmp_path: Path) -> None:
    (tmp_path / "comms.log").write_text("2026-03-04T12:00:00Z x\n")
    done = agog("logs", "--data", tmp_path, "--since", "yesterday")
    assert (done.code, "is no time" in done.err) == (2, True)
