"""Signing in as people do: in a real browser, on a narrow screen, by keyboard, with the page's strict policy."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from pytest_agog.ledger.probing.pages import Pages, missing
from pytest_agog.reference.doors.door import Door
from pytest_agog.reference.doors.settings import read_settings
from pytest_agog.reference.serving import HttpServer

TOKEN = "first-0123456789abcdef"


async def _page(request: Request) -> Response:
    return HTMLResponse(f"<!doctype html><title>x</title><p id=at>{request.url.query}</p>")


@pytest.mark.skipif(bool(missing()), reason=missing())
async def test_people_sign_in_and_out() -> None:
    server = HttpServer("127.0.0.1", 0)
    await server.start(Door(Starlette(routes=[Route("/agents/run", _page)]), read_settings(tokens=TOKEN)))
    pages = Pages(server.url)
    try:
        opened = await pages.open("one", f"{server.url}/agents/run?x=1")
        page, troubles = opened.page, list[str]()
        page.on("console", lambda message: troubles.append(message.text))
        await page.set_viewport_size({"width": 360, "height": 640})
        assert opened.status == 401
        assert await page.evaluate("getComputedStyle(document.querySelector('main')).borderRadius") == "12px"
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await page.keyboard.type("wrong-0123456789abcdef")  # the field has the focus
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        await page.get_by_label("Token").fill(TOKEN)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_selector("#at")
        assert page.url == f"{server.url}/agents/run?x=1"
        assert await page.inner_text("#at") == "x=1"
        assert await page.evaluate("document.cookie") == ""
        await page.goto(f"{server.url}/sign-in")
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_label("Token").wait_for()
        answer = await page.goto(f"{server.url}/agents/run")
        assert answer is not None
        assert answer.status == 401
        assert not [trouble for trouble in troubles if "Content Security Policy" in trouble]
    finally:
        await pages.close()
        await server.stop()
