"""One embedded Postgres for all plays of a process, started when the first of them needs it."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from pytest_agog.stage.servers.postgres import PostgresOptions, PostgresServer


class PostgresPool:
    """Hands out databases of one server. Thread-safe; `stop` ends the server and with it all databases."""

    def __init__(
        self, folder: Path, options: PostgresOptions | None = None, server: PostgresServer | None = None
    ) -> None:
        self.server = server or PostgresServer(folder, options)
        self._lock = threading.Lock()
        self._started = False
        self._stopped = False

    @property
    def version(self) -> str | None:
        """Of the server; None as long as nobody needed it."""
        return self.server.version or None

    def warm(self) -> None:
        """Begin to start the server and come back at once. What goes wrong is raised to whoever needs it first."""

        def start() -> None:
            # The next call meets it again and raises it.
            with contextlib.suppress(Exception):
                self._ensure()

        threading.Thread(target=start, name="agog-postgres-warm", daemon=True).start()

    def create(self, name: str) -> str:
        """A new migrated database; returns its address. A server that a play killed or paused is started again.

        Raises:
            BinaryMissing, ServiceDidNotStart: there is no server to be had.
            UsageError: there is a database of that name.
        """
        self._ensure()
        return self.server.create_database(name)

    def drop(self, name: str) -> None:
        """Drop a database that `create` made; a server that is down or gone is no error."""
        if self._started and self.server.answers:
            self.server.drop_database(name)

    def stop(self) -> None:
        """End the server; idempotent. Nothing starts it again."""
        with self._lock:
            self._stopped = True
            if self._started:
                self.server.stop()

    def _ensure(self) -> None:
        with self._lock:
            if self._stopped:
                return
            if not self._started:
                self.server.start()
                self._started = True
            elif not self.server.answers:
                self.server.restart()
