"""Pages in a real browser, served by a real server: what is seen, and what content could run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pytest_agog.ledger.answers import PageSeen
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import PageProbe
from pytest_agog.ledger.probing import pages
from pytest_agog.ledger.probing.pages import NoBrowser, Pages

if missing := pages.missing():
    if "browser" in os.environ.get("AGOG_REQUIRE", ""):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing, allow_module_level=True)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        return


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def browser(site: str) -> AsyncIterator[Pages]:
    made = Pages(site)
    yield made
    await made.close()


async def _look(browser: Pages, ledger: Ledger, target: str = "/page.html", *, screenshot: bool = False) -> PageSeen:
    return await browser.look(PageProbe(target, screenshot), ledger.payloads)


async def test_what_people_see(browser: Pages, tmp_path: Path) -> None:
    ledger = Ledger()
    (tmp_path / "page.html").write_text("<h1>Agents</h1><p hidden>secret</p><p>Research is done</p>")
    seen = await _look(browser, ledger, screenshot=True)
    assert (seen.status, seen.reason, seen.scripts) == (200, "", ())
    assert seen.payload is not None
    assert ledger.payloads.text(seen.payload).split() == ["Agents", "Research", "is", "done"]
    assert seen.screenshot is not None
    assert ledger.payloads[seen.screenshot].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<p>plain</p>", []),
        ("<script>alert('ran')</script>", ["alert(ran)", "<script"]),
        ("<img src=x onerror=\"alert('ran')\">", ["onerror"]),
        ("<a href='java\nscript:alert(1)'>x</a>", ["script:alert(1)"]),
        ("<a href='data:text/html,x'>x</a>", ["data:text/html"]),
        ("<iframe srcdoc='<p>x'></iframe>", ["<iframe"]),
        ("<base href='/elsewhere/'>", ["<base"]),
        ("<meta http-equiv=refresh content='9;url=/'>", ["<meta"]),
        ("<img src='http://127.0.0.2:9/pixel.png'>", ["request to http://127.0.0.2:9/pixel.png"]),
        ("<svg><a xlink:href='javascript:1'></a></svg>", ["javascript:1"]),
        ("<img src='data:image/png;base64,AAAA'>", []),
        ("<img src='data:image/svg+xml,<svg/>'>", []),
        ("<link rel='shortcut icon' href='data:,'>", []),
        ("<link rel=import href='data:text/html,x'>", ["data:text/html"]),
        ("<script src='/own.js'></script>", []),
        ("<script type='application/json'>{}</script>", []),
    ],
)
async def test_what_content_could_run(browser: Pages, tmp_path: Path, body: str, found: list[str]) -> None:
    (tmp_path / "page.html").write_text(f"<title>x</title>{body}<p>text</p>")
    (tmp_path / "own.js").write_text("document.title = 'own'")
    seen = await _look(browser, Ledger())
    told = " ".join(seen.scripts)
    assert bool(seen.scripts) is bool(found), seen.scripts
    for text in found:
        assert text in told


async def test_an_opened_page_is_looked_at_as_it_stands(browser: Pages, site: str, tmp_path: Path) -> None:
    ledger = Ledger()
    (tmp_path / "page.html").write_text("<p id=x>before</p><script src=/later.js></script>")
    (tmp_path / "later.js").write_text(
        "window.change = (text) => { document.querySelector('#x').textContent = text; };"
    )
    opened = await browser.open("tab", f"{site}/page.html")
    (tmp_path / "page.html").write_text("<p>loaded again</p>")
    await opened.page.evaluate("() => window.change('after')")
    seen = await _look(browser, ledger, "tab")
    assert seen.payload is not None
    assert ledger.payloads.text(seen.payload) == "after"


async def test_a_page_that_is_not_there(browser: Pages) -> None:
    assert (await _look(browser, Ledger(), "/nothing.html")).status == 404
    assert (await _look(browser, Ledger(), "nobody")).reason == "no step opened a page of that name"
    assert (await _look(Pages(None), Ledger())).reason == "this play has no HTTP service"


async def test_a_machine_without_a_browser_says_so(monkeypatch: pytest.MonkeyPatch, site: str) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("AGOG_BROWSER", raising=False)
    browser = Pages(site)
    with pytest.raises(NoBrowser):
        await browser.open("tab", f"{site}/page.html")
    for target in ("/page.html", "tab"):
        seen = await _look(browser, Ledger(), target)
        assert not seen.browser
        assert "apt-get install chromium" in seen.reason


async def test_a_browser_that_does_not_start_says_so(monkeypatch: pytest.MonkeyPatch, site: str) -> None:
    monkeypatch.setenv("AGOG_BROWSER", "/bin/false")
    browser = Pages(site)
    seen = await _look(browser, Ledger())
    await browser.close()
    assert not seen.browser
    assert "the browser does not start" in seen.reason
