"""A TCP port on 127.0.0.1 that nobody else gets, also while its server is down.

On Linux a socket that is bound with SO_REUSEADDR but never listens keeps the port: the kernel neither hands it to
another `bind(0)` nor uses it for outgoing connections, while a server that sets SO_REUSEADDR too (nats-server and
Postgres do) may listen on it. So a port is known before its server starts, two runs never race for one, and a killed
server comes back on the same port. Elsewhere the port is only looked up, and another process may take it first.
"""

from __future__ import annotations

import contextlib
import socket
import sys

from pytest_agog.errors import ServiceDidNotStart

HOST = "127.0.0.1"
_HOLDS = sys.platform == "linux"


class ReservedPort:
    """One port, held until `release`."""

    def __init__(self, number: int = 0) -> None:
        """Reserve port `number`, or any free one for 0.

        Raises:
            OSError: the port is taken.
        """
        self._socket: socket.socket | None = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((HOST, number))
            self.number: int = self._socket.getsockname()[1]
        except OSError:
            self.release()
            raise
        if not _HOLDS:
            self.release()

    def __str__(self) -> str:
        return f"{HOST}:{self.number}"

    def release(self) -> None:
        """Give the port back."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None


def reserve(number: int, service: str) -> ReservedPort:
    """Port `number`, or any free one for 0, for a service that errors call `service`.

    Raises:
        ServiceDidNotStart: the port is taken.
    """
    try:
        return ReservedPort(number)
    except OSError as error:
        raise ServiceDidNotStart(
            service=service,
            reason=f"port {number} on {HOST} is taken ({error.strerror})",
            remedy="Choose another port, or end what listens there.",
        ) from error
