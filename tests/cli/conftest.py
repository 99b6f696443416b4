"""Commands run in this process; what they print is caught."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.cli import run
from pytest_agog.stage.servers.nats import NatsServer


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


Agog = Callable[..., Done]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as running:
        yield running


@pytest.fixture
def agog(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Agog:
    """Runs `agog ARGUMENTS…`; no server is known unless one is named."""
    for name in ("NATS_URL", "NATS_CREDS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str | Path) -> Done:
        capfdbinary.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        done = Done(code, out.decode(), err.decode())
        assert "Traceback" not in done.err
        return done

    return call


@pytest.fixture
def here(server: NatsServer, agog: Agog, monkeypatch: pytest.MonkeyPatch) -> Agog:
    """`agog` with a server that has all streams."""
    monkeypatch.setenv("NATS_URL", server.url)
    assert agog("init-streams").code == 0
    return agog
