"""What a request for events asks for, or why it cannot be answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.datastructures import QueryParams

from pytest_agog.reference.comms.events.selecting import GENERAL
from pytest_agog.reference.comms.models import Selector
from pytest_agog.wire.times import parse_time

MAX_LIMIT: Final = 10_000
MAX_CURSOR: Final = 2**63 - 1
_KNOWN: Final = ("runId", "workflowUid", "workflowNamespace", "channel")
_NUMBER: Final = re.compile(r"[0-9]{1,19}")


class Refused(Exception):
    """A request that cannot be answered: `status` 400 (nothing is selected) or 422 (a malformed value)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """A reader's wish."""

    selector: Selector
    limit: int = MAX_LIMIT
    """The newest so many of the history."""
    since: datetime | None = None
    """Nothing of the history that is older."""
    after: int | None = None
    """Resume behind this row; then neither `limit` nor `since` cuts anything."""


def read(query: QueryParams, headers: Mapping[str, str]) -> Asked:
    """What the request asks for. Other parameters than those of the contract are passed over.

    Raises:
        Refused: nothing is selected, selectors contradict each other, or a value is malformed.
    """
    for name in (*_KNOWN, "limit", "since", "lastEventId"):
        if len(query.getlist(name)) > 1:
            raise Refused(422, f"{name} is given more than once")
    selector = _selector(query)
    limit, since, after = query.get("limit"), query.get("since"), headers.get("last-event-id")
    if after is None:
        after = query.get("lastEventId")
    return Asked(
        selector,
        MAX_LIMIT if limit is None else _limit(limit),
        None if since is None else _time(since),
        None if not after else _cursor(after),
    )


def _selector(query: QueryParams) -> Selector:
    run, uid, namespace, channel = (query.get(name) for name in _KNOWN)
    chosen = [
        name for name, value in zip(("runId", "workflowUid", "channel"), (run, uid, channel), strict=True) if value
    ]
    empty = [name for name in _KNOWN if query.get(name) == ""]
    if not chosen:
        hint = f"; {empty[0]} is empty" if empty else ""
        raise Refused(400, f"give one of runId, workflowUid (with workflowNamespace) or channel=general{hint}")
    if len(chosen) > 1:
        raise Refused(422, f"{' and '.join(chosen)} are given; give one of them")
    for name, value in zip(_KNOWN, (run, uid, namespace, channel), strict=True):
        if value is not None:
            _storable(name, value)
    if channel is not None and channel not in ("", GENERAL):
        raise Refused(422, "channel can only be general")
    if namespace and not uid:
        raise Refused(422, "workflowNamespace belongs to workflowUid")
    return Selector(run or None, uid or None, namespace or None, general=bool(channel))


def _storable(name: str, value: str) -> None:
    """Any text that a column can hold is fine, however odd."""
    if "\0" in value or "\ufffd" in value:
        raise Refused(422, f"{name} holds bytes that no text holds")
    if len(value.encode("utf-8", "replace")) > 1000:
        raise Refused(422, f"{name} is longer than 1,000 bytes")


def _limit(value: str) -> int:
    if not _NUMBER.fullmatch(value) or not 1 <= int(value) <= MAX_LIMIT:
        raise Refused(422, f"limit must be a whole number from 1 to {MAX_LIMIT}")
    return int(value)


def _cursor(value: str) -> int:
    if not _NUMBER.fullmatch(value) or int(value) > MAX_CURSOR:
        raise Refused(422, "Last-Event-ID must be the id of an event: a whole number")
    return int(value)


def _time(value: str) -> datetime:
    try:
        # In a query an unescaped + is a space.
        return parse_time(value.replace(" ", "+") if re.search(r" \d\d:\d\d$", value) else value)
    except ValueError:
        raise Refused(422, "since must be an RFC 3339 time such as 2026-03-01T10:00:00Z") from None
