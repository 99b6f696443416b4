"""Static files of pages. Their folder's name in URLs is a digest of all of them, so they may be kept for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml; charset=utf-8",
}


class StaticFiles:
    """Files out of the folders `static/` of packages, under one address; read when the first of them is asked for."""

    def __init__(self, base: str, packages: Mapping[str, tuple[str, ...] | None]) -> None:
        """`packages` names the files of each; None stands for all that a browser knows what to do with."""
        self._base = base
        self._packages = packages

    def url(self, name: str) -> str:
        """Where a static file of this version is.

        Raises:
            KeyError: there is none of that name.
        """
        if name not in self._files:
            raise KeyError(name)
        return f"{self._base}/{self._digest}/{name}"

    def routes(self) -> list[Route]:
        """Where they are served."""
        return [Route(f"{self._base}/{{digest}}/{{name}}", self._serve)]

    @cached_property
    def _files(self) -> dict[str, bytes]:
        return {
            file.name: file.read_bytes()
            for package, names in self._packages.items()
            for file in (resources.files(package) / "static").iterdir()
            if (names is None or file.name in names) and _kind(file.name) in _TYPES
        }

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for name, data in sorted(self._files.items()):
            digest.update(f"{name}:{len(data)}:".encode())
            digest.update(data)
        return digest.hexdigest()[:16]

    async def _serve(self, request: Request) -> Response:
        name = request.path_params["name"]
        data = self._files.get(name)
        if data is None:
            return PlainTextResponse("not found", 404, {"X-Content-Type-Options": "nosniff"})
        current = request.path_params["digest"] == self._digest
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return Response(data, media_type=_TYPES[_kind(name)], headers=headers)


def _kind(name: str) -> str:
    return name.rpartition(".")[2]
