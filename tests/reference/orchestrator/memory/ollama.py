"""An embedder over HTTP that speaks as Ollama does. Meaning is which words a text holds, some of them synonyms."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pytest_agog.reference.orchestrator.memory.config import MemoryConfig
from pytest_agog.reference.serving import HttpServer

DIMENSIONS = 64
SYNONYMS = {"car": "automobile", "cars": "automobile", "quick": "fast", "rapid": "fast"}
Mood = Literal["well", "old", "broken", "no model", "nonsense", "short", "zeros"]


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """The same for texts of the same words."""
    found = [0.0] * dimensions
    for word in re.findall(r"\w+", text.removeprefix("search_document: ").removeprefix("search_query: ").casefold()):
        digest = hashlib.sha256(SYNONYMS.get(word, word).encode()).digest()
        found[int.from_bytes(digest[:4], "big") % dimensions] += 1.0
    length = math.hypot(*found)
    return [one / length for one in found] if length else [1.0, *found[1:]]


class Ollama:
    """Serves while the context lasts; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.mood: Mood = "well"
        self._server = HttpServer("127.0.0.1", 0)
        self.url = self._server.url

    def config(self, **changes: Any) -> MemoryConfig:
        return MemoryConfig(**{"embedder_url": self.url, "dimensions": DIMENSIONS, **changes})

    async def __aenter__(self) -> Ollama:
        routes = [
            Route("/api/embed", self._many, methods=["POST"]), Route("/api/embeddings", self._one, methods=["POST"]),
        ]  # fmt: skip
        await self._server.start(Starlette(routes=routes))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    async def _many(self, request: Request) -> Response:
        if self.mood == "old":
            return PlainTextResponse("404 page not found", 404)
        body = await request.json()
        return self._refusal(body) or JSONResponse({"embeddings": [self._vector(text) for text in body["input"]]})

    async def _one(self, request: Request) -> Response:
        body = await request.json()
        return self._refusal(body) or JSONResponse({"embedding": self._vector(body["prompt"])})

    def _refusal(self, body: dict[str, Any]) -> Response | None:
        match self.mood:
            case "broken":
                return PlainTextResponse("out of memory", 500)
            case "no model":
                return JSONResponse({"error": f"model {body['model']!r} not found, try pulling it first"}, 404)
            case "nonsense":
                return PlainTextResponse("[[[")
            case _:
                return None

    def _vector(self, text: str) -> list[float]:
        self.asked.append(text)
        if self.mood == "zeros":
            return [0.0] * DIMENSIONS
        return vector(text)[: 3 if self.mood == "short" else DIMENSIONS]
