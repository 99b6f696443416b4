"""What a request for events asks for, or why it cannot be answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.datastructures import QueryParams

from pytest_agog.reference.comms.events.selecting import GENERAL
from pytest_agog.reference.comms.models import Selector
from pytest_agog.wire.comms_rows import MAX_KEY_BYTES
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


def query_of(raw: bytes) -> QueryParams:
    """The parameters of a query string.

    Raises:
        Refused: its bytes are no UTF-8. Starlette would put U+FFFD for them, and so ask for another run.
    """
    try:
        return QueryParams(parse_qsl(raw.decode(), keep_blank_values=True, errors="strict"))
    except ValueError:
        raise Refused(422, "the query is no UTF-8 text") from None


def run_in(path: str, raw: bytes | None) -> str:
    """The run id `path`, as a server made it out of the bytes `raw` of the request's path.

    Raises:
        Refused: it is empty, or no column can hold it.
    """
    try:
        unquote_to_bytes(raw or b"").decode()
    except ValueError:
        raise Refused(422, "the run's id is no UTF-8 text") from None
    if not path:
        raise Refused(422, "the run's id is empty")
    _storable("the run's id", path)
    return path


def read(query: QueryParams, headers: Mapping[str, str]) -> Asked:
    """What the request asks for. Other parameters than those of the contract are passed over.

    Raises:
        Refused: nothing is selected, selectors contradict each other, or a value is malformed.
    """
    for name in (*_KNOWN, "limit", "since", "lastEventId"):
        if len(query.getlist(name)) > 1:
            raise Refused(422, f"{name} is given more than once")
    selector = _selector(query)
    limit, since = query.get("limit"), query.get("since")
    # The header is the newer one: a page has the parameter in its address, and its EventSource resumes by header.
    after = headers.get("last-event-id") or query.get("lastEventId")
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
    if "\0" in value:
        raise Refused(422, f"{name} holds a NUL character, which nothing that is stored does")
    if len(value.encode()) > MAX_KEY_BYTES:
        raise Refused(422, f"{name} is longer than {MAX_KEY_BYTES:,} bytes")


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
