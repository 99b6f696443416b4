"""The daily status report for the project manager: progress, velocity, blockers. [O13]"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pytest_agog.reference.orchestrator.board import words
from pytest_agog.reference.orchestrator.board.board import board
from pytest_agog.reference.orchestrator.board.markdown import SHOWN, escaped, metric_lines
from pytest_agog.reference.orchestrator.board.model import Blocker, Board
from pytest_agog.reference.orchestrator.board.queues import title
from pytest_agog.reference.orchestrator.board.situation import Situation
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.wire.times import format_time

TOPIC: Final = "daily-status"
"""Of the message to the project manager: `integration.project-manager.daily-status`."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Report:
    """One day's report: the 24 hours before `board.at`."""

    board: Board
    completed: tuple[tuple[str, str, str | None], ...]
    """Id, title and agent of what was completed in these 24 hours."""
    started: tuple[str, ...]
    submitted: tuple[str, ...]
    total: int
    """Requirements that there are."""

    @property
    def progress(self) -> float | None:
        """Complete, of all; None without any."""
        return self.board.completed / self.total if self.total else None

    def as_json(self) -> dict[str, Any]:
        """The message: numbers, lists and the same as Markdown."""
        shown = self.board
        metrics = shown.as_json()["metrics"]
        return {
            "date": f"{shown.at:%Y-%m-%d}",
            "timestamp": format_time(shown.at),
            "progress": {
                "total": self.total, "completed": shown.completed, "share": self.progress,
                "open": {priority.lower(): len(items) for priority, items in shown.queues.items()},
                "completedToday": [{"id": one, "title": name, "agent": agent} for one, name, agent in self.completed],
                "startedToday": list(self.started), "submittedToday": list(self.submitted),
            },
            "velocity": {
                "completedLastDay": len(self.completed), "perDay": metrics["perDay"],
                "throughput": metrics["throughput"], "completionTime": metrics["completionTime"],
            },
            "blockers": [_told(one) for one in shown.blockers],
            "escalations": [_told(one) for one in shown.escalations],
            "budget": shown.as_json()["budget"],
            "metrics": metrics,
            "markdown": self.markdown(),
        }  # fmt: skip

    def markdown(self) -> str:
        """The report for people."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        shown = self.board
        yield from (f"# Daily Status - {shown.at:%Y-%m-%d}", "", "## Progress", "")
        yield f"- Completed: {shown.completed} of {self.total} ({words.percent(self.progress)})"
        yield "- Open: " + ", ".join(f"{len(items)} {priority}" for priority, items in shown.queues.items())
        counts = f"{len(self.completed)} completed, {len(self.started)} started, {len(self.submitted)} new"
        yield f"- Last 24 hours: {counts}"
        yield f"- Token budget: {words.budget(shown)}"
        if shown.critical_path:
            yield f"- Critical path: {' → '.join(shown.critical_path)}"
        yield from ("", "### Completed in the last 24 hours", "")
        yield from _capped(
            [f"- {one} ({escaped(words.name(who))}) - {escaped(name)}" for one, name, who in self.completed]
        )
        yield from ("", "## Velocity", "")
        per_day = ", ".join(f"{day:%m-%d} {count}" for day, count in shown.metrics.per_day.items())
        yield f"- Completed by day: {per_day or words.NOTHING}"
        yield from metric_lines(shown)
        yield from ("", "## Blockers", "", *_capped([_line(one) for one in shown.blockers]))
        yield from ("", "## Waiting for a decision", "", *_capped([_line(one) for one in shown.escalations]))


def daily_report(situation: Situation) -> Report:
    """The report of this moment."""
    records = situation.records.values()
    shown = board(situation)

    def recent(field: str) -> list[Record]:
        since = situation.at - _DAY
        found = [one for one in records if (at := getattr(one, field)) is not None and since < at <= situation.at]
        return sorted(found, key=lambda one: (getattr(one, field), one.id))

    done = [one for one in recent("completed_at") if one.state == "COMPLETE"]
    return Report(
        shown, tuple((one.id, title(one), one.agent) for one in done), tuple(one.id for one in recent("started_at")),
        tuple(one.id for one in recent("submitted_at")), len(situation.records),
    )  # fmt: skip


def _told(one: Blocker) -> dict[str, Any]:
    return {
        "id": one.id, "title": one.title, "agent": one.agent, "reason": one.reason,
        "since": format_time(one.since) if one.since is not None else None,
    }  # fmt: skip


def _line(one: Blocker) -> str:
    who = escaped(words.name(one.agent))
    if one.id is None:
        return f"- {who} {escaped(one.reason)}"
    return f"- {one.id} ({who}) - {escaped(one.title)}: {escaped(one.reason)}"


def _capped(lines: list[str]) -> Iterator[str]:
    yield from lines[:SHOWN] or ["- None"]
    if len(lines) > SHOWN:
        yield f"- … and {words.number(len(lines) - SHOWN)} more"
