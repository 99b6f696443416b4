"""A client of NATS that sends nothing of itself in plain to a server that was asked for TLS, and drops no socket."""

from __future__ import annotations

import contextlib
from typing import Any

from nats.aio.client import Client
from nats.errors import Error

from pytest_agog.stage.connect import NO_TLS


class VerifyingClient(Client):
    """nats-py takes a `tls://` address for a wish: where the server's greeting, which is never encrypted, says nothing
    of TLS, it goes on and sends the credentials."""

    async def _connect_to_server(self, s: Any) -> None:
        """nats-py opens the next connection over one whose greeting failed, and nobody closes that: so it goes while a
        container's port accepts and the server in it is not there yet."""
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()
        await super()._connect_to_server(s)

    def _connect_command(self) -> bytes:
        """What it says of itself; called once a connection, after the handshake."""
        server = self._current_server
        if server is not None and server.uri.scheme == "tls" and not self._server_info.get("tls_required"):
            raise Error(f"nats: {NO_TLS}")
        self._tell_stream_of_tls()
        return super()._connect_command()

    def _tell_stream_of_tls(self) -> None:
        """As asyncio's own `start_tls` of a stream does and nats-py does not; asyncio complains at the end else."""
        writer = getattr(self._transport, "_io_writer", None)
        with contextlib.suppress(AttributeError):
            if writer.get_extra_info("ssl_object") is not None:  # type: ignore[union-attr]
                writer.transport.get_protocol()._over_ssl = True  # type: ignore[union-attr]  # noqa: SLF001
