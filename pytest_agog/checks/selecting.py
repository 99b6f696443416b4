"""Messages by subject and `where`, and the one that came nearest when none fits."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from pytest_agog.checks.base import Evidence
from pytest_agog.checks.telling import listed, of_message, short, unmet
from pytest_agog.ledger.ledger import Ledger, Message
from pytest_agog.values import ABSENT, Pattern, Where, look_up
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
    return document if document is ABSENT else look_up(document, path)


def conditions_missed(where: Where, value: Callable[[str], Any]) -> list[str]:
    """The paths of `where` whose condition does not hold."""
    return [path for path, pattern in where.items() if not pattern.holds(value(path))]


def select(ledger: Ledger, subject: str, where: Where | None = None) -> Sequence[Message]:
    """Messages on `subject` that fit `where`, in the order in which they crossed the wire.

    Equality with a plain value is looked up in an index by value, made once per subject and path, so that many claims
    about one busy subject cost one reading of it.
    """
    if not where:
        return ledger.derived(("messages", subject), lambda: ledger.messages(subject))
    indexed = next((path for path, pattern in where.items() if _plain(pattern)), None)
    if indexed is None:
        candidates: Sequence[Message] = select(ledger, subject)
    else:
        by_value = ledger.derived(("by value", subject, indexed), lambda: _by_value(ledger, subject, indexed))
        candidates = by_value.get(_key(where[indexed].equals), ())
    rest = {path: pattern for path, pattern in where.items() if path != indexed}
    if not rest:
        return candidates
    return [message for message in candidates if _fits(ledger, message, rest)]


def _fits(ledger: Ledger, message: Message, where: Where) -> bool:
    return all(pattern.holds(value_at(ledger, message, path)) for path, pattern in where.items())


def _plain(pattern: Pattern) -> bool:
    return pattern.model_fields_set == {"equals"} and isinstance(pattern.equals, (str, int, float, bool))


def _key(value: object) -> Hashable:
    # True equals 1 in Python and not in JSON.
    return (isinstance(value, bool), value)


def _by_value(ledger: Ledger, subject: str, path: str) -> dict[Hashable, list[Message]]:
    found: defaultdict[Hashable, list[Message]] = defaultdict(list)
    for message in select(ledger, subject):
        value = value_at(ledger, message, path)
        if isinstance(value, (str, int, float, bool)):
            found[_key(value)].append(message)
    return found


def nearest_miss(ledger: Ledger, subject: str, where: Where | None = None) -> tuple[str, list[Evidence]]:
    """What came nearest to a message on `subject` that fits `where`, in words and as evidence.

    That is the message that meets most conditions, the first of several; without any on the subject, the subjects that
    look most like it.
    """
    messages = select(ledger, subject)
    if not messages:
        return _similar_subjects(ledger, subject), []
    if not where:
        return "", []
    best, missed = messages[0], list(where)
    for message in messages:
        failing = conditions_missed(where, lambda path, message=message: value_at(ledger, message, path))  # type: ignore[misc]
        if 0 < len(failing) < len(missed):
            best, missed = message, failing
            if len(missed) == 1:
                break
    place = f"{best.stream} #{best.sequence}" if best.stream is not None else "a core message"
    missing = "; ".join(unmet(path, value_at(ledger, best, path), where[path]) for path in missed[:5])
    if ledger.payloads.json(best.payload) is ABSENT and any(not path.startswith(HEADERS) for path in missed):
        missing = "its payload is no JSON"
    text = f"{place} on {short(best.subject)} meets {len(where) - len(missed)} of {len(where)} conditions: {missing}"
    return text, [of_message(ledger, best, "nearest miss")]


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
