"""Tokens by file and environment, as the commands take them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pytest_agog.cli.doors import handed_on

PATIENCE = 60
FIRST, SECOND = "first-0123456789abcdef", "second-0123456789abcdef"
AWAY = {"NATS_URL": "nats://127.0.0.1:1", "DATABASE_URL": "postgresql://agog@127.0.0.1:1/agog"}


def _environment(**further: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AGOG_HTTP_")} | AWAY | further


def _status(url: str, token: str) -> int | None:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return None


def _await(url: str, token: str, status: int) -> None:
    until = time.monotonic() + PATIENCE
    while (found := _status(url, token)) != status:
        assert time.monotonic() < until, found


def test_a_hangup_has_the_file_read_again_and_ends_nothing(tmp_path: Path, unused_tcp_port: int) -> None:
    file = tmp_path / "tokens"
    file.write_text(FIRST)
    url = f"http://127.0.0.1:{unused_tcp_port}/metrics"
    words = [sys.executable, "-m", "pytest_agog", "serve", "--port", str(unused_tcp_port), "--token-file", str(file)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(words, env=_environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        _await(url, FIRST, 200)
        assert _status(url, SECOND) == 401
        before = file.stat()
        file.write_text(SECOND[: len(FIRST)])  # as long as the other, and as old: only the signal tells of it
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        process.send_signal(signal.SIGHUP)
        _await(url, FIRST, 401)
        assert _status(url, SECOND[: len(FIRST)]) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
    assert FIRST not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("command", ["serve", "orchestrate", "up --only nats"])
@pytest.mark.parametrize(
    ("options", "environment", "told"),
    [
        ("--token-file nowhere", {}, "the token file nowhere cannot be read"),
        ("", {"AGOG_HTTP_TOKEN": "s3cret"}, "AGOG_HTTP_TOKEN, line 1, is no token"),
        ("", {"AGOG_HTTP_TOKEN_FILE": "nowhere"}, "the token file nowhere cannot be read"),
    ],
)
def test_what_is_no_token_is_told_before_anything_starts(
    tmp_path: Path, command: str, options: str, environment: dict[str, str], told: str
) -> None:
    words = [sys.executable, "-m", "pytest_agog", *command.split(), *options.split()]
    done = subprocess.run(
        words, cwd=tmp_path, env=_environment(**environment), check=False, text=True, capture_output=True,
        stdin=subprocess.DEVNULL, timeout=PATIENCE,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "s3cret" not in done.stderr


def test_what_is_handed_on_to_services_that_are_started() -> None:
    found = handed_on({"AGOG_HTTP_TOKEN": "a${b}", "AGOG_HTTP_READERS": "", "HOME": "/root"}, Path("/etc/tokens"))
    assert found == {"AGOG_HTTP_TOKEN": "a$${b}", "AGOG_HTTP_TOKEN_FILE": "/etc/tokens"}
