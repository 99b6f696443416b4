"""The page on which people sign in, and what it answers. It needs no script and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs, quote

from starlette.responses import HTMLResponse, Response

SIGN_IN: Final = "/sign-in"
SIGN_OUT: Final = "/sign-out"
LARGEST_FORM: Final = 20_000
"""Bytes."""
_HERE: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2000}")
"""A path of this service: never `//host`, which browsers take for a host, nor a backslash, which some take for it."""
_STYLE: Final = """
:root { color-scheme: light dark; --ground: #f6f7f9; --card: #fff; --ink: #1a1f2b; --soft: #5a6475; --line: #8a93a3;
 --accent: #3450e0; --on-accent: #fff; --bad: #b3202e; }
@media (prefers-color-scheme: dark) { :root { --ground: #10131a; --card: #181c25; --ink: #e4e8f0; --soft: #9aa5b8;
 --line: #6b7588; --accent: #9db0ff; --on-accent: #10131a; --bad: #ff9b9f; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground);
 color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 24rem; padding: 1.5rem; background: var(--card); border-radius: 12px; }
h1 { margin: 0 0 .5rem; font-size: 1.3rem; } p { margin: 0 0 1rem; color: var(--soft); }
label { display: block; font-weight: 600; } .bad { color: var(--bad); }
input, button { font: inherit; width: 100%; padding: .6rem .75rem; border-radius: 8px; border: 1px solid var(--line); }
input { margin: .25rem 0 1rem; background: var(--ground); color: var(--ink); }
button { border-color: transparent; background: var(--accent); color: var(--on-accent); font-weight: 650;
 cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
"""
_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Cookie, Authorization",
}
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>
"""
_FORM: Final = """<p>{why}</p><form method="post" action="{action}">
<input type="hidden" name="next" value="{next}">
<label for="token">Token</label>
<input id="token" name="token" type="password" required autofocus autocomplete="current-password" {described}>
{trouble}<button>Sign in</button></form>"""
_OUT: Final = """<p>This browser is signed in.</p>
<form method="post" action="{action}"><button>Sign out</button></form>"""


def form(next_path: str, status: int, *, trouble: str = "", headers: dict[str, str] | None = None) -> Response:
    """The page that asks for a token and leads to `next_path` then."""
    told = f'<p id="trouble" class="bad" role="alert">{html.escape(trouble)}</p>' if trouble else ""
    body = _FORM.format(
        why="These pages are shown to those who have a token.",
        action=SIGN_IN,
        next=html.escape(here(next_path)),
        described='aria-describedby="trouble" aria-invalid="true"' if trouble else "",
        trouble=told,
    )
    return _page("Sign in", body, status, headers)


def signed_in() -> Response:
    """The page for a browser that has signed in."""
    return _page("Signed in", _OUT.format(action=SIGN_OUT), 200)


def lead(path: str, cookies: Iterable[str]) -> Response:
    """Go on to a path of this service, with those cookies."""
    answer = Response(status_code=303, headers={**_HEADERS, "Location": here(path)})
    for cookie in cookies:
        answer.headers.append("Set-Cookie", cookie)
    return answer


def here(path: str) -> str:
    """`path` when it is one of this service, else its root: nobody is led elsewhere after signing in."""
    return path if _HERE.fullmatch(path) else "/"


def asked(path: str, query: bytes) -> str:
    """What a request asked for, as a path to come back to."""
    written = quote(path, safe="/~:@!$&'()*+,;=")
    return here(written + (f"?{query.decode('latin-1')}" if query else ""))


def read(body: bytes) -> tuple[str, str]:
    """Token and next path of the form that was sent; both may be empty."""
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10)
    except ValueError:
        return "", ""
    return fields.get("token", [""])[0].strip(), fields.get("next", ["/"])[0]


def _page(title: str, body: str, status: int, headers: dict[str, str] | None = None) -> Response:
    text = _PAGE.format(title=title, style=_STYLE, body=body)
    return HTMLResponse(text, status, {**_HEADERS, **(headers or {})})
