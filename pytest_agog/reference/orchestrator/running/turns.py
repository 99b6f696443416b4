"""Turn-based cadence: who looks for work at which minute of each half hour. [O17]"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

CYCLE: Final = timedelta(minutes=30)
ORCHESTRATOR: Final = "orchestrator"
OFFSETS: Final = {0: (ORCHESTRATOR, "roy"), 5: ("jen",), 10: ("database",), 15: ("documentation",),
                  20: ("review",), 25: ("release",)}  # fmt: skip
"""Minutes after :00 and :30, and whose turn it is then. The orchestrator comes first, so that there is work to find."""
AGENTS: Final = frozenset(agent for agents in OFFSETS.values() for agent in agents if agent != ORCHESTRATOR)
"""Agents that wait for their turn; all others of a chain work when work comes."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment, and those whose turn it is."""

    at: datetime
    agents: tuple[str, ...]


def turns(after: datetime, until: datetime) -> Iterator[Turn]:
    """The turns later than `after`, up to and including `until`, in order."""
    begin = after.replace(minute=after.minute - after.minute % 30, second=0, microsecond=0)
    while begin <= until:
        for minutes, agents in OFFSETS.items():
            moment = begin + timedelta(minutes=minutes)
            if after < moment <= until:
                yield Turn(moment, agents)
        begin += CYCLE


def next_turn(after: datetime) -> Turn:
    """The first turn later than `after`."""
    return next(turns(after, after + CYCLE))
