from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agog.ledger.facts import (
    AgentSpawned,
    MessageStored,
    NoticeSeen,
    ProcessExited,
    ProcessStarted,
    PublishAttempted,
    PublishRefused,
    StepStarted,
)
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.report.swimlane import WIDTH, draw, ticks
from pytest_agog.report.timeline import BINS, MAX_LANES, Timeline, timeline
from tests.report.builders import START, Story, chain_ledger, count_words, play


def of(file: Path, ledger: Ledger) -> Timeline:
    return timeline(play("a", file, ledger=ledger))


def test_a_chain_over_time(file: Path) -> None:
    found = of(file, chain_ledger())
    assert [(lane.name, lane.kind) for lane in found.lanes] == [
        ("steps", "steps"), ("cynthia", "agent"), ("sylvia", "agent"), ("roy", "agent"), ("jen", "agent"),
        ("services", "service"),
    ]  # fmt: skip
    assert [(span.lane, span.label, span.outcome) for span in found.spans] == [
        ("steps", "1 chain", "passed"), ("cynthia", "research", "passed"), ("sylvia", "critique", "passed"),
        ("roy", "backend", "passed"), ("jen", "frontend", "passed"),
    ]  # fmt: skip
    assert all(0 <= span.start < span.end <= found.duration for span in found.spans)
    assert [(mark.lane, mark.kind) for mark in found.marks] == [
        ("cynthia", "message"), ("sylvia", "message"), ("services", "acted"), ("roy", "fetched"), ("roy", "message"),
        ("jen", "message"),
    ]  # fmt: skip
    assert sorted((link.source, link.target, link.kind) for link in found.links) == [
        ("cynthia", "roy", "fetched"), ("cynthia", "sylvia", "handed"), ("roy", "jen", "handed"),
        ("sylvia", "roy", "handed"),
    ]  # fmt: skip
    assert all(link.source_at <= link.target_at for link in found.links)


def test_retries_failures_and_ends_that_nobody_saw(file: Path) -> None:
    ledger = Ledger(count_words)
    story = Story(ledger)
    prompt = ledger.payloads.put(b"x")
    story.tell(StepStarted(1, "chain", "chain"))
    story.tell(AgentSpawned(1, "roy", "backend", "f", 1, prompt))
    story.tell(NoticeSeen("roy", "f", 1, None, "no notice in its output"))
    story.tell(AgentSpawned(1, "roy", "backend", "f", 2, prompt))
    story.tell(ProcessStarted("agog", ("agog", "doctor"), 7))
    story.tell(ProcessExited("agog", 3, 0.1))
    found = of(file, ledger)
    assert [(span.label, span.outcome) for span in found.spans] == [
        ("1 chain", "open"), ("backend", "failed"), ("backend (attempt 2)", "open"), ("agog doctor", "failed"),
    ]  # fmt: skip


def test_refused_publishes_are_marked(file: Path) -> None:
    ledger = Ledger(count_words)
    story = Story(ledger)
    attempt = story.tell(PublishAttempted("a.b", ledger.payloads.put(b"x"), "step 3"))
    story.tell(PublishRefused(attempt, "maximum payload exceeded"))
    (mark,) = of(file, ledger).marks
    assert (mark.lane, mark.kind, mark.label) == ("steps", "refused", "refused: a.b (maximum payload exceeded)")


def test_many_messages_make_a_small_drawing(file: Path) -> None:
    ledger = Ledger(count_words)
    payload = ledger.payloads.put(b"x")
    for number in range(20_000):
        at = START + number / 1000
        ledger.append(MessageStored("agent-comms", number + 1, at, f"argo.workflow.{number % 7}.x", payload, 1), at=at)
    found = of(file, ledger)
    assert [lane.name for lane in found.lanes] == ["agent-comms"]
    assert len(found.marks) <= BINS + 1
    assert sum(mark.count for mark in found.marks) == 20_000


def test_lanes_that_find_no_room_are_counted(file: Path) -> None:
    ledger = Ledger(count_words)
    payload = ledger.payloads.put(b"x")
    for number in range(MAX_LANES + 5):
        ledger.append(MessageStored(f"s{number}", 1, START, f"t.{number}", payload, 1), at=START)
    found = of(file, ledger)
    assert len(found.lanes) == MAX_LANES
    assert found.left_out == 5


def test_an_empty_ledger_has_nothing_to_draw(file: Path) -> None:
    found = of(file, Ledger(count_words))
    assert found.lanes == ()
    assert draw(found).bars == ()


def test_everything_is_drawn_within_the_picture(file: Path) -> None:
    drawing = draw(of(file, chain_ledger()))
    assert all(
        bar.x >= 0 and bar.x + bar.width <= WIDTH and bar.y + bar.height <= drawing.height for bar in drawing.bars
    )
    assert all(0 <= dot.x <= WIDTH and 0 <= dot.y <= drawing.height for dot in drawing.dots)
    assert "restarted" in next(dot.tip for dot in drawing.dots if dot.kind == "acted")


@pytest.mark.parametrize("duration", [0.0009, 0.02, 0.41, 1, 7.7, 60, 3600])
def test_ticks_are_round_and_few(duration: float) -> None:
    found = ticks(duration)
    assert 5 <= len(found) <= 11
    assert found[0] == 0
    assert found[-1] <= duration * 1.0001


def test_no_duration_is_one_tick() -> None:
    assert ticks(0) == [0.0]
