"""Messages to a timeline: groups of one agent's messages, results with their calls, and one event shown once."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from markupsafe import Markup

from pytest_agog.reference.comms.models import StoredMessage
from pytest_agog.reference.comms.pages import markdown, tools
from pytest_agog.reference.comms.pages.urls import Place
from pytest_agog.wire.comms import GENERAL

MAX_PLAIN: Final = 16_000
"""Characters of a log or of a tool's output in the list; the whole is one link away."""
_MAX_LINES: Final = 400
_PREVIEW: Final = 140
_MAX_ATTRIBUTES: Final = 60
_MAX_VALUE: Final = 600
_PLAIN_KINDS: Final = frozenset({"log", "error", tools.CALL, tools.RESULT})
_LABELS: Final = {
    "message": "", "tool_call": "Tool", "tool_result": "Tool result", "status": "Status", "error": "Error",
    "log": "Log", "run-started": "Run started", "run-summary": "Summary", "run-gaps": "Gaps",
    "run-next-prompt": "Next prompt", "run-outcome": "Outcome",
}  # fmt: skip
_SPREAD: Final = 901
"""With this start the contract's agents have different colours."""
Look = Literal["message", "tool", "log", "error", "status", "milestone"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How something ended, in a word or two."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """One line of what a message carries apart from its content."""

    name: str
    value: str
    cut: bool = False


@dataclass(slots=True)
class Entry:
    """One message as it is shown."""

    message: StoredMessage
    look: Look
    label: str
    body: Markup | None
    """Rendered Markdown; None when `text` is shown as it is."""
    text: str
    cut: bool
    """Whether only the beginning is shown."""
    whole: str
    """Address of the whole content."""
    attributes_url: str
    attributes: list[Attribute]
    more_attributes: int
    outcomes: list[Outcome]
    failed: bool
    tool: tools.Tool | None = None
    preview: str = ""
    results: list[Entry] = field(default_factory=list)
    copied: bool = False
    """Whether the global channel (or the run) has a copy of it."""

    @property
    def seq(self) -> int:
        """The cursor."""
        return self.message.seq

    @property
    def last(self) -> int:
        """The newest message that is shown within."""
        return max([self.seq, *(result.seq for result in self.results)])

    @property
    def problem(self) -> bool:
        """Whether it, or a result of it, tells of a failure."""
        return self.failed or any(result.failed for result in self.results)

    @property
    def general(self) -> bool:
        """Whether it stands on the global channel (too)."""
        return self.copied or self.message.channel == GENERAL


@dataclass(slots=True)
class Group:
    """Messages of one agent that follow each other."""

    agent: str
    run_id: str | None
    """Only on the global channel, where runs mix."""
    hue: int
    entries: list[Entry]

    @property
    def first_at(self) -> datetime:
        """When it begins."""
        return self.entries[0].message.timestamp


@dataclass(frozen=True, slots=True)
class Link:
    """What a page that has one of both already must do: put a result into its call, or drop a copy."""

    kind: Literal["result", "copy"]
    seq: int
    to: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """A part of a timeline, ready for the template."""

    groups: list[Group]
    links: list[Link]
    first: int | None
    last: int | None

    @property
    def newest(self) -> int | None:
        """The message to mark as the newest."""
        return max((entry.last for group in self.groups for entry in group.entries), default=None)


def arrange(messages: Sequence[StoredMessage], place: Place, around: Sequence[StoredMessage] = ()) -> Timeline:
    """The timeline of `messages`; `around` are neighbours that the page has already, so that pairs are found."""
    own = {message.seq for message in messages}
    every = sorted([*messages, *(message for message in around if message.seq not in own)], key=lambda item: item.seq)
    copies = _copies(every)
    pairs = tools.paired(message for message in every if message.seq not in copies)
    entries = {message.seq: entry_of(message, place) for message in messages}
    links: list[Link] = []
    relations: tuple[tuple[Literal["copy", "result"], dict[int, int]], ...] = (("copy", copies), ("result", pairs))
    for kind, found in relations:
        for seq, to in found.items():
            if seq in own and to in own:
                part = entries.pop(seq)
                if kind == "copy":
                    entries[to].copied = True
                elif to in entries:
                    entries[to].results.append(part)
            elif seq in own or to in own:
                links.append(Link(kind, seq, to))
    shown = [entries[message.seq] for message in messages if message.seq in entries]
    return Timeline(_groups(shown, place), links, min(own, default=None), max(own, default=None))


def entry_of(message: StoredMessage, place: Place) -> Entry:
    """One message, with what is long cut."""
    kind = message.kind or "message"
    is_tool = kind in (tools.CALL, tools.RESULT)
    tool = tools.tool_of(message) if is_tool else None
    text, cut = shortened(message.content)
    plain = kind in _PLAIN_KINDS or message.role == "tool"
    attributes, more = _attributes(message)
    outcomes = _outcomes(message)
    return Entry(
        message,
        _look(kind),
        _LABELS.get(kind, kind),
        None if plain else markdown.render(text),
        text,
        cut,
        place.url("messages", message.seq),
        place.url("messages", message.seq, query={"part": "attributes"}),
        attributes,
        more,
        outcomes,
        failed=kind == "error" or any(outcome.tone == "bad" for outcome in outcomes),
        tool=tool,
        preview=_preview(tool.arguments or message.content) if tool is not None else "",
    )


def shortened(text: str) -> tuple[str, bool]:
    """At most `MAX_PLAIN` characters and so many lines that a browser does not notice, and whether that is less."""
    head = text[:MAX_PLAIN]
    lines = head.split("\n", _MAX_LINES)
    if len(lines) > _MAX_LINES:
        head = "\n".join(lines[:_MAX_LINES])
    return head, len(head) < len(text)


def _look(kind: str) -> Look:
    if kind in (tools.CALL, tools.RESULT):
        return "tool"
    if kind.startswith("run-"):
        return "milestone"
    return "log" if kind == "log" else "error" if kind == "error" else "status" if kind == "status" else "message"


def _outcomes(message: StoredMessage) -> list[Outcome]:
    said, code = tools.status(message), tools.exit_code(message)
    found = []
    if said is not None:
        found.append(Outcome(_preview(said, 40), tools.tone(said)))
    if code is not None:
        found.append(Outcome(f"exit {code}", tools.tone(None, code)))
    return found


def _preview(text: str, limit: int = _PREVIEW) -> str:
    """The first line that says something, on one line."""
    flat = " ".join(text[: limit * 4].split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def _attributes(message: StoredMessage) -> tuple[list[Attribute], int]:
    found = [
        Attribute(name, value)
        for name, value in (
            ("role", message.role),
            ("kind", message.kind),
            ("stage", message.stage),
            ("step", message.step_id),
            ("channel", message.channel),
        )
        if value
    ]
    names = list(message.attrs)
    for name in names[:_MAX_ATTRIBUTES]:
        value = _said(message.attrs[name])
        found.append(Attribute(name[:200], value[:_MAX_VALUE], len(value) > _MAX_VALUE))
    found.append(Attribute("seq", str(message.seq)))
    return found, max(0, len(names) - _MAX_ATTRIBUTES)


def _said(value: Any) -> str:
    return value if isinstance(value, str) else tools.pretty(value)


def _copies(messages: Sequence[StoredMessage]) -> dict[int, int]:
    """The later one of two copies of an event, on the run's subject and on the global channel, to the earlier one.

    They share the message id; the content must be the same, too, since some publishers use an id again. [J05]
    """
    found: dict[int, int] = {}
    alone: dict[tuple[object, ...], StoredMessage] = {}
    for message in messages:
        message_id = message.attrs.get("message_id")
        if not isinstance(message_id, str) or not message_id:
            continue
        event = (message_id, message.agent_id, message.kind, message.content)
        here = message.channel == GENERAL
        twin = alone.pop((*event, not here), None)
        if twin is None:
            alone[*event, here] = message
        else:
            found[message.seq] = twin.seq
    return found


def _groups(entries: Sequence[Entry], place: Place) -> list[Group]:
    groups: list[Group] = []
    for entry in entries:
        agent = entry.message.agent_id or ""
        run = entry.message.run_id or entry.message.workflow_uid if place.run_id is None else None
        if groups and (groups[-1].agent, groups[-1].run_id) == (agent, run):
            groups[-1].entries.append(entry)
        else:
            groups.append(Group(agent, run, hue(agent), [entry]))
    return groups


def hue(name: str) -> int:
    """One of twelve colours, the same for the same name everywhere."""
    return zlib.crc32(name.encode("utf-8", "replace"), _SPREAD) % 12
