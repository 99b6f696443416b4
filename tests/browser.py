"""A real browser for tests: without one they skip and say what to install, or fail where `AGOG_REQUIRE` has `browser`.

Tests that use it run in their module's event loop: `pytestmark = pytest.mark.asyncio(loop_scope="module")`.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from pytest_agog.ledger.probing.pages import executable, missing

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  violations.push(event.violatedDirective + " " + event.blockedURI);
});
window.ran = [];
for (const name of ["alert", "confirm", "prompt"]) window[name] = (text) => { ran.push(name + " " + text); };
"""


def need_browser() -> None:
    """Skip or fail the test that runs on a machine without a browser."""
    lacks = missing()
    if lacks and "browser" in re.split(r"[,\s]+", os.environ.get("AGOG_REQUIRE", "")):
        pytest.fail(lacks)
    if lacks:
        pytest.skip(lacks)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, once a module."""
    need_browser()
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=executable(), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield running
        await running.close()


@dataclass
class Tab:
    """A page, and what went wrong in it."""

    page: Page
    errors: list[str] = field(default_factory=list)
    """Of scripts."""
    foreign: list[str] = field(default_factory=list)
    """Requests to other hosts."""

    async def wrong(self) -> list[str]:
        """What must not happen in a page: errors, foreign requests, violations of its policy, scripts of content."""
        inside: list[str] = await self.page.evaluate("[...window.violations, ...window.ran]")
        return [*self.errors, *self.foreign, *inside]


Open = Callable[..., Awaitable[Tab]]


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(browser: Browser) -> AsyncIterator[Open]:
    """Open a page in a context of its own: `await open_page(url, width=360, dark=True)`; closed after the test."""
    contexts = []

    async def opened(url: str, *, width: int = 1280, dark: bool = False, **options: Any) -> Tab:
        context = await browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light", **options
        )
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        tab = Tab(page)
        page.on("pageerror", lambda error: tab.errors.append(str(error)))
        origin = "/".join(url.split("/")[:3]) + "/"
        page.on("request", lambda asked: None if asked.url.startswith(origin) else tab.foreign.append(asked.url))
        await page.add_init_script(WATCH)
        await page.goto(url)
        return tab

    yield opened
    for context in contexts:
        await context.close()
