"""A nats-server with the users of the contract, for each form of credentials, over TLS."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.deliverables.credentials import Credentials
from pytest_agog.security.certificates import Certificates, certify
from pytest_agog.security.issuing import Form, Issued, issue
from pytest_agog.stage.servers.nats import NatsOptions, NatsServer

FORMS: tuple[Form, ...] = ("passwords", "nkeys", "jwt")
PATIENCE = 30.0
_OURS = ("NATS_URL", "NATS_CREDS", "NATS_NKEY", "NATS_CA", "NATS_USER", "DATABASE_URL")


@dataclass
class Guarded:
    """The server, and what its users show it."""

    server: NatsServer
    issued: Issued
    certificates: Certificates
    folder: Path
    """Where the credentials are."""

    def environment(self, user: str, issued: Issued | None = None) -> dict[str, str]:
        identity = (issued or self.issued).identities[user]
        told = {"NATS_URL": identity.url(self.server.url), "NATS_CA": str(self.certificates.ca)}
        return told | identity.environment()

    def whole_environment(self, user: str) -> dict[str, str]:
        """For a process."""
        return {name: value for name, value in os.environ.items() if name not in _OURS} | self.environment(user)

    async def link(self, user: str, environment: dict[str, str] | None = None) -> Link:
        found = environment or self.environment(user)
        url = found["NATS_URL"]
        return await connect(url, credentials=Credentials.found(url, environ=found))

    def linked(self, user: str) -> AbstractAsyncContextManager[Link]:
        @asynccontextmanager
        async def held() -> AsyncIterator[Link]:
            link = await self.link(user)
            try:
                yield link
            finally:
                await link.close()

        return held()

    def reload(self, issued: Issued) -> None:
        """The server reads its configuration anew, as an operator would have it do."""
        file = self.server.folder / "nats.conf"
        file.write_text(json.dumps(json.loads(file.read_text()) | issued.server))
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGHUP)


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Callable[[Form], Guarded]]:
    """Starts a server with fresh users."""
    running: list[NatsServer] = []

    def start(form: Form) -> Guarded:
        folder = tmp_path / "users"
        issued = issue(folder, form)
        certificates = certify(tmp_path / "tls", ["localhost", "127.0.0.1"])
        options = NatsOptions(security={**issued.server, **certificates.server})
        server = NatsServer(tmp_path / "nats", options=options)
        running.append(server)
        server.start()
        return Guarded(server, issued, certificates, folder)

    yield start
    for server in running:
        server.stop()


@pytest.fixture(params=FORMS)
def guarded(request: pytest.FixtureRequest, guard: Callable[[Form], Guarded]) -> Guarded:
    form: Form = request.param
    return guard(form)
