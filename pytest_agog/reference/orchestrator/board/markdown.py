"""The board as Markdown. Text of others is escaped, so that it shows as it was written and makes nothing. [O18]"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pytest_agog.reference.orchestrator.board import words
from pytest_agog.reference.orchestrator.board.model import AgentActivity, Blocker, Board
from pytest_agog.reference.orchestrator.board.queues import PRIORITIES
from pytest_agog.reference.orchestrator.board.words import name

SHOWN: Final = 200
"""Lines of a list; the rest is counted."""
_ACTIVE: Final = re.compile(r"[\\`*_\[\]#<>&~$]|:(?=//)|(?<=\bwww)\.", re.IGNORECASE)


def escaped(text: str) -> str:
    """`text` on one line, as Markdown that shows exactly this; no HTML, link, image or emphasis comes of it."""
    return _ACTIVE.sub(_literal, words.visible(text))


def _literal(match: re.Match[str]) -> str:
    entities = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
    return entities.get(match[0], f"\\{match[0]}")


def markdown(board: Board) -> str:
    """The whole board."""
    return "\n".join(_lines(board)) + "\n"


def _lines(board: Board) -> Iterator[str]:
    yield "## Orchestrator - Work Distribution Status"
    yield ""
    yield f"**Mode:** {words.mode(board)}"
    yield f"**Token Budget:** {words.budget(board)}"
    yield f"**Active Agents:** {escaped(words.active(board))}"
    if board.budget.conservation:
        yield f"**Conservation Mode:** {escaped('; '.join(board.budget.reasons)) or 'on'}"
    yield from (f"**Alert:** {escaped(alert)}" for alert in board.alerts)
    yield ""
    yield "### Queue Status"
    for priority in PRIORITIES:
        yield ""
        yield from _queue(board, priority)
    yield from ("", "### Agent Activity", "")
    for agent in board.agents:
        yield from _agent(agent)
        yield ""
    yield from ("### Blockers", "", *_listed(_blocker(one) for one in board.blockers), "")
    if board.escalations:
        yield from ("### Escalations", "", *_listed(_blocker(one) for one in board.escalations), "")
    if board.critical_path:
        yield from ("### Critical Path", "", "- " + " → ".join(board.critical_path), "")
    if board.health is not None:
        yield from ("### System", "")
        yield from _listed(
            f"- {escaped(words.part_name(one.name))}: {escaped(words.part(one, board.health.at))}"
            for one in board.health.parts
        )
        yield from (f"- {escaped(one.name)}: {words.taken(one)}" for one in board.health.taken[:SHOWN])
        yield ""
    yield from ("### Recent Completions (Last Hour)", "", *_completions(board), "")
    yield from ("### Success Metrics", "", *metric_lines(board), "")
    yield f"**Next Review:** {words.next_review(board)}"


def _queue(board: Board, priority: str) -> Iterator[str]:
    items = board.queues[priority]  # type: ignore[index]
    done = " ✅" if priority == "CRITICAL" and not items else ""
    yield f"**{priority}:** {words.counted(len(items))}{done}"
    if items:
        yield ""
        yield from _listed(
            (
                f"- {one.id} ({escaped(name(one.agent))}) - {escaped(words.state(one, board.at))}"
                for one in items[:SHOWN]
            ),
            len(items) - SHOWN,
        )


def _agent(agent: AgentActivity) -> Iterator[str]:
    yield f"**{escaped(words.full_name(agent.agent))}:**"
    yield ""
    yield f"- Status: {escaped(words.status(agent))}"
    yield f"- Token usage: {words.usage(agent)}"
    if agent.status == "ACTIVE":
        yield f"- Est. completion: {words.completion(agent)}"
    elif agent.next_task is not None:
        yield f"- Next task: {words.next_task(agent)}"
    yield f"- Queue depth: {words.depth(agent)}"
    if agent.breaker is not None:
        yield f"- Circuit breaker: {agent.breaker}"


def _blocker(one: Blocker) -> str:
    if one.id is None:
        return f"- {escaped(name(one.agent))} {escaped(one.reason)}"
    said = f"- {one.id} ({escaped(name(one.agent))}) - {escaped(one.title)}: {escaped(one.reason)}"
    return said + " (waits for a human)" if one.held else said


def _completions(board: Board) -> Iterator[str]:
    lines = (
        f"{place}. ✅ {one.id} ({escaped(name(one.agent))}) - {escaped(one.title)} ✅"
        for place, one in enumerate(board.completions[:SHOWN], 1)
    )
    return _listed(lines, len(board.completions) - SHOWN)


def metric_lines(board: Board) -> Iterator[str]:
    """The success metrics as a list; n/a stands for what cannot be told yet."""
    yield from (f"- {what}: {value}" for what, value in words.measures(board))
    for agent, utilisation, errors in words.agent_measures(board):
        yield f"- {escaped(agent)}: utilisation {utilisation}, error rate {errors}"


def _listed(lines: Iterable[str], more: int = 0) -> Iterator[str]:
    found = list(lines)
    yield from found[:SHOWN] or ["- None"]
    more = max(more, len(found) - SHOWN)
    if more > 0:
        yield f"- … and {words.number(more)} more"
