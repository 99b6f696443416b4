"""Where something stands: in a document, and in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

Path_ = tuple[str | int, ...]
"""Where in a document: keys and indexes from the root."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a YAML file; line and column count from 1."""

    file: Path
    line: int
    column: int
    end_column: int | None = None
