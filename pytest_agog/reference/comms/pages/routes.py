"""The pages' addresses and what they answer. [C8]

One renderer: what a page inserts while it is open comes from here as HTML, the same that a reload would show. Events
only say that there is something new.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pytest_agog.masking import mask
from pytest_agog.reference.comms.pages import answers, assets, tools, urls
from pytest_agog.reference.comms.pages.rendering import render
from pytest_agog.reference.comms.pages.timeline import MAX_PLAIN, arrange
from pytest_agog.reference.comms.pages.urls import ROOT, Place

if TYPE_CHECKING:
    from pytest_agog.reference.comms.events.reading import Reading
    from pytest_agog.reference.comms.models import StoredMessage

PAGE: Final = 200
"""Messages of one rendering, and of its neighbourhood where pairs are looked for; older ones on demand."""
_FIRST_PORTION: Final = 25
_HEAVY: Final = 4_000_000
"""Characters after which no more is read at once."""
WEIGHT: Final = 400_000
"""Characters of one rendering: some 0.4 s of work at most, and half a megabyte of HTML."""
RUNS: Final = 50
PATIENCE: Final = 5.0
"""Seconds for what Postgres is asked."""
_MOST: Final = 2**63 - 1
_log = logging.getLogger(__name__)
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(reading: Reading) -> list[Route]:
    """All routes of the pages; they read through `reading` only."""
    pages = _Pages(reading)
    return [
        Route("/", pages.home),
        Route(ROOT, _guarded(pages.runs)),
        Route(f"{ROOT}/", _guarded(pages.runs)),
        Route(f"{ROOT}/list", _guarded(pages.refreshed, fragment=True)),
        Route(f"{ROOT}/latest", _guarded(pages.latest)),
        Route(f"{ROOT}/{{rest:path}}", pages.timeline),
        *assets.FILES.routes(),
    ]


def _guarded(endpoint: Endpoint, *, fragment: bool = False) -> Endpoint:
    """Whatever goes wrong with the database becomes a 503 that tells nothing about it. [J17]"""

    async def answer(request: Request) -> Response:
        import psycopg

        from pytest_agog.errors import ServiceError

        try:
            async with asyncio.timeout(PATIENCE):
                return await endpoint(request)
        except (psycopg.Error, OSError, TimeoutError, ServiceError) as error:
            said = mask(" ".join(str(error).split()))[:200]
            _log.warning("a page waits for Postgres: %s: %s", type(error).__name__, said)
            return answers.away(fragment=fragment)

    return answer


class _Pages:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def home(self, _: Request) -> Response:
        return answers.moved(ROOT)

    async def runs(self, request: Request) -> Response:
        before = _number(request, "before")
        if before is _WRONG:
            return _malformed("before")
        newest = await self._reading.newest()
        runs = await self._reading.runs(limit=RUNS + 1, before=before)
        return await _html("runs.html", runs=runs[:RUNS], more=len(runs) > RUNS, newest=newest, before=before,
                           current="runs", place=None)  # fmt: skip

    async def refreshed(self, request: Request) -> Response:
        """The list of runs again, if anything came since `newest`."""
        seen = _number(request, "newest")
        if seen is _WRONG:
            return _malformed("newest")
        newest = await self._reading.newest()
        if newest == seen:
            return answers.nothing_new()
        runs = await self._reading.runs(limit=RUNS + 1)
        return await _html("_runs.html", runs=runs[:RUNS], more=len(runs) > RUNS, newest=newest)

    async def latest(self, _: Request) -> Response:
        runs = await self._reading.runs(limit=1)
        return answers.moved(Place(runs[0].run_id).url() if runs else ROOT)

    async def timeline(self, request: Request) -> Response:
        raw = request.scope.get("raw_path") or urls.quoted(request.scope["path"])
        asked = urls.read(raw, request.scope.get("query_string", b""))
        if asked is None:
            return answers.not_found()
        place, below = asked
        endpoints = {"": self._page, "messages": self._messages, "summary": self._summary}

        async def answer(request: Request) -> Response:
            if len(below) == 2:
                return await self._whole(request, place, min(int(below[1][:20]), _MOST))
            return await endpoints[below[0] if below else ""](request, place)

        return await _guarded(answer, fragment=bool(below))(request)

    async def _page(self, _: Request, place: Place) -> Response:
        found, more = await self._read(place, before=_MOST)
        messages = found[-_fitting(found[::-1]) :]
        run = None if place.run_id is None else await self._reading.run(place.run_id)
        known = bool(found) or run is not None or place.run_id is None
        return await _html("timeline.html", 200 if known else 404, place=place, run=run,
                           current="general" if place.run_id is None else "run",
                           older=more or len(found) > len(messages),
                           parts=partial(arrange, messages, place))  # fmt: skip

    async def _messages(self, request: Request, place: Place) -> Response:
        """A part of the timeline: what came after a message, or the newest ones before it."""
        after, before = _number(request, "after"), _number(request, "before")
        if after is _WRONG or before is _WRONG or (after is None) == (before is None):
            return _malformed("after or before")
        found, more = await self._read(place, after=after, before=before)
        around: list[StoredMessage] = []
        if after is not None:
            messages = found[: _fitting(found)]
            if messages:
                around, _ = await self._read(place, before=after + 1)
        else:
            messages = found[-_fitting(found[::-1]) :]
            if messages and before is not None:
                around, _ = await self._read(place, after=before - 1)
        more = more or len(found) > len(messages)
        return await _html("_fragment.html", place=place, more=more, parts=partial(arrange, messages, place, around))

    async def _read(
        self, place: Place, *, after: int | None = None, before: int | None = None
    ) -> tuple[list[StoredMessage], bool]:
        """A page of messages and whether there are more; less than a page when they are heavy.

        Read in growing portions: 200 messages may be 200 kB or 2 GB, and nobody knows before.
        """
        found: list[StoredMessage] = []
        portion = _FIRST_PORTION
        while len(found) <= PAGE:
            wanted = min(portion, PAGE + 1 - len(found))
            got = await self._reading.messages(place.selector, after=after, before=before, limit=wanted)
            found = [*found, *got] if after is not None else [*got, *found]
            if len(got) < wanted:
                return found, False
            if sum(len(message.content) for message in found) > _HEAVY:
                return found, True
            after, before = (found[-1].seq, None) if after is not None else (None, found[0].seq)
            portion *= 3
        return (found[:PAGE] if after is not None else found[-PAGE:]), True

    async def _summary(self, _: Request, place: Place) -> Response:
        run = None if place.run_id is None else await self._reading.run(place.run_id)
        return answers.nothing_new() if run is None else await _html("_summary.html", place=place, run=run)

    async def _whole(self, request: Request, place: Place, seq: int) -> Response:
        """One message's content, as it came; or all else that it carries."""
        found = await self._reading.messages(place.selector, after=seq - 1, limit=1)
        if not found or found[0].seq != seq:
            return answers.text("There is no such message here.\n", 404)
        if request.query_params.get("part") == "attributes":
            return answers.text(await run_in_threadpool(tools.pretty, found[0].attrs))
        return answers.text(found[0].content)


async def _html(template: str, status: int = 200, **values: object) -> Response:
    """Rendered in a thread: a page of long messages takes a while, in which events go on flowing."""

    def rendered() -> str:
        parts = values.pop("parts", None)
        if callable(parts):
            values["timeline"] = parts()
        return render(template, **values)

    return answers.html(await run_in_threadpool(rendered), status)


def _fitting(messages: Sequence[StoredMessage]) -> int:
    """How many of them, from the first on, one rendering takes; at least one where there are any."""
    weight = 0
    for place, message in enumerate(messages[:PAGE]):
        weight += min(len(message.content), MAX_PLAIN)
        if weight > WEIGHT and place:
            return place
    return min(len(messages), PAGE)


_WRONG: Final = -1


def _number(request: Request, name: str) -> int | None:
    """A cursor of the query: None when it is not given, `_WRONG` when it is none."""
    value = request.query_params.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal()) or len(value) > 19 or int(value) > _MOST:
        return _WRONG
    return int(value)


def _malformed(what: str) -> Response:
    return answers.text(f"{what} must be given as a whole number from 0 to {_MOST}.\n", 422)
