"""How the board puts things into words, the same in Markdown, on terminals and on the page. No markup here."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pytest_agog.reference.observing.health import Part, Taken
from pytest_agog.reference.orchestrator.board.model import AgentActivity, Board, Item
from pytest_agog.values import plural

_NAMES: Final = {
    "roy": ("Roy", "Backend"), "jen": ("Jen", "Frontend"), "database": ("Database Agent", None),
    "documentation": ("Documentation Agent", None), "review": ("Senior Review Agent", None),
    "release": ("Release Manager", None), "cynthia": ("Cynthia", "Research"), "sylvia": ("Sylvia", "Critique"),
    "billy": ("Billy", "QA"), "todd": ("Todd", "Performance"), "vic": ("Vic", "Security"),
    "priya": ("Priya", "Statistics"), "miki": ("Miki", "DevOps"), "orchestrator": ("Orchestrator", None),
}  # fmt: skip
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS: Final = "\u200c\u200d"
"""Part of words and of emoji."""
NOTHING: Final = "n/a"
"""Stands where nothing can be told yet."""


def visible(text: str) -> str:
    """`text` on one line; what shows nothing, or turns text, or that a terminal obeys, as its code."""
    text = " ".join(text.split())
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"⟨U+{ord(one):04X}⟩" if unicodedata.category(one) in _HIDDEN and one not in _JOINERS else one for one in text
    )


def name(agent: str | None) -> str:
    """What people call an agent; somebody else's agents keep their names."""
    if agent is None:
        return "nobody yet"
    return _NAMES[agent][0] if agent in _NAMES else visible(agent)


def full_name(agent: str) -> str:
    """With what it does, where the name does not say it."""
    known = _NAMES.get(agent)
    return f"{known[0]} ({known[1]})" if known is not None and known[1] else name(agent)


# --- numbers and times ------------------------------------------------------------------------------------------------
def number(value: float) -> str:
    """With thousands separated."""
    return f"{value:,.0f}"


def percent(share: float | None) -> str:
    """`45.7%`, `0%`; n/a when it cannot be told."""
    if share is None:
        return NOTHING
    return f"{100 * share:.1f}%".replace(".0%", "%") if share in (0, 1) else f"{100 * share:.1f}%"


def counted(count: int, what: str = "item") -> str:
    """`1 item`, `2 items`."""
    return plural(count, what)


def short(seconds: float) -> str:
    """A time for a narrow place: `15 min`, `2 h 5 min`, `3 d 4 h`."""
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def long(seconds: float) -> str:
    """A time in full words: `15 minutes`, `2 hours 5 minutes`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    parts = (("day", minutes // 1440), ("hour", minutes % 1440 // 60), ("minute", minutes % 60))
    return " ".join(counted(count, unit) for unit, count in parts if count)


def lasting(seconds: float | None) -> str:
    """`short`, or n/a when it cannot be told."""
    return NOTHING if seconds is None else short(seconds)


# --- the head ---------------------------------------------------------------------------------------------------------
def mode(board: Board) -> str:
    """How work is taken up."""
    return "Turn-Based (30-min cycles)" if board.mode == "turns" else "Continuous"


def budget(board: Board) -> str:
    """What is left of the day's tokens."""
    said = f"{number(board.budget.remaining)} / {number(board.budget.daily)} remaining"
    return f"{said} ({percent(board.budget.remaining_share)})"


def active(board: Board) -> str:
    """How many agents have something to do, and who."""
    names = ", ".join(name(agent) for agent in board.active_agents)
    return f"{len(board.active_agents)} ({names})" if names else "0"


def next_review(board: Board) -> str:
    """When the orchestrator looks at things again."""
    if board.next_turn is None:
        return "continuous (work is taken as it comes)"
    return f"{long(max((board.next_turn - board.at).total_seconds(), 0))} (next turn cycle)"


# --- an item ----------------------------------------------------------------------------------------------------------
def state(item: Item, at: datetime) -> str:
    """Where a requirement is, in words."""
    if item.stopped:
        return "Rejected by its critique (waits for a human)"
    if item.state == "ESCALATED":
        return "Escalated (waits for a human)"
    if item.state == "IN_PROGRESS":
        return f"Assigned, In Progress ({_running(item)})"
    if item.state == "ASSIGNED":
        return f"Assigned ({_running(item)})"
    if item.state == "GATING":
        return f"Assigned, At the Gate ({_running(item)})"
    return _waiting(item, at)


def _running(item: Item) -> str:
    said = [f"{short(item.elapsed or 0)} elapsed"]
    if len(item.steps) > 1 or item.stage_agent != item.agent:
        said.append(f"{visible(item.stage or '?')} by {name(item.stage_agent)}")
    if item.attempt > 1:
        said.append(f"attempt {item.attempt}")
    return ", ".join(said)


def _waiting(item: Item, at: datetime) -> str:
    if item.state == "BLOCKED":
        why = f"blocked by {', '.join(item.blocked_by)}" if item.blocked_by else "waits for a human"
        return f"Blocked ({why})"
    if item.blocked_by:
        return f"Pending (blocked by {', '.join(item.blocked_by)})"
    if item.state == "PENDING":
        return "Pending (to be routed)" if item.agent is None else "Pending"
    again = f" in {short((item.due - at).total_seconds())}" if item.due is not None else ""
    if item.state == "REJECTED":
        return f"Rejected, goes back to {name(item.stage_agent)}{again} ({counted(item.rejections, 'rejection')})"
    if any(step.passage == "done" for step in item.steps):
        return f"Ready for {visible(item.stage or '?')} by {name(item.stage_agent)}{again}"
    return f"Ready to assign{again}"


