"""Pages in a real browser: what people see, a picture of it, and whether content could run as a script.

A browser is started when the first page is looked at; a machine without one says so, with the remedy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pytest_agog.ledger.answers import PageSeen
from pytest_agog.ledger.payloads import Payloads
from pytest_agog.ledger.probes import PageProbe
from pytest_agog.ledger.probing.sites import Sites
from pytest_agog.masking import mask

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Playwright, Request, Route

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
REMEDY: Final = (
    "install Chromium (Debian: apt-get install chromium) and playwright (pip install 'pytest-agog[browser]')"
)
_PATIENCE: Final = 15_000
"""Milliseconds."""
_WIDTH: Final = 1280
_HEIGHT: Final = 800
_SIGN_IN: Final = "/sign-in"
_HIGHEST: Final = 4000
"""Pixels; what lies below is not in the picture."""
_WATCH: Final = "page_watch.js"
"""Runs before the page's own scripts: a dialog is noted instead of shown."""
_AUDIT: Final = "page_audit.js"
"""What ran, and what in the page's tree could run when somebody clicks."""


@cache
def _script(name: str) -> str:
    return (resources.files("pytest_agog.ledger.probing") / name).read_text("utf-8")


class NoBrowser(Exception):
    """This machine has no browser that could be used."""


@dataclass
class _Opened:
    page: Page
    url: str
    status: int | None = None
    reason: str = ""
    foreign: list[str] = field(default_factory=list)
    """Requests to other origins."""


class Pages:
    """The pages of one play."""

    def __init__(self, base: str | Sites | None) -> None:
        self._sites = base if isinstance(base, Sites) else Sites(base)
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._missing = ""
        self._opened: dict[str, _Opened] = {}
        self._wanted: set[str] = set()
        """Names of pages that steps would have opened, had there been a browser."""

    async def open(self, name: str, url: str) -> _Opened:
        """Open a page that stays; what is wrong with its answer stands in it.

        Raises:
            NoBrowser: this machine has none.
        """
        await self._let_go(name)
        self._wanted.add(name)
        opened = self._opened[name] = await self._open(url)
        self._wanted.discard(name)
        return opened

    async def look(self, probe: PageProbe, payloads: Payloads) -> PageSeen:
        """What an opened page shows now, or one that is opened for this look alone. Never raises."""
        opened = self._opened.get(probe.target)
        once = opened is None
        try:
            if opened is None:
                if probe.target in self._wanted and self._missing:
                    return PageSeen(probe.key, probe.target, "", None, reason=self._missing, browser=False)
                url = self._sites.url(probe.target)
                if not probe.target.startswith("/") or url is None:
                    reason = "no step opened a page of that name" if url else "this play has no HTTP service"
                    return PageSeen(probe.key, probe.target, "", None, reason=reason)
                opened = await self._open(url)
            return await self._seen(probe, opened, payloads)
        except NoBrowser as error:
            return PageSeen(probe.key, probe.target, "", None, reason=str(error), browser=False)
        except Exception as error:
            text = mask(" ".join(str(error).split()))[:300] or type(error).__name__
            return PageSeen(probe.key, probe.target, "", None, reason=text)
        finally:
            if once and opened is not None:
                with contextlib.suppress(Exception):
                    await opened.page.close()

    async def close(self) -> None:
        """Close all pages and the browser."""
        for name in list(self._opened):
            await self._let_go(name)
        browser, self._browser = self._browser, None
        if browser is not None:
            with contextlib.suppress(Exception):
                await browser.close()
        playwright, self._playwright = self._playwright, None
        if playwright is not None:
            await playwright.stop()

    async def _let_go(self, name: str) -> None:
        opened = self._opened.pop(name, None)
        if opened is not None:
            with contextlib.suppress(Exception):
                await opened.page.close()

    async def _open(self, url: str) -> _Opened:
        browser = await self._running()
        page = await browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        if self._sites.token is not None:
            await _sign_in(page, url, self._sites.token)
        opened = _Opened(page, url)
        origin = urlsplit(url)[:2]

        def requested(request: Request) -> None:
            asked = urlsplit(request.url)
            if asked[:2] != origin and asked.scheme not in {"data", "blob", "about"}:
                opened.foreign.append(f"request to {request.url[:120]}")

        page.on("request", requested)
        await page.add_init_script(_script(_WATCH))
        try:
            answer = await page.goto(url, wait_until="load", timeout=_PATIENCE)
            opened.status = answer.status if answer is not None else None
        except Exception as error:  # the page stays: a later look says what it shows then
            opened.reason = mask(" ".join(str(error).split()))[:300]
        return opened

    async def _seen(self, probe: PageProbe, opened: _Opened, payloads: Payloads) -> PageSeen:
        text = str(await opened.page.inner_text("body", timeout=_PATIENCE))
        scripts = [str(item) for item in await opened.page.evaluate(_script(_AUDIT))]
        picture = None
        if probe.screenshot:
            picture = payloads.put(await _photograph(opened.page))
        return PageSeen(
            probe.key,
            probe.target,
            mask(opened.page.url),
            opened.status,
            payloads.put(text.encode("utf-8", "replace")),
            picture,
            tuple(mask(item) for item in dict.fromkeys([*scripts, *opened.foreign])),
            opened.reason,
        )

    async def _running(self) -> Browser:
        if self._browser is not None and self._browser.is_connected():
            return self._browser
        if not self._missing:
            self._missing = missing()
        if self._missing:
            raise NoBrowser(self._missing)
        from playwright.async_api import async_playwright

        if self._playwright is None:
            self._playwright = await async_playwright().start()
        try:
            self._browser = await self._playwright.chromium.launch(executable_path=executable(), args=_arguments())
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self._missing = f"the browser does not start: {mask(first)[:200]}; {REMEDY}"
            raise NoBrowser(self._missing) from None
        return self._browser


async def _sign_in(page: Page, url: str, token: str) -> None:
    """As people do, by the service's form; a service without one is shown the token with each request of the page."""
    origin = "{}://{}".format(*urlsplit(url)[:2])
    answer = await page.request.post(f"{origin}{_SIGN_IN}", form={"token": token, "next": "/"}, max_redirects=0)
    if answer.status < 400 and "set-cookie" in answer.headers:
        return

    async def with_token(route: Route) -> None:
        await route.continue_(headers={**route.request.headers, "authorization": f"Bearer {token}"})

    await page.route(f"{origin}/**", with_token)


async def _photograph(page: Page) -> bytes:
    """The whole page, as a window that is high enough would show it: what sticks to the top stays there."""
    height = int(await page.evaluate("document.documentElement.scrollHeight"))
    await page.set_viewport_size({"width": _WIDTH, "height": min(max(height, _HEIGHT), _HIGHEST)})
    try:
        return await page.screenshot(timeout=_PATIENCE)
    finally:
        await page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})


def executable() -> str | None:
    """The browser of this machine: `AGOG_BROWSER`, else the first of the usual names on the path."""
    given = os.environ.get("AGOG_BROWSER")
    return given or next((found for name in NAMES if (found := shutil.which(name))), None)


def missing() -> str:
    """What lacks for a browser, with the remedy; empty when nothing does."""
    import importlib.util

    if importlib.util.find_spec("playwright") is None:
        return f"playwright is not installed; {REMEDY}"
    if executable() is None:
        return f"there is no browser on this machine (looked for {', '.join(NAMES)}); {REMEDY}"
    return ""


def _arguments() -> list[str]:
    # Chromium's sandbox refuses to run as root; containers give it too little shared memory.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return ["--disable-dev-shm-usage", "--disable-gpu", *(["--no-sandbox"] if root else [])]
