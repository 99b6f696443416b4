"""Deliverables as the streams hold them: the report in a message, inline or by reference to an object."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from pytest_agog.checks.evidence.ends import still_held
from pytest_agog.errors import BadInput
from pytest_agog.ledger.facts import ObjectSeen
from pytest_agog.ledger.ledger import Ledger, Message
from pytest_agog.values import ABSENT
from pytest_agog.wire import notices, subjects
from pytest_agog.wire.deliverables import Deliverable, ObjectReference

ALL_REPORTS = (f"{subjects.DELIVERABLES}.>", "agog.features.devops.>")
"""Subjects on which deliverables are stored."""
_LARGEST_NOTICE = 100_000
"""Characters; longer JSON is not tried as a notice."""


@dataclass(frozen=True)
class Report:
    """What a stored deliverable message says."""

    message: Message
    data: bytes | None
    """The content's UTF-8 bytes; None when there is none, and `reason` says why."""
    reason: str = ""
    reference: ObjectReference | None = None

    @property
    def text(self) -> str:
        """The content; empty when there is none."""
        return self.data.decode("utf-8", "replace") if self.data is not None else ""


def read(ledger: Ledger, message: Message) -> Report:
    """The report in `message`. Only `content` or `object` is asked for, so that foreign metadata does not hide it."""
    return ledger.derived(("report", message.index), lambda: _read(ledger, message))


def _read(ledger: Ledger, message: Message) -> Report:
    document = ledger.payloads.json(message.payload)
    if not isinstance(document, dict):
        return Report(message, None, "its payload is no JSON object")
    content = document.get("content")
    if isinstance(content, str):
        return Report(message, content.encode("utf-8", "surrogatepass"))
    if document.get("object") is not None:
        return _by_reference(ledger, message, document["object"])
    if notice_in(document) is not None:
        return Report(message, None, "a completion notice stands where the report should be")
    return Report(message, None, "its payload has neither content nor an object")


def _by_reference(ledger: Ledger, message: Message, value: Any) -> Report:
    try:
        reference = ObjectReference.model_validate(value)
    except ValidationError as error:
        return Report(message, None, f"its object reference cannot be read: {error.errors()[0]['msg']}")
    seen = _objects(ledger).get((reference.bucket, reference.name))
    where = f"object {reference.name} in bucket {reference.bucket}"
    if seen is None:
        return Report(message, None, f"{where} was not read", reference)
    if seen.payload is None:
        return Report(message, None, f"{where} cannot be read: {seen.reason or 'no reason was given'}", reference)
    return Report(message, ledger.payloads[seen.payload], "", reference)


def _objects(ledger: Ledger) -> dict[tuple[str, str], ObjectSeen]:
    def newest() -> dict[tuple[str, str], ObjectSeen]:
        found: dict[tuple[str, str], ObjectSeen] = {}
        for observation in ledger.of(ObjectSeen):
            fact = observation.fact
            # An object that was read once was there; that it is gone later does not unread it.
            if fact.payload is not None or (fact.bucket, fact.name) not in found:
                found[fact.bucket, fact.name] = fact
        return found

    return ledger.derived("objects", newest)


def revisions(ledger: Ledger, subject: str) -> list[Message]:
    """The messages that streams hold on `subject`, in stream order; without those that a crash rolled back."""
    by_place = {(message.stream, message.sequence): message for message in ledger.stored(subject)}
    return [message for message in by_place.values() if still_held(ledger, message)]


def latest(ledger: Ledger, subject: str) -> Report | None:
    """The report that a fetch returns: the last message of the subject."""
    found = revisions(ledger, subject)
    return read(ledger, found[-1]) if found else None


def all_reports(ledger: Ledger) -> Sequence[Report]:
    """Every stored revision of every deliverable, in stream order."""
    return ledger.derived(
        "reports", lambda: [read(ledger, message) for pattern in ALL_REPORTS for message in ledger.stored(pattern)]
    )


def shape_problem(ledger: Ledger, message: Message) -> str | None:
    """What of the payload's shape is not as the contract says, or None."""
    document = ledger.payloads.json(message.payload)
    if document is ABSENT:
        return "its payload is no JSON"
    try:
        Deliverable.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the payload'}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    return None


def authors(ledger: Ledger, report: Report) -> set[str]:
    """Who wrote a report, in lower case: the agent of its subject and that of its metadata; empty when neither says."""
    found = set()
    document = ledger.payloads.json(report.message.payload)
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if isinstance(metadata, dict) and isinstance(metadata.get("agent"), str):
        found.add(metadata["agent"].casefold())
    with contextlib.suppress(BadInput):  # a subject of another form, such as `agog.features.devops.…`, names nobody
        found.add(subjects.parse_deliverable(report.message.subject)[0].casefold())
    return found


def notice_in(document: Any) -> notices.Notice | None:
    """The completion notice that a JSON document is, or None."""
    if not isinstance(document, dict):
        return None
    try:
        return notices.parse(document)
    except BadInput:
        return None


def is_notice(report: Report) -> bool:
    """Whether the content itself is a completion notice, bare or in a code fence. [F06], [F07]"""
    text = report.text.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text.strip("`").removeprefix("json").strip()
    if not text.startswith("{") or len(text) > _LARGEST_NOTICE:
        return False
    return notice_in(_json(text)) is not None


# A mark that something was left out, alone on the last line or behind what it cut off.
_CUT: Final = re.compile(
    r"(?:^[\W_]*(?:(?:output|report|content|text|message|rest|remainder|remaining[ \w]{0,20})[ ])?"
    r"(?:was[ ]|is[ ])?(?:truncated|omitted|cut off)\b(?=[\W_]*(?:\Z|at|after|here|for|due|because|\d))[^\n]{0,40}"
    r"|\[[^\[\]\w\n]{0,5}(?:[\w ]{0,30}[ ])?truncated\b[^\[\]\n]{0,40}\])[\W_]*\Z",
    re.IGNORECASE | re.MULTILINE,
)
_STAND_IN: Final = re.compile(
    r"[\W_]*(?:(?:insert|add|put|your|the|full|actual|report|content|text|goes|to|be|is|follows|here|later|see|above|below|"
    r"placeholder|todo|tbd|n/?a|none|null|undefined|lorem|ipsum)[\W_]*){1,12}\Z",
    re.IGNORECASE,
)
_END: Final = 300
"""Characters at the end of a report in which a mark of truncation is looked for."""


def stand_in(report: Report) -> str | None:
    """What stands in the report's place or at its end, if it says itself that it is not the report. [F15]"""
    text = report.text.strip()
    if len(text) <= _END and _STAND_IN.match(text):
        return "a placeholder"
    return "a mark of truncation at its end" if _CUT.search(text[-_END:]) else None


def _json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return ABSENT


def tokens_of(ledger: Ledger, report: Report) -> int:
    """The number of tokens in a report's content."""
    data = report.data or b""
    key = hashlib.sha256(data).hexdigest()
    if key in ledger.payloads:
        return ledger.tokens(key)
    return ledger.derived(("tokens", key), lambda: ledger.count_tokens(data.decode("utf-8", "replace")))
