"""What the stage brings up: which nats-server it is, what a database is called, which of several failures counts."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_agog.ledger.access import HARNESS
from pytest_agog.scenario import model
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.stage.servers.guarding import Guard
from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
from pytest_agog.stage.servers.services import LeftUp, NatsService

if TYPE_CHECKING:
    from pytest_agog.stage.servers.cluster import NatsCluster


def own_nats(
    wanted: model.NatsService, folder: Path, *, cluster: bool, outlive: bool, security: Mapping[str, Any] | None = None,
    containers: bool = False,
) -> NatsServer | NatsCluster:  # fmt: skip
    """A nats-server as the scenario wants it, or three of them; not started. `security`: what it asks of clients."""
    options = NatsOptions(
        max_payload=wanted.max_payload,
        sync_interval=wanted.sync_interval,
        store_limit=wanted.store_limit,
        outlive=outlive,
        security=security or {},
    )
    if containers:
        from pytest_agog.stage.servers.container_nats import container_nats

        return container_nats(folder, options, cluster=cluster)
    if not cluster:
        return NatsServer(folder, options)
    from pytest_agog.stage.servers.cluster import NatsCluster

    return NatsCluster(folder, options)


def servers_left_up(nats: NatsService, guard: Guard) -> list[LeftUp]:
    """Our nats-servers that stay, with the harness's own user in their address."""
    from pytest_agog.stage.servers.cluster import NatsCluster

    servers = nats.servers if isinstance(nats, NatsCluster) else [nats]
    found: list[LeftUp] = []
    for number, server in enumerate(servers, start=1):
        if isinstance(server, NatsServer) and server.alive:
            name = "nats" if len(servers) == 1 else f"nats-{number}"
            known = guard.access(HARNESS, server.url)
            found.append(LeftUp(name, known.url if known is not None else server.url, server.pid))
            found.append(LeftUp(f"{name} monitor", server.monitor_url, None))
    return found


async def import_client() -> None:
    """Import the NATS client (150 ms) while the services start in threads of their own.

    In this thread, which uses it: two threads that import a package with circular imports at the same time may see half
    of it, because Python breaks the deadlock that way.
    """
    import nats.js.client  # noqa: F401


def first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """One failure says enough; when both services fail, the first to fail."""
    failure = failures.exceptions[0]
    return first(failure) if isinstance(failure, BaseExceptionGroup) else failure


def database_name(scenario: Scenario) -> str:
    """Readable, and different for each run; Postgres cuts names at 63 bytes."""
    readable = re.sub(r"[^a-z0-9]+", "_", scenario.title.lower()).strip("_")[:40]
    return f"agog_{readable}_{secrets.token_hex(4)}"
