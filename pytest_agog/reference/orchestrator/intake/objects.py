"""JSON objects that state a requirement: those of the contract, and the names under which others write the same. F18"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake import words
from pytest_agog.reference.orchestrator.intake.entry_head import MAX_TITLE
from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.wire.orchestration import requirement_id

_KEYS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("id", "reqid", "reqnumber", "requirementid"), "id"),
    **dict.fromkeys(("title", "name"), "title"),
    **dict.fromkeys(("description", "text", "body", "details"), "text"),
    **dict.fromkeys(("status", "state"), "status"),
    **dict.fromkeys(("assignedagent", "agent", "assignedto"), "agent"),
    **dict.fromkeys(("effort", "complexity", "size"), "effort"),
    "priority": "priority",
    **dict.fromkeys(("dependencies", "dependson"), "dependencies"),
    "files": "files",
    **dict.fromkeys(("acceptancecriteria", "acceptance"), "acceptance"),
    "estimatedtokens": "tokens",
    "metadata": "metadata",
    "phase": "phase",
    **dict.fromkeys(("requestedby", "from", "sender"), "requested_by"),
    "deadline": "deadline",
}
"""Keys without signs in lower case, and what they mean; the first one named wins, others are passed over."""
MAX_TEXT: Final = 100_000
"""Characters of prose that are kept."""


def read_object(value: Any, *, identity: str | None = None, line: int = 1, file: str = "") -> Stated:
    """The requirement that a JSON object states.

    Args:
        value: the object.
        identity: its id when it names none.
        line: where it stands.
        file: in which file.

    Raises:
        BadInput: why it states none, with the field's name.
    """
    if not isinstance(value, dict):
        raise BadInput(f"expected a requirement (a JSON object), found {_kind(value)}")
    given = _given(value)
    metadata = given.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise BadInput(f"metadata: expected an object, found {_kind(metadata)}")
    given = {**_given(metadata, only=("phase", "requested_by", "deadline")), **given}
    stated = _text(given, "id") or identity
    if stated is None:
        raise BadInput("id: missing; expected REQ- and then letters, digits and dashes")
    title = " ".join(_text(given, "title").split())[:MAX_TITLE]
    if not title:
        raise BadInput("title: missing; say in one line what is to be done")
    effort, tokens = words.effort(_text(given, "effort"))
    return Stated(
        id=requirement_id(stated),
        title=title,
        line=line,
        text=_text(given, "text")[:MAX_TEXT],
        state=words.state(_text(given, "status")),
        agent=words.agent(_text(given, "agent")),
        effort=effort,
        priority=words.priority(_text(given, "priority")),
        dependencies=words.dependencies(_list(given, "dependencies")),
        files=words.files(_list(given, "files")),
        acceptance=tuple(_list(given, "acceptance", split=False)),
        estimated_tokens=_tokens(given.get("tokens")) if given.get("tokens") is not None else tokens,
        phase=_text(given, "phase") or None,
        requested_by=_text(given, "requested_by") or None,
        deadline=_text(given, "deadline") or None,
        file=file,
    )


def stated_id(value: Any) -> str | None:
    """The id that an object names, valid or not."""
    named = _given(value, only=("id",)).get("id") if isinstance(value, dict) else None
    return named if isinstance(named, str) and named else None


def _given(value: Mapping[str, Any], only: tuple[str, ...] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, member in value.items():
        name = _KEYS.get(re.sub("[_ -]", "", str(key)).lower())
        if name is not None and member is not None and (only is None or name in only):
            found.setdefault(name, member)
    return found


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise BadInput(f"{name}: expected text, found {_kind(value)}")
    return str(value).encode("utf-8", "replace").decode("utf-8").strip()


def _list(given: Mapping[str, Any], name: str, *, split: bool = True) -> list[str]:
    value = given.get(name, [])
    if isinstance(value, str):
        return words.items(value) if split else [value.strip()] * bool(value.strip())
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadInput(f"{name}: expected a list of texts, found {_kind(value)}")
    return [text for item in value if (text := item.encode("utf-8", "replace").decode("utf-8").strip())]


def _tokens(value: Any) -> int:
    if isinstance(value, str):
        amount = words.tokens(value)
        if amount is not None:
            return amount
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e15 and value == int(value):
        return int(value)
    raise BadInput(f"estimatedTokens: expected a whole number of at least 0, found {str(value)[:60]!r}")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    if isinstance(value, list):
        return next((f"a list with {_kind(item)} in it" for item in _others(value)), "a list")
    return names.get(type(value), "a number")


def _others(value: list[Any]) -> Iterator[Any]:
    return (item for item in value if not isinstance(item, (str, list)))
