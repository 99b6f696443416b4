"""Services that somebody else runs: never purged, stopped or killed; what was there before does not count. [X4]"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote, urlsplit, urlunsplit

from pytest_agog.errors import PostgresUnreachable, UsageError
from pytest_agog.masking import mask
from pytest_agog.stage.connect import close_nats, connect_nats, require_jetstream
from pytest_agog.stage.servers.pgcache import Template
from pytest_agog.stage.servers.services import LOG_LINES
from pytest_agog.stage.servers.turns import Turn

if TYPE_CHECKING:
    from nats.aio.client import Client

POSTGRES_PATIENCE = 2
"""Seconds for a connection (libpq's shortest)."""


class ExternalNats:
    """NATS at a URL, for one run at a time: an async context manager that waits for its turn.

    Raises on entering:
        NatsUnreachable, CredentialsRefused, NatsUrlInvalid: within about 2 s.
        JetStreamDisabled: the server, or this account, has none.
        ServiceBusy: other runs kept it for `patience` seconds.
    """

    monitor_url = None
    monitor_urls = None

    def __init__(self, url: str, *, creds: Path | None = None, patience: float = 600.0) -> None:
        self.url = url
        self.creds = creds
        self.baseline: dict[str, int] = {}
        """Each stream's last sequence when the run's turn came."""
        self.version = ""
        self.max_payload = 0
        self.replicas = 1
        self._patience = patience
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> ExternalNats:
        async with contextlib.AsyncExitStack() as stack:
            client = await connect_nats(self.url, creds=self.creds, name="agog-turn")
            stack.push_async_callback(close_nats, client)
            await require_jetstream(client, self.url)
            version = client.connected_server_version
            self.version = f"{version.major}.{version.minor}.{version.patch}"
            self.max_payload = client.max_payload
            await stack.enter_async_context(Turn(client, self.url, patience=self._patience))
            self.baseline = await last_sequences(client)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.__aexit__(kind, error, trace)

    def kill(self, signal: str = "KILL", server: int | None = None) -> NoReturn:
        """Not ours to kill."""
        raise UsageError(f"NATS at {mask(self.url)} is external and cannot be killed; use the embedded backend")

    def restart(self, server: int | None = None) -> NoReturn:
        """Not ours to restart."""
        raise UsageError(f"NATS at {mask(self.url)} is external and cannot be restarted; use the embedded backend")

    def stop(self) -> None:
        """It goes on running."""

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """Its log is not ours to read."""
        return ""


class ExternalPostgres:
    """Postgres at a DSN: a database of our own, made and dropped, where the user may; else the given one, untouched.

    Methods block.
    """

    def __init__(self, dsn: str, template: Template | None = None) -> None:
        self.given = dsn
        self.template = template or Template()
        self.version = ""
        self._made: dict[str, str] = {}

    def create(self, name: str) -> str:
        """A database for one scenario; returns its DSN. `name` gets a random end, since others may use the server.

        Raises:
            PostgresUnreachable: no connection within about 2 s, or a refused one.
        """
        import psycopg
        from psycopg import sql

        # Postgres cuts names at 63 bytes; the random end has to survive.
        own = f"{name.encode()[:46].decode(errors='ignore')}_{secrets.token_hex(8)}"
        try:
            with psycopg.connect(self.given, autocommit=True, connect_timeout=POSTGRES_PATIENCE) as connection:
                self.version = str(connection.info.parameter_status("server_version") or "").split()[0]
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(own)))
        except psycopg.errors.InsufficientPrivilege:
            return self.given
        except psycopg.Error as error:
            raise PostgresUnreachable(dsn=mask(self.given), reason=mask(_first_line(error))) from error
        dsn = _with_database(self.given, own)
        self._made[dsn] = own
        if self.template.migrate is not None:
            try:
                self.template.migrate(dsn)
            except BaseException:
                self.drop(dsn)
                raise
        return dsn

    def drop(self, dsn: str) -> None:
        """Drop a database that `create` made; the given one stays as it is."""
        import psycopg
        from psycopg import sql

        own = self._made.pop(dsn, None)
        if own is None:
            return
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(self.given, autocommit=True, connect_timeout=POSTGRES_PATIENCE) as connection,
        ):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(own)))


async def last_sequences(client: Client) -> dict[str, int]:
    """The last sequence of every stream."""
    stream = client.jetstream()
    found: dict[str, int] = {}
    while True:
        page = await stream.streams_info(offset=len(found))
        before = len(found)
        found.update({info.config.name or "": info.state.last_seq for info in page})
        if len(found) == before:
            return found


def _with_database(dsn: str, database: str) -> str:
    """The same server and user, another database; URLs stay URLs, because programs in other languages read them."""
    if "://" in dsn:
        return urlunsplit(urlsplit(dsn)._replace(path=f"/{quote(database, safe='')}"))
    from psycopg.conninfo import make_conninfo

    return make_conninfo(dsn, dbname=database)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
