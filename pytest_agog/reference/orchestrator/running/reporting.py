"""The daily status report to the project manager: once a day of the orchestrator's clock. [O13]"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from pytest_agog.reference.orchestrator.engine import messages
from pytest_agog.reference.orchestrator.messaging.bucket import Moved
from pytest_agog.reference.orchestrator.running.desk import Desk, patiently

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.board.situation import Situation

LOG: Final = logging.getLogger(__name__)
_KEY: Final = "report"


class Reporting:
    """Knows the day of the last report; the state keeps it, so that no instance reports a day twice."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._last: date | None = None
        self._revision = 0
        desk.books.watch(_KEY, self._told)

    async def report(self, now: datetime, source: Callable[[], Situation]) -> None:
        """Report when a new day has begun; the first day of a new state is not reported."""
        today = now.date()
        if self._last is not None and today <= self._last:
            return
        first = self._last is None
        try:
            self._revision = await self._desk.books.bucket.put(_KEY, today.isoformat().encode(), after=self._revision)
        except Moved:
            return  # another instance was faster, and its word is on the way
        self._last = today
        if first:
            return
        from pytest_agog.reference.orchestrator.board.daily import TOPIC, daily_report

        report = daily_report(source())
        told = messages.integration(messages.MANAGER, TOPIC, report.as_json(), f"daily-status:{today.isoformat()}")
        await patiently(self._desk.send(told), "daily report")

    def _told(self, key: str, value: bytes | None, revision: int) -> None:
        if revision > self._revision and value is not None:
            self._revision = revision
            with contextlib.suppress(ValueError):
                self._last = date.fromisoformat(value.decode("ascii", "replace"))
