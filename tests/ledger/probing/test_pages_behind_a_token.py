"""Pages of a service that demands a token and has no form to sign in: the browser shows it, and to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pytest_agog.ledger.payloads import Payloads
from pytest_agog.ledger.probes import PageProbe
from pytest_agog.ledger.probing.pages import Pages, missing
from pytest_agog.ledger.probing.sites import Sites
from pytest_agog.reference.serving import HttpServer

TOKEN = "agogt_0123456789abcdef0123456789"
PAGE = """<!doctype html><title>page</title><p id="said">nothing</p><script>
const source = new EventSource("/events");
source.onmessage = (event) => {{ document.getElementById("said").textContent = event.data; }};
fetch("{elsewhere}/seen", {{ mode: "no-cors" }});
</script>"""


@pytest.mark.skipif(bool(missing()), reason=missing())
async def test_the_token_goes_with_pages_and_events_and_not_elsewhere() -> None:
    shown: list[str | None] = []
    arrived = asyncio.Event()
    elsewhere, service = HttpServer("127.0.0.1", 0), HttpServer("127.0.0.1", 0)

    async def seen(request: Request) -> Response:
        shown.append(request.headers.get("authorization"))
        arrived.set()
        return PlainTextResponse("")

    def allowed(request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {TOKEN}"

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE.format(elsewhere=elsewhere.url)) if allowed(request) else Response(status_code=401)

    async def events(request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"data: came by EventSource\n\n"

        return StreamingResponse(body(), 200 if allowed(request) else 401, media_type="text/event-stream")

    await elsewhere.start(Starlette(routes=[Route("/seen", seen)]))
    await service.start(Starlette(routes=[Route("/page", page), Route("/events", events)]))
    pages, payloads = Pages(Sites(service.url, token=TOKEN)), Payloads()
    try:
        opened = await pages.open("one", f"{service.url}/page")
        await opened.page.wait_for_function("document.getElementById('said').textContent !== 'nothing'")
        found = await pages.look(PageProbe("one"), payloads)
        assert found.payload is not None
        assert (found.status, payloads.text(found.payload)) == (200, "came by EventSource")
        async with asyncio.timeout(30):
            await arrived.wait()
        assert shown == [None]
        assert TOKEN not in repr(pages._sites)
    finally:
        await pages.close()
        await service.stop()
        await elsewhere.stop()
