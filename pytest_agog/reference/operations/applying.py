"""Makes a server agree with manifests: looks, plans, changes. Doing it again changes nothing. [C12]"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.operations.manifests import Manifests
from pytest_agog.reference.operations.plan import Actual, Change, Wishes, no_stream, plan

if TYPE_CHECKING:
    from pytest_agog.reference.deliverables.connecting import Link


_OVERLAP: Final = 10065
"""Error of the API: subjects overlap with an existing stream."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change."""

    change: Change
    done: bool
    reason: str = ""
    """Why it was not done."""


async def look(link: Link, wanted: Manifests) -> Actual:
    """What the server has of what the manifests name.

    Raises:
        AgogError: the server cannot be asked, or refuses to say; only the user `system` may ask.
    """
    try:
        infos = await jetstream.list_all(link, "STREAM.LIST", "streams")
        streams = {str(info["config"]["name"]): info for info in infos}
        named = sorted({each.stream for each in (*wanted.streams, *wanted.consumers)} & set(streams))
        lists = await asyncio.gather(
            *(jetstream.list_all(link, f"CONSUMER.LIST.{name}", "consumers") for name in named)
        )
    except jetstream.Refusal as refusal:
        raise refusal.as_error("listing the streams", url=link.url) from None
    consumers = {name: {str(each["name"]): each for each in found} for name, found in zip(named, lists, strict=True)}
    return Actual(streams, consumers, link.clustered, datetime.now(UTC))


async def apply(link: Link, wanted: Manifests, wishes: Wishes | None = None) -> list[Outcome]:
    """Make the server agree; what is refused or in no manifest stays as it is.

    Raises:
        AgogError: as `look`.
    """
    outcomes: list[Outcome] = []
    lost: set[str] = set()
    for change in plan(wanted, await look(link, wanted), wishes):
        if change.action == "refused":
            outcomes.append(Outcome(change, done=False, reason=change.reason))
        elif change.action == "extra":
            outcomes.append(Outcome(change, done=False, reason="left alone; --prune deletes it"))
        elif change.kind == "Consumer" and change.stream in lost:
            outcomes.append(Outcome(change, done=False, reason=no_stream(change.stream)))
        else:
            outcomes.append(await _do(link, change))
            if change.kind == "Stream" and change.action == "create" and not outcomes[-1].done:
                lost.add(change.name)
    return outcomes


async def _do(link: Link, change: Change) -> Outcome:
    try:
        await jetstream.call(link, _verb(change), _body(change))
    except jetstream.Refusal as refusal:
        if change.action == "delete" and refusal.err_code in jetstream.NOT_FOUND:
            return Outcome(change, done=True)
        if refusal.err_code == _OVERLAP and (others := await _takers(link, change)):
            reason = f"{' and '.join(others)} takes some of its subjects already: take them from there, or from here"
            return Outcome(change, done=False, reason=reason)
        told = refusal.as_error(change.label, url=link.url, stream=change.stream)
        return Outcome(change, done=False, reason=str(told))
    return Outcome(change, done=True)


async def _takers(link: Link, change: Change) -> list[str]:
    """Other streams that take subjects of this one."""
    found: set[str] = set()
    for subject in (change.config or {}).get("subjects", ()):
        answer = await jetstream.call(link, "STREAM.NAMES", {"subject": subject})
        found |= set(answer.get("streams") or ())
    return [f"stream {name}" for name in sorted(found - {change.name})]


def _verb(change: Change) -> str:
    if change.kind == "Stream":
        return f"STREAM.{'CREATE' if change.action == 'create' else 'UPDATE'}.{change.name}"
    if change.action == "delete":
        return f"CONSUMER.DELETE.{change.stream}.{change.name}"
    return f"CONSUMER.DURABLE.CREATE.{change.stream}.{change.name}"


def _body(change: Change) -> dict[str, Any] | None:
    if change.config is None:
        return None
    return dict(change.config) if change.kind == "Stream" else {
        "stream_name": change.stream, "config": dict(change.config),
    }  # fmt: skip
