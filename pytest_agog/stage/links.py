"""Links between two parts: a TCP proxy of the harness on 127.0.0.1, through which all bytes pass, and which can be cut.

A part is simply given the proxy's address, so links work for any system. Bytes are passed on as they come; TLS stays
between its two ends (a name in the service's certificate is then compared with 127.0.0.1). A client of a NATS cluster
learns further addresses from the servers; ours advertise none (`no_advertise`), servers of somebody else may.

A link costs a copy of every byte in the harness's event loop, so it is made only for the scenarios that cut it. Every
chunk passes `Link._pump`: faults that delay, slow, drop or repeat bytes belong there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pytest_agog.errors import BadInput, UsageError
from pytest_agog.masking import mask
from pytest_agog.stage.machine.reservation import ReservedPort

COMMS_NATS: Final = "comms-nats"
COMMS_POSTGRES: Final = "comms-postgres"
READER_COMMS: Final = "reader-comms"
LINKS: Final = (COMMS_NATS, COMMS_POSTGRES, READER_COMMS)
_CHUNK: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST instead of FIN."""
_NATS_PORT, _POSTGRES_PORT = 4222, 5432
_HTTP_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Service:
    """Where a link leads: a host and a port, or (a host that begins with `/`) Postgres's socket in that folder."""

    host: str
    port: int


@dataclass(eq=False)
class _Entrance:
    """The address that stands for one service."""

    service: Service
    port: ReservedPort
    listener: socket.socket | None = None


