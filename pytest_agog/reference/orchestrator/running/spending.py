"""What was spent today, out of the records: nothing is counted twice, and a kill forgets nothing. [O7]"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pytest_agog.reference.orchestrator.planning.budget import Entry, Usage
from pytest_agog.reference.orchestrator.state.record import Record


def usage(records: Iterable[Record], now: datetime) -> Usage:
    """Of the UTC day of `now`."""
    day = now.date()
    return Usage(
        tuple(
            Entry(one.at, one.agent, one.tokens, one.kind)
            for record in records
            for one in record.spent
            if one.at.date() == day
        )
    )
