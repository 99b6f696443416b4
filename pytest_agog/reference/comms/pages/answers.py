"""Answers of the pages, all with the headers that keep a page from running or fetching what is not its own."""

from __future__ import annotations

from typing import Final

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from pytest_agog.reference.comms.pages.rendering import render

RETRY_AFTER: Final = 2
"""Seconds."""
_POLICY: Final = "; ".join((
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
))  # fmt: skip
_PLAIN_POLICY: Final = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def html(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A page or a part of one."""
    # Text from Postgres holds no lone surrogates, but what a client wrote into a URL may.
    return HTMLResponse(text.encode("utf-8", "replace"), status, {**_HEADERS, **(headers or {})})


def text(content: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Text, which no browser takes for anything else."""
    return PlainTextResponse(
        content.encode("utf-8", "replace"),
        status,
        {**_HEADERS, "Content-Security-Policy": _PLAIN_POLICY, **(headers or {})},
    )


def nothing_new() -> Response:
    """Nothing has come since."""
    return Response(status_code=204, headers=_HEADERS)


def moved(url: str) -> Response:
    """Go there, for now."""
    return Response(status_code=307, headers={**_HEADERS, "Location": url})


def away(*, fragment: bool) -> Response:
    """The database is away; a page says so and looks again by itself."""
    headers = {"Retry-After": str(RETRY_AFTER)}
    if fragment:
        return text("The store of messages is away; it is tried again.\n", 503, headers)
    return html(render("away.html", current=None, place=None), 503, headers)


def not_found() -> Response:
    """An address that is no page's."""
    return html(render("lost.html", current=None, place=None), 404)
