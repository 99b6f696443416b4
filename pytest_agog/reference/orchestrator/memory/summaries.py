"""Many memories of one kind and day, put into one. [O20]"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from pytest_agog.reference.orchestrator.memory.model import Note, Remembered

MOST_NAMES: Final = 20
_MOST_LANES: Final = 30
_LONGEST: Final = 200


def summary(kind: str, day: date, memories: Sequence[Remembered], before: Mapping[str, Any] | None = None) -> Note:
    """One note for `memories`, and for those that an earlier summary of the same kind and day holds.

    Args:
        kind: of all of them.
        day: on which they were, UTC.
        memories: in any order; at least one.
        before: `data` of the earlier summary.
    """
    ordered = sorted(memories, key=lambda one: (one.happened, one.id))
    earlier = before or {}
    count = len(ordered) + _whole(earlier.get("count"))
    tokens = sum(_whole(one.data.get("tokens")) for one in ordered) + _whole(earlier.get("tokens"))
    lanes = Counter(_counts(earlier.get("lanes")))
    lanes.update(str(lane) for one in ordered if (lane := one.data.get("lane")))
    names = dict.fromkeys([
        *(str(name) for name in _list(earlier.get("requirements"))),
        *(str(name) for one in ordered if (name := one.data.get("requirement"))),
    ])  # fmt: skip
    common = dict(sorted(lanes.most_common(_MOST_LANES)))
    kept = list(names)[-MOST_NAMES:]
    text = f"{day.isoformat()}, {kind}: {count}"
    if common:
        text += f" ({', '.join(f'{lane} {number}' for lane, number in common.items())})"
    if tokens:
        text += f", {tokens} tokens, {tokens // count} each"
    if kept:
        text += f"; {', '.join(kept)}"
    text += f". Last: {ordered[-1].text[:_LONGEST]}"
    tags = tuple(dict.fromkeys(tag for one in ordered for tag in one.tags))[:MOST_NAMES]
    return Note(
        "long_term", text, kind, f"summary:{day.isoformat()}", tags,
        {"count": count, "tokens": tokens, "lanes": common, "requirements": kept}, ordered[-1].happened,
    )  # fmt: skip


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _counts(value: object) -> dict[str, int]:
    return {str(key): _whole(one) for key, one in value.items()} if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()
