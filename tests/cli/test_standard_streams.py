"""Commands whose stdout or stderr is closed, full, or read by somebody who goes away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AGOG = f"'{sys.executable}' -c 'from pytest_agog.cli import main; main()'"


def shell(command: str, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    return subprocess.run(
        ["/bin/sh", "-c", command.replace("agog", AGOG, 1)],
        check=False, capture_output=True, text=True, timeout=30, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["--version", "schema", "explain", "--help"])
def test_closed_output_is_what_the_caller_wants(command: str, unbuffered: str) -> None:
    done = shell(f"agog {command} >&-", unbuffered)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert shell(f"agog {command} 2>&-", unbuffered).returncode == 0


def test_wrong_usage_without_stderr() -> None:
    done = shell("agog nope >&- 2>&-")
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["schema", "explain"])
def test_a_reader_that_goes_away(command: str, unbuffered: str) -> None:
    done = shell(f"{{ agog {command}; echo $? >&2; }} | head -c 1", unbuffered)
    assert done.stderr == "0\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line(unbuffered: str) -> None:
    done = shell("agog schema >/dev/full", unbuffered)
    assert (done.returncode, done.stderr) == (2, "agog: input or output: No space left on device\n")


def test_closed_input_is_empty_input() -> None:
    done = shell("agog publish cynthia research search - <&-")
    assert (done.returncode, done.stderr) == (2, "agog: report - is empty. Publish a report with content.\n")


def test_output_that_cannot_take_every_character(tmp_path: Path) -> None:
    def ascii_only(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-c", "from pytest_agog.cli import main; main()", *arguments],
            check=False, capture_output=True, timeout=30, env={**os.environ, "PYTHONIOENCODING": "ascii"}, cwd=tmp_path,
        )  # fmt: skip

    summary = "gr\u00f6\u00dfer \U0001f600"
    url = "nats://agog.deliverables.roy.backend.R"
    told = ascii_only("notice", "-a", "roy", "-r", "R", "-d", url, "-s", summary, "--json")
    assert json.loads(told.stdout.decode("ascii"))["notice"]["summary"] == summary, told.stderr
    (tmp_path / "\U0001f600.yaml").write_text("agog: 1\nnome: x\n")
    told = ascii_only("lint", "\U0001f600.yaml")
    assert (told.returncode, told.stderr) == (1, b"")
    assert told.stdout.startswith(b"\\U0001f600.yaml:")
