"""Requests of agents on `integration.orchestrator.>`, and submissions: JSON that asks for work. [O1]"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake import ids
from pytest_agog.reference.orchestrator.intake.issues import is_issue, read_issue
from pytest_agog.reference.orchestrator.intake.json_text import Piece, pieces
from pytest_agog.reference.orchestrator.intake.objects import read_object, stated_id
from pytest_agog.reference.orchestrator.intake.stated import Stated, Taken, Unreadable

SUBJECTS: Final = "integration.orchestrator.>"
_WRAPPINGS: Final = ("requirement", "request", "work")
"""Keys under which agents put the requirement into a message of their own."""


def read_json(data: bytes, *, name: str, numbering: ids.Numbering | None = None) -> Taken:
    """The requirements in a JSON list, or the one in a JSON object; issues count too.

    One that names no id gets the next number above those in the file.

    Args:
        data: the bytes of the file.
        name: what to call it in messages.
        numbering: what is taken already; nothing otherwise.

    Raises:
        BadInput: the text is no JSON; `name:line: message`.
    """
    found = _unwrapped(pieces(data, name), name)
    numbers = numbering or ids.Numbering()
    for piece in found:
        numbers.take(stated_id(piece.value) or "")
    read: dict[str, Stated] = {}
    unreadable: list[Unreadable] = []
    for piece in found:
        try:
            item = _read(piece, name, numbers)
            if item.id in read:
                raise BadInput(f"stands in line {read[item.id].line} already; every requirement needs its own id")  # noqa: TRY301
            read[item.id] = item
        except BadInput as error:
            unreadable.append(Unreadable(piece.line, _told(piece.value, error), name))
    return Taken(tuple(read.values()), tuple(unreadable))


def _unwrapped(found: list[Piece], name: str) -> list[Piece]:
    """The values of a list under `requirements`, or those that were found."""
    for piece in found:
        if isinstance(piece.value, dict) and isinstance(piece.value.get("requirements"), list):
            return [Piece(piece.line, value) for value in piece.value["requirements"]]
        if len(found) == 1 and not piece.in_list and not isinstance(piece.value, dict):
            raise BadInput(
                f"{name}:{piece.line}: neither a requirement nor a list of requirements. Give a JSON object."
            )
    return found


def _read(piece: Piece, name: str, numbers: ids.Numbering) -> Stated:
    if is_issue(piece.value):
        return read_issue(piece.value, line=piece.line, file=name)
    if not isinstance(piece.value, dict) or stated_id(piece.value) is not None:
        return read_object(piece.value, line=piece.line, file=name)
    return read_object(piece.value, identity=numbers.next(), line=piece.line, file=name)


def _told(value: Any, error: BadInput) -> str:
    identity = stated_id(value)
    return f"{identity[:60]}: {error}" if identity and identity[:60] not in str(error) else str(error)


def read_request(subject: str, payload: bytes, *, stored_at: datetime, sequence: int) -> Stated:
    """The requirement that an agent asks for: the message itself, or what it holds under `requirement`.

    Without an id of its own it has one by its place on the stream, the same at every redelivery.

    Args:
        subject: where it was published, `integration.orchestrator.{topic}`.
        payload: the message.
        stored_at: when JetStream stored it.
        sequence: its sequence on the stream.

    Raises:
        BadInput: why it asks for no work.
    """
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        raise BadInput(f"{subject}: the message is no JSON; send a requirement with a title") from None
    outer = value if isinstance(value, dict) else {}
    inner = next((outer[key] for key in _WRAPPINGS if isinstance(outer.get(key), dict)), value)
    try:
        if is_issue(inner):
            return read_issue(inner)
        read = read_object(inner, identity=ids.of_message(stored_at, sequence))
    except BadInput as error:
        raise BadInput(f"{subject}: {error}") from None
    if read.requested_by is None and inner is not value:
        sender = next((outer[key] for key in ("from", "agent", "sender") if isinstance(outer.get(key), str)), None)
        read = replace(read, requested_by=sender)
    return read
