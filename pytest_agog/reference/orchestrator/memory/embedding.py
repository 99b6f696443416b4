"""Text to vectors, by an Ollama server. When it is away, nothing waits for it: it is asked again later. [O20]"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal

from pytest_agog.errors import EmbedderFailed
from pytest_agog.masking import mask
from pytest_agog.reference.orchestrator.memory.config import MemoryConfig

if TYPE_CHECKING:
    import httpx

LOG: Final = logging.getLogger(__name__)
Purpose = Literal["document", "query"]
PATIENCE: Final = 10.0
"""Seconds that the server has for an answer; the first one may have to load the model."""
REST: Final = 30.0
"""Seconds that a server which failed is left alone."""
BATCH: Final = 16
"""Texts that are embedded at once."""
LONGEST: Final = 6_000
"""Characters of a text that the model reads; its context is 2,048 tokens by default."""
_PREFIXED: Final = "nomic-embed-text"
"""This model wants to be told what a text is for."""
_ANSWER: Final = 64_000_000
"""Bytes of the longest answer."""
_LARGEST: Final = 3e38
"""Vectors are kept in single precision."""


class Embedder:
    """Embeds by `POST /api/embed`, and by `/api/embeddings` where a server knows only that."""

    def __init__(self, config: MemoryConfig, url: str, now: Callable[[], float] = monotonic) -> None:
        self.model = config.embedder_model
        self.dimensions = config.dimensions
        self._url = url.rstrip("/")
        self._now = now
        self._rests_until = 0.0
        self._single = False
        self._client: httpx.AsyncClient | None = None
        self.away: str | None = None
        """Why it cannot be used; None while it can, and before it was asked."""

    @property
    def rests(self) -> bool:
        """Whether it failed a moment ago and is not asked."""
        return self.away is not None and self._now() < self._rests_until

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
        """A vector for each text.

        Raises:
            EmbedderFailed: the server is away, rests, has not got the model, or answers with something else.
        """
        if self.rests:
            raise EmbedderFailed(url=mask(self._url), model=self.model, reason=self.away)
        try:
            inputs = [self._input(text, purpose) for text in texts]
            found: list[list[float]] = []
            for first in range(0, len(inputs), BATCH):
                found += await self._ask(inputs[first : first + BATCH])
        except EmbedderFailed as error:
            if self.away is None:
                LOG.warning("memory searches by words alone: %s", error)
            self.away, self._rests_until = str(error.details["reason"]), self._now() + REST
            raise
        if self.away is not None:
            LOG.info("memory searches by meaning again")
            self.away = None
        return found

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _input(self, text: str, purpose: Purpose) -> str:
        prefix = f"search_{purpose}: " if self.model.startswith(_PREFIXED) else ""
        return prefix + text[:LONGEST]

    async def _ask(self, texts: list[str]) -> list[list[float]]:
        if not self._single:
            status, answer = await self._post("/api/embed", {"model": self.model, "input": texts})
            if status == 200:
                return self._vectors(answer.get("embeddings"), len(texts))
            if status not in (404, 405) or "error" in answer:
                raise self._failed(answer.get("error") or f"status {status}")
            self._single = True
        return [await self._ask_one(text) for text in texts]

    async def _ask_one(self, text: str) -> list[float]:
        status, answer = await self._post("/api/embeddings", {"model": self.model, "prompt": text})
        if status != 200:
            raise self._failed(answer.get("error") or f"status {status}")
        return self._vectors([answer.get("embedding")], 1)[0]

    async def _post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=PATIENCE, trust_env=False)
        try:
            async with self._client.stream("POST", self._url + path, json=body) as response:
                content = b""
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > _ANSWER:
                        raise self._failed("its answer does not end")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise self._failed(str(error) or type(error).__name__) from None
        return response.status_code, _object(content)

    def _vectors(self, value: object, count: int) -> list[list[float]]:
        if not isinstance(value, list) or len(value) != count:
            raise self._failed("its answer holds no vectors")
        return [self._vector(one) for one in value]

    def _vector(self, value: object) -> list[float]:
        if not isinstance(value, list) or not all(_is_number(one) for one in value):
            raise self._failed("its answer holds no vectors")
        if len(value) != self.dimensions:
            raise self._failed(f"its vectors have {len(value)} dimensions, [memory] dimensions is {self.dimensions}")
        if not any(value):
            raise self._failed("a vector is all zeros")
        return [float(one) for one in value]

    def _failed(self, reason: object) -> EmbedderFailed:
        lines = mask(str(reason)).splitlines() or [""]
        return EmbedderFailed(url=mask(self._url), model=self.model, reason=lines[0][:200])


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST


def _object(content: bytes) -> dict[str, Any]:
    import orjson

    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