# --- an agent ---------------------------------------------------------------------------------------------------------
CONDITIONS: Final = {"up": "Works", "down": "Down", "unknown": "Unknown", "starting": "Starting"}
"""Of a part of the system, in a word."""


_PARTS: Final = {"nats": "NATS", "jetstream": "JetStream"}


def part_name(name: str) -> str:
    """What people call a part of the system; one of several keeps its own name."""
    return _PARTS.get(name) or (visible(name) if "-" in name else visible(name).capitalize())


def part(one: Part, now: datetime) -> str:
    """How a part of the system is: `down for 12m (2 messages behind)`."""
    lasts = f" for {short((now - one.since).total_seconds())}" if one.since is not None and one.since <= now else ""
    about = f" ({visible(one.about)})" if one.about else ""
    return f"{CONDITIONS[one.condition].lower()}{lasts}{about}"


def size(value: int | None) -> str:
    """Bytes for people."""
    if value is None:
        return NOTHING
    left = float(value)
    for unit in ("B", "KiB", "MiB"):
        if left < 1024:
            return f"{left:.0f} {unit}"
        left /= 1024
    return f"{left:.1f} GiB"


def cpu(percent: float | None) -> str:
    """Processor use."""
    return NOTHING if percent is None else f"{percent:.0f}%"


def taken(one: Taken) -> str:
    """What a process or server takes, as far as it is known."""
    if not one.up:
        return "gone"
    found = []
    if one.cpu_percent is not None:
        found.append(f"CPU {cpu(one.cpu_percent)}")
    if one.memory is not None:
        found.append(f"memory {size(one.memory)}")
    if one.connections is not None:
        found.append(counted(one.connections, "connection"))
    if one.storage is not None:
        found.append(f"storage {size(one.storage)}")
    return ", ".join(found) or NOTHING


def status(agent: AgentActivity) -> str:
    """What it does, with its light."""
    if agent.status == "ACTIVE":
        return f"🟢 ACTIVE (working on {', '.join(agent.working_on)})"
    if agent.status == "IDLE":
        return "🟢 IDLE (waiting for work)"
    if agent.before_gate:
        return f"🟡 WAITING (its work is at the gate: {', '.join(agent.before_gate)})"
    why = (
        f"blocked by {', '.join(agent.next_blocked_by)}" if agent.next_blocked_by else "its next task cannot start yet"
    )
    return f"🟡 WAITING ({why})"


def usage(agent: AgentActivity) -> str:
    """Tokens of the day, and how much of its share that is."""
    if agent.share is None:
        return f"{number(agent.tokens)} (no share of its own)"
    share = f" ({percent(agent.tokens / agent.share)})" if agent.share else ""
    return f"{number(agent.tokens)} / {number(agent.share)}{share}"


def completion(agent: AgentActivity) -> str:
    """When what it works on is done."""
    if agent.estimated_completion is None:
        return "not known yet (nothing of the kind was finished)"
    return "any moment" if agent.estimated_completion < 1 else long(agent.estimated_completion)


def next_task(agent: AgentActivity) -> str:
    """What it takes up next, and when."""
    if agent.next_task is None:
        return "none"
    if agent.next_blocked_by:
        return f"{agent.next_task} (starts after {', '.join(agent.next_blocked_by)})"
    if not agent.next_ready:
        return f"{agent.next_task} (cannot start yet)"
    urgency = {"LOW": "low priority, ", "CRITICAL": "critical, "}.get(agent.next_priority or "", "")
    return f"{agent.next_task} ({urgency}can start now)"


def depth(agent: AgentActivity) -> str:
    """How much waits for it."""
    said = counted(agent.queue_depth)
    return f"{said} after current" if agent.working_on else said


# --- metrics ----------------------------------------------------------------------------------------------------------
def measures(board: Board) -> list[tuple[str, str]]:
    """The success metrics, each with its name."""
    found = board.metrics
    times = ", ".join(f"{size} {lasting(seconds)}" for size, seconds in found.completion_time.items())
    return [
        ("Throughput", NOTHING if found.throughput is None else f"{found.throughput:.1f} a day"),
        ("Time to completion", times),
        ("First-time acceptance", percent(found.first_time_acceptance)),
        ("Blocker rate", percent(found.blocker_rate)),
        ("Escalation rate", percent(found.escalation_rate)),
        ("Tokens per requirement",
         NOTHING if found.tokens_per_requirement is None else number(found.tokens_per_requirement)),
        ("Parallel success", percent(found.parallel_success)),
        ("Conflict rate", percent(found.conflict_rate)),
        ("Dependency accuracy", percent(found.dependency_accuracy)),
        ("Agent idle time", lasting(found.idle)),
    ]  # fmt: skip


def agent_measures(board: Board) -> Iterable[tuple[str, str, str]]:
    """Agent, utilisation and error rate."""
    for one in board.metrics.agents:
        yield name(one.agent), percent(one.utilisation), percent(one.error_rate)
