"""The board as plain text for a terminal. Nothing in the text of others takes effect there. [O18]"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len, set_cell_size

from pytest_agog.reference.observing.health import Health
from pytest_agog.reference.orchestrator.board import words
from pytest_agog.reference.orchestrator.board.model import Blocker, Board, Item
from pytest_agog.reference.orchestrator.board.queues import PRIORITIES
from pytest_agog.reference.orchestrator.board.words import name, visible

WIDTH: Final = 80
"""Columns."""
SHOWN: Final = 20
"""Lines of a queue; the rest is counted."""
_BAR: Final = 20
_MARKS: Final = {"done": "●", "running": "◐", "next": "○", "skipped": "-", "failed": "✗", "ahead": "·"}


def text(board: Board, *, width: int = WIDTH, shown: int = SHOWN) -> str:
    """The whole board, no line wider than `width` cells."""
    return "\n".join(cut(line, width) for line in _lines(board, width, shown)) + "\n"


def cut(line: str, width: int) -> str:
    """`line` in at most `width` cells."""
    return line if cell_len(line) <= width else set_cell_size(line, width - 1).rstrip() + "…"


def _lines(board: Board, width: int, shown: int) -> Iterator[str]:
    yield f"ORCHESTRATOR   {words.mode(board)}   {board.at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"Budget   {_bar(board.budget.remaining_share)} {words.budget(board)}"
    yield f"Agents   {words.active(board)}"
    if board.budget.conservation:
        yield f"Saving   {visible('; '.join(board.budget.reasons))}"
    yield from (f"ALERT    {visible(alert)}" for alert in board.alerts)
    if board.health is not None:
        yield from ("", "SYSTEM", *_health(board.health, shown))
    for title, found in (("BLOCKERS", board.blockers), ("ESCALATIONS", board.escalations)):
        if found:
            yield from ("", title, *_rest([_blocker(one) for one in found], shown))
    for priority in PRIORITIES:
        items = board.queues[priority]
        yield from ("", f"{priority}  {words.counted(len(items))}")
        yield from (_item(one, board, width) for one in items[:shown])
        if len(items) > shown:
            yield f"  … and {words.number(len(items) - shown)} more"
    yield from ("", "AGENT                STATUS   TOKENS TODAY              QUEUE  WORK")
    yield from _agents(board)
    if board.critical_path:
        yield from ("", "CRITICAL PATH", "  " + " → ".join(board.critical_path))
    yield from ("", "COMPLETED IN THE LAST HOUR")
    done = [f"{one.id} ({name(one.agent)}) {visible(one.title)}" for one in board.completions]
    yield from _rest(done, shown) if done else ("  none",)
    yield from ("", "SUCCESS METRICS")
    yield from (f"  {what + ':':<24}{value}" for what, value in words.measures(board))
    yield from (
        f"  {cut(agent, 22) + ':':<24}utilisation {use}, error rate {bad}"
        for agent, use, bad in words.agent_measures(board)
    )
    yield from ("", f"Next review: {words.next_review(board)}")


def _health(health: Health, shown: int) -> Iterator[str]:
    for part in health.parts[:shown]:
        mark = "!" if part.condition == "down" else " "
        yield f"{mark} {cut(words.part_name(part.name), 28) + ':':<30}{words.part(part, health.at)}"
    for one in health.taken[:shown]:
        yield f"  {cut(visible(one.name), 28) + ':':<30}{words.taken(one)}"


def _item(item: Item, board: Board, width: int) -> str:
    strip = "".join(_MARKS[step.passage] for step in item.steps) if len(item.steps) > 1 else ""
    said = f"  {item.id} ({name(item.agent)}) {strip}{' ' if strip else ''}{words.state(item, board.at)}"
    room = width - cell_len(said) - 3
    return f"{said} · {cut(visible(item.title), room)}" if room >= 12 else said


def _agents(board: Board) -> Iterator[str]:
    for one in board.agents:
        tokens = words.usage(one).replace(" (no share of its own)", "")
        work = ", ".join(one.working_on) or (f"next {one.next_task}" if one.next_task else "")
        rest = f" [breaker {one.breaker}]" if one.breaker else ""
        agent = set_cell_size(cut(name(one.agent), 20), 20)
        yield f"{agent} {one.status:<8} {tokens:<26}{one.queue_depth:>5}  {work}{rest}"


def _blocker(one: Blocker) -> str:
    if one.id is None:
        return f"{name(one.agent)} {visible(one.reason)}"
    said = f"{one.id} ({name(one.agent)}) {visible(one.reason)} · {visible(one.title)}"
    return f"! {said}" if one.held else said


def _rest(lines: list[str], shown: int) -> Iterator[str]:
    yield from (f"  {line}" for line in lines[:shown])
    if len(lines) > shown:
        yield f"  … and {words.number(len(lines) - shown)} more"


def _bar(share: float) -> str:
    full = round(share * _BAR)
    return "█" * full + "░" * (_BAR - full)
