"""NATS in a container: the same configuration, the same ways to end as the embedded server. [X4]"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal as signals
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pytest_agog.errors import UsageError
from pytest_agog.stage.machine.engine import LABEL, REAPER, RUN, Running, container, image
from pytest_agog.stage.machine.reservation import ReservedPort
from pytest_agog.stage.servers.cluster import SIZE, NatsCluster
from pytest_agog.stage.servers.nats import START_PATIENCE, Membership, NatsOptions, NatsServer
from pytest_agog.stage.servers.services import LOG_LINES, send

NATS_VARIABLE: Final = "AGOG_NATS_IMAGE"
NATS_IMAGE: Final = "nats:2.12-alpine"
_CONFIGURATION: Final = "/nats.conf"
_CLIENTS, _MONITOR, _ROUTES = 4222, 8222, 6222


class ContainerNats(NatsServer):
    """One nats-server in a container; its data is in the container, and goes with it."""

    def __init__(
        self,
        folder: Path,
        options: NatsOptions | None = None,
        *,
        name: str | None = None,
        membership: Membership | None = None,
        network: Any = None,
    ) -> None:
        super().__init__(folder, options, name=name, membership=membership)
        self._network = network
        self._running: Running | None = None

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return (self._running.pid or None) if self._running is not None else None

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """The last lines of its log, also after `stop`."""
        found = self._running.log(lines) if self._running is not None else ""
        return found or "\n".join(self._last_log.splitlines()[-lines:])

    def start(self, patience: float = START_PATIENCE) -> None:
        """Start and wait until clients are served.

        Raises:
            ServiceDidNotStart: the engine refused, it ended, or was not ready within `patience` seconds.
        """
        self._reserve()
        if self._running is None:
            self._running = self._create()
        elif not self._running.alive:
            self._running.again()
        try:
            self._await_ready(self._running, time.monotonic() + patience)
        except BaseException:
            self._running.stop(first=signals.SIGKILL)
            raise

    def kill(self, signal: str = "KILL", server: int | None = None) -> None:
        """Send a signal and, unless it is STOP, wait for the end."""
        self._only_server(server)
        if self._running is not None:
            send(self._running, signal)

    def halt(self) -> None:
        """End it gracefully and keep data and ports."""
        if self._running is not None and self._running.alive:
            self._running.stop(first=signals.SIGTERM)

    def stop(self) -> None:
        """End it, remove it with its data and give its ports back; idempotent."""
        self._last_log = self.log_tail(200)
        if self._running is not None:
            self._running.remove()
            self._running = None
        shutil.rmtree(self.folder, ignore_errors=True)
        for port in self._ports or ():
            port.release()
        if self.membership is not None:
            self.membership.port.release()

    def _create(self) -> Running:
        configuration = json.dumps(self._configuration(), ensure_ascii=False, indent=1)
        made = container(
            image(NATS_VARIABLE, NATS_IMAGE),
            ["-c", _CONFIGURATION],
            {_CLIENTS: self._port(0), _MONITOR: self._port(1)},
            files={_CONFIGURATION: configuration.encode()},
            folders=sorted(_folders_of(self.options.security)),
            network=self._network,
            alias=self.name,
        )
        return Running(made, "nats-server")

    def _configuration(self) -> dict[str, Any]:
        configuration = super()._configuration() | {"listen": f"0.0.0.0:{_CLIENTS}", "http": f"0.0.0.0:{_MONITOR}"}
        configuration["jetstream"] |= {"store_dir": "/data"}
        if self.membership is not None:
            configuration["cluster"] |= {"listen": f"0.0.0.0:{_ROUTES}"}
        return configuration


class ContainerCluster(NatsCluster):
    """Three containers on a network of their own; to clients each is an address of this machine."""

    def __init__(self, folder: Path, options: NatsOptions | None = None) -> None:
        super().__init__(folder, options)
        self._network: Any = None

    def stop(self) -> None:
        """End all servers and remove the network; idempotent."""
        super().stop()
        network, self._network = self._network, None
        if network is not None:
            network.remove()

    def _make(self, name: str) -> tuple[NatsServer, ...]:
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.network import Network

        testcontainers_config.ryuk_disabled = True
        REAPER.watch()
        self._network = Network(docker_network_kw={"labels": {LABEL: RUN}}).create()
        names = [f"{name}-n{number}" for number in range(1, SIZE + 1)]
        routes = [f"nats-route://{one}:{_ROUTES}" for one in names]
        return tuple(
            ContainerNats(
                self.folder / one,
                replace(self.options, port=0, monitor_port=0),
                name=one,
                membership=Membership(name, ReservedPort(), routes),
                network=self._network,
            )
            for one in names
        )


def container_nats(folder: Path, options: NatsOptions, *, cluster: bool) -> NatsServer | NatsCluster:
    """NATS in one container, or in three.

    Raises:
        UsageError: it shall outlive the run, which no container of ours does.
    """
    if options.outlive:
        raise UsageError("containers end with the run; leave --agog-keep or --agog-backend=container out")
    return ContainerCluster(folder, options) if cluster else ContainerNats(folder, options)


def _folders_of(configuration: Any) -> set[Path]:
    """The folders of all files that the configuration names: certificates, keys, resolvers."""
    return {found.parent for found in _files(configuration)}


def _files(value: Any) -> Iterator[Path]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _files(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _files(inner)
    elif isinstance(value, str) and value.startswith("/"):
        with contextlib.suppress(OSError):
            if Path(value).is_file():
                yield Path(value)
