"""An embedded Postgres server: a real one, from a cached cluster, with a migrated database for each scenario."""

from __future__ import annotations

import contextlib
import logging
import shutil
import signal as signals
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agog.errors import PostgresUnreachable, ServiceDidNotStart, UsageError
from pytest_agog.stage.machine import scratch
from pytest_agog.stage.machine.account import Account, postgres_account
from pytest_agog.stage.machine.binaries import postgres_folder
from pytest_agog.stage.machine.reservation import ReservedPort, reserve
from pytest_agog.stage.machine.scratch import Scratch
from pytest_agog.stage.machine.starting import Startable
from pytest_agog.stage.servers import pgcache
from pytest_agog.stage.servers.pgcache import MAINTENANCE, SPARE, TEMPLATE, CachedCluster, Template
from pytest_agog.stage.servers.pglaunch import Installation, Postmaster, reachable
from pytest_agog.stage.servers.services import LOG_LINES, signal_number, tail

if TYPE_CHECKING:
    import psycopg

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """How to run an embedded server."""

    template: Template = field(default_factory=Template)
    """What every database holds from the start."""
    durable: bool = False
    """fsync and autovacuum on, for a proof that survives power loss."""
    port: int = 0
    """0 takes a free one."""
    keep_data: bool = False
    """The folder's data is used when it is there, and stays after `stop`, which then ends the server gracefully."""
    outlive: bool = False
    """The server stays when the harness ends."""
    cache: Path | None = None
    """Where the cached cluster is; see `pgcache.cache_folder`."""
    account: Account | None = None
    """As whom it runs; chosen by `postgres_account` when None."""


