"""Table `[memory]` of `agog.toml`. [O20]"""

from __future__ import annotations

from pydantic import Field

from pytest_agog.values import Strict


class MemoryConfig(Strict):
    """Where memory is kept, and how its closeness of meaning is measured."""

    dsn: str | None = None
    """Postgres; without it, and without `--postgres-dsn`, nothing is remembered."""
    embedder_url: str | None = None
    """An Ollama server; without it only words are searched for."""
    embedder_model: str = "nomic-embed-text"
    """The model that embeds."""
    dimensions: int = Field(default=768, ge=1, le=4096)
    """Of its vectors."""
