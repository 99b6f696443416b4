"""The daily status report. [O13]"""

from __future__ import annotations

import json

from pytest_agog.reference.orchestrator.board.daily import daily_report
from tests.reference.orchestrator.board.making import HOSTILE, ago, complete, record, seed, situation


def test_the_report_tells_progress_velocity_and_blockers() -> None:
    held = record("REQ-070", "BLOCKED", held_by="agent", blockers=("No key.",), title="Labels")
    old = complete("REQ-001", ago(days=3), title="Long ago")
    told = json.loads(json.dumps(daily_report(situation(*seed(), held, old)).as_json()))
    assert told["date"] == "2026-03-02"
    progress = told["progress"]
    assert (progress["total"], progress["completed"], progress["share"]) == (11, 4, 4 / 11)
    assert progress["open"] == {"critical": 0, "high": 2, "medium": 4, "low": 1}
    assert [one["id"] for one in progress["completedToday"]] == ["REQ-030", "REQ-040", "REQ-041"]
    assert progress["startedToday"] == ["REQ-030", "REQ-040", "REQ-041", "REQ-042"]
    assert len(progress["submittedToday"]) == 10
    assert told["velocity"]["completedLastDay"] == 3
    assert told["velocity"]["perDay"] == {"2026-02-27": 1, "2026-02-28": 0, "2026-03-01": 0, "2026-03-02": 3}
    assert told["blockers"] == [
        {"id": "REQ-070", "title": "Labels", "agent": "roy", "reason": "No key.", "since": "2026-03-02T09:25:00.000Z"}
    ]
    assert told["escalations"] == []
    assert told["budget"]["remaining"] == 979_113


def test_the_report_for_people() -> None:
    held = record("REQ-070", "BLOCKED", held_by="agent", blockers=("No key.",), title="Labels")
    shown = daily_report(situation(*seed(), held)).markdown()
    assert shown.startswith("# Daily Status - 2026-03-02\n\n## Progress\n\n- Completed: 3 of 10 (30.0%)\n")
    assert "- Open: 0 CRITICAL, 2 HIGH, 4 MEDIUM, 1 LOW\n" in shown
    assert "- Last 24 hours: 3 completed, 4 started, 10 new\n" in shown
    assert "- REQ-041 (Roy) - Storage locations schema\n" in shown
    assert "- Completed by day: 03-02 3\n" in shown
    assert "## Blockers\n\n- REQ-070 (Roy) - Labels: No key.\n" in shown
    assert shown.endswith("## Waiting for a decision\n\n- None\n")


def test_a_day_without_anything() -> None:
    shown = daily_report(situation())
    assert shown.progress is None
    assert "- Completed: 0 of 0 (n/a)\n" in shown.markdown()
    assert "- Completed by day: n/a\n" in shown.markdown()


def test_titles_make_no_markup() -> None:
    shown = daily_report(situation(complete("REQ-1", ago(minutes=5), title=HOSTILE))).markdown()
    assert "<script>" not in shown
    assert "**bold**" not in shown
    assert "\x1b" not in shown
