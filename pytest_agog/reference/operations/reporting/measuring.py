"""What NATS says of itself: streams with their consumers, and the figures of its monitoring port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from pytest_agog.errors import AgogError
from pytest_agog.masking import mask
from pytest_agog.reference.operations.reporting.model import ConsumerSeen, Measured, Streams, StreamSeen
from pytest_agog.values import format_size

if TYPE_CHECKING:
    from pytest_agog.reference.deliverables.connecting import Link

_PATIENCE: Final = 3.0
_LARGEST: Final = 16_000_000
_MONITORING: Final = 8222


async def streams(link: Link) -> Streams:
    """All streams of the account with their consumers; two requests a stream."""
    from pytest_agog.reference.deliverables import jetstream

    try:
        listed = await jetstream.list_all(link, "STREAM.LIST", "streams", needed=())
        found = [await _stream(link, info) for info in sorted(listed, key=lambda one: str(one["config"]["name"]))]
    except jetstream.Refusal as refusal:
        return Streams(reason=str(refusal.as_error("stream list", url=link.url)))
    except AgogError as error:
        return Streams(reason=str(error))
    return Streams(tuple(found))


async def _stream(link: Link, info: dict[str, Any]) -> StreamSeen:
    from pytest_agog.reference.deliverables import jetstream

    state, name = info.get("state") or {}, str(info["config"]["name"])
    consumers = await jetstream.list_all(link, f"CONSUMER.LIST.{name}", "consumers", needed=())
    return StreamSeen(
        name,
        int(state.get("messages", 0)),
        int(state.get("bytes", 0)),
        int(state.get("first_seq", 0)),
        int(state.get("last_seq", 0)),
        tuple(sorted((consumer(one) for one in consumers), key=lambda one: one.name)),
    )


def consumer(info: Mapping[str, Any]) -> ConsumerSeen:
    """A consumer from what JetStream says of it."""
    return ConsumerSeen(
        str(info.get("name", "")),
        int(info.get("num_pending", 0)),
        int(info.get("num_ack_pending", 0)),
        int(info.get("num_redelivered", 0)),
    )


def monitor_of(nats_url: str) -> str:
    """Where the monitoring of the first server usually is."""
    host = urlsplit(nats_url.split(",")[0].strip()).hostname or "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{_MONITORING}"


async def measures(monitor_url: str) -> Measured:
    """Connections, traffic, memory and CPU from `/varz`, JetStream's use from `/jsz`."""
    try:
        varz = await asyncio.to_thread(_get, monitor_url, "/varz")
        jsz = await asyncio.to_thread(_get, monitor_url, "/jsz")
    except (OSError, URLError, ValueError) as error:
        reason = " ".join(str(getattr(error, "reason", None) or error).split())
        return Measured(reason=mask(f"{monitor_url} does not answer ({reason}); give --nats-monitor-url"))
    return Measured(tuple(figures(varz, jsz)))


def _get(base: str, path: str) -> dict[str, Any]:
    if urlsplit(base).scheme not in ("http", "https"):
        raise ValueError("only http and https are asked")
    # The environment's proxies are not part of the deployment.
    with build_opener(ProxyHandler({})).open(base.rstrip("/") + path, timeout=_PATIENCE) as answer:
        document = json.loads(answer.read(_LARGEST))
    if not isinstance(document, dict):
        raise ValueError("the answer is no JSON object")  # noqa: TRY004 - what was received, not a type of ours
    return document


def figures(varz: Mapping[str, Any], jsz: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values, as people read them."""
    return [
        ("server", f"nats-server {varz.get('version', '?')}"),
        ("up for", str(varz.get("uptime", "?"))),
        ("connections", f"{_count(varz, 'connections')} ({_count(varz, 'total_connections')} since the start)"),
        ("subscriptions", _count(varz, "subscriptions")),
        ("messages in", f"{_count(varz, 'in_msgs')} ({_size(varz, 'in_bytes')})"),
        ("messages out", f"{_count(varz, 'out_msgs')} ({_size(varz, 'out_bytes')})"),
        ("slow consumers", _count(varz, "slow_consumers")),
        ("memory", _size(varz, "mem")),
        ("CPU", f"{float(varz.get('cpu') or 0):g} % of {int(varz.get('cores') or 1)} cores"),
        ("JetStream on disk", _size(jsz, "storage")),
        ("JetStream in memory", _size(jsz, "memory")),
        ("streams", _count(jsz, "streams")),
        ("consumers", _count(jsz, "consumers")),
        ("messages kept", _count(jsz, "messages")),
    ]


def _count(document: Mapping[str, Any], key: str) -> str:
    return f"{int(document.get(key) or 0):,}"


def _size(document: Mapping[str, Any], key: str) -> str:
    return format_size(int(document.get(key) or 0))
