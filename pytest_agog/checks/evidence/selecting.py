"""Messages by subject and `where`, and the one that came nearest when none fits."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from pytest_agog.checks.base import Evidence
from pytest_agog.checks.evidence.conditions import Columns, fitting, nearest
from pytest_agog.checks.evidence.telling import listed, of_message, short
from pytest_agog.ledger.ledger import Ledger, Message
from pytest_agog.values import ABSENT, Where, look_up
from pytest_agog.wire import subjects

HEADERS: Final = "$headers."


def _subject_pattern(value: str) -> str:
    if not subjects.is_valid(value, wildcards=True):
        raise ValueError(
            f"{value!r} is no subject: tokens divided by single dots, without spaces; '*' stands for one token, "
            "'>' at the end for one or more"
        )
    return value


SubjectPattern = Annotated[str, AfterValidator(_subject_pattern)]
"""A NATS subject, with wildcards."""


def value_at(ledger: Ledger, message: Message, path: str) -> Any:
    """What stands at `path` of the JSON payload, or in a header for `$headers.Name` (any case); else ``ABSENT``."""
    if path.startswith(HEADERS):
        name = path.removeprefix(HEADERS)
        if name in message.headers:
            return message.headers[name]
        folded = name.casefold()
        return next((value for key, value in message.headers.items() if key.casefold() == folded), ABSENT)
    document = ledger.payloads.json(message.payload)
    if isinstance(document, dict) and path and path in document:
        return document[path]  # what look_up finds too, without its detour
    return document if document is ABSENT else look_up(document, path)


def select(ledger: Ledger, subject: str, where: Where | None = None) -> Sequence[Message]:
    """Messages on `subject` that fit `where`, in the order in which they crossed the wire.

    Messages and what stands at a path of theirs are read once for all claims about one subject.
    """
    messages = ledger.derived(("messages", subject), lambda: ledger.messages(subject))
    if not where:
        return messages
    return [messages[place] for place in fitting(where, _columns(ledger, subject), len(messages))]


def _columns(ledger: Ledger, subject: str) -> Columns:
    def read(path: str) -> list[Any]:
        return [value_at(ledger, message, path) for message in select(ledger, subject)]

    return lambda path: ledger.derived(("column", subject, path), lambda: read(path))


def nearest_miss(ledger: Ledger, subject: str, where: Where | None = None) -> tuple[str, list[Evidence]]:
    """What came nearest to a message on `subject` that fits `where`, in words and as evidence.

    That is the message that meets most conditions, the first of several; without any on the subject, the subjects that
    look most like it.
    """
    messages = select(ledger, subject)
    if not messages:
        return _similar_subjects(ledger, subject), []
    miss = nearest(where or {}, _columns(ledger, subject), len(messages))
    if miss is None:
        return "", []
    best, said = messages[miss.place], miss.said
    if ledger.payloads.json(best.payload) is ABSENT and any(not path.startswith(HEADERS) for path in miss.missed):
        said = "has a payload that is no JSON"
    place = f"{best.stream} #{best.sequence}" if best.stream is not None else "a core message"
    return f"{place} on {short(best.subject)} {said}", [of_message(ledger, best, "nearest miss")]


def _similar_subjects(ledger: Ledger, subject: str) -> str:
    known = ledger.derived("subjects", lambda: list(ledger.subjects()))
    wanted = subject.split(".")

    def likeness(other: str) -> int:
        given = other.split(".")
        same = sum(1 for a, b in zip(wanted, given, strict=False) if a in (b, "*", ">"))
        return 2 * same - abs(len(given) - len(wanted))

    seen = [name for name in known if not name.startswith("$")]
    if not seen:
        return "no message was seen at all"
    close = [name for name in heapq.nlargest(3, seen, key=likeness) if likeness(name) > 0]
    return f"seen were {listed(close)}" if close else f"nothing like it; seen were {listed(seen, 3)}"
