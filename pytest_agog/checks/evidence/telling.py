"""How verdicts speak: plain words, short excerpts, control characters made visible, secrets masked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_json

from pytest_agog.checks.base import Evidence
from pytest_agog.ledger.ledger import Ledger, Message
from pytest_agog.masking import MASK, is_secret_name, mask
from pytest_agog.values import ABSENT, Bound, Pattern, Where, format_size

MAX_EVIDENCE: Final = 10
"""How many pieces of evidence a verdict carries; the rest is counted."""
_LINES: Final = 10
_WIDTH: Final = 160
_MARGIN: Final = 1000
"""Characters that are masked but not shown at the end of an excerpt, so that it cuts no secret in two."""
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb]"
)
_NAMES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}


def _name(found: re.Match[str]) -> str:
    character = found[0]
    number = ord(character)
    return _NAMES.get(character) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def visible(text: str) -> str:
    """`text` on one line, with control and formatting characters written out (`\\n`, `\\e`, `\\u202e`)."""
    return _UNSEEN.sub(_name, text)


def short(text: str, limit: int = 120) -> str:
    """`text` on one line of at most `limit` characters."""
    seen = visible(_masked(text, limit))
    return seen if len(seen) <= limit and len(text) <= limit + _MARGIN else seen[: limit - 1] + "…"


def _masked(text: str, limit: int) -> str:
    """At least `limit` characters of the beginning of `text`, masked, if there are so many."""
    if len(text) <= limit + _MARGIN:
        return mask(text)
    return mask(text[: limit + _MARGIN])[:-_MARGIN]


def excerpt(text: str, lines: int = _LINES, width: int = _WIDTH) -> str:
    """The beginning of `text`: at most `lines` lines of `width` characters, long lines folded."""
    folded: list[str] = []
    for line in _masked(text, lines * width).split("\n"):
        seen = visible(line.removesuffix("\r"))
        folded += [seen[start : start + width] for start in range(0, max(len(seen), 1), width)]
        if len(folded) > lines:
            break
    more = len(folded) > lines or len(text) > lines * width + _MARGIN
    return "\n".join(folded[:lines]).rstrip() + ("\n…" if more else "")


def shown(value: Any, limit: int = 120) -> str:
    """A JSON value as a person reads it: text in quotes, the rest as JSON, nothing for a path that is not there."""
    if value is ABSENT:
        return "nothing"
    if isinstance(value, str):
        return f"'{short(value, limit)}'"
    try:
        return short(to_json(value, inf_nan_mode="constants").decode(), limit)
    except (PydanticSerializationError, ValueError):
        return short(repr(value), limit)


def listed(items: Iterable[str], limit: int = 8, empty: str = "none") -> str:
    """`a, b, c and 5 more`."""
    names = [short(item) for item in items]
    if not names:
        return empty
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")


def percent(share: float) -> str:
    """A fraction as people read it: `94.1 %`. Rounded towards zero, so that it never looks better than it is."""
    return f"{int(share * 1000) / 10:g} %"


def bound_of_shares(bound: Bound) -> str:
    """A bound on fractions, in percent."""
    return bound.told(lambda share: f"{share * 100:g} %")


def described(where: Where | None) -> str:
    """The conditions of a `where`, in words; empty without conditions."""
    return " and ".join(f"{short(path)} {_asked(path, pattern)}" for path, pattern in (where or {}).items())


def _secret(path: str) -> bool:
    return any(is_secret_name(part) for part in path.split("."))


def _asked(path: str, pattern: Pattern) -> str:
    if _secret(path) and pattern.model_fields_set != {"exists"}:
        return f"fits {MASK}"
    return short(str(pattern))


def unmet(path: str, value: Any, pattern: Pattern) -> str:
    """What stands at `path` instead of what was asked for."""
    seen = MASK if _secret(path) and value is not ABSENT else shown(value)
    return f"{short(path)} is {seen}, which is not “{_asked(path, pattern)}”"


def close_names(name: str, names: Iterable[str], limit: int = 3) -> list[str]:
    """Names that look like `name`, for "did you mean"; of very many names only those that share its first letters."""
    candidates = list(names)
    if len(candidates) > 2000:
        candidates = [other for other in candidates if other[:6] == name[:6]][:2000]
    return difflib.get_close_matches(name, candidates, n=limit, cutoff=0.6)


def clock(at: float) -> str:
    """A time of day, UTC, to the millisecond."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"
    except (ValueError, OverflowError, OSError):
        return f"{at:g}"


def of_message(ledger: Ledger, message: Message, note: str = "") -> Evidence:
    """A message as evidence: subject, stream and sequence, size, time, and the beginning of its payload."""
    place = f"{message.stream} #{message.sequence}" if message.stream is not None else "core"
    subject = short(message.subject)
    if message.published_on is not None:
        subject += f" (published on {short(message.published_on)})"
    text = f"{subject} · {place} · {format_size(message.size)} · {clock(message.at)}"
    return Evidence(
        "message",
        message.at,
        f"{text} · {note}" if note else text,
        ledger.derived(("excerpt", message.payload), lambda: _beginning(ledger, message)),
        {
            "subject": message.subject,
            "stream": message.stream,
            "sequence": message.sequence,
            "size": message.size,
            "sha256": message.payload,
            "index": message.index,
        },
    )


def _beginning(ledger: Ledger, message: Message) -> str:
    if message.payload not in ledger.payloads:
        return ""
    return excerpt(ledger.payloads[message.payload][:20_000].decode("utf-8", "replace"))


def of_messages(ledger: Ledger, messages: Sequence[Message], limit: int = 3) -> list[Evidence]:
    """The first few of `messages` as evidence, and a line that counts the rest."""
    found = [of_message(ledger, message) for message in messages[:limit]]
    if len(messages) > limit:
        found.append(Evidence("message", None, f"and {len(messages) - limit:,} more"))
    return found
