"""When who did what: spans, marks and links of one play, read from its ledger, ready to be drawn.

Marks that would fall on the same spot are counted instead of drawn over each other, so a play with a million messages
gives a drawing of bounded size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from pytest_agog.ledger.facts import (
    AgentHanded,
    AgentSpawned,
    ComponentActed,
    NoticeSeen,
    ProcessExited,
    ProcessStarted,
    PublishAcked,
    PublishAttempted,
    PublishRefused,
    StepEnded,
    StepStarted,
)
from pytest_agog.ledger.ledger import Ledger, Message
from pytest_agog.play.result import PlayResult
from pytest_agog.report.text import masked_text
from pytest_agog.values import format_size
from pytest_agog.wire import subjects

LaneKind = Literal["steps", "agent", "process", "service", "stream"]
MarkKind = Literal["message", "fetched", "refused", "acted"]

MAX_LANES: Final = 40
MAX_SPANS: Final = 400
MAX_LINKS: Final = 200
BINS: Final = 240
"""How many spots one lane has for marks."""
STEPS: Final = "steps"
SERVICES: Final = "services"


@dataclass(frozen=True)
class Lane:
    """Somebody or something that acts over time."""

    name: str
    kind: LaneKind


@dataclass(frozen=True)
class Span:
    """A lane was busy from `start` to `end`, in seconds since the play began."""

    lane: str
    start: float
    end: float
    label: str
    outcome: Literal["passed", "failed", "open"] = "passed"
    """`open` when its end was not seen."""


@dataclass(frozen=True)
class Mark:
    """Something happened at `at`, in seconds since the play began; `count` times, near enough."""

    lane: str
    at: float
    kind: MarkKind
    label: str
    count: int = 1


@dataclass(frozen=True)
class Link:
    """Something went from one lane to another: a report that was handed on, or that was fetched."""

    source: str
    source_at: float
    target: str
    target_at: float
    kind: Literal["handed", "fetched"]
    label: str


@dataclass(frozen=True)
class Timeline:
    """A play over time."""

    duration: float
    """Seconds."""
    lanes: tuple[Lane, ...] = ()
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()
    links: tuple[Link, ...] = ()
    left_out: int = 0
    """How many spans, links and lanes found no room."""


def timeline(result: PlayResult) -> Timeline:
    """The play of `result` over time."""
    return _Reader(result).read()


@dataclass
class _Bin:
    at: float
    label: str
    count: int = 1


@dataclass
class _Reader:
    """Reads one ledger from its first observation to its last."""

    result: PlayResult
    lanes: dict[str, Lane] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    bins: dict[tuple[str, MarkKind, int], _Bin] = field(default_factory=dict)
    reports: dict[str, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))
    """Times and lanes of the messages of each deliverable subject."""

    @property
    def ledger(self) -> Ledger:
        return self.result.ledger

    def read(self) -> Timeline:
        if len(self.ledger) == 0:
            return Timeline(self.result.duration)
        self.zero = min(self.result.started_at, self.ledger[0].at)
        self.end = max(self.ledger[len(self.ledger) - 1].at - self.zero, 0.001)
        self._steps()
        self._agents()
        self._processes()
        self._messages()
        self._refusals()
        self._fetches()
        self._hand_overs()
        self._services()
        return self._drawn()

    def _drawn(self) -> Timeline:
        order: dict[LaneKind, int] = {"steps": 0, "agent": 1, "process": 2, "service": 3, "stream": 4}
        lanes = sorted(self.lanes.values(), key=lambda lane: order[lane.kind])
        kept = {lane.name for lane in lanes[:MAX_LANES]}
        spans = [span for span in self.spans if span.lane in kept]
        links = [link for link in self.links if link.source in kept and link.target in kept]
        left_out = (len(lanes) - MAX_LANES, len(spans) - MAX_SPANS, len(links) - MAX_LINKS)
        marks = [
            Mark(lane, found.at, kind, found.label, found.count)
            for (lane, kind, _), found in self.bins.items()
            if lane in kept
        ]
        return Timeline(
            self.end,
            tuple(lanes[:MAX_LANES]),
            tuple(spans[:MAX_SPANS]),
            tuple(sorted(marks, key=lambda mark: mark.at)),
            tuple(links[:MAX_LINKS]),
            sum(max(number, 0) for number in left_out),
        )

    # --- lanes and marks --------------------------------------------------------------------------------------------
    def _lane(self, name: str, kind: LaneKind) -> str:
        name = masked_text(name)
        self.lanes.setdefault(name, Lane(name, kind))
        return name

    def _at(self, moment: float) -> float:
        """Seconds since the play began, within the play: a server's clock may be a little off."""
        return min(max(moment - self.zero, 0.0), self.end)

    def _mark(self, lane: str, moment: float, kind: MarkKind, label: str) -> None:
        at = self._at(moment)
        key = (lane, kind, int(at / self.end * BINS))
        if (found := self.bins.get(key)) is not None:
            found.count += 1
        else:
            self.bins[key] = _Bin(at, masked_text(label))

    def _by(self, who: str) -> str:
        """The lane of a publisher: an agent's own, or that of the steps."""
        return self._lane(STEPS, "steps") if who.startswith("step ") else self._lane(who, "agent")

    # --- what happened ----------------------------------------------------------------------------------------------
    def _steps(self) -> None:
        ends = {seen.fact.number: seen for seen in self.ledger.of(StepEnded)}
        for seen in self.ledger.of(StepStarted):
            ended = ends.get(seen.fact.number)
            end = self.end if ended is None else self._at(ended.at)
            self.spans.append(
                Span(
                    self._lane(STEPS, "steps"),
                    self._at(seen.at),
                    end,
                    masked_text(f"{seen.fact.number} {seen.fact.verb}"),
                    "open" if ended is None else ended.fact.outcome,
                )
            )

    def _agents(self) -> None:
        notices: dict[str, list[tuple[int, float, bool]]] = defaultdict(list)
        for seen in self.ledger.of(NoticeSeen):
            notices[seen.fact.agent].append((seen.index, seen.at, seen.fact.payload is not None))
        spawns: dict[str, list[tuple[int, float, AgentSpawned]]] = defaultdict(list)
        for spawn in self.ledger.of(AgentSpawned):
            self._lane(spawn.fact.agent, "agent")
            spawns[spawn.fact.agent].append((spawn.index, spawn.at, spawn.fact))
        for agent, mine in spawns.items():
            for place, (index, at, fact) in enumerate(mine):
                until = mine[place + 1][0] if place + 1 < len(mine) else len(self.ledger)
                answer = next((notice for notice in notices[agent] if index < notice[0] < until), None)
                self.spans.append(self._work(fact, at, answer))

    def _work(self, fact: AgentSpawned, at: float, answer: tuple[int, float, bool] | None) -> Span:
        label = fact.task if fact.attempt <= 1 else f"{fact.task} (attempt {fact.attempt})"
        lane = self._lane(fact.agent, "agent")
        if answer is None:
            return Span(lane, self._at(at), self.end, masked_text(label), "open")
        return Span(lane, self._at(at), self._at(answer[1]), masked_text(label), "passed" if answer[2] else "failed")

    def _processes(self) -> None:
        exits: dict[str, list[tuple[int, float, int]]] = defaultdict(list)
        for seen in self.ledger.of(ProcessExited):
            exits[seen.fact.name].append((seen.index, seen.at, seen.fact.exit))
        for started in self.ledger.of(ProcessStarted):
            name = masked_text(started.fact.name)
            if self.lanes.get(name, Lane(name, "process")).kind == "agent":
                continue  # its spawn is drawn already
            lane = self._lane(name, "process")
            ended = next((exit_ for exit_ in exits[started.fact.name] if exit_[0] > started.index), None)
            label = masked_text(" ".join(started.fact.command))[:120]
            if ended is None:
                self.spans.append(Span(lane, self._at(started.at), self.end, label, "open"))
            else:
                outcome: Literal["passed", "failed"] = "passed" if ended[2] == 0 else "failed"
                self.spans.append(Span(lane, self._at(started.at), self._at(ended[1]), label, outcome))

    def _messages(self) -> None:
        attempts = {seen.index: seen.fact for seen in self.ledger.of(PublishAttempted)}
        publishers = {
            (ack.fact.stream, ack.fact.sequence): attempts[ack.fact.attempt].by
            for ack in self.ledger.of(PublishAcked)
            if ack.fact.attempt in attempts and not ack.fact.duplicate
        }
        core = {fact.subject: fact.by for fact in attempts.values() if fact.core}
        for message in self.ledger.messages(">"):
            by = publishers.get((message.stream or "", message.sequence or 0)) or (
                core.get(message.subject) if message.stream is None else None
            )
            lane = self._lane_of(message, by)
            self.reports[message.subject].append((self._at(message.at), lane))
            self._mark(lane, message.at, "message", _message_label(message))

    def _lane_of(self, message: Message, by: str | None) -> str:
        if by is not None:
            return self._by(by)
        parts = message.subject.split(".")
        if message.subject.startswith(f"{subjects.DELIVERABLES}.") and len(parts) == 5:
            return self._lane(parts[2], "agent")
        return self._lane(message.stream or ".".join(parts[:2]), "stream")

    def _refusals(self) -> None:
        for seen in self.ledger.of(PublishRefused):
            attempt = self.ledger[seen.fact.attempt].fact if 0 <= seen.fact.attempt < len(self.ledger) else None
            if isinstance(attempt, PublishAttempted):
                label = f"refused: {attempt.subject} ({seen.fact.reason})"
                self._mark(self._by(attempt.by), seen.at, "refused", label)

    def _fetches(self) -> None:
        for seen in self.ledger.of(AgentHanded):
            fact = seen.fact
            lane = self._lane(fact.agent, "agent")
            what = fact.url if fact.section is None else f"{fact.url} # {fact.section}"
            self._mark(lane, seen.at, "fetched", f"fetched {what}")
            self._link(fact.url, lane, seen.at, "fetched", f"{fact.agent} fetched {what}")

    def _hand_overs(self) -> None:
        """The last earlier report goes to each spawn; the ones before it have been handed on already."""
        for seen in self.ledger.of(AgentSpawned):
            if seen.fact.earlier:
                earlier = seen.fact.earlier[-1]
                label = f"{earlier.agent} handed {earlier.url} to {seen.fact.agent}"
                self._link(earlier.url, self._lane(seen.fact.agent, "agent"), seen.at, "handed", label)

    def _link(self, url: str, target: str, moment: float, kind: Literal["handed", "fetched"], label: str) -> None:
        at = self._at(moment)
        sources = self.reports.get(url.removeprefix(subjects.URL_SCHEME), ())
        source = max((found for found in sources if found[0] <= at), default=None)
        if source is not None and source[1] != target:
            self.links.append(Link(source[1], source[0], target, at, kind, masked_text(label)))

    def _services(self) -> None:
        for seen in self._acted():
            lane = self._lane(SERVICES, "service")
            self._mark(lane, seen[0], "acted", seen[1])

    def _acted(self) -> Iterator[tuple[float, str]]:
        for seen in self.ledger.of(ComponentActed):
            yield seen.at, f"{seen.fact.component} {seen.fact.action} {seen.fact.detail}".rstrip()


def _message_label(message: Message) -> str:
    place = "" if message.stream is None else f", {message.stream} #{message.sequence}"
    return f"{message.subject}{place}, {format_size(message.size)}"
