"""A cluster whose servers go and come elects anew: who publishes waits until the stream is led again.

Until then the publish would be lost, or answered with "no responders", though nothing is wrong with the system: servers
take up to ten seconds to notice that a leader is gone and to agree on another. A publish that may have been stored must
not be repeated, so it is not tried before there is somebody to take it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import nats.errors
from pydantic_core import from_json, to_json

from pytest_agog.play.context import StepFailed

if TYPE_CHECKING:
    from pytest_agog.play.context import PlayContext

LED_WITHIN: Final = 30.0
"""Seconds in which a stream must have a leader again."""
_ANSWER: Final = 1.0
_AGAIN: Final = 0.05
_STANDS: Final = 0.25
"""Seconds after which a leader is asked once more: it says that it leads a moment before it takes messages."""
_API: Final = "$JS.API.STREAM"


async def await_leader(context: PlayContext, subject: str) -> None:
    """Return when the stream that takes `subject` has a leader, or when no stream does.

    Costs nothing on a single server, in a cluster whose servers were left alone, and where too few of them run for
    any to lead.

    Raises:
        StepFailed: nobody leads it within `LED_WITHIN` seconds.
    """
    if context.led is None or subject in context.led or context.nats_is_gone:
        return
    deadline = time.monotonic() + LED_WITHIN
    before: str | None = None
    while time.monotonic() < deadline:
        leader = await _leader(context, subject)
        if leader is not None and leader == before:
            context.led.add(subject)
            return
        before = leader
        await asyncio.sleep(_AGAIN if leader is None else _STANDS)
    raise StepFailed(
        f"{subject} has no stream with a leader {LED_WITHIN:g}s after a server of the cluster went or came",
        context.stage.nats.log_tail(),
    )


async def _leader(context: PlayContext, subject: str) -> str | None:
    """The server that leads the stream of `subject`; empty when there is no stream, None when nobody says."""
    found = await _asked(context, f"{_API}.NAMES", to_json({"subject": subject}))
    if found is None:
        return None
    names = found.get("streams") or []
    if not names:
        return ""
    told = await _asked(context, f"{_API}.INFO.{names[0]}", b"")
    return (told or {}).get("cluster", {}).get("leader") or None


async def _asked(context: PlayContext, subject: str, payload: bytes) -> dict[str, Any] | None:
    """JetStream's answer; None when none came, or when it said that it cannot tell now."""
    try:
        answer = from_json((await context.client.request(subject, payload, timeout=_ANSWER)).data)
    except (nats.errors.Error, OSError, ValueError):
        await _leave_the_stopped(context)
        return None
    return answer if isinstance(answer, dict) and "error" not in answer else None


async def _leave_the_stopped(context: PlayContext) -> None:
    """Connect elsewhere when the server at the other end was stopped: it hangs up on nobody, and says nothing."""
    connected = context.client.connected_url
    addresses = [urlsplit(address.strip()) for address in context.stage.nats.url.split(",")]
    down = {(address.hostname, address.port) for n, address in enumerate(addresses, 1) if n in context.down}
    if connected is not None and (connected.hostname, connected.port) in down:
        await context.client.force_reconnect()
