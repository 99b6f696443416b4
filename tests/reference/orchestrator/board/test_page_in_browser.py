"""The page in a real Chromium: live, harmless, and readable on a narrow screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from playwright.async_api import expect
from starlette.applications import Starlette

from pytest_agog.reference.orchestrator.board.page import routes
from pytest_agog.reference.orchestrator.board.situation import Situation
from pytest_agog.reference.serving import HttpServer
from tests.browser import Open
from tests.reference.orchestrator.board.making import HOSTILE, complete, record, seed, situation, working
from tests.reference.orchestrator.board.making import NOW as MOMENT

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIVE = '#badge[data-state="live"]'
PATIENCE = 20_000


@dataclass
class Here:
    facts: Situation
    url: str = ""
    server: HttpServer | None = None


@asynccontextmanager
async def served(*facts: Situation) -> AsyncIterator[Here]:
    here = Here(facts[0])
    here.server = HttpServer("127.0.0.1", 0)
    await here.server.start(Starlette(routes=routes(lambda: here.facts)))
    here.url = f"{here.server.url}/orchestrator"
    try:
        yield here
    finally:
        await here.server.stop()


def hostile() -> Situation:
    image = '"><img src=x onerror=alert(3)>'
    held = record("REQ-1", "BLOCKED", title=HOSTILE + image, agent=image, blockers=(HOSTILE,), held_by="agent")
    return situation(held, complete("REQ-2", MOMENT, title=image), alerts=(image,), lags={image: 1},
                     breakers={HOSTILE: "open"})  # fmt: skip


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True])
async def test_hostile_titles_run_nothing_and_break_nothing(open_page: Open, width: int, dark: bool) -> None:
    async with served(hostile()) as here:
        tab = await open_page(here.url, width=width, dark=dark)
        await tab.page.wait_for_selector(LIVE, timeout=PATIENCE)
        assert await tab.page.locator("#REQ-1 .what").inner_text() == (
            "<script>alert(1)</script>**bold** [x](javascript:alert(2)) ⟨U+001B⟩[2J⟨U+202E⟩gnp\" ' | `code` "
            'https://evil"><img src=x onerror=alert(3)>'
        )
        assert await tab.page.locator("main img").count() == 0
        assert await tab.page.evaluate("document.documentElement.scrollWidth") <= width
        assert await tab.wrong() == []


async def test_the_board_follows_without_a_reload_and_keeps_what_the_reader_does(open_page: Open) -> None:
    async with served(situation(*seed())) as here:
        tab = await open_page(here.url)
        page = tab.page
        await page.wait_for_selector(LIVE, timeout=PATIENCE)
        await expect(page.locator(".column.high .card").first).to_contain_text("Assigned, In Progress (15 min elapsed)")
        await page.evaluate("window.same = true")
        await page.locator("#REQ-050 a.ref").focus()
        held = record("REQ-900", "BLOCKED", priority="CRITICAL", title="No key", blockers=("No key",), held_by="agent")
        here.facts = situation(*seed(), held)
        await expect(page.locator(".column.critical .card")).to_contain_text("No key", timeout=PATIENCE)
        await expect(page.locator("#blockers")).to_contain_text("REQ-900")
        assert await page.evaluate("window.same")
        assert await page.evaluate("document.activeElement.dataset.key") == "REQ-050-REQ-042"
        assert await tab.wrong() == []


async def test_the_chain_is_a_strip_of_its_stages(open_page: Open) -> None:
    chain = ("research", "critique", "backend", "qa", "statistics")
    found = replace(working("REQ-1", 5, chain=chain, stage="critique", stage_agent="sylvia"), skipped=("research",))
    async with served(situation(found)) as here:
        page = (await open_page(here.url)).page
        strip = page.locator("#REQ-1 .strip li")
        assert await strip.evaluate_all("(all) => all.map((one) => one.className)") == [
            "skipped", "running", "ahead", "ahead", "ahead"
        ]  # fmt: skip
        assert await strip.nth(1).get_attribute("title") == "critique by Sylvia: running"


async def test_the_badge_tells_when_the_orchestrator_is_away(open_page: Open) -> None:
    async with served(situation(*seed())) as here:
        tab = await open_page(here.url)
        await tab.page.wait_for_selector(LIVE, timeout=PATIENCE)
        assert here.server is not None
        await asyncio.shield(here.server.stop())
        await expect(tab.page.locator("#badge")).to_have_text("Reconnecting", timeout=PATIENCE)
        await expect(tab.page.locator("#REQ-042")).to_be_visible()


async def test_the_page_is_read_without_scripts(open_page: Open) -> None:
    async with served(situation(*seed())) as here:
        page = (await open_page(here.url, java_script_enabled=False)).page
        assert await page.locator(".card").count() == 6
        assert await page.locator("noscript").count() == 1
