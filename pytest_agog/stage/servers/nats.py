"""An embedded nats-server with JetStream: a real one, on a port of its own, ready in milliseconds."""

from __future__ import annotations

import json
import secrets
import shutil
import signal as signals
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_agog.errors import ServiceDidNotStart, UsageError
from pytest_agog.stage.machine.binaries import nats_server
from pytest_agog.stage.machine.processes import ManagedProcess
from pytest_agog.stage.machine.reservation import HOST, ReservedPort, reserve
from pytest_agog.stage.machine.starting import Startable
from pytest_agog.stage.servers.services import LOG_LINES, send, tail
from pytest_agog.wire.streams import SERVER_MAX_PAYLOAD

if TYPE_CHECKING:
    from pytest_agog.stage.machine.engine import Running

UNLIMITED_STORE = 10**15
"""Bytes. The server's own default is a share of the disk, and refuses the contract's 10 GiB stream on a small one."""
MEMORY_STORE = 10**9
START_PATIENCE = 15.0
_FIRST_STEP, _LAST_STEP = 0.0005, 0.01


@dataclass(frozen=True, slots=True)
class NatsOptions:
    """How to run an embedded server."""

    max_payload: int = SERVER_MAX_PAYLOAD
    """Bytes, headers included."""
    sync_interval: float | Literal["always"] = 120.0
    """Seconds between flushes of JetStream to disk; `always` flushes before each ack."""
    store_limit: int | None = None
    """JetStream's `max_file_store` in bytes; practically unlimited when None."""
    port: int = 0
    """For clients; 0 takes a free one."""
    monitor_port: int = 0
    """For HTTP monitoring; 0 takes a free one."""
    keep_data: bool = False
    """The folder's data is used when it is there, and stays after `stop`, which then ends the server gracefully."""
    outlive: bool = False
    """The server stays when the harness ends."""
    security: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of its configuration: accounts and users, `tls`. Clients are then told a `tls://` address."""


@dataclass(slots=True)
class Membership:
    """A server's place in a cluster."""

    cluster: str
    port: ReservedPort
    routes: list[str] = field(default_factory=list)


