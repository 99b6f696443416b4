"""What nats-servers say of themselves over HTTP (`/varz`, `/jsz`, `/healthz`), looked at when somebody asks. [C11]

Lag is taken from the server and not from whoever consumes: a consumer that has died cannot say how far it is behind.
What was seen last is kept while no server answers; `up` says so.

In a cluster each stream has a leader, and each consumer one of its own. Replicas of a consumer do not count what waits
for it and say 0, so only its leader is believed. Where that one is not asked, or does not answer, lag is NaN, not 0.

An `https` address is verified as NATS itself is: by NATS_CA, or what the machine trusts.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from pytest_agog.errors import CertificateUnreadable
from pytest_agog.reference.deliverables.credentials import Credentials

_TIMEOUT: Final = 2.0
"""Seconds for an answer."""
_LARGEST: Final = 32_000_000
FRESH: Final = 0.2
"""Seconds in which what was seen is not asked for again."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """What one server says of itself."""

    up: bool = False
    """Whether it answered just now."""
    jetstream: bool = False
    """Whether it says that JetStream works."""
    varz: Mapping[str, Any] = field(default_factory=dict)
    jsz: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The server's name; empty before it ever answered."""
        return str(self.varz.get("server_name", ""))

    def number(self, name: str) -> float:
        """A number of `/varz`; 0 when it is not there."""
        return _number(self.varz, name)

    @property
    def stored(self) -> float:
        """Bytes that JetStream has on disk."""
        return _number(self.jsz, "storage")


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """A durable consumer."""

    stream: str
    name: str
    exists: bool | None
    """None is not known."""
    pending: float = 0
    """Messages that were not delivered yet; of one that does not exist, all that its stream holds. NaN is not known."""
    ack_pending: float = 0
    redelivered: float = 0


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream, as its leader has it, or else the replica that is furthest."""

    name: str
    messages: float = 0
    bytes: float = 0
    last_sequence: float = 0
    """How many messages were ever stored."""
    consumers: tuple[ConsumerState, ...] = ()


class NatsMonitor:
    """Looks at the monitoring addresses of one NATS system. `expected` names consumers (stream, name) that have series
    though they were never seen. [J26]"""

    def __init__(self, urls: str | None, expected: Sequence[tuple[str, str]] = ()) -> None:
        self.urls = tuple(one.strip() for one in (urls or "").split(",") if one.strip())
        self.expected = tuple(expected)
        self.servers: dict[str, ServerState] = {url: ServerState() for url in self.urls}
        self._looked = 0.0
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """Ask all servers, unless that was done just now. Never raises."""
        async with self._looking:
            if not self.urls or time.monotonic() - self._looked < FRESH:
                return
            found = await asyncio.gather(*(asyncio.to_thread(_look, url, self.servers[url]) for url in self.urls))
            self.servers = dict(zip(self.urls, found, strict=True))
            self._looked = time.monotonic()

    @property
    def up(self) -> bool:
        """Whether a server answered the last look."""
        return any(one.up for one in self.servers.values())

    @property
    def jetstream(self) -> bool:
        """Whether a server that answered says that JetStream works."""
        return any(one.up and one.jetstream for one in self.servers.values())

    def streams(self) -> list[StreamState]:
        """All streams by name; those that are expected always."""
        servers = [one for one in self.servers.values() if one.up] or list(self.servers.values())
        views = _Views()
        for server in servers:
            for account in _list(server.jsz, "account_details"):
                for one in _list(account, "stream_detail"):
                    views.add(one, server.name)
        whole = all(_peers(one) <= len(servers) for one in servers)
        found = views.streams()
        for stream, name in self.expected:
            known = whole or stream in views.led
            found[stream] = _with(found.get(stream, StreamState(stream)), name, known=known)
        return [found[name] for name in sorted(found)]


class _Views:
    """What servers say of the same streams and consumers; of each, the best is kept."""

    def __init__(self) -> None:
        self.led: set[str] = set()
        """Streams whose leader was heard."""
        self._streams: dict[str, StreamState] = {}
        self._consumers: dict[str, dict[str, ConsumerState]] = {}

    def add(self, told: Mapping[str, Any], server: str) -> None:
        """A stream as `server` tells it, with consumers."""
        name, state = str(told.get("name", "")), told.get("state") or {}
        view = StreamState(name, _number(state, "messages"), _number(state, "bytes"), _number(state, "last_seq"))
        before = self._streams.get(name)
        leads = _leads(told, server)
        if leads or before is None or (name not in self.led and view.last_sequence > before.last_sequence):
            self._streams[name] = view
        if leads:
            self.led.add(name)
        consumers = self._consumers.setdefault(name, {})
        for one in _list(told, "consumer_detail"):
            if not _durable(one):
                continue
            called = str(one.get("name", ""))
            if _leads(one, server):
                consumers[called] = ConsumerState(
                    name, called, True,  # noqa: FBT003
                    _number(one, "num_pending"), _number(one, "num_ack_pending"), _number(one, "num_redelivered"),
                )  # fmt: skip
            elif called not in consumers:
                consumers[called] = ConsumerState(name, called, True, math.nan, math.nan, math.nan)  # noqa: FBT003

    def streams(self) -> dict[str, StreamState]:
        """By name."""
        return {
            name: replace(one, consumers=tuple(consumer for _, consumer in sorted(self._consumers[name].items())))
            for name, one in self._streams.items()
        }


def _with(stream: StreamState, name: str, *, known: bool) -> StreamState:
    """With a consumer that nobody told of. `known`: it would have been told of, if it were there."""
    if any(one.name == name for one in stream.consumers):
        return stream
    if known:
        absent = ConsumerState(stream.name, name, exists=False, pending=stream.messages)
    else:
        absent = ConsumerState(stream.name, name, None, math.nan, math.nan, math.nan)
    return replace(stream, consumers=(*stream.consumers, absent))


def _peers(server: ServerState) -> float:
    """How many servers its cluster has; 0 for one that is alone."""
    return _number(server.jsz.get("meta_cluster") or {}, "cluster_size")


def _durable(told: Mapping[str, Any]) -> bool:
    """Readers that come and go have a new name each time: their series would never end, and their lag says nothing."""
    config = told.get("config")
    return not isinstance(config, dict) or bool(config.get("durable_name"))


def _leads(told: Mapping[str, Any], server: str) -> bool:
    """Whether a server leads the stream or consumer that it tells of."""
    leader = (told.get("cluster") or {}).get("leader")
    return not leader or leader == server


def _number(told: Mapping[str, Any], name: str) -> float:
    value = told.get(name, 0)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0


def _list(told: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    value = told.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _look(url: str, before: ServerState) -> ServerState:
    varz = _fetch(url, "/varz")
    jsz = _fetch(url, "/jsz?consumers=true&config=true") if varz is not None else None
    if varz is None or jsz is None:  # half of it would be old and look new
        return ServerState(False, False, before.varz, before.jsz)  # noqa: FBT003
    health = _fetch(url, "/healthz?js-enabled-only=true")
    well = health is not None and health.get("status") == "ok"
    return ServerState(True, well, varz, jsz)  # noqa: FBT003


def _fetch(base: str, path: str) -> dict[str, Any] | None:
    try:
        parts = urlsplit(base)
        host, port = parts.hostname or "127.0.0.1", parts.port or 8222
        connection = (
            http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=Credentials.found("").tls("tls://"))
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        )
        try:
            connection.request("GET", parts.path.rstrip("/") + path)
            response = connection.getresponse()
            document = json.loads(response.read(_LARGEST)) if response.status == http.client.OK else None
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException, CertificateUnreadable):
        return None
    return document if isinstance(document, dict) else None
