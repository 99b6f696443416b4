"""What counts: exit status, notice, tokens; output within bounds; what is a report and what is none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pytest_agog.reference.orchestrator.listener import judging
from pytest_agog.reference.orchestrator.listener.config import AgentConfig, ListenerConfig
from pytest_agog.reference.orchestrator.listener.keeping import Ended
from pytest_agog.reference.orchestrator.listener.output import Output
from pytest_agog.reference.orchestrator.listener.reports import Unusable, left_in, refusal
from pytest_agog.reference.orchestrator.listener.running import prune
from pytest_agog.reference.orchestrator.listener.settings import resolve
from pytest_agog.reference.orchestrator.listener.work import Key, Work
from pytest_agog.wire.notices import Notice
from tests.reference.orchestrator.listener.rooms import REQ, notice

WORK = Work(Key(REQ, "backend", 1), "roy", 60.0, {})


def weighed(ended: Ended, output: str, errors: str = "") -> Notice | judging.Trouble:
    trouble = judging.trouble_of(ended, "roy", 60.0, errors)
    return judging.weighed(trouble, judging.notice_in(output, "roy", REQ))


@pytest.mark.parametrize(
    ("ended", "status", "kind"),
    [
        (Ended("exit", 0), "COMPLETE", None),
        (Ended("exit", 1), "COMPLETE", "exit"),
        (Ended("exit", 1), "FAILED", None),
        (Ended("exit", 1), "BLOCKED", None),
        (Ended("exit", 75), "FAILED", "exit"),
        (Ended("exit", -9), "COMPLETE", "exit"),
        (Ended("timeout", -9), "COMPLETE", "timeout"),
        (Ended("killed", -9), "FAILED", "killed"),
        (Ended("lost"), "COMPLETE", "exit"),
        (Ended("command", reason="x"), "COMPLETE", "command"),
    ],
)
def test_exit_status_and_notice(ended: Ended, status: str, kind: str | None) -> None:
    found = weighed(ended, notice(status=status))
    assert (found.kind if isinstance(found, judging.Trouble) else None) == kind


def test_a_notice_of_somebody_else_or_for_something_else_is_none() -> None:
    for other in (notice("jen"), notice(req="REQ-8"), "", "{}"):
        found = weighed(Ended("exit", 0), other)
        assert isinstance(found, judging.Trouble)
        assert (found.kind, found.transient) == ("no-notice", True)


@pytest.mark.parametrize(
    ("raw", "tokens"),
    [
        ({"tokens": 5}, 5), ({"tokens_used": 6.0}, 6), ({"usage": {"total_tokens": 7}}, 7),
        ({"usage": {"input_tokens": 1, "output_tokens": 2}}, 3), ({"tokens": {"reported": 8}}, 8),
        ({"tokens": -1}, None), ({"tokens": True}, None), ({"tokens": "9"}, None), ({"usage": []}, None), ({}, None),
        ({"tokens": "many", "total_tokens": 4}, 4), ({"tokens": 10**30}, None),
    ],
)  # fmt: skip
def test_reported_tokens(raw: dict[str, Any], tokens: int | None) -> None:
    assert judging.reported_tokens(raw) == tokens


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_output_keeps_beginning_and_end(tmp_path: Path, pieces: int) -> None:
    data = bytes(range(256)) * 40
    output = Output(tmp_path / "out", head=100, tail=500, most=3000)
    for begin in range(0, len(data), pieces):
        output.add(data[begin : begin + pieces])
    output.close()
    text = output.text()
    assert text.startswith(data[:100].decode("utf-8", "replace"))
    assert text.endswith(data[-500:].decode("utf-8", "replace"))
    assert f"… {len(data) - 600} bytes left out …" in text
    assert (tmp_path / "out").read_bytes() == data[:3000]
    assert output.total == len(data)


def test_output_within_bounds_is_kept_exactly(tmp_path: Path) -> None:
    output = Output(tmp_path / "out", head=3, tail=7)
    output.add("0123ä".encode()[:5])
    output.add("0123ä".encode()[5:] + b"789\n")
    output.close()
    assert output.text() == "0123ä789\n"


@pytest.mark.parametrize(
    "text",
    ["", " \n", "TODO", "[Insert report here]", "# Report\n\nToo long …\n[output truncated]", notice(), "Lorem ipsum"],
)
def test_what_is_no_report(text: str) -> None:
    assert refusal(text) is not None


@pytest.mark.parametrize(
    "text", ["# T\n\nThe list was truncated before; now it is whole.\n", '{"a": 1}', "Found: 3 faults."]
)
def test_what_may_be_one(text: str) -> None:
    assert refusal(text) is None


def test_which_file_is_the_report(tmp_path: Path) -> None:
    assert left_in(tmp_path / "absent", WORK) is None
    (tmp_path / ".hidden.md").write_text("Hidden words.")
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "link.md").symlink_to("/etc/hostname")
    assert left_in(tmp_path, WORK) is None
    for name, age in (("data.json", 1), ("notes.md", 2), (f"{REQ}.md", 9), ("roy-backend.md", 5)):
        (tmp_path / name).write_text(f"This is {name}.")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    assert left_in(tmp_path, WORK) == "This is roy-backend.md."


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b""])
def test_files_that_are_no_reports(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r.md").write_bytes(data)
    with pytest.raises(Unusable, match=r"r\.md is no report"):
        left_in(tmp_path, WORK)


def test_old_outputs_are_removed_and_those_in_use_are_not(tmp_path: Path) -> None:
    import fcntl

    for name in ("old", "used", "new"):
        (tmp_path / "attempts" / name).mkdir(parents=True)
        (tmp_path / "locks").mkdir(exist_ok=True)
        (tmp_path / "locks" / name).touch()
        if name != "new":
            for path in (tmp_path / "attempts" / name, tmp_path / "locks" / name):
                os.utime(path, (1, 1))
    with (tmp_path / "locks" / "used").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        prune(tmp_path, 3600.0)
    assert sorted(path.name for path in (tmp_path / "attempts").iterdir()) == ["new", "used"]
    assert sorted(path.name for path in (tmp_path / "locks").iterdir()) == ["new", "used"]


@pytest.mark.parametrize(
    "table",
    [
        {}, {"run": []}, {"run": "sh -c x"}, {"run": [" "]}, {"run": ["a\0"]}, {"run": ["a"], "env": {"A=B": "c"}},
        {"run": ["a"], "timeout": "0s"}, {"run": ["a"], "shell": True}, {"run": ["a"], "env": {"A": 1}},
    ],
)  # fmt: skip
def test_agents_that_cannot_be_configured_so(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AgentConfig.model_validate(table)


def test_defaults() -> None:
    rules = ListenerConfig()
    assert (rules.concurrency, rules.ack_wait, rules.grace) == (4, None, 0.0)


def test_programs(tmp_path: Path) -> None:
    import sys

    program = tmp_path / "agent"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert resolve(["python", "-V"], tmp_path, "") == [sys.executable, "-V"]
    assert resolve(["agog", "up"], tmp_path, "") == [sys.executable, "-m", "pytest_agog", "up"]
    assert resolve(["./agent", "x"], tmp_path, "") == [str(tmp_path / "agent"), "x"]
    assert resolve(["agent"], Path("/"), str(tmp_path)) == [str(program)]
