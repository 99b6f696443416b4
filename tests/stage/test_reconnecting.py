"""A server behind a port that accepts while it is away, as a container's does: found again, and no socket dropped."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from nats.aio.client import Client

from pytest_agog.reference.deliverables.client import SafeClient
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.verifying import VerifyingClient

_ATTEMPTS = 3


class _Port:
    """Stands before a server; while that is `away`, it accepts and hangs up."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self.away = False
        self.hung_up = asyncio.Semaphore(0)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            writer.close()
            self.hung_up.release()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._open |= {writer, far_writer}
        with suppress(OSError):
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))

    def leave(self) -> None:
        self.away = True
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize("make", [SafeClient, VerifyingClient])
async def test_a_greeting_that_fails_leaves_no_socket(tmp_path: Path, make: Callable[[], Client]) -> None:
    back = asyncio.Event()

    async def reconnected() -> None:
        back.set()

    async def noted(_: Exception) -> None:
        """What goes wrong meanwhile is no news."""

    with NatsServer(tmp_path / "nats") as server, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        port = _Port(int(server.url.rpartition(":")[2]))
        entrance = await asyncio.start_server(port.carry, "127.0.0.1", 0)
        async with entrance:
            client = make()
            await client.connect(
                f"nats://127.0.0.1:{entrance.sockets[0].getsockname()[1]}",
                reconnected_cb=reconnected, error_cb=noted,
                max_reconnect_attempts=-1, reconnect_time_wait=0.01,  # type: ignore[arg-type]  # fractions work
            )  # fmt: skip
            port.leave()
            async with asyncio.timeout(20):
                for _ in range(_ATTEMPTS):
                    await port.hung_up.acquire()
                port.away = False
                await back.wait()
            await client.flush()
            await client.close()
            port.leave()
        gc.collect()
    assert [str(one.message) for one in seen if one.category is ResourceWarning] == []
