"""Three embedded nats-servers that form one cluster, so that streams have three replicas."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from pytest_agog.errors import ServiceDidNotStart, UsageError
from pytest_agog.stage.machine.reservation import ReservedPort
from pytest_agog.stage.machine.starting import Startable
from pytest_agog.stage.servers.nats import Membership, NatsOptions, NatsServer
from pytest_agog.stage.servers.services import LOG_LINES

SIZE = 3
LEADER_PATIENCE = 30.0
_STEP = 0.02


class NatsCluster(Startable):
    """A cluster on one machine. Servers count from 1; without a number, `kill` and `restart` mean all of them."""

    replicas = SIZE

    def __init__(self, folder: Path, options: NatsOptions | None = None) -> None:
        self.folder = folder
        self.options = options or NatsOptions()
        self.servers: tuple[NatsServer, ...] = ()

    @property
    def url(self) -> str:
        """All servers, separated by commas."""
        return ",".join(server.url for server in self.servers)

    @property
    def monitor_url(self) -> str:
        """Of the first server that runs."""
        return next((server for server in self.servers if server.alive), self.servers[0]).monitor_url

    @property
    def monitor_urls(self) -> str:
        """Of all servers, separated by commas: each knows best of the streams that it leads."""
        return ",".join(server.monitor_url for server in self.servers)

    @property
    def version(self) -> str:
        """Of the servers."""
        return self.servers[0].version

    @property
    def max_payload(self) -> int:
        """Of each server."""
        return self.servers[0].max_payload

    @property
    def leader(self) -> int | None:
        """Number of the server that leads JetStream's meta group, or None without one."""
        for server in self.servers:
            name = _meta(server).get("leader")
            if name:
                return next((n for n, s in enumerate(self.servers, 1) if s.name == name), None)
        return None

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """The end of each server's log."""
        return "\n".join(f"[{server.name}]\n{server.log_tail(lines)}" for server in self.servers)

    def start(self, patience: float = LEADER_PATIENCE) -> None:
        """Start all servers and wait until they agree on a leader.

        One after the other: a server that finds its elders listening connects at once, while one that finds a closed
        port waits a second before it tries again (0.3 s together, instead of 2.3 s).

        Raises:
            ServiceDidNotStart: a server ended, or there was no leader within `patience` seconds.
        """
        if not self.servers:
            self.servers = self._make(f"agog-{secrets.token_hex(4)}")
        try:
            for server in self.servers:
                server.start()
            self._await_leader(patience)
        except BaseException:
            for server in self.servers:
                server.kill()
            raise

    def kill(self, signal: str = "KILL", server: int | None = None) -> None:
        """Send a signal to one server or to all."""
        self._each(self._chosen(server), lambda one: one.kill(signal))

    def restart(self, server: int | None = None) -> None:
        """Start one server or all again and wait until those that run agree on a leader."""
        chosen = self._chosen(server)
        self._each(chosen, lambda one: one.halt())
        for one in chosen:
            one.start()
        if sum(one.alive for one in self.servers) > SIZE // 2:
            self._await_leader(LEADER_PATIENCE)

    def stop(self) -> None:
        """End all servers and remove the folder; idempotent."""
        self._each(self.servers, lambda one: one.stop())
        if not self.options.keep_data:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self, name: str) -> tuple[NatsServer, ...]:
        ports = [ReservedPort() for _ in range(SIZE)]
        routes = [f"nats-route://{port}" for port in ports]
        return tuple(
            NatsServer(
                self.folder / f"n{number}",
                replace(self.options, port=0, monitor_port=0),
                name=f"{name}-n{number}",
                membership=Membership(name, port, routes),
            )
            for number, port in enumerate(ports, 1)
        )

    def _chosen(self, server: int | None) -> tuple[NatsServer, ...]:
        if server is None:
            return self.servers
        if not 1 <= server <= len(self.servers):
            raise UsageError(f"the cluster has servers 1 to {len(self.servers)}, and no number {server}")
        return (self.servers[server - 1],)

    def _each(self, servers: tuple[NatsServer, ...], act: Any) -> None:
        if servers:
            with ThreadPoolExecutor(len(servers)) as pool:
                list(pool.map(act, servers))

    def _await_leader(self, patience: float) -> None:
        """All that run name one leader, and the leader has heard of each of them."""
        deadline = time.monotonic() + patience
        while True:
            running = [server for server in self.servers if server.alive]
            views = {server.name: _meta(server) for server in running}
            leaders = {view.get("leader") for view in views.values()}
            if len(leaders) == 1 and (leader := leaders.pop()) in views:
                heard = {replica["name"] for replica in views[leader].get("replicas", ()) if replica.get("current")}
                if heard | {leader} >= set(views):
                    return
            if time.monotonic() > deadline:
                raise ServiceDidNotStart(
                    service="The NATS cluster",
                    reason=f"its servers did not agree on a leader within {patience:.0f} s; "
                    f"their logs end with: {self.log_tail(3)}",
                    remedy=f"Look at the logs in {self.folder}.",
                )
            time.sleep(_STEP)


def _meta(server: NatsServer) -> dict[str, Any]:
    """What a server says of JetStream's meta group; empty when it does not answer."""
    if not server.alive:
        return {}
    # Not urllib: it would ask a proxy that the environment names.
    connection = HTTPConnection(server.monitor_url.removeprefix("http://"), timeout=0.5)
    try:
        connection.request("GET", "/jsz")
        meta: dict[str, Any] = json.load(connection.getresponse()).get("meta_cluster") or {}
    except (OSError, ValueError, HTTPException):
        return {}
    finally:
        connection.close()
    return meta
