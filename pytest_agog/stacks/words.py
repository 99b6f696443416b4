"""Words in names: `agogsaas_agents_nats-data` is agogsaas, agents, nats, data."""

from __future__ import annotations

import re
from typing import Final

_SPLIT: Final = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
APP_WORDS: Final = frozenset({"app", "application"})
AGENT_WORDS: Final = frozenset({"agents", "agent"})
AGENT_TOOLS: Final = frozenset({"nats", "ollama"})


def words(name: str) -> list[str]:
    """The words of a name, in lower case."""
    return [word.lower() for word in _SPLIT.split(name) if word]


def repository(image: str) -> tuple[str, str]:
    """Repository (without registry and `library/`) and tag of an image; the tag of a bare name is `latest`."""
    name = image.partition("@")[0]
    head, _, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    parts = [part for part in head.split("/") if part]
    if parts and ("." in parts[0] or ":" in parts[0] or parts[0] == "localhost"):
        parts = parts[1:]
    if parts == ["library"]:
        parts = []
    pinned = "" if "@" in image and not tag else "latest"
    return "/".join([*parts, last]).lower(), tag.lower() or pinned
