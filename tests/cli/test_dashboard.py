"""`agog dashboard`: every view, live on a terminal, one line for what is wrong. [O18]"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import pytest

from pytest_agog.reference.deliverables.connecting import connect
from pytest_agog.reference.orchestrator.messaging.bucket import Bucket
from pytest_agog.reference.orchestrator.state.record import Record, dump
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire.orchestration import state_key
from tests.cli.conftest import Agog
from tests.reference.orchestrator.board.making import HOSTILE, record, seed

PATIENCE = 30


def put(server: NatsServer, *records: Record) -> None:
    async def all_of_them() -> None:
        link = await connect(server.url)
        try:
            bucket = Bucket(link, "agog_state")
            await bucket.open()
            for one in records:
                await bucket.put(state_key(one.id), dump(one))
        finally:
            await link.close()

    asyncio.run(all_of_them())


@pytest.fixture
def state(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> NatsServer:
    monkeypatch.setenv("NATS_URL", server.url)
    put(server, *seed(), record("REQ-900", "BLOCKED", title=HOSTILE, blockers=("No key",), held_by="agent"))
    return server


def test_views_of_one_state(agog: Agog, state: NatsServer) -> None:
    url = ("--nats-url", state.url)
    plain = agog("dashboard", *url)
    assert plain.code == 0
    assert plain.out.startswith("ORCHESTRATOR   Continuous   ")
    assert "  REQ-043 (Database Agent) Pending (blocked by REQ-042)" in plain.out
    assert plain.out.split("\n")[3:] == agog("dashboard", *url, "--text").out.split("\n")[3:]
    assert agog("dashboard", *url, "--live").out.split("\n")[3:] == plain.out.split("\n")[3:]  # no terminal: once
    queue = agog("dashboard", *url, "--queue").json
    assert [one["id"] for one in queue["high"]] == ["REQ-042", "REQ-043"]
    assert queue["low"] == [
        {"id": "REQ-065", "title": "Title of REQ-065", "agent": "documentation", "estimatedTokens": 10_000,
         "blockedBy": []}
    ]  # fmt: skip
    everything = agog("dashboard", *url, "--json").json
    assert everything["queues"]["HIGH"][1]["blockedBy"] == ["REQ-042"]
    assert everything["budget"]["daily"] == 1_000_000
    markdown = agog("dashboard", *url, "--markdown").out
    assert markdown.startswith("## Orchestrator - Work Distribution Status\n\n**Mode:** Continuous\n")
    assert "\x1b" not in plain.out + markdown


def test_the_budget_comes_from_the_settings(
    agog: Agog, state: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "agog.toml").write_text("[budget]\ndaily = 40000\n[budget.shares]\njen = 7\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    told = agog("dashboard", "--nats-url", state.url, "--json").json
    assert told["budget"]["daily"] == 40_000
    assert {one["agent"]: one["share"] for one in told["agents"]}["jen"] == 7
    (tmp_path / "other.toml").write_text("[budget]\ndaily = 0\n", encoding="utf-8")
    done = agog("dashboard", "--nats-url", state.url, "--config", "other.toml")
    assert done.code == 2
    assert "other.toml: budget.daily" in done.err


def test_two_views_at_once_are_wrong_usage(agog: Agog) -> None:
    done = agog("dashboard", "--json", "--markdown")
    assert done.code == 2
    assert "give one of them" in done.err


def test_no_orchestrator_and_no_server(agog: Agog, server: NatsServer) -> None:
    done = agog("dashboard", "--nats-url", server.url)
    assert done.code == 2
    assert "agog orchestrate" in done.err
    assert agog("dashboard", "--nats-url", "nats://127.0.0.1:1").code == 3


class Terminal:
    """A process on a terminal of 100 columns and 40 lines."""

    def __init__(self, *command: str) -> None:
        self.master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self.seen = ""

    def until(self, fits: Callable[[str], bool]) -> str:
        """Read until what has come fits, and return it."""
        deadline = time.monotonic() + PATIENCE
        while not fits(self.seen):
            ready, _, _ = select.select([self.master], [], [], max(deadline - time.monotonic(), 0))
            assert ready, self.seen[-2000:]
            self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")
        return self.seen

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self.master)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_live_board_follows_and_ends_cleanly(state: NatsServer, number: signal.Signals) -> None:
    terminal = Terminal(sys.executable, "-m", "pytest_agog", "dashboard", "--live", "--nats-url", state.url)
    try:
        terminal.until(lambda seen: "REQ-900" in seen)
        put(state, record("REQ-901", priority="CRITICAL", title="Appeared"))
        terminal.until(lambda seen: "REQ-901" in seen)
        terminal.process.send_signal(number)
        shown = terminal.until(lambda seen: "\x1b[?1049l" in seen)  # the screen as it was before
        assert terminal.process.wait(PATIENCE) == 0
    finally:
        terminal.end()
    assert "Traceback" not in shown
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "\x1b" not in drawn
    assert "[2J" in drawn  # of the hostile title, as text
    assert json.dumps("⟨U+001B⟩")[1:-1] not in drawn
