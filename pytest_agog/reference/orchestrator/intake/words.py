"""The words in which people state a status, a priority, an effort, an agent, dependencies and files.

What means nothing (`TBD`, `none`, `-`) counts as not stated. A status, priority, agent or dependency that cannot be
understood is refused: guessed wrong, it would start work that must not start yet, or twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeVar

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake.stated import Effort
from pytest_agog.wire import subjects
from pytest_agog.wire.orchestration import Priority, State, requirement_id

T = TypeVar("T")

STATES: Final[Mapping[str, State]] = {
    **dict.fromkeys(
        ("PENDING", "NEW", "OPEN", "TODO", "TO_DO", "BACKLOG", "PLANNED", "QUEUED", "NOT_STARTED"), "PENDING"
    ),
    "READY": "READY",
    "ASSIGNED": "ASSIGNED",
    **dict.fromkeys(("IN_PROGRESS", "INPROGRESS", "WIP", "STARTED", "DOING", "ACTIVE"), "IN_PROGRESS"),
    "GATING": "GATING",
    "REJECTED": "REJECTED",
    "BLOCKED": "BLOCKED",
    "ESCALATED": "ESCALATED",
    **dict.fromkeys(("COMPLETE", "COMPLETED", "DONE", "CLOSED", "FINISHED", "RESOLVED", "MERGED"), "COMPLETE"),
    "FAILED": "FAILED",
}  # type: ignore[assignment,unused-ignore]
"""Words for a status, in capitals with underscores, and the state that they mean."""
PRIORITIES: Final[Mapping[str, Priority]] = {
    **dict.fromkeys(("CRITICAL", "URGENT", "P0"), "CRITICAL"),
    **dict.fromkeys(("HIGH", "P1"), "HIGH"),
    **dict.fromkeys(("MEDIUM", "MED", "NORMAL", "P2"), "MEDIUM"),
    **dict.fromkeys(("LOW", "P3", "P4"), "LOW"),
}  # type: ignore[assignment,unused-ignore]
EFFORTS: Final[Mapping[str, Effort]] = {
    **dict.fromkeys(("XS", "S", "SMALL", "SIMPLE"), "S"),
    **dict.fromkeys(("M", "MEDIUM"), "M"),
    **dict.fromkeys(("L", "LARGE", "COMPLEX"), "L"),
    **dict.fromkeys(("XL", "XXL", "EXTRA_LARGE", "VERY_LARGE", "HUGE"), "XL"),
}  # type: ignore[assignment,unused-ignore]
AGENTS: Final[Mapping[str, str]] = {
    "senior-review": "review",
    "release-manager": "release",
    "docs": "documentation",
    "db": "database",
}
"""Long and short forms of agents' names, and the names that the budget knows. [O7]"""

_NOTHING: Final = frozenset({
    "", "none", "n/a", "na", "nil", "null", "tbd", "tba", "?", "??", "???", "unassigned", "unknown", "anyone", "any",
    "no response", "nobody", "nothing", "not set", "no dependencies", "no files",
})  # fmt: skip
_WORDS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[ -][A-Za-z][A-Za-z0-9_]*)*")
_NUMBER: Final = re.compile(r"(?<![A-Za-z0-9])(\d[\d,_.]{0,14})[ ]?(k|m)?\b", re.IGNORECASE)
_TOKENS: Final = re.compile(r"\d[ ]?[km]?[ ]*tok", re.IGNORECASE)
_NOT_A_LETTER: Final = re.compile(r"[\W_]+")
_ID: Final = re.compile(r"(?<![A-Za-z0-9-])REQ-[A-Za-z0-9-]+")
_REMARK: Final = re.compile(r"\s(?:\([^()]*\)|[-\u2013\u2014]\s.*|<!--.*)$", re.DOTALL)
_BRACKET: Final = re.compile(r"[`()\[\]{}]")
_SEPARATOR: Final = re.compile("[,;]")
_SEVERAL: Final = re.compile(r"[,;/&+]|\s(?:and|or)\s", re.IGNORECASE)


def is_nothing(value: str) -> bool:
    """Whether a value says that there is none: empty, `none`, `TBD`, a dash, and what else people write."""
    bare = value.strip(" \t*_`.()[]").casefold()
    return bare in _NOTHING or not bare.strip("-\u2013\u2014")