@dataclass(eq=False)
class _Carried:
    """One connection over the link: both its halves."""

    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Link:
    """A link to one or several services, each with an address of its own. Lives on the event loop that opens it."""

    def __init__(self, name: str, services: Sequence[Service]) -> None:
        self.name = name
        self._services = tuple(services)
        self._entrances: list[_Entrance] = []
        self._carried: set[_Carried] = set()
        self._cut = False
        self._timer: asyncio.Task[None] | None = None

    # --- what it is ---------------------------------------------------------------------------------------------
    @property
    def is_cut(self) -> bool:
        """Whether nothing passes."""
        return self._cut

    def address(self, service: Service) -> str:
        """`127.0.0.1:PORT`, which stands for `service`."""
        return str(next(entrance.port for entrance in self._entrances if entrance.service == service))

    def in_url(self, url: str) -> str:
        """An HTTP URL that goes through the link."""
        return urlunsplit(_with_host(urlsplit(url), self.address(http_service(url))))

    def in_nats(self, urls: str) -> str:
        """NATS URLs that go through the link."""
        through = []
        for url in urls.split(","):
            parts = _nats_parts(url)
            through.append(urlunsplit(_with_host(parts, self.address(_nats_service(parts)))))
        return ",".join(through)

    def in_dsn(self, dsn: str) -> str:
        """A Postgres DSN, in the form in which it was given, that goes through the link."""
        host, _, port = self.address(postgres_service(dsn)).partition(":")
        if not dsn.startswith(("postgresql://", "postgres://")):
            from psycopg.conninfo import conninfo_to_dict, make_conninfo

            words: dict[str, Any] = {**conninfo_to_dict(dsn), "host": host, "port": port, "hostaddr": None}
            return make_conninfo("", **words)
        parts = urlsplit(dsn)
        kept = [(key, value) for key, value in parse_qsl(parts.query) if key not in {"host", "hostaddr", "port"}]
        return urlunsplit(_with_host(parts, f"{host}:{port}")._replace(query=urlencode(kept, quote_via=quote)))

    # --- what it does -------------------------------------------------------------------------------------------
    async def open(self) -> None:
        """Take addresses and let everything through.

        Raises:
            OSError: there is no port left.
        """
        for service in dict.fromkeys(self._services):
            self._entrances.append(_Entrance(service, ReservedPort()))
        self._listen()

    async def cut(self, seconds: float | None = None, healed: Callable[[], None] | None = None) -> None:
        """Reset all connections and refuse new ones, until `heal` or for so many `seconds`; `healed` is then called."""
        self._forget_timer()
        self._cut = True
        await self._break_off()
        if seconds is not None:
            self._timer = asyncio.create_task(self._heal_after(seconds, healed))

    async def heal(self) -> None:
        """Let everything through again; a link that is whole stays so."""
        self._forget_timer()
        if self._cut:
            self._cut = False
            self._listen()

    async def healed_in_time(self) -> None:
        """Wait until a cut for some seconds has healed; returns at once when there is none."""
        if self._timer is not None:
            await asyncio.wait([self._timer])

    async def close(self) -> None:
        """Reset what is open and give the addresses back; idempotent."""
        self._forget_timer()
        await self._break_off()
        for entrance in self._entrances:
            entrance.port.release()

    # --- inside -------------------------------------------------------------------------------------------------
    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for entrance in self._entrances:
            listener = entrance.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", entrance.port.number))
            listener.listen(1024)
            listener.settimeout(0)
            loop.add_reader(listener, self._accept, listener, entrance.service)

    def _accept(self, listener: socket.socket, service: Service) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:  # gone already
            return
        connection.settimeout(0)
        carried = _Carried()
        self._carried.add(carried)
        carried.task = asyncio.create_task(self._carry(connection, service, carried))
        carried.task.add_done_callback(lambda _: self._carried.discard(carried))

    async def _carry(self, connection: socket.socket, service: Service, carried: _Carried) -> None:
        """Pass bytes both ways until both sides have ended; when one breaks off, so does the other."""
        try:
            near = await asyncio.open_connection(sock=connection)
        except BaseException:
            connection.close()
            raise
        carried.writers.append(near[1])
        try:
            far = await _connected(service)
            carried.writers.append(far[1])
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(near[0], far[1]))
                group.create_task(self._pump(far[0], near[1]))
        except (OSError, ExceptionGroup):
            _reset(carried)
        except BaseException:
            _reset(carried)
            raise
        finally:
            for writer in carried.writers:
                writer.close()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, chunk by chunk, never faster than the receiver takes it."""
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    async def _break_off(self) -> None:
        """Stop listening and reset every connection; returns when that has happened."""
        loop = asyncio.get_running_loop()
        for entrance in self._entrances:
            listener, entrance.listener = entrance.listener, None
            if listener is not None:
                loop.remove_reader(listener)
                listener.close()
        carried = list(self._carried)
        for one in carried:
            _reset(one)
            if one.task is not None:
                one.task.cancel()
        await asyncio.gather(*(one.task for one in carried if one.task is not None), return_exceptions=True)

    async def _heal_after(self, seconds: float, healed: Callable[[], None] | None) -> None:
        await asyncio.sleep(seconds)
        self._timer = None
        await self.heal()
        if healed is not None:
            healed()

    def _forget_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


def _reset(carried: _Carried) -> None:
    for writer in carried.writers:
        with contextlib.suppress(OSError, AttributeError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()


async def _connected(service: Service) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if service.host.startswith("/"):
        return await asyncio.open_unix_connection(f"{service.host}/.s.PGSQL.{service.port}")
    return await asyncio.open_connection(service.host, service.port)


# --- where addresses lead ---------------------------------------------------------------------------------------------
def nats_services(urls: str) -> list[Service]:
    """The servers that NATS URLs, separated by commas, name.

    Raises:
        BadInput: one names no host.
    """
    return [_nats_service(_nats_parts(url)) for url in urls.split(",")]


def _nats_parts(url: str) -> SplitResult:
    text = url.strip()
    return _split(text if "://" in text else f"nats://{text}")


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:  # brackets that hold no IPv6 address
        raise BadInput(f"{mask(url)}: {error}") from None


def _nats_service(parts: SplitResult) -> Service:
    return _service(parts, _NATS_PORT)


def http_service(url: str) -> Service:
    """The server that an HTTP URL names.

    Raises:
        BadInput: it names no host.
    """
    parts = _split(url)
    return _service(parts, _HTTP_PORTS.get(parts.scheme, 80))


def _service(parts: SplitResult, port: int) -> Service:
    try:
        host, given = parts.hostname, parts.port
    except ValueError as error:
        raise BadInput(f"{mask(urlunsplit(parts))}: {error}") from None
    if not host:
        raise BadInput(f"{mask(urlunsplit(parts))} names no host")
    return Service(host, given or port)


def postgres_service(dsn: str) -> Service:
    """The server that a Postgres DSN names, as a URI or as `key=value` words.

    Raises:
        BadInput: it is no DSN.
        UsageError: it names several servers.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        found: dict[str, Any] = conninfo_to_dict(dsn)
    except psycopg.Error as error:
        raise BadInput(f"{mask(dsn)} is no Postgres address ({mask(str(error).strip())})") from None
    host = str(found.get("hostaddr") or found.get("host") or os.environ.get("PGHOST") or "localhost")
    port = str(found.get("port") or os.environ.get("PGPORT") or _POSTGRES_PORT)
    if "," in host or "," in port:
        raise UsageError(f"{mask(dsn)} names several servers; a link that can be cut leads to one")
    return Service(host, int(port))


def _with_host(parts: SplitResult, address: str) -> SplitResult:
    user, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}{address}")
