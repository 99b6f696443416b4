"""What was seen in a storm, and what of it must not be: pure functions of the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

_T = TypeVar("_T")


@dataclass
class Seen:
    """What one reader got, over all its connections."""

    name: str
    selector: dict[str, str]
    """Parameters of the events API."""
    ids: list[int] = field(default_factory=list)
    connections: int = 0


@dataclass(frozen=True)
class History:
    """A storm when it is over."""

    acked: frozenset[str]
    """Ids of good messages with a PubAck."""
    acked_bad: frozenset[str]
    """The same of messages that cannot become a row."""
    rows: Sequence[tuple[str, int]]
    """Id and cursor of every row, in the order of cursors."""
    rejected: Sequence[tuple[str, int]]
    """Payload and sequence on the stream."""
    wanted: Mapping[str, Sequence[int]]
    """A reader's name to the cursors of the rows that it asked for."""
    readers: Sequence[Seen]


def violations(history: History) -> list[str]:
    """What is wrong, in words; nothing when all is well."""
    found = [
        *_exactly_once("row", history.acked, [name for name, _ in history.rows]),
        *_at_least_once("rejected row", history.acked_bad, [name for name, _ in history.rejected]),
    ]
    twice = _repeated(seq for _, seq in history.rejected)
    if twice:
        found.append(f"{len(twice)} places of the stream were rejected twice: {twice[:5]}")
    for reader in history.readers:
        found += _reader(reader, history.wanted[reader.name])
    return found


def _exactly_once(what: str, acked: frozenset[str], stored: Sequence[str]) -> list[str]:
    found = _at_least_once(what, acked, stored)
    if twice := _repeated(stored):
        found.append(f"{len(twice)} messages have more than one {what}: {twice[:5]}")
    return found


def _at_least_once(what: str, acked: frozenset[str], stored: Iterable[str]) -> list[str]:
    missing = sorted(acked.difference(stored))
    return [f"{len(missing)} acked messages have no {what}: {missing[:5]}"] if missing else []


def _repeated(items: Iterable[_T]) -> list[_T]:
    return [item for item, number in Counter(items).items() if number > 1]


def _reader(reader: Seen, wanted: Sequence[int]) -> list[str]:
    if reader.ids == list(wanted):
        return []
    missing = sorted(set(wanted) - set(reader.ids))
    foreign = sorted(set(reader.ids) - set(wanted))
    backwards = sum(after <= before for before, after in zip(reader.ids, reader.ids[1:], strict=False))
    said = (
        f"reader {reader.name} ({reader.connections} connections): {len(missing)} missing {missing[:5]}, "
        f"{len(_repeated(reader.ids))} repeated, {len(foreign)} foreign, {backwards} times out of order"
    )
    return [said]
