"""Addresses of pages. A run's id is arbitrary text: it is quoted whole, or goes into a query where no path carries it.

`/agents/{runId}` is the address of most runs. A path cannot carry `..` (browsers fold it, quoted or not), nothing at
all, a slash (proxies unquote it), a line break, or a name that is a page of its own; such runs have
`/agents/run?id=…`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlencode

from pytest_agog.reference.comms.models import Selector

ROOT: Final = "/agents"
_RUN: Final = "run"
_PAGES: Final = frozenset({"general", "latest", "list", _RUN})
"""Second parts of addresses that are no run's."""
_PARTS: Final = frozenset({"messages", "summary"})
EVENTS: Final = "/api/agents/events"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose timeline: a run's, or the global channel's."""

    run_id: str | None = None
    """None: the global channel."""

    @property
    def selector(self) -> Selector:
        """Its messages."""
        return Selector(general=True) if self.run_id is None else Selector(run_id=self.run_id)

    @property
    def events(self) -> str:
        """Where its events are; a page resumes, so that no history is ever asked for again."""
        query = {"channel": "general"} if self.run_id is None else {"runId": self.run_id}
        return f"{EVENTS}?{urlencode(query, encoding='utf-8', errors='replace')}&limit=1"

    def url(self, *parts: str | int, query: dict[str, str] | None = None) -> str:
        """The page, or with `parts` something below it; has a query when the run needs one."""
        below = "".join(f"/{part}" for part in parts)
        asked = dict(query or {})
        if self.run_id is None:
            path = f"{ROOT}/general{below}"
        elif _fits_a_path(self.run_id):
            path = f"{ROOT}/{quote(self.run_id, safe='')}{below}"
        else:
            path = f"{ROOT}/{_RUN}{below}"
            asked = {"id": self.run_id, **asked}
        return f"{path}?{urlencode(asked)}" if asked else path


def _fits_a_path(run_id: str) -> bool:
    return bool(run_id.strip(".")) and run_id.isprintable() and run_id not in _PAGES and not set(run_id) & set("/\\")


def read(raw_path: bytes, query: bytes) -> tuple[Place, list[str]] | None:
    """Which timeline an address means, and what below it; None when it is no timeline's.

    `raw_path` is what the client sent, still quoted: unquoted, a run `a/messages` and the messages of run `a` look
    alike.
    """
    path = raw_path.partition(b"?")[0].decode("ascii", "replace")
    parts = path.removeprefix(ROOT).lstrip("/").split("/")
    below = _below(parts)
    name = "/".join(unquote(part) for part in parts[: len(parts) - len(below)])
    if not name or "\0" in name:
        return None
    if name == _RUN:
        asked = parse_qs(query.decode("ascii", "replace"), keep_blank_values=True).get("id")
        if asked:
            return (Place(asked[0]), below) if "\0" not in asked[0] else None
    return Place(None if name == "general" else name), below


def _below(parts: list[str]) -> list[str]:
    """What follows the run: `messages`, `messages/SEQ`, `summary`, or nothing."""
    if len(parts) > 1 and parts[-1] in _PARTS:
        return parts[-1:]
    if len(parts) > 2 and parts[-2] == "messages" and parts[-1].isdecimal() and parts[-1].isascii():
        return parts[-2:]
    return []


def quoted(path: str) -> bytes:
    """The path as it would be sent, for servers that keep only the unquoted one."""
    return quote(path, safe="/").encode("ascii")
