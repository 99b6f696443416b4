"""Static files of the page: its own, and those that it shares with the pages of agent comms.

Their folder's name in URLs is a digest of all of them, so they may be kept for ever.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

BASE: Final = "/static/orchestrator"
_FOLDERS: Final = {
    "pytest_agog.reference.comms.pages": ("agents.css", "icon.svg", "stream.js", "times.js"),
    "pytest_agog.reference.orchestrator.board": ("board.css", "board.js"),
}
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml; charset=utf-8",
}


@cache
def _files() -> dict[str, bytes]:
    return {
        name: (resources.files(package) / "static" / name).read_bytes()
        for package, names in _FOLDERS.items()
        for name in names
    }


@cache
def _digest() -> str:
    digest = hashlib.sha256()
    for name, data in sorted(_files().items()):
        digest.update(f"{name}:{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()[:16]


def url(name: str) -> str:
    """Where a static file of this version is."""
    if name not in _files():
        raise KeyError(name)
    return f"{BASE}/{_digest()}/{name}"


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    data = _files().get(name)
    if data is None:
        return PlainTextResponse("not found", 404, {"X-Content-Type-Options": "nosniff"})
    current = request.path_params["digest"] == _digest()
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return Response(data, media_type=_TYPES[name.rpartition(".")[2]], headers=headers)


def routes() -> list[Route]:
    """Where they are served."""
    return [Route(f"{BASE}/{{digest}}/{{name}}", _static)]
