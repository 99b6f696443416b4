"""The page `/orchestrator` and what machines read of it. [O18]

The page asks every other second whether there is something new; what it inserts comes from here as HTML, the same that
a reload would show. However many readers there are, a board is rendered once a second at most.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pytest_agog.reference.orchestrator.board import assets
from pytest_agog.reference.orchestrator.board.board import board
from pytest_agog.reference.orchestrator.board.situation import Situation

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request

    from pytest_agog.reference.orchestrator.board.model import Board

ROOT: Final = "/orchestrator"
API: Final = "/api/orchestrator"
SHOWN: Final = 200
"""Cards of a column, and lines of a list; the rest is counted."""
FRESH: Final = 1.0
"""Seconds in which a board is not made anew."""
_LONGEST: Final = 20.0
"""Seconds after which it is made anew though no record changed: times go on."""
_PLAIN: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
Source = Callable[[], Situation]
Changed = Callable[[], object]
"""Gives another value when something changed."""


def routes(source: Source, changed: Changed | None = None) -> list[Route]:
    """All routes. Without `changed` every look at the board makes it anew, at most once a second."""
    pages = _Pages(source, changed)
    return [
        Route("/", pages.home),
        Route(ROOT, pages.page),
        Route(f"{ROOT}/", pages.page),
        Route(f"{ROOT}/board", pages.part),
        Route(f"{ROOT}/board.md", pages.markdown),
        Route(f"{ROOT}/report.md", pages.report),
        Route(API, pages.everything),
        Route(f"{API}/queue", pages.queue),
        Route(f"{API}/report", pages.report_json),
        *assets.FILES.routes(),
    ]


@dataclass(frozen=True, slots=True)
class _Rendered:
    version: str
    """Of what it shows."""
    html: str
    at: float
    of: object
    """What `changed` gave."""


class _Pages:
    def __init__(self, source: Source, changed: Changed | None) -> None:
        self._source = source
        self._changed = changed
        self._last: _Rendered | None = None
        self._rendering = asyncio.Lock()

    async def home(self, _: Request) -> Response:
        from pytest_agog.reference.comms.pages import answers

        return answers.moved(ROOT)

    async def page(self, _: Request) -> Response:
        from pytest_agog.reference.comms.pages import answers

        shown = await self._rendered()
        return answers.html(_environment().get_template("orchestrator.html").render(part=shown))

    async def part(self, request: Request) -> Response:
        """The board again, unless the reader has it."""
        from pytest_agog.reference.comms.pages import answers

        shown = await self._rendered()
        if request.query_params.get("version") == shown.version:
            return answers.nothing_new()
        return answers.html(shown.html, headers={"X-Version": shown.version})

    async def markdown(self, _: Request) -> Response:
        from pytest_agog.reference.orchestrator.board.markdown import markdown

        return _text(await self._made(lambda situation: markdown(board(situation))))

    async def report(self, _: Request) -> Response:
        from pytest_agog.reference.orchestrator.board.daily import daily_report

        return _text(await self._made(lambda situation: daily_report(situation).markdown()))

    async def everything(self, _: Request) -> Response:
        return JSONResponse(await self._made(lambda situation: board(situation).as_json()), headers=_PLAIN)

    async def queue(self, _: Request) -> Response:
        return JSONResponse(await self._made(lambda situation: board(situation).queue()), headers=_PLAIN)

    async def report_json(self, _: Request) -> Response:
        from pytest_agog.reference.orchestrator.board.daily import daily_report

        return JSONResponse(await self._made(lambda situation: daily_report(situation).as_json()), headers=_PLAIN)

    async def _made(self, make: Callable[[Situation], Any]) -> Any:
        """Made in a thread, from a copy: thousands of records take a while, in which the orchestrator goes on."""
        situation = self._source()
        return await run_in_threadpool(make, replace(situation, records=dict(situation.records)))

    async def _rendered(self) -> _Rendered:
        async with self._rendering:
            of = self._changed() if self._changed is not None else object()
            last = self._last
            if last is None or not self._serves(last, of):
                html = await self._made(lambda situation: render(board(situation)))
                version = hashlib.sha256(html.encode("utf-8", "replace")).hexdigest()[:16]
                last = self._last = _Rendered(version, html, time.monotonic(), of)
            return last

    @staticmethod
    def _serves(last: _Rendered, of: object) -> bool:
        age = time.monotonic() - last.at
        return age < FRESH or (last.of == of and age < _LONGEST)


def render(shown: Board) -> str:
    """The board as HTML, the part of the page that changes."""
    return _environment().get_template("_board.html").render(board=shown)


def _text(content: str) -> Response:
    return PlainTextResponse(
        content.encode("utf-8", "replace"), headers=_PLAIN, media_type="text/markdown; charset=utf-8"
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from pytest_agog.reference.comms.pages.rendering import iso, utc
    from pytest_agog.reference.comms.pages.timeline import hue
    from pytest_agog.reference.orchestrator.board import words

    environment = Environment(
        loader=PackageLoader("pytest_agog.reference.orchestrator.board"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.filters.update(
        visible=words.visible, name=words.name, full_name=words.full_name, number=words.number, percent=words.percent,
        short=words.short, long=words.long, counted=words.counted, hue=hue, iso=iso, utc=utc,
    )  # fmt: skip
    environment.globals.update(asset=assets.FILES.url, root=ROOT, api=API, words=words, shown=SHOWN)
    return environment
