"""Claims about what readers saw: `sse` for events, `page` for pages in a browser."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import StringConstraints, model_validator

from pytest_agog.checks.base import Check, Evidence, Verdict, nothing_to_judge, verdict
from pytest_agog.checks.bounds import Count
from pytest_agog.checks.evidence.conditions import Columns, fitting, nearest
from pytest_agog.checks.evidence.feeding import comms_stream
from pytest_agog.checks.evidence.telling import clock, close_names, described, excerpt, listed, short
from pytest_agog.checks.messages import AT_LEAST_ONE
from pytest_agog.ledger.answers import PageSeen
from pytest_agog.ledger.facts import EventSeen, PublishAcked, ReaderConnected, ReaderLost
from pytest_agog.ledger.ledger import Ledger, Observation
from pytest_agog.ledger.probes import PageProbe
from pytest_agog.values import ABSENT, Bound, Strict, Where, look_up, plural

Text = Annotated[str, StringConstraints(min_length=1)]


class SseArguments(Strict):
    """What a reader of server-sent events got."""

    reader: Text
    """The name that an `open` step gave it."""
    count: Count | None = None
    """How many events fit; at least one when nothing else is asked."""
    where: Where | None = None
    """What must stand in their data (`$event`, `$id` for the event's own fields); narrows `count`."""
    once: bool | None = None
    """No event came twice, and each has an id of its own."""
    ordered: bool | None = None
    """Their ids only ever rise."""
    latency_p99: Bound | None = None
    """From publish to arrival, 99 of 100 took so long: `{at_most: 100ms}`."""

    @model_validator(mode="after")
    def _asks(self) -> SseArguments:
        for name in ("once", "ordered"):
            if getattr(self, name) is False:
                raise ValueError(f"{name} can only be true; leave it out otherwise")
        return self

    @property
    def bound(self) -> Bound | None:
        """How many events must fit."""
        asks = self.once or self.ordered or self.latency_p99 is not None
        return AT_LEAST_ONE if self.count is None and (not asks or self.where) else self.count


class PageArguments(Strict):
    """What a page in a real browser shows."""

    reader: Text | None = None
    """The name that an `open` step gave it: it is looked at as it stands, without loading it again."""
    path: Annotated[str, StringConstraints(pattern="^/")] | None = None
    """A path, which is opened for this look."""
    text: Text | tuple[Text, ...] | None = None
    """People see this text (or each of these)."""
    absent: Text | tuple[Text, ...] | None = None
    """People do not see this text (nor any of these)."""
    no_script: bool | None = None
    """No script came from content: nothing ran, and nothing in the page's tree could run."""
    screenshot: bool | None = None
    """A picture of it goes into the report."""

    @model_validator(mode="after")
    def _one_target(self) -> PageArguments:
        if (self.reader is None) == (self.path is None):
            raise ValueError("give either reader or path")
        if self.no_script is False:
            raise ValueError("no_script can only be true; leave it out otherwise")
        return self

    @property
    def probe(self) -> PageProbe:
        """The look."""
        return PageProbe(self.reader or self.path or "", screenshot=bool(self.screenshot))


# --- sse --------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Read:
    """Everything that one reader got."""

    events: tuple[Observation[EventSeen], ...]
    documents: tuple[Any, ...]
    """Their data as JSON; ``ABSENT`` where it is none."""


def _readers(ledger: Ledger) -> dict[str, _Read]:
    def collect() -> dict[str, _Read]:
        names = dict.fromkeys(item.fact.reader for item in ledger.of(ReaderConnected))
        events: dict[str, list[Observation[EventSeen]]] = {name: [] for name in names}
        for item in ledger.of(EventSeen):
            events.setdefault(item.fact.reader, []).append(item)
        return {
            name: _Read(tuple(found), tuple(ledger.payloads.json(item.fact.payload) for item in found))
            for name, found in events.items()
        }

    return ledger.derived("readers of events", collect)


def judge_sse(ledger: Ledger, arguments: SseArguments) -> Verdict:
    """As many events fit as given; none twice, in order, in time, where that is asked."""
    expected = _sse_expected(arguments)
    known = _readers(ledger)
    read = known.get(arguments.reader)
    if read is None:
        near = close_names(arguments.reader, known)
        return nothing_to_judge(
            expected,
            f"no reader {short(arguments.reader)} was opened; there were: {listed(known)}",
            nearest=f"did you mean {listed(near)}?" if near else "",
        )
    problems: list[str] = []
    evidence: list[Evidence] = []
    told = [plural(len(read.events), "event")]
    near_miss = ""
    if arguments.bound is not None:
        columns = _columns(ledger, arguments.reader, read)
        places = fitting(arguments.where or {}, columns, len(read.events))
        if arguments.where:
            told = [f"{plural(len(places), 'event')} of {len(read.events):,} fit"]
        if not arguments.bound.holds(len(places)):
            problems.append(told[0])
            miss = nearest(arguments.where or {}, columns, len(read.events)) if not places else None
            near_miss = f"one event {miss.said}" if miss is not None else ""
            places = [miss.place] if miss is not None else places
        evidence += [_told_event(ledger, read.events[place]) for place in places[:3]]
    if not read.events and arguments.bound is None:
        return nothing_to_judge(expected, "it got no event", evidence=_connections(ledger, arguments.reader))
    for wanted, look in ((arguments.once, _repeats), (arguments.ordered, _out_of_order)):
        if wanted:
            wrong, found = look(ledger, read)
            problems += wrong
            evidence += found
    if arguments.latency_p99 is not None:
        said, holds = _latency(ledger, read, arguments.latency_p99)
        (told if holds else problems).append(said)
    evidence += _connections(ledger, arguments.reader)
    observed = "; ".join(problems or told)
    return verdict(not problems, expected=expected, observed=observed, evidence=evidence, nearest=near_miss)


def _sse_expected(arguments: SseArguments) -> str:
    parts = []
    if arguments.bound is not None:
        where = f" where {described(arguments.where)}" if arguments.where else ""
        parts.append(f"{arguments.bound} events{where}")
    parts += ["each once"] if arguments.once else []
    parts += ["in rising order"] if arguments.ordered else []
    if arguments.latency_p99 is not None:
        parts.append(f"99 of 100 within {arguments.latency_p99} s of their publish")
    return f"reader {short(arguments.reader)} gets {', '.join(parts)}"


def _columns(ledger: Ledger, reader: str, read: _Read) -> Columns:
    def value(place: int, path: str) -> Any:
        fact = read.events[place].fact
        if path == "$event":
            return fact.event
        if path == "$id":
            return fact.id if fact.id is not None else ABSENT
        document = read.documents[place]
        return document if document is ABSENT else look_up(document, path)

    def column(path: str) -> list[Any]:
        return [value(place, path) for place in range(len(read.events))]

    return lambda path: ledger.derived(("events column", reader, path), lambda: column(path))


def _repeats(ledger: Ledger, read: _Read) -> tuple[list[str], list[Evidence]]:
    without = [item for item in read.events if not item.fact.id]
    counted = Counter(item.fact.id for item in read.events if item.fact.id)
    again = [name for name, times in counted.items() if times > 1]
    problems = []
    if without:
        problems.append(f"{plural(len(without), 'event')} without an id")
    if again:
        problems.append(f"{plural(len(again), 'event')} came more than once (ids {listed(map(str, again), 5)})")
    shown = [item for item in read.events if item.fact.id in again[:2]][:4] or without[:2]
    return problems, [_told_event(ledger, item) for item in shown] if problems else []


def _out_of_order(ledger: Ledger, read: _Read) -> tuple[list[str], list[Evidence]]:
    before: Observation[EventSeen] | None = None
    for item in read.events:
        name = item.fact.id or ""
        if not name:
            return ["an event has no id, so nothing says where it belongs"], [_told_event(ledger, item)]
        if not name.isdecimal():
            return [f"an event has the id {short(name)!r}, which is no number"], [_told_event(ledger, item)]
        if before is not None and int(name) < int(before.fact.id or 0):
            told = [_told_event(ledger, before), _told_event(ledger, item)]
            return [f"event {short(name)} came after event {before.fact.id}"], told
        before = item
    return [], []


def _latency(ledger: Ledger, read: _Read, bound: Bound) -> tuple[str, bool]:
    """The 99th percentile, in words, and whether it is within `bound`. Events of no message seen are left out."""
    published = ledger.derived("when messages were published", lambda: _published(ledger))
    taken = []
    for item, document in zip(read.events, read.documents, strict=True):
        at = next((published[key] for key in _keys(document) if key in published), None)
        if at is not None:
            taken.append(item.at - at)
    if not taken:
        return "no event could be matched with a message that was published", False
    taken.sort()
    p99 = taken[math.ceil(0.99 * len(taken)) - 1]
    said = f"p99 {p99 * 1000:.1f} ms over {plural(len(taken), 'event')} (median {taken[len(taken) // 2] * 1000:.1f} ms)"
    return said, bound.holds(p99)


def _published(ledger: Ledger) -> dict[tuple[str, Any], float]:
    """When each message left, by its place in the stream and by its id: the attempt where the harness made it."""
    attempts: dict[tuple[str, int], float] = {}
    for item in ledger.of(PublishAcked):
        attempts.setdefault((item.fact.stream, item.fact.sequence), ledger[item.fact.attempt].at)
    found: dict[tuple[str, Any], float] = {}
    stream = comms_stream(ledger)
    for message in ledger.in_stream(stream):
        at = attempts.get((stream, message.sequence or 0), message.at)
        found.setdefault(("stream_seq", message.sequence), at)
        document = ledger.payloads.json(message.payload)
        for key in ("message_id", "messageId", "id"):
            if isinstance(document, dict) and isinstance(document.get(key), str):
                found.setdefault(("message_id", document[key]), at)
                break
    return found


def _keys(document: Any) -> list[tuple[str, Any]]:
    if not isinstance(document, dict):
        return []
    attrs = document.get("attrs")
    inner = attrs.get("message_id") if isinstance(attrs, dict) else None
    named = document.get("message_id") or document.get("messageId") or inner
    place = document.get("stream_seq", document.get("streamSeq"))
    keys: list[tuple[str, Any]] = [("stream_seq", place)] if isinstance(place, int) else []
    return [*keys, *([("message_id", named)] if isinstance(named, str) else [])]


def _told_event(ledger: Ledger, item: Observation[EventSeen]) -> Evidence:
    fact = item.fact
    text = f"{fact.reader} · event {short(fact.id or 'without id')} · {clock(item.at)}"
    body = excerpt(ledger.payloads.text(fact.payload)[:20_000], lines=4)
    return Evidence("event", item.at, text, body, {"reader": fact.reader, "id": fact.id, "sha256": fact.payload})


def _connections(ledger: Ledger, reader: str) -> list[Evidence]:
    """One line on how it was connected."""
    connected = [item for item in ledger.of(ReaderConnected) if item.fact.reader == reader]
    lost = [item for item in ledger.of(ReaderLost) if item.fact.reader == reader]
    if not connected:
        return []
    last = connected[-1]
    how = f"status {last.fact.status}" if last.fact.status is not None else f"no answer: {short(last.fact.reason)}"
    text = f"{short(last.fact.url)} · connected {plural(len(connected), 'time')}, lost {len(lost)} · last {how}"
    return [Evidence("reader", last.at, text, details={"reader": reader, "status": last.fact.status})]


def _sse_vacuous(arguments: SseArguments) -> str | None:
    if arguments.where is not None and not arguments.where:
        return "where: {} fits every event; say what must stand there, or leave it out"
    asks = arguments.once or arguments.ordered or arguments.latency_p99 is not None
    if arguments.count is not None and arguments.count.cannot_fail and not asks:
        return f"count: {arguments.count} holds for any number of events"
    return None


def _sse_can_break(arguments: SseArguments) -> bool:
    upper = arguments.count is not None and arguments.count.has_upper_limit
    return upper or bool(arguments.once or arguments.ordered) or arguments.latency_p99 is not None


def _sse_of_nothing(arguments: SseArguments) -> bool:
    asks = arguments.once or arguments.ordered or arguments.latency_p99 is not None
    return not asks and arguments.bound is not None and arguments.bound.holds(0)


# --- page -------------------------------------------------------------------------------------------------------------
def judge_page(ledger: Ledger, arguments: PageArguments) -> Verdict:
    """The page is there, people see the text, and content brought no script.

    A page that an `open` step left open lives on after its first answer (404 for a run that nobody knew yet): it is
    judged by what it shows, and by that answer only where nothing else is claimed of it.
    """
    expected = _page_expected(arguments)
    seen = ledger.answer(arguments.probe.key, PageSeen)
    if seen is None:
        return nothing_to_judge(expected, "the page was not looked at")
    if not seen.browser:
        return Verdict("skipped", expected, seen.reason, missing="browser")
    if seen.payload is None:
        return nothing_to_judge(expected, f"the page could not be looked at: {short(seen.reason, 300)}")
    text = ledger.payloads.text(seen.payload)
    problems = []
    claims_content = arguments.text is not None or arguments.absent is not None or arguments.no_script
    if seen.status is None:
        problems.append(f"no answer: {short(seen.reason)}")
    elif seen.status >= 400 and not (arguments.reader is not None and claims_content):
        problems.append(f"it was answered with status {seen.status}")
    visible = _folded(text)
    missing = [wanted for wanted in _each(arguments.text) if _folded(wanted) not in visible]
    if missing:
        problems.append(f"people do not see {_quoted(missing)}")
    there = [unwanted for unwanted in _each(arguments.absent) if _folded(unwanted) in visible]
    if there:
        problems.append(f"people see {_quoted(there)}")
    if arguments.no_script and seen.scripts:
        problems.append(f"{plural(len(seen.scripts), 'script')} from content: {listed(seen.scripts, 3)}")
    details = {"url": seen.url, "status": seen.status, "screenshot": seen.screenshot}
    told = [Evidence("page", None, f"{short(seen.url)} · status {seen.status}", excerpt(text[:20_000]), details)]
    told += [Evidence("page", None, short(item)) for item in seen.scripts[:5]] if arguments.no_script else []
    observed = "; ".join(problems) or f"{plural(len(text.split()), 'word')} to see, as claimed"
    return verdict(not problems, expected=expected, observed=observed, evidence=told)


def _page_expected(arguments: PageArguments) -> str:
    name = f"page {short(arguments.path)}" if arguments.path is not None else f"page of {short(arguments.reader or '')}"
    parts = []
    if arguments.text is not None:
        parts.append(f"shows {_quoted(_each(arguments.text))}")
    if arguments.absent is not None:
        parts.append(f"does not show {_quoted(_each(arguments.absent))}")
    if arguments.no_script:
        parts.append("runs no script out of content")
    return f"{name} {' and '.join(parts)}" if parts else f"{name} opens"


def _each(text: str | tuple[str, ...] | None) -> Sequence[str]:
    return () if text is None else (text,) if isinstance(text, str) else text


def _quoted(texts: Sequence[str]) -> str:
    return listed((f"'{short(text)}'" for text in texts), 4)


def _folded(text: str) -> str:
    """Line breaks and runs of space depend on the window; words do not."""
    return " ".join(text.split())


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "sse",
        "A reader of server-sent events got the given events, each once, in order and in time.",
        SseArguments,
        judge_sse,
        "- id: live\n"
        "  claim: The reader gets every message once, in order\n"
        "  check: sse\n"
        "  with: {reader: live, count: 3, once: true, ordered: true}\n"
        "  within: 5s",
        growth_can_break=_sse_can_break,
        holds_of_nothing=_sse_of_nothing,
        vacuous=_sse_vacuous,
        kills=("comms.no-event-ids", "comms.cursor-by-timestamp", "comms.bus-in-memory"),
    ),
    Check(
        "page",
        "A page in a real browser shows the given text, and runs no script that content brought.",
        PageArguments,
        judge_page,
        "- id: live-page\n"
        "  claim: The global channel is there to see\n"
        "  check: page\n"
        "  with: {path: /agents/general, text: Research is done, no_script: true}\n"
        "  within: 5s",
        probes=lambda arguments: (arguments.probe,),
        growth_can_break=lambda arguments: bool(arguments.no_script) or arguments.absent is not None,
        kills=("comms.unsanitised-markdown", "comms.page-gives-up-after-503"),
    ),
)
