"""All checks by name. Plugins add theirs through the hook `pytest_agog_checks`; nothing is kept between runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final

from pytest_agog.checks.base import Check
from pytest_agog.errors import BadInput

Checks = Mapping[str, Check[Any]]

PLACES: Final[Mapping[str, str]] = {
    "stream": "topology",
    "consumer": "topology",
    "message": "messages",
    "never": "messages",
    "order": "messages",
    "deliverable": "deliverables",
    "notice": "notices",
    "no_inline_report": "prompts",
    "table": "tables",
    "rows": "tables",
    "file": "surroundings",
    "process": "surroundings",
    "http": "surroundings",
    "compose": "compose",
    "no_loss": "durability",
    "sse": "readers",
    "page": "readers",
    "lag": "lag",
    "auth": "auth",
    "metrics": "metrics",
    "spawn": "spawns",
    "requirement": "requirements",
    "gate": "gates",
    "roadmap": "roadmaps",
    "tokens.spawn_savings": "tokens",
    "tokens.net_savings": "tokens",
    "tokens.notice": "tokens",
}
"""The module of each check. A scenario names a few of them; the others would cost a third of its reading time."""


class _Builtin(Mapping[str, Check[Any]]):
    """The checks that ship with the package; each is imported when it is first looked at."""

    def __init__(self) -> None:
        self._found: dict[str, Check[Any]] = {}

    def __getitem__(self, name: str) -> Check[Any]:
        if name not in self._found:
            module = import_module(f"pytest_agog.checks.{PLACES[name]}")
            self._found |= {check.name: check for check in module.CHECKS}
        return self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in PLACES

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


def builtin_checks() -> Checks:
    """The checks that ship with the package."""
    return _Builtin()


def register(checks: Checks, more: Iterable[Check[Any]]) -> Checks:
    """`checks` with `more` added.

    Raises:
        BadInput: two checks have one name.
    """
    added: dict[str, Check[Any]] = {}
    for check in more:
        if check.name in checks or check.name in added:
            raise BadInput(f"two checks are named {check.name!r}; rename the one that a plugin adds")
        added[check.name] = check
    return _Joined(checks, added) if added else checks


class _Joined(Mapping[str, Check[Any]]):
    """Checks, and those that a plugin adds."""

    def __init__(self, checks: Checks, added: Checks) -> None:
        self._parts = (checks, added)

    def __getitem__(self, name: str) -> Check[Any]:
        return self._parts[name in self._parts[1]][name]

    def __contains__(self, name: object) -> bool:
        return any(name in part for part in self._parts)

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            yield from part

    def __len__(self) -> int:
        return sum(map(len, self._parts))