class NatsServer(Startable):
    """One nats-server. Its folder holds configuration, log and store, and is removed by `stop`.

    `start`, `kill`, `restart` and `stop` block and may be called from any thread.
    """

    replicas = 1

    def __init__(
        self,
        folder: Path,
        options: NatsOptions | None = None,
        *,
        name: str | None = None,
        membership: Membership | None = None,
    ) -> None:
        self.folder = folder
        self.options = options or NatsOptions()
        self.name = name or f"agog-{secrets.token_hex(4)}"
        self.membership = membership
        self._log = folder / "nats.log"
        self._last_log = ""
        self._info: dict[str, Any] = {}
        self._unreached = ""
        self._process: ManagedProcess | None = None
        self._ports: tuple[ReservedPort, ReservedPort] | None = None

    # --- what it is ---------------------------------------------------------------------------------------------
    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"{'tls' if 'tls' in self.options.security else 'nats'}://{self._port(0)}"

    @property
    def monitor_url(self) -> str:
        """HTTP monitoring: `/varz`, `/jsz`, `/healthz`."""
        return f"http://{self._port(1)}"

    @property
    def monitor_urls(self) -> str:
        """The same; a cluster has several."""
        return self.monitor_url

    @property
    def version(self) -> str:
        """As the server says it."""
        return str(self._info.get("version", ""))

    @property
    def max_payload(self) -> int:
        """As the server says it."""
        return int(self._info.get("max_payload", 0))

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return self._process.pid if self._process and self._process.alive else None

    @property
    def alive(self) -> bool:
        """Whether the process runs (a stopped one does)."""
        return self.pid is not None

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """The last lines of its log, also after `stop`."""
        return tail(self._log, lines) or "\n".join(self._last_log.splitlines()[-lines:])

    # --- what it does -------------------------------------------------------------------------------------------
    def start(self, patience: float = START_PATIENCE) -> None:
        """Start and wait until clients are served.

        Raises:
            BinaryMissing: there is no nats-server.
            ServiceDidNotStart: it ended, or was not ready within `patience` seconds, and the log's end is in the
                message; or its folder cannot be written.
        """
        binary = nats_server()
        self._reserve()
        try:
            process = self._process = self._launch(binary)
        except OSError as error:
            raise ServiceDidNotStart(
                service="nats-server",
                reason=f"{error.filename or self.folder}: {error.strerror or error}",
                remedy="See that its folder can be written, or choose another one (pytest's --basetemp, TMPDIR).",
            ) from error
        try:
            self._await_ready(process, time.monotonic() + patience)
        except BaseException:
            process.stop(first=signals.SIGKILL)
            raise

    def kill(self, signal: str = "KILL", server: int | None = None) -> None:
        """Send a signal and, unless it is STOP, wait for the end (5 s at most, then SIGKILL)."""
        self._only_server(server)
        if self._process is not None:
            send(self._process, signal)

    def restart(self, server: int | None = None) -> None:
        """Stop it if it runs, then start it on the same ports with the same data."""
        self._only_server(server)
        self.halt()
        self.start()

    def halt(self) -> None:
        """End the process gracefully and keep data and ports."""
        if self._process is not None and self._process.alive:
            self._process.kill_group(signals.SIGCONT)
            self._process.stop(first=signals.SIGTERM)

    def stop(self) -> None:
        """End it, remove its folder and give its ports back; idempotent. Throwaway data needs no graceful end."""
        if self._process is not None:
            if self.options.keep_data:
                self.halt()
            else:
                self._process.stop(first=signals.SIGKILL)
        self._last_log = self.log_tail(200)
        if not self.options.keep_data:
            shutil.rmtree(self.folder, ignore_errors=True)
        for port in self._ports or ():
            port.release()
        if self.membership is not None:
            self.membership.port.release()

    # --- inside -------------------------------------------------------------------------------------------------
    def _launch(self, binary: Path) -> ManagedProcess:
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "nats.conf"
        # The configuration format takes JSON, and so every path.
        configuration.touch(mode=0o600)
        configuration.write_text(json.dumps(self._configuration(), ensure_ascii=False, indent=1), encoding="utf-8")
        return ManagedProcess(
            [str(binary), "-c", str(configuration)], name=self.name, log=self._log, outlive=self.options.outlive
        )

    def _port(self, which: int) -> ReservedPort:
        if self._ports is None:
            raise UsageError(f"{self.name} was never started, so it has no address; call start() first")
        return self._ports[which]

    def _reserve(self) -> None:
        if self._ports is not None:
            return
        clients = reserve(self.options.port, "nats-server")
        try:
            self._ports = (clients, reserve(self.options.monitor_port, "nats-server"))
        except ServiceDidNotStart:
            clients.release()
            raise

    def _only_server(self, server: int | None) -> None:
        if server not in (None, 1):
            raise UsageError(f"there is one nats-server and no number {server}; set services.nats.servers to 3")

    def _configuration(self) -> dict[str, Any]:
        sync = self.options.sync_interval
        configuration: dict[str, Any] = {
            "server_name": self.name,
            "listen": str(self._port(0)),
            "http": str(self._port(1)),
            "max_payload": self.options.max_payload,
            # A reader that takes a whole history at once needs room for more than one message of the largest size.
            "max_pending": max(64 * 10**6, 8 * self.options.max_payload),
            "jetstream": {
                "store_dir": str(self.folder / "store"),
                "max_file_store": self.options.store_limit or UNLIMITED_STORE,
                "max_memory_store": MEMORY_STORE,
                "sync_interval": "always" if sync == "always" else f"{max(1, round(sync * 1000))}ms",
            },
        }
        configuration |= self.options.security
        if self.membership is not None:
            configuration["cluster"] = {
                "name": self.membership.cluster,
                "listen": str(self.membership.port),
                "no_advertise": True,
                "routes": self.membership.routes,
            }
        return configuration

    def _await_ready(self, process: ManagedProcess | Running, deadline: float) -> None:
        """The reserved port refuses until the server listens; then its first line says which server it is."""
        step = _FIRST_STEP
        while True:
            info = self._greeting()
            if info is not None and info.get("server_name") == self.name and info.get("jetstream"):
                self._info = info
                return
            code = process.wait(step)
            step = min(step * 1.5, _LAST_STEP)
            if code is not None:
                raise self._failure(f"it ended with status {code}")
            if time.monotonic() > deadline:
                raise self._failure(f"it was not ready in time{self._unreached}")

    def _greeting(self) -> dict[str, Any] | None:
        try:
            with (
                socket.create_connection((HOST, self._port(0).number), timeout=1) as connection,
                connection.makefile("rb") as lines,
            ):
                line = lines.readline(65_536)
        except OSError as error:
            self._unreached = f" ({self.url}: {error.strerror or error})"
            return None
        self._unreached = ""
        if not line.startswith(b"INFO "):
            return None
        try:
            greeting: dict[str, Any] = json.loads(line[5:])
        except ValueError:
            return None
        return greeting

    def _complaints(self) -> str:
        """The log's last errors, or its end where there are none."""
        errors = [line for line in self.log_tail(50).splitlines() if "[FTL]" in line or "[ERR]" in line]
        return "\n".join(errors[-3:]) or self.log_tail(5) or "(nothing)"

    def _failure(self, reason: str) -> ServiceDidNotStart:
        return ServiceDidNotStart(
            service="nats-server",
            reason=f"{reason}; its log says: {self._complaints()}",
            remedy=f"Look at {self._log}.",
        )