def _word(value: str, known: Mapping[str, T], what: str) -> T | None:
    if is_nothing(value):
        return None
    lead = _NOT_A_LETTER.match(value)
    found = _WORDS.match(value, lead.end() if lead else 0)
    meaning = known.get(re.sub("[ -]", "_", found[0]).upper()) if found else None
    if meaning is None:
        names = ", ".join(dict.fromkeys(str(name) for name in known.values()))
        raise BadInput(f"{what} {value[:60]!r} is none of {names}")
    return meaning


def state(value: str) -> State:
    """The state that a status means; not stated is PENDING. A remark may follow: `Complete (2 May)`.

    `PHASE_1_COMPLETE` and `complete except tests` are not COMPLETE. [F18]

    Raises:
        BadInput: it is none.
    """
    return _word(value, STATES, "Status") or "PENDING"


def priority(value: str) -> Priority | None:
    """The stated priority, or None. BadInput when it is none."""
    return _word(value, PRIORITIES, "Priority")


def effort(value: str) -> tuple[Effort | None, int | None]:
    """The size and the number of tokens that an effort states; days and hours state neither."""
    amount = tokens(value) if _TOKENS.search(value) else None
    try:
        return _word(value, EFFORTS, "Effort"), amount
    except BadInput:
        return None, amount


def tokens(value: str) -> int | None:
    """A number of tokens: `40000`, `40,000 tokens`, `~40k`, `1.5M`; None when it is none."""
    found = _NUMBER.search(value)
    if found is None:
        return None
    factor = {"k": 1000, "m": 1_000_000}.get((found[2] or "").lower(), 1)
    digits = found[1].replace("_", "").replace(",", "").rstrip(".")
    if digits.count(".") > 1:
        digits = digits.replace(".", "")
    return round(float(digits) * factor)


def agent(value: str) -> str | None:
    """The name of an agent as it stands in subjects: `Roy (Backend)` is roy, `Database Agent` is database.

    Raises:
        BadInput: it is not one name, or one that cannot be part of a subject.
    """
    bare = _REMARK.sub("", value[: 2 * subjects.MAX_TOKEN_BYTES].strip()).strip(" \t*_`@.")
    if is_nothing(bare):
        return None
    if len(bare) > subjects.MAX_TOKEN_BYTES or _SEVERAL.search(bare):
        raise BadInput(f"Agent {value[:60]!r} is not one name; give one, or none to have the work routed")
    name = re.sub(r"[\s_-]+agent$", "", bare.casefold())
    name = re.sub(r"\s+", "-", name)
    return subjects.token(AGENTS.get(name, name), "agent")


def items(value: str) -> list[str]:
    """A list on one line, split at commas and semicolons outside of brackets and backticks."""
    if not _BRACKET.search(value):
        return [part for piece in _SEPARATOR.split(value) if (part := piece.strip())]
    parts, depth, quoted, current = [], 0, False, ""
    for character in value:
        if character == "`":
            quoted = not quoted
        elif not quoted and character in "([{":
            depth += 1
        elif not quoted and character in ")]}":
            depth = max(depth - 1, 0)
        if character in ",;" and not depth and not quoted:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part.strip() for part in (*parts, current) if part.strip()]


def dependencies(values: list[str]) -> tuple[str, ...]:
    """The ids that a list of dependencies names, each once; a remark may stand around each.

    Raises:
        BadInput: one names no requirement. Left out, the order of the work would be wrong.
    """
    found: dict[str, None] = {}
    for value in values:
        if is_nothing(value):
            continue
        ids = _ID.findall(value)
        if not ids:
            raise BadInput(f"Dependencies: {value[:60]!r} names no requirement; expected ids such as REQ-041")
        found.update(dict.fromkeys(requirement_id(identity) for identity in ids))
    return tuple(found)


def names_requirement(value: str) -> bool:
    """Whether an id stands in `value`."""
    return _ID.search(value) is not None


def files(values: list[str]) -> tuple[str, ...]:
    """The paths that a list of files names, each once, without backticks and remarks."""
    found: dict[str, None] = {}
    for value in values:
        quoted = re.search(r"`+([^`]+)`+", value)
        linked = re.match(r"\[([^\]]+)\]\([^)]*\)", value)
        path = (quoted or linked or [None, _REMARK.sub("", value)])[1] or ""
        path = path.strip().strip("*\"'")
        if path and not is_nothing(path):
            found[path] = None
    return tuple(found)


def looks_like_path(value: str) -> bool:
    """Whether `value` is more likely a path than prose: in backticks, or one word with a slash or a dot in it."""
    bare = _REMARK.sub("", value.strip())
    return bare.startswith("`") or (" " not in bare and re.search(r"[\\/.]", bare.rstrip(".")) is not None)