class PostgresServer(Startable):
    """One Postgres. Its folder holds the log, and data that lasts; throwaway data is in memory where that has room.

    `stop` removes both.

    All methods block and may be called from any thread.
    """

    def __init__(self, folder: Path, options: PostgresOptions | None = None) -> None:
        self.folder = folder
        self.options = options or PostgresOptions()
        self._log = folder / "postgres.log"
        self._last_log = ""
        self._place = folder
        self._scratch: Scratch | None = None
        self._password = ""
        self._port: ReservedPort | None = None
        self._installation: Installation | None = None
        self._server: Postmaster | None = None
        self._refill: threading.Thread | None = None
        self._lock = threading.Lock()
        self._paused = False

    # --- what it is ---------------------------------------------------------------------------------------------
    def dsn(self, database: str = MAINTENANCE) -> str:
        """The address of a database, password included."""
        if self._port is None:
            raise UsageError("Postgres was never started, so it has no address; call start() first")
        return pgcache.dsn(self._port.number, self._password, database)

    @property
    def version(self) -> str:
        """As the program says it, e.g. `18.4`; empty before `start`."""
        return self._installation.version if self._installation else ""

    @property
    def pid(self) -> int | None:
        """Its postmaster, while there is one."""
        return self._server.process.pid if self._server and self._server.alive else None

    @property
    def place(self) -> Path:
        """Where its data is: below its folder, unless the user it runs as cannot get there, or it is in memory."""
        return self._place

    @property
    def alive(self) -> bool:
        """Whether the postmaster runs (a stopped one does)."""
        return self.pid is not None

    @property
    def answers(self) -> bool:
        """Whether it runs and nobody paused it."""
        return self.alive and not self._paused

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """The last lines of its log, also after `stop`."""
        return tail(self._log, lines) or "\n".join(self._last_log.splitlines()[-lines:])

    # --- the server ---------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Start it, from a copy of the cached cluster the first time.

        Raises:
            BinaryMissing: there is no Postgres.
            ServiceDidNotStart: it ended or was not ready in time, and the log's end is in the message; or its files
                cannot be written.
        """
        try:
            self._start()
        except OSError as error:
            raise ServiceDidNotStart(
                service="Postgres",
                reason=f"{error.filename2 or error.filename or 'its folder'}: {error.strerror or error}",
                remedy=f"See that there are 100 MB to write to, and set {pgcache.CACHE_VARIABLE} (cached cluster), "
                f"{scratch.VARIABLE} (data) or --basetemp (log) to other places.",
            ) from error

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._installation is None:
            account = self.options.account or postgres_account()
            self._place = account.workplace(self._workplace())
            self._installation = reachable(postgres_folder(), account, self._place)
        if self._port is None:
            self._port = reserve(self.options.port, "Postgres")
        self._server = Postmaster(
            self._installation,
            self._data(self._installation),
            self._port,
            self._log,
            durable=self.options.durable,
            outlive=self.options.outlive,
        )

    def kill(self, signal: str = "KILL") -> None:
        """Send a signal. KILL ends it as a crash would; TERM, INT and QUIT are Postgres's three shutdowns; STOP pauses
        it with all its backends."""
        if self._server is None:
            return
        number = signal_number(signal)
        if number in (signals.SIGSTOP, signals.SIGCONT):
            self._server.pause(number)
            self._paused = number == signals.SIGSTOP
        else:
            self._server.end(number)

    def restart(self) -> None:
        """Stop it if it runs, then start it on the same port with the same data."""
        if self._server is not None and self._server.alive:
            self._server.pause(signals.SIGCONT)
            self._server.end(signals.SIGINT)
        self._paused = False
        self.start()

    def stop(self) -> None:
        """End it, remove its folder and give its port back; idempotent."""
        if self._server is not None:
            self._server.pause(signals.SIGCONT)
            self._server.end(signals.SIGINT if self.options.keep_data else signals.SIGQUIT)
            self._server.release_memory()
        if self._refill is not None:
            self._refill.join(5)
        self._last_log = self.log_tail(200)
        if not self.options.keep_data:
            shutil.rmtree(self._place, ignore_errors=True)
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._scratch is not None:
            self._scratch.release()
        if self._port is not None:
            self._port.release()

    # --- databases ----------------------------------------------------------------------------------------------
    def create_database(self, name: str) -> str:
        """A new database with the template's content; returns its address.

        One clone is always ready, so this takes a few milliseconds; the next is made meanwhile.

        Raises:
            UsageError: there is a database of that name.
        """
        from psycopg import errors, sql

        with self._maintenance() as connection:
            try:
                try:
                    connection.execute(
                        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(SPARE), sql.Identifier(name))
                    )
                except (errors.InvalidCatalogName, errors.ObjectInUse):
                    connection.execute(_clone(name))
            except errors.DuplicateDatabase as error:
                raise UsageError(f"there is already a database named {name!r}; drop it or take another name") from error
        self._refill_soon()
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, also one that is in use; none of that name is no error."""
        from psycopg import sql

        with self._maintenance() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    # --- inside -------------------------------------------------------------------------------------------------
    def _workplace(self) -> Path:
        """In memory, unless the data is to last."""
        options = self.options
        if options.keep_data or options.durable or options.outlive:
            return self.folder / "cluster"
        self._scratch = Scratch(self.folder / "cluster")
        return self._scratch.path

    def _data(self, installation: Installation) -> Path:
        """The data folder, filled; and the password that belongs to it."""
        data = self._place / "data"
        secret = self._place / "password"
        if not (data / "PG_VERSION").exists():
            # Under its name only when all is there: a disk that fills up in between leaves nothing that looks whole.
            made = self._place / "making"
            shutil.rmtree(made, ignore_errors=True)
            shutil.rmtree(data, ignore_errors=True)
            cache = self.options.cache or pgcache.cache_folder(otherwise=self.folder / "cache")
            password = CachedCluster(installation, self.options.template, cache).copy_to(made)
            secret.touch(mode=0o600)
            secret.write_text(password)
            made.rename(data)
        self._password = secret.read_text()
        return data

    def _maintenance(self) -> psycopg.Connection[tuple[object, ...]]:
        return pgcache.connect(self.dsn())

    def _refill_soon(self) -> None:
        with self._lock:
            if self._refill is None or not self._refill.is_alive():
                self._refill = threading.Thread(target=self._make_spare, name="agog-postgres-spare", daemon=True)
                self._refill.start()

    def _make_spare(self) -> None:
        import psycopg

        try:
            with self._maintenance() as connection, contextlib.suppress(psycopg.errors.DuplicateDatabase):
                connection.execute(_clone(SPARE))
        except (psycopg.Error, PostgresUnreachable) as error:
            # The server was killed or stopped meanwhile: whoever needs a database next clones it then.
            _LOG.debug("no spare database: %s", error)


def _clone(name: str) -> psycopg.sql.Composed:
    """Copying files beats writing them through the log: 50 ms instead of 70 to 140."""
    from psycopg import sql

    return sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
        sql.Identifier(name), sql.Identifier(TEMPLATE)
    )
