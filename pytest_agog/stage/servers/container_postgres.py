"""Postgres with pgvector in a container, as a source of databases: one for all plays of a process. [X4]"""

from __future__ import annotations

import secrets
import signal as signals
import time
from pathlib import Path
from typing import Final

from pytest_agog.errors import PostgresUnreachable, ServiceDidNotStart
from pytest_agog.stage.machine.engine import Running, container, image
from pytest_agog.stage.machine.reservation import reserve
from pytest_agog.stage.servers import pgcache
from pytest_agog.stage.servers.pgcache import MAINTENANCE, SPARE, SUPERUSER, TEMPLATE
from pytest_agog.stage.servers.postgres import PostgresOptions, PostgresServer
from pytest_agog.stage.servers.services import LOG_LINES, signal_number

POSTGRES_VARIABLE: Final = "AGOG_POSTGRES_IMAGE"
POSTGRES_IMAGE: Final = "pgvector/pgvector:pg16"
START_PATIENCE: Final = 60.0
_PORT: Final = 5432
_STEP: Final = 0.02
_SETTINGS: Final = {
    "max_connections": "200",
    "timezone": "UTC",
    "jit": "off",
    # As the embedded one: an acknowledged commit survives SIGKILL of the server, if not of the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    # DROP DATABASE waits for every backend, also for one whose client was interrupted before it said who it is.
    "authentication_timeout": "5s",
}


class ContainerPostgres(PostgresServer):
    """One Postgres in a container; its data is in the container's volume, and goes with it."""

    def __init__(self, folder: Path, options: PostgresOptions | None = None) -> None:
        super().__init__(folder, options)
        self._running: Running | None = None
        self._version = ""

    @property
    def version(self) -> str:
        """As the server says it, e.g. `16.4`; empty before `start`."""
        return self._version

    @property
    def pid(self) -> int | None:
        """Its first process, while there is one."""
        return (self._running.pid or None) if self._running is not None else None

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """The last lines of its log, also after `stop`."""
        found = self._running.log(lines) if self._running is not None else ""
        return found or "\n".join(self._last_log.splitlines()[-lines:])

    def kill(self, signal: str = "KILL") -> None:
        """Send a signal; STOP pauses the whole container."""
        if self._running is None:
            return
        number = signal_number(signal)
        if number in (signals.SIGSTOP, signals.SIGCONT):
            self._running.kill_group(number)
            self._paused = number == signals.SIGSTOP
        else:
            self._running.stop(first=number)

    def restart(self) -> None:
        """Stop it if it runs, then start it on the same port with the same data."""
        if self._running is not None and self._running.alive:
            self._running.stop(first=signals.SIGINT)
        self._paused = False
        self.start()

    def stop(self) -> None:
        """End it, remove it with its data and give its port back; idempotent."""
        self._last_log = self.log_tail(200)
        if self._running is not None:
            self._running.remove()
            self._running = None
        if self._refill is not None:
            self._refill.join(5)
        if self._port is not None:
            self._port.release()

    def _start(self) -> None:
        if self._port is None:
            self._port = reserve(self.options.port, "Postgres")
        deadline = time.monotonic() + START_PATIENCE
        if self._running is not None:
            if not self._running.alive:
                self._running.again()
            self._await_ready(self._running, deadline)
            return
        self._password = secrets.token_urlsafe(24)
        options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        made = container(
            image(POSTGRES_VARIABLE, POSTGRES_IMAGE),
            ["postgres", *options],
            {_PORT: self._port},
            environment={
                "POSTGRES_USER": SUPERUSER,
                "POSTGRES_DB": MAINTENANCE,
                "POSTGRES_PASSWORD": self._password,
                "POSTGRES_INITDB_ARGS": "--no-sync",
            },
        )
        self._running = Running(made, "Postgres")
        try:
            self._await_ready(self._running, deadline)
            self._fill()
        except BaseException:
            self._running.remove()
            self._running = None
            raise

    def _fill(self) -> None:
        """The migrated template, and one clone that is ready to be handed out."""
        with self._maintenance() as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
            if self.options.template.migrate is not None:
                self.options.template.migrate(self.dsn(TEMPLATE))
            connection.execute(f"CREATE DATABASE {SPARE} TEMPLATE {TEMPLATE} STRATEGY file_copy")

    def _await_ready(self, running: Running, deadline: float) -> None:
        """The image's own set-up runs a server that no port leads to: who connects has met the real one."""
        while True:
            try:
                with pgcache.connect(self.dsn()) as connection:
                    row = connection.execute("SHOW server_version").fetchone()
            except PostgresUnreachable as error:
                code = running.wait(_STEP)
                if code is None and time.monotonic() < deadline:
                    continue
                raise ServiceDidNotStart(
                    service="Postgres",
                    reason=f"{error.details.get('reason', '')}; its log ends with: {self.log_tail(5) or '(nothing)'}",
                    remedy=f"See that `docker run {image(POSTGRES_VARIABLE, POSTGRES_IMAGE)}` works here.",
                ) from error
            self._version = str(row[0]).split()[0] if row is not None else ""
            return
