"""Connections from here, to a real server and to nobody."""

from __future__ import annotations

import socket

from pytest_agog.reference.operations.reporting import reaching
from pytest_agog.reference.operations.reporting.model import ContainerSeen
from pytest_agog.stage.servers.nats import NatsServer


async def test_a_server_is_reached_and_nobody_is_not(server: NatsServer) -> None:
    (target,) = reaching.addresses([("NATS", server.url)], 4222)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        reached, refused = await reaching.from_here([target, ("nobody", "127.0.0.1", free.getsockname()[1])])
    assert (reached.well, reached.target) == (True, f"NATS (127.0.0.1:{target[2]})")
    assert (refused.well, refused.detail) == (False, "connection refused")


def test_addresses_of_urls() -> None:
    urls = [("a", "nats://u:p@one:4223,two"), ("b", "tls://[::1]:1"), ("c", "nats://x:notaport")]
    assert reaching.addresses(urls, 4222) == [("a", "one", 4223), ("a", "two", 4222), ("b", "::1", 1)]


async def test_containers_without_a_common_network_are_not_tried() -> None:
    apart = [ContainerSeen(name, "x", "running", "", 0, 0, networks=(name,), listens=(1,)) for name in ("a", "b")]
    assert await reaching.between(apart) == []
