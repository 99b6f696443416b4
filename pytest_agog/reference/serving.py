"""The HTTP half of a service: a port bound at once, uvicorn on it, a stop that open streams cannot hold up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from pytest_agog.errors import UsageError
from pytest_agog.reference.arriving import Arriving
from pytest_agog.reference.doors.names import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_GRACE: Final = 1
"""Seconds that open responses have when the service stops; event streams never end by themselves."""
_BACKLOG: Final = 2048


class _Server(uvicorn.Server):
    """Signals are the command's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves an app until `stop`."""

    def __init__(self, host: str, port: int, *, protocol: type[Arriving] = Arriving) -> None:
        self._protocol = protocol
        self._socket = listening(host, port)
        name, number = self._socket.getsockname()[:2]
        self.url = f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}"
        self.near = host if is_loopback(name) else None
        """The host, when only this machine reaches it."""
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, app: ASGIApp) -> None:
        """Serve `app`; the port answers when this returns, since it listened before already."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", server_header=False,
            proxy_headers=False,  # whom to believe about whom a request is from is the door's business
            timeout_graceful_shutdown=_GRACE, timeout_keep_alive=30, http=self._protocol, ws="none",
        )  # fmt: skip
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))

    async def stop(self) -> None:
        """Streams are closed after a second at most, and the port is free."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            done, _ = await asyncio.wait([self._task], timeout=2 * _GRACE)
            if not done:
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._socket.close()


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UsageError: the port is taken, or the host is none of this machine.
    """
    try:
        found: list[tuple[Any, ...]] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        made = socket.socket(family, kind, protocol)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
            made.listen(_BACKLOG)
            made.settimeout(0)
        except OSError:
            made.close()
            raise
    except OSError as error:
        raise UsageError(
            f"{host}:{port} cannot be served ({error.strerror or error}). Choose another --port (0 takes a free one) "
            "or --host, or end what listens there."
        ) from None
    return made
