"""A real nats-server with the streams of the contract, for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_agog.stage.nats import NatsServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server without streams."""
    with NatsServer(tmp_path / "nats") as running:
        yield running
