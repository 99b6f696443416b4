"""A room for listeners: a real nats-server, and what is said on it."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.stage.servers.nats import NatsServer
from tests.reference.orchestrator.listener.rooms import Room, alive, pid_in


@pytest.fixture
async def room(link: Link, nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Room]:
    made = Room(link, nats_server, tmp_path)
    await made.open()
    yield made
    await made.close()
    left = [pid for pid in map(pid_in, made.log()) if pid is not None and alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, "agents are left"
